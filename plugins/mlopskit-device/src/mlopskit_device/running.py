"""Run a bundle on its processor: here, under an emulator of it, or on a device over ssh."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlopskit import Answer, Row
from mlopskit.errors import ConfigError, DeployError, LimitError
from mlopskit_device import sysroot
from mlopskit_device.platforms import Platform, is_here

SECONDS = 300
PROGRAM = "predict"
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "SSH_AUTH_SOCK")
# What ssh ends with if there is no connection; what it ran may end with another number.
_NO_CONNECTION = 255


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to run the bundle: the command before the bundle's path, and where the answer is computed."""

    command: tuple[str, ...]
    place: str
    ssh: str | None = None


def way_to(platform: Platform, /, *, python: str, folder: Path, ssh: str | None) -> Way:
    """Return how a bundle is run: on the device that is named, else here if this is such a machine, else emulated.

    `folder` is that of the sysroot; with "none" as its Python the bundle is a program that needs neither.

    Raises:
        ConfigError: there is no way; the remedy is the command that makes one.
    """
    options = () if python == "none" else ("-I", "-B")
    if ssh is not None:
        _check(shutil.which("ssh"), "ssh", "apt-get install openssh-client")
        return Way(command=() if python == "none" else (f"python{python}", *options), place="target", ssh=ssh)
    if is_here(platform):
        return Way(command=() if python == "none" else (_own_python(python), *options), place="local")
    emulator = _check(shutil.which(platform.emulator), platform.emulator, "apt-get install qemu-user-static")
    if python == "none":
        return Way(command=(emulator,), place="emulated")
    found = sysroot.interpreter(folder, python)
    if not found.is_file():
        raise ConfigError(
            f"There is no Python {python} for {platform.name} in {str(folder)!r}, so the bundle could not be asked.",
            remedy=f"Run 'mlopskit device sysroot --platform {platform.name} --python {python}', or name a device: "
            'ssh = "user@host".',
        )
    return Way(command=(emulator, "-L", str(folder), str(found), *options), place="emulated")


def _check(found: str | None, tool: str, command: str) -> str:
    if found is None:
        raise ConfigError(f"Here is no {tool}, so the bundle could not be asked.", remedy=f"Run '{command}'.")
    return found


def _own_python(python: str) -> str:
    found = sys.executable if python == f"{sys.version_info[0]}.{sys.version_info[1]}" else None
    found = found or shutil.which(f"python{python}")
    return _check(found, f"python{python}", f"apt-get install python{python}")


def run(way: Way, bundle: Path, script: str, request: bytes, /) -> bytes:
    """Run the bundle, or a script of it, with a request on its standard input; return what it wrote.

    Raises:
        DeployError: it wrote nothing; the message has its last words.
        LimitError: it took too long.
    """
    try:
        if way.ssh is None:
            command, given = [*way.command, os.path.normpath(bundle / script)], request
        else:
            command, given = ["ssh", "-oBatchMode=yes", "--", way.ssh, _remote(way, script)], _packed(bundle, request)
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=SECONDS, env=kept)
    except subprocess.TimeoutExpired as error:
        raise LimitError(
            f"The bundle did not answer within {SECONDS} seconds.", remedy="Run it by hand, as its README.md says."
        ) from error
    if not done.stdout:
        words = done.stderr.decode(errors="replace").strip()[-500:]
        lost = way.ssh is not None and done.returncode == _NO_CONNECTION
        raise DeployError(
            f"{way.ssh} cannot be reached: {words}" if lost else f"The bundle ended with {done.returncode}: {words}",
            remedy=f"Try 'ssh {way.ssh} true'." if lost else "Run it by hand, as its README.md says.",
        )
    return done.stdout


def _remote(way: Way, script: str) -> str:
    """Return what a device's shell does: unpack the bundle into a new folder, ask it, and remove the folder."""
    file = shlex.quote(os.path.normpath(f"bundle/{script}"))
    return (
        'd=$(mktemp -d) && trap \'rm -rf "$d"\' EXIT && tar -x -C "$d" -f - && '
        f'{shlex.join(way.command)} "$d"/{file} < "$d"/request'
    )


def _packed(bundle: Path, request: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(bundle, "bundle")
        entry = tarfile.TarInfo("request")
        entry.size = len(request)
        archive.addfile(entry, io.BytesIO(request))
    return packed.getvalue()


def ask(way: Way, bundle: Path, script: str, rows: Sequence[Row], /) -> Answer:
    """Return what a bundle answers to rows.

    Raises:
        DeployError: it answered with an error, or with what is no answer.
    """
    request = json.dumps({"rows": [dict(row) for row in rows]}).encode() + b"\n"
    said = _parsed(run(way, bundle, script, request))
    if "error" in said:
        raise DeployError(f"The bundle answered: {said['error']}", remedy=str(said.get("remedy", "Deploy it again.")))
    return Answer(rows=said["rows"], digest=said["digest"], runtime=said["runtime"], place=way.place)


def _parsed(data: bytes) -> dict[str, Any]:
    kinds = {"rows": list, "digest": str, "runtime": dict}
    try:
        said = json.loads(data)
        if "error" in said or all(isinstance(said[name], kind) for name, kind in kinds.items()):
            return dict(said)
    except (ValueError, TypeError, LookupError):
        pass
    raise DeployError(
        f"The bundle answered with what is no answer: {data[:200]!a}.", remedy="Run it by hand, as its README.md says."
    )
