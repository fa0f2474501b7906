"""Run a bundle on its processor: here, under an emulator of it, or on a device over ssh."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlopskit import Answer, Row, interpreter_for
from mlopskit.errors import ConfigError, DeployError, LimitError

SECONDS = 300
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "SSH_AUTH_SOCK")
# What ssh ends with if there is no connection.
_NO_CONNECTION = 255
# A device's shell unpacks the bundle into a new folder, asks it, and removes the folder.
_REMOTE = (
    'd=$(mktemp -d) && trap \'rm -rf "$d"\' EXIT && tar -x -C "$d" -f - && '
    'cd "$d" && chmod +x {file} && {command} < request'
)
_BY_HAND = "Run it by hand, as its README.md says."


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to run a bundle: the command before its file, which file, where that is computed, and on which device."""

    command: tuple[str, ...]
    file: str
    place: str
    ssh: str | None = None


def way_to(platform: str, /, *, python: str, folder: Path | None, ssh: str | None) -> Way:
    """Return how a bundle is run: on the device that is named, else here if this is such a machine, else emulated.

    `folder` is that of the sysroot; with "none" as its Python the bundle is a program, which needs neither.

    Raises:
        ConfigError: there is no way; the remedy is the command that makes one.
    """
    bare, file = (python == "none"), ("predict" if python == "none" else ".")
    options = () if bare else ("-I", "-B")
    if ssh is not None:
        if shutil.which("ssh") is None:
            raise ConfigError(
                "Here is no ssh, so the bundle could not be asked.", remedy="Run 'apt-get install openssh-client'."
            )
        return Way(command=() if bare else (f"python{python}", *options), file=file, place="target", ssh=ssh)
    found = interpreter_for(platform, None if bare else python, sysroot=folder)
    return Way(command=(*found.command, *options), file=file, place=found.place)


def ask(way: Way, bundle: Path, rows: Sequence[Row], /) -> Answer:
    """Return what a bundle answers to rows.

    Raises:
        DeployError: it answered with an error, or with what is no answer.
        LimitError: it took too long.
    """
    said = _parsed(_run(way, bundle, json.dumps({"rows": [dict(row) for row in rows]}).encode() + b"\n"))
    if "error" in said:
        raise DeployError(f"The bundle answered: {said['error']}", remedy=str(said.get("remedy", _BY_HAND)))
    return Answer(rows=said["rows"], digest=said["digest"], runtime=said["runtime"], place=way.place)


def _parsed(data: bytes) -> dict[str, Any]:
    kinds = {"rows": list, "digest": str, "runtime": dict}
    try:
        said = json.loads(data)
        if "error" in said or all(isinstance(said[name], kind) for name, kind in kinds.items()):
            return dict(said)
    except (ValueError, TypeError, LookupError):
        pass
    raise DeployError(f"The bundle answered with what is no answer: {data[:200]!a}.", remedy=_BY_HAND)


def _run(way: Way, bundle: Path, request: bytes) -> bytes:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        with _command(way, bundle, request) as (command, given):
            done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=SECONDS, env=kept)
    except subprocess.TimeoutExpired as error:
        raise LimitError(f"The bundle did not answer within {SECONDS} seconds.", remedy=_BY_HAND) from error
    if done.stdout:
        return done.stdout
    words = done.stderr.decode(errors="replace").strip()[-500:]
    if way.ssh is not None and done.returncode == _NO_CONNECTION:
        raise DeployError(f"{way.ssh} cannot be reached: {words}", remedy=f"Try 'ssh {way.ssh} true'.")
    raise DeployError(f"The bundle ended with {done.returncode}: {words}", remedy=_BY_HAND)


@contextlib.contextmanager
def _command(way: Way, bundle: Path, request: bytes) -> Iterator[tuple[list[str], bytes]]:
    """Give the command that asks, and what its standard input is."""
    if way.ssh is not None:
        file = f"bundle/{way.file}"
        remote = _REMOTE.format(file=file, command=shlex.join([*way.command, f"./{file}"]))
        yield ["ssh", "-oBatchMode=yes", "--", way.ssh, remote], _packed(bundle, request)
    elif way.file == ".":
        yield [*way.command, str(bundle)], request
    else:
        with tempfile.TemporaryDirectory(prefix="mlopskit-") as temporary:
            # A storage keeps no right to run a file.
            program = Path(shutil.copyfile(bundle / way.file, Path(temporary, way.file)))
            program.chmod(0o700)
            yield [*way.command, str(program)], request


def _packed(bundle: Path, request: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(bundle, "bundle")
        entry = tarfile.TarInfo("request")
        entry.size = len(request)
        archive.addfile(entry, io.BytesIO(request))
    return packed.getvalue()
