"""Numbered records on a Storage: append, head, history. One record a number: history, audit trail and lock at once."""

from __future__ import annotations

import contextlib
import datetime as dt
import getpass
import hashlib
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlopskit.disk import private_folder
from mlopskit.errors import ConflictError, LimitError, MlopskitError, UsageError
from mlopskit.runtime import alias as reading
from mlopskit.runtime import canonical
from mlopskit.runtime.alias import AliasRecord
from mlopskit.runtime.names import check_digest, check_name
from mlopskit.storage import Storage

RECORD = "record.json"


def now() -> str:
    """Return the present time, UTC, as records hold it. Nothing is ordered by it."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def who() -> str:
    """Return the name of the person or service account at work."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user, as in a container with a bare user id
        return "unknown"


def operation() -> str:
    """Return a new id that tells this write from anybody else's."""
    return uuid.uuid4().hex


def commit_record(storage: Storage, prefix: str, data: bytes, /) -> bool:
    """Commit a record under its number; False if that holds another one.

    Where the place says that it is taken, by ourselves perhaps, because an answer was lost, the record is read back.
    """
    if storage.commit(prefix, {RECORD: data}, last=RECORD):
        return True
    return storage.read(f"{prefix}/{RECORD}", limit=len(data)) == data


def read_record(storage: Storage, key: str, /, *, limit: int) -> Any:
    """Return what a record of at most `limit` bytes holds, None if there is none.

    Raises:
        ManifestError: it is malformed, or of a later format.
        LimitError: it is longer.
    """
    data = storage.read(key, limit=limit)
    if data is None:
        return None
    table = canonical.loads(data, what=key, limit=limit)
    reading.check_version(table, f"The record {key!r}")
    return table


@dataclass(frozen=True)
class Alias:
    """One alias of one model below a prefix of a storage."""

    storage: Storage
    prefix: str
    name: str
    alias: str

    def __post_init__(self) -> None:
        check_name(self.name)
        check_name(self.alias, kind="alias")

    def head(self) -> AliasRecord | None:
        """Return the newest record, None if there is none.

        Raises:
            RollbackError: it is older than one that this machine saw before.
            AliasError: the chain of records is broken.
        """
        memory = self._memory()
        newest = self._read_head(seen=_remembered(memory))
        if newest is not None:
            _remember(memory, newest.seq)
        return newest

    def history(self) -> list[AliasRecord]:
        """Return all records, oldest first, every link checked."""
        return reading.history(self._get, self.prefix, name=self.name, alias=self.alias)

    def append(self, digest: str | None, /, *, after: AliasRecord | None, why: str) -> AliasRecord:
        """Append the record that moves the alias to a digest; exactly one writer gets each number.

        Raises:
            ConflictError: somebody else appended after `after`; the error carries the winner's record.
            UsageError: the reason is too long, or no text.
        """
        record = AliasRecord(
            name=self.name,
            alias=self.alias,
            seq=(after.seq if after else 0) + 1,
            digest=None if digest is None else check_digest(digest),
            previous=None if after is None else canonical.digest_of(after.data()),
            operation=operation(),
            who=who(),
            why=why,
            when=now(),
        )
        data = _written(record)
        key = reading.record_key(self.prefix, self.alias, record.seq)
        if not commit_record(self.storage, key.removesuffix(f"/{RECORD}"), data):
            raise self._conflict(key, record)
        self._hint(record)
        _remember(self._memory(), record.seq)
        return record

    def refresh(self) -> None:
        """Write the hint again where a writer that died has left it behind the records."""
        newest = self.head()
        if newest is not None and self._get(reading.hint_key(self.prefix, self.alias)) != newest.data():
            self._hint(newest)

    def _conflict(self, key: str, record: AliasRecord) -> ConflictError:
        """Return the error that says who has the number that this record wanted."""
        data = self._get(key)
        winner = None if data is None else reading.parse_record(data, name=self.name, alias=self.alias, seq=record.seq)
        whose = f"{winner.who} moved it to {winner.digest} at {winner.when}" if winner else "somebody else moved it"
        return ConflictError(
            f"The alias {self.alias!r} of {self.name!r} was moved meanwhile: {whose}.",
            remedy="Look at 'mlopskit status', then run the command again if it is still wanted.",
            winner=winner,
        )

    def _hint(self, record: AliasRecord) -> None:
        """Write the hint, again if somebody appended meanwhile: it ends as the newest record.

        The alias has moved by now. That the hint could not be written must not pass for "it has not moved": readers
        find the newest record all the same, and the next writer writes the hint.
        """
        newest: AliasRecord | None = record
        written = 0
        with contextlib.suppress(MlopskitError):
            while newest is not None and newest.seq > written:
                self.storage.hint(reading.hint_key(self.prefix, self.alias), newest.data())
                written = newest.seq
                newest = self._read_head()

    def _read_head(self, *, seen: int = 0) -> AliasRecord | None:
        return reading.head(self._get, self.prefix, name=self.name, alias=self.alias, seen=seen)

    def _get(self, key: str) -> bytes | None:
        return self.storage.read(key, limit=reading.MAX_RECORD)

    def _memory(self) -> Path | None:
        """Return where this machine remembers the highest number seen of this chain of records.

        The chain is known by its place and its first record: a copy of it elsewhere goes its own way, and a place that
        was emptied and begun anew is another chain.
        """
        first = self._get(reading.record_key(self.prefix, self.alias, 1))
        if first is None:
            return None
        try:
            where = f"{self.storage.uri}\n{self.prefix}\n{self.alias}\n".encode()
            return state_folder() / "seen" / hashlib.sha256(where + first).hexdigest()
        except RuntimeError:  # a user without a home remembers nothing
            return None


def _written(record: AliasRecord) -> bytes:
    """Return the record's bytes, if readers will take them: one that they refuse would end the alias for ever."""
    try:
        data = record.data()
        reading.parse_record(data, name=record.name, alias=record.alias, seq=record.seq)
    except (LimitError, ValueError) as error:
        raise UsageError(
            f"The reason, with all else, does not fit into a record: {error}", remedy="Give a shorter, plain text."
        ) from error
    return data


def state_folder() -> Path:
    """Return the folder where this machine keeps what it must remember between runs (XDG state)."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "mlopskit"


# What was seen is a folder of empty files named by numbers: to add one is a single step, which nobody can undo
# by writing an older number at the same time.


def _remembered(memory: Path | None) -> int:
    if memory is None:
        return 0
    try:
        return max((int(seen.name) for seen in memory.iterdir()), default=0)
    except (OSError, ValueError):
        return 0


def _remember(memory: Path | None, seq: int) -> None:
    if memory is None or _remembered(memory) >= seq:
        return
    with contextlib.suppress(OSError, ValueError):  # a home that cannot be written remembers nothing
        private_folder(memory)
        (memory / str(seq)).touch()
        for older in memory.iterdir():
            if int(older.name) < seq:
                older.unlink(missing_ok=True)
