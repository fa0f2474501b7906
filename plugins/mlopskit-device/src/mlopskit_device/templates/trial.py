"""Try a bundle before anybody is answered from it: its own self-test, and its golden rows, asked as users ask."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from _mlopskit_runtime import (  # type: ignore[import-not-found]  # stands beside it
    canonical,
    errors,
    golden,
    manifest,
    package,
)
from slots import Bundle  # type: ignore[import-not-found]  # as above

_NOTHING_MORE = 5  # seconds after its time that a child ends even if the agent is gone
_MOST_SAID = 64 << 20


class Trial:
    """Asks bundles in children of limited time (seconds) and memory (bytes)."""

    def __init__(self, *, seconds: float, memory: int) -> None:
        self._seconds = seconds
        self._memory = memory

    def examine(self, bundle: Bundle) -> dict[str, Any]:
        """Run a bundle's own self-test, then ask it as its users do; return what the self-test said.

        Raises:
            PackageError: it does not start, takes too long or too much, or answers otherwise than its golden rows say.
        """
        report = self._self_test(bundle)
        self.ask(bundle, bundle.folder)
        return report

    def ask(self, bundle: Bundle, path: Path) -> None:
        """Ask for the golden rows of a bundle at a path that leads to it.

        Raises:
            PackageError: as of `examine`.
        """
        folder = bundle.folder / "package"
        data = package.read_listing(folder, manifest.MANIFEST, digest=bundle.package)
        about = manifest.check_manifest(canonical.loads(data, what=manifest.MANIFEST, limit=manifest.MAX_MANIFEST))
        if about["golden"] is None:
            raise errors.PackageError(
                f"The bundle {bundle.digest} holds no golden rows: nothing shows that it answers rightly here.",
                remedy="Package the model with golden rows.",
            )
        asked = package.Package(bundle.package, about, {golden.FILE: (folder / golden.FILE).read_bytes()})
        golden.check_golden(asked, _Asked(self, bundle, path))

    def answer(self, bundle: Bundle, path: Path, rows: Sequence[Any]) -> list[Any]:
        """Return what is answered at a path."""
        request = json.dumps({"rows": rows}).encode() + b"\n"
        said = _last_line(self.run([str(path)], bundle, given=request))
        if said.get("error") is not None:
            raise errors.PackageError(
                f"The bundle {bundle.digest} answers: {said['error']}", remedy=str(said.get("remedy"))
            )
        if said.get("digest") != bundle.package:
            raise errors.IntegrityError(
                f"The bundle {bundle.digest} answers as {said.get('digest')!a}, expected the package {bundle.package}.",
                remedy=manifest.FETCH,
            )
        answered = said.get("rows")
        if not isinstance(answered, list) or not all(isinstance(row, dict) for row in answered):
            raise errors.ManifestError(f"The bundle {bundle.digest} answers no rows.", remedy=manifest.FETCH)
        return answered

    def _self_test(self, bundle: Bundle) -> dict[str, Any]:
        said = _last_line(self.run([str(bundle.folder / "selftest.py")], bundle))
        if said.get("digest") != bundle.package or said.get("mismatches") != 0:
            raise errors.PackageError(
                f"The self-test of {bundle.digest} failed: {_short(said)}", remedy="Deploy another."
            )
        return said

    def run(self, arguments: Sequence[str], bundle: Bundle, *, given: bytes = b"") -> bytes:
        """Return what Python prints with these arguments."""
        with _in_memory(given) as asked, _in_memory() as said, _in_memory() as told:
            try:
                code = subprocess.run(
                    [sys.executable, *arguments],
                    stdin=asked,
                    stdout=said,
                    stderr=told,
                    timeout=self._seconds,
                    check=False,
                    preexec_fn=self._limit,  # there are no other threads by now
                ).returncode
            except subprocess.TimeoutExpired as error:
                raise errors.PackageError(
                    f"The bundle {bundle.digest} did not answer within {self._seconds:g} seconds.",
                    remedy="Give it more with --patience, or deploy another.",
                ) from error
            printed = _read(said)
            if code:
                text = " ".join(_end(data) for data in (_read(told), printed))
                how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
                raise errors.PackageError(f"The bundle {bundle.digest} {how}: {text}", remedy="Deploy another.")
        return printed

    def _limit(self) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (self._memory, self._memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_SAID, _MOST_SAID))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(int(self._seconds) + _NOTHING_MORE)  # kept by what is executed; it ends also without the agent


class _Asked:
    """A bundle at a path, as a model that answers its golden rows."""

    def __init__(self, trial: Trial, bundle: Bundle, path: Path) -> None:
        self.name, self.digest = path.name, bundle.digest
        self._trial, self._bundle, self._path = trial, bundle, path

    def predict(self, rows: Sequence[Any], /) -> list[Any]:
        return self._trial.answer(self._bundle, self._path, rows)


@contextlib.contextmanager
def _in_memory(data: bytes = b"") -> Iterator[IO[bytes]]:
    """Give a file on no disk, which may be full, or worn."""
    with open(os.memfd_create("mlopskit"), "w+b") as opened:
        opened.write(data)
        opened.seek(0)
        yield opened


def _read(opened: IO[bytes]) -> bytes:
    opened.seek(0)
    return opened.read()


def _end(data: bytes) -> str:
    return data.decode(errors="replace").strip().rpartition("\n")[2][:300]


def _last_line(data: bytes) -> dict[str, Any]:
    said = canonical.parse(data.rstrip().rpartition(b"\n")[2], what="The answer", limit=_MOST_SAID)
    if not isinstance(said, dict):
        raise errors.ManifestError(f"The answer is a {type(said).__name__}, expected a table.", remedy=manifest.FETCH)
    return said


def _short(said: Mapping[str, Any]) -> str:
    return str(said.get("error") or {key: said.get(key) for key in ("digest", "rows", "mismatches", "largest")})[:500]
