"""The prediction log: rows that were answered, and labels that were told later, as JSON Lines in a bounded folder.

A thread of its own writes; whoever answers only puts into a queue, and what the queue or the disk does not take is
dropped and counted. docs/reference/feedback.md has the format.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import random
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ..schema import Columns, Row
from ..scoring import Model

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_QUEUED = 20_000  # rows, or KiB of requests, that wait to be written
_FILES = 4
_PAUSE = 0.2


@dataclass(frozen=True, kw_only=True)
class Logging:
    """What is written down: into which folder, which share of the requests, how many bytes a process may fill.

    Columns in `omit` are left out; of those in `hash` stands a keyed hash, whose key is in the folder.
    """

    folder: Path
    share: float = 1.0
    size: int = 64 << 20
    omit: frozenset[str] = frozenset()
    hash: frozenset[str] = frozenset()


class _Noted(NamedTuple):
    id: str
    when: str
    digest: str
    rows: Sequence[Row] | Columns
    outputs: Sequence[Row] | Columns
    weight: int


class Journal:
    """The prediction log of one process."""

    def __init__(self, logging: Logging, /, *, process: int, dropped: Callable[[int], None]) -> None:
        self._how, self._process, self._dropped = logging, process, dropped
        self.request = threading.local()  # id and size of the request that this thread answers
        self._queue: deque[_Noted] = deque()
        self._labels: deque[bytes] = deque()
        self._waiting, self._one = 0, threading.Lock()
        self._ended = threading.Event()
        logging.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._key = _key(logging.folder / "key") if logging.hash else b""
        self._number = max([_number(file) for file in self._files()], default=0)
        self._labelled = sum(file.stat().st_size for file in logging.folder.glob(f"labels-{process}.jsonl"))
        self._thread = threading.Thread(target=self._run, name="prediction log", daemon=True)
        self._thread.start()

    def note(self, digest: str, rows: Sequence[Row] | Columns, outputs: Sequence[Row] | Columns, count: int) -> None:
        """Put rows and what they were answered with into the queue, or count them as dropped."""
        if self._how.share < 1.0 and random.random() >= self._how.share:  # noqa: S311  # a sample, no secret
            return
        weight = max(count, getattr(self.request, "size", 0) >> 10)
        with self._one:
            full = self._waiting + weight > _QUEUED
            self._waiting += 0 if full else weight
        if full:
            self._dropped(count)
            return
        self._queue.append(_Noted(getattr(self.request, "id", ""), _now(), digest, rows, outputs, weight))

    def label(self, id: str, labels: Sequence[Any], /) -> bool:
        """Keep what would have been right for the rows of a request; False if there is no room for it."""
        lines = [_encode({"request": id, "number": number, "label": one}) for number, one in enumerate(labels)]
        data = b"\n".join([*lines, b""])
        if self._labelled + len(data) > self._how.size or len(self._labels) > _QUEUED:
            return False
        self._labelled += len(data)
        self._labels.append(data)
        return True

    def close(self) -> None:
        """Write what is queued, and end."""
        self._ended.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._ended.wait(_PAUSE):
            self._try()
        self._try()

    def _try(self) -> None:
        try:
            self._write()
        except Exception:  # whatever it is, the next rows are written
            _log.exception("The prediction log has lost rows.")

    def _write(self) -> None:
        self._append(self._how.folder / f"labels-{self._process}.jsonl", self._labels)
        noted = [self._queue.popleft() for _ in range(len(self._queue))]
        if not noted:
            return
        lines = [line for one in noted for line in self._lines(one)]
        with self._one:
            self._waiting -= sum(one.weight for one in noted)
        most = self._how.size // _FILES
        fit = [line for line in lines if len(line) < most]
        if len(fit) < len(lines):
            self._dropped(len(lines) - len(fit))
        for part in _parts(fit, most):
            self._rotate(part, most)

    def _rotate(self, lines: Sequence[bytes], most: int) -> None:
        """Append lines to the newest file, or to a new one, which the oldest makes room for."""
        data = deque([b"\n".join([*lines, b""])])
        file = self._file(self._number)
        if file.exists() and file.stat().st_size + len(data[0]) > most:
            self._number += 1
            file = self._file(self._number)
            self._remove_oldest()
        if not self._append(file, data):
            self._dropped(len(lines))

    def _append(self, file: Path, parts: deque[bytes]) -> bool:
        """Append what is queued to a file; False if the disk does not take it."""
        data = b"".join([parts.popleft() for _ in range(len(parts))])
        if not data:
            return True
        before = file.stat().st_size if file.exists() else 0
        try:
            with open(file, "ab", buffering=0, opener=_private) as opened:
                while data:
                    data = data[opened.write(data) :]
        except OSError as error:
            _log.warning("The prediction log cannot be written: %s", error)
            with contextlib.suppress(OSError):
                os.truncate(file, before)  # half a line would spoil the file for its readers
            return False
        return True

    def _remove_oldest(self) -> None:
        for file in sorted(self._files(), key=_number)[: -_FILES + 1]:
            with contextlib.suppress(OSError):
                file.unlink()

    def _files(self) -> list[Path]:
        return [*self._how.folder.glob(f"predictions-{self._process}-*.jsonl")]

    def _file(self, number: int) -> Path:
        return self._how.folder / f"predictions-{self._process}-{number:06d}.jsonl"

    def _lines(self, noted: _Noted) -> Iterator[bytes]:
        rows, outputs = _rows(noted.rows), _rows(noted.outputs)
        for number, (row, answered) in enumerate(zip(rows, outputs, strict=True)):
            table = {"request": noted.id, "number": number, "row": self._shown(row)}
            said = answered.get("prediction", answered)
            yield _encode({**table, "prediction": said, "digest": noted.digest, "when": noted.when})

    def _shown(self, row: Row) -> dict[str, Any]:
        how = self._how
        return {
            name: self._hashed(cell) if name in how.hash and cell is not None else cell
            for name, cell in row.items()
            if name not in how.omit
        }

    def _hashed(self, cell: object) -> str:
        return hashlib.blake2b(str(cell).encode(), key=self._key, digest_size=16).hexdigest()


class NotedModel(Model):
    """A model whose answers are written down."""

    def __init__(self, model: Model, journal: Journal) -> None:
        super().__init__(
            name=model.name, digest=model.digest, format=model.format, schema=model.schema, scorer=model.scorer
        )
        self._journal = journal

    def predict(self, rows: Sequence[Row], /) -> list[dict[str, Any]]:
        """Return one row of outputs for each row."""
        outputs = super().predict(rows)
        self._journal.note(self.digest, rows, outputs, len(outputs))
        return outputs

    def predict_columns(self, columns: Columns, /) -> dict[str, Any]:
        """Return the outputs for whole columns."""
        outputs = super().predict_columns(columns)
        self._journal.note(self.digest, columns, outputs, len(next(iter(outputs.values()))))
        return outputs


def _parts(lines: Sequence[bytes], most: int) -> Iterator[Sequence[bytes]]:
    """Return lines in parts of at most so many bytes."""
    part: list[bytes] = []
    size = 0
    for line in lines:
        if size + len(line) + 1 > most:
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    yield part


def _rows(given: Sequence[Row] | Columns) -> Sequence[Row]:
    if not isinstance(given, Mapping):
        return given
    lists = [cells.tolist() if hasattr(cells, "tolist") else cells for cells in given.values()]
    return [dict(zip(given, cells, strict=True)) for cells in zip(*lists, strict=True)]


def _key(file: Path) -> bytes:
    """Return the key of a folder's hashes, made when it is first asked for."""
    beside = file.with_name(f".key-{secrets.token_hex(8)}")
    with open(beside, "xb", opener=_private) as opened:
        opened.write(secrets.token_bytes(32))
    with contextlib.suppress(FileExistsError):  # another process was faster
        os.link(beside, file)
    beside.unlink()
    return file.read_bytes()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _number(file: Path) -> int:
    digits = file.stem.rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
