"""A model that answers from a process of its own, with limits of memory and time, and without mlopskit."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import errors
from .errors import LimitError, PackageError, UnsafeModelError
from .schema import Columns, Row
from .scoring import rows_of

DEADLINE = 300.0
MEMORY = 8 << 30
_CHILD = Path(__file__).with_name("isolated_child.py")
# What a process needs to start; everything else of our surroundings, secrets among it, stays here.
_KEPT = (
    "PATH",
    "HOME",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "LD_LIBRARY_PATH",
    "LANG",
    "LC_ALL",
    "COVERAGE_PROCESS_CONFIG",
)
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class IsolatedModel:
    """A model answering from a process of its own, once it is told which to open; a scorer.

    `runtime` is a folder of the runtime. `engine` names the modules to import while it waits to be told, `path` the
    folders in which they are besides; `deadline` is in seconds for each answer, `memory` in bytes of address space,
    `nice` how much it lets others go first.
    """

    def __init__(
        self,
        runtime: Path,
        /,
        *,
        log: Path,
        engine: Sequence[str] = (),
        path: Sequence[Path] = (),
        deadline: float = DEADLINE,
        memory: int = MEMORY,
        nice: int = 0,
    ) -> None:
        self._deadline = deadline
        self._log = log
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-B",
                    str(_CHILD),
                    str(memory),
                    str(nice),
                    str(runtime),
                    os.pathsep.join(map(str, path)),
                    *engine,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={name: os.environ[name] for name in _KEPT if name in os.environ} | _ONE_THREAD,
            )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def open(
        self, folder: Path, /, *, digest: str, format: str | None = None, trust_code: Collection[str] = ()
    ) -> None:
        """Let it open a package, and take this form of the model; it does so while we go on.

        `trust_code` are the digests of packages that may run code of their own in it.
        """
        arguments = [str(folder), "--digest", digest, *(["--format", format] if format else [])]
        arguments += [f"--trust-code={one}" for one in trust_code]
        self._send(json.dumps(arguments).encode() + b"\n")

    def ask(self, rows: Sequence[Row], /) -> dict[str, Any]:
        """Return the process's answer to rows: `rows`, `digest` and `runtime`.

        Raises:
            MlopskitError: what the process said, as the error it named.
            LimitError: it did not answer in time.
            UnsafeModelError: it died.
        """
        self._send(json.dumps({"rows": [dict(row) for row in rows]}).encode() + b"\n")
        answer = self._parsed(self._receive())
        if "error" in answer:
            raise _error(answer)
        return answer

    def score(self, columns: Columns, /) -> dict[str, list[Any]]:
        """Return the outputs for whole columns."""
        answered = self.ask(list(rows_of(columns)))["rows"]
        return {name: [row[name] for row in answered] for name in answered[0]}

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def _send(self, line: bytes) -> None:
        # A process that died has said why on its output or its log; that is told when the answer is read.
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.write(line)
                self._process.stdin.flush()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)
        self._lines.put(b"")

    def _receive(self) -> bytes:
        try:
            line = self._lines.get(timeout=self._deadline)
        except queue.Empty:
            self.kill()
            raise LimitError(
                f"The model did not answer within {self._deadline:g} s.", remedy="Make it smaller, or allow more time."
            ) from None
        if not line:
            raise UnsafeModelError(
                f"The process that scored the model ended with {self._process.wait()}: {self._last_words()}",
                remedy="Do not use this package; package the model again.",
            )
        return line

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError as error:
            self.kill()
            raise UnsafeModelError(
                f"The process that scored the model answered no JSON but {line[:80]!r}.",
                remedy="Do not use this package; package the model again.",
            ) from error
        return answer

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:500] if lines else "it said nothing."


def _error(answer: Mapping[str, str]) -> errors.MlopskitError:
    named = getattr(errors, answer["kind"], None)
    kind = named if isinstance(named, type) and issubclass(named, errors.MlopskitError) else PackageError
    return kind(answer["error"], remedy=answer["remedy"])


@contextlib.contextmanager
def running(
    runtime: Path, /, *, deadline: float = DEADLINE, memory: int = MEMORY, **given: Any
) -> Iterator[IsolatedModel]:
    """Start a process for as long as the context lasts; the rest is as of `IsolatedModel`."""
    with tempfile.TemporaryDirectory(prefix="mlopskit-") as temporary:
        model = IsolatedModel(runtime, log=Path(temporary, "stderr"), deadline=deadline, memory=memory, **given)
        try:
            yield model
        except BaseException:
            model.kill()
            raise
        finally:
            model.close()
