"""Wheels from the index that pip is configured with: pip itself asks it, and nothing but wheels is ever taken."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mlopskit.errors import IntegrityError, MlopskitError, StorageError
from mlopskit.platforms import PLATFORMS
from mlopskit.steps import Progress
from mlopskit.wheellock import Entry
from mlopskit.wheels import Wheels

# Each adds to an option: what is downloaded is not the configuration's to say, only from where.
_NOT_OURS = ("PIP_ABI", "PIP_NO_BINARY", "PIP_PLATFORM", "PIP_REQUIREMENT")
_QUIET = ("--no-input", "--disable-pip-version-check", "--no-color", "--progress-bar=off")
# An address may hold a secret, and is nobody's business.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\")]*")
# A file's name, without the address it comes from, and its size where that is told.
_STEP = re.compile(
    r"\s*(?:Collecting|Downloading|Processing|Using cached) (?:\S*/)?([^\s/?#]+)\S*(?: (\([\d.]+ [kMG]?B\)))?"
)
_NONE_FOUND = re.compile(r"No matching distribution found for ([^\s(;]+)")
_VERSIONS = re.compile(r"\(from versions: ([^)]*)\)")
_OTHER_BYTES = re.compile(r"^\s+([A-Za-z0-9._-]+==\S+) from ", re.MULTILINE)
_SILENT = re.compile(r"Retrying \(Retry|connection error|\b5\d\d Server Error")
_NO_ENTRANCE = re.compile(r"\b40[13] (?:Client )?Error")
_MOST_WORDS = 5


def choose(wheels: Wheels, requirements: Sequence[str], into: Path, /, *, tell: Progress) -> list[Path]:
    """Download the newest wheel for each of some requirements, for a platform and Python, but not what it requires.

    Raises:
        StorageError: the index cannot be reached, or lacks one of them; the message says which.
    """
    return _download(wheels, [*requirements], into, tell)


def again(wheels: Wheels, entry: Entry, names: Sequence[str], into: Path, /, *, tell: Progress) -> list[Path]:
    """Download the wheels that a lock names.

    Raises:
        IntegrityError: the index has other bytes under these names.
        StorageError: the index cannot be reached, or lacks one of them.
    """
    into.mkdir(parents=True, exist_ok=True)
    pins = into.with_suffix(".txt")
    pins.write_text("".join(f"{_pin(name)} --hash=sha256:{entry.files[name].sha256}\n" for name in names), "utf-8")
    return _download(wheels, ["--require-hashes", f"--requirement={pins}"], into, tell)


def _pin(name: str) -> str:
    distribution, version, *_ = name.split("-")
    return f"{distribution}=={version}"


def _download(wheels: Wheels, what: list[str], into: Path, tell: Progress) -> list[Path]:
    """Let pip download wheels, and wheels alone, into a folder; return them."""
    for_them = [f"--platform={tag}" for tag in PLATFORMS[wheels.platform].tags]
    for_them += ["--implementation=cp", f"--python-version={wheels.python}", "--only-binary=:all:", "--no-deps"]
    command = [*_pip(), "download", *_QUIET, *for_them, f"--dest={into}", *what]
    code, said = _run(command, tell)
    if code:
        if "(from versions: none)" in said:  # why, it says only when it is asked for every detail
            said += _run([*command, "-vv"], tell)[1]
        raise _failure(said, wheels)
    found = sorted(into.iterdir())
    for one in found:
        if one.suffix != ".whl" or not one.is_file() or one.is_symlink():
            raise IntegrityError(f"pip downloaded {one.name!r}, which is no wheel.", remedy="Look at pip's settings.")
    return found


def _pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-P", "-m", "pip"]  # -P: no module of the working directory
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "--python", sys.executable, "pip"]
    raise StorageError(
        f"There is no pip here to download wheels with: {sys.executable} has none, and uv is not on the PATH.",
        remedy="Install it: 'python -m ensurepip', or 'uv pip install pip'.",
    )


def _run(command: list[str], tell: Progress) -> tuple[int, str]:
    """Run pip to its end and tell of each file; return its exit code and all that it said."""
    said = []
    surroundings = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=surroundings,
    ) as process:
        try:
            for line in process.stdout or ():
                said.append(line)
                if step := _STEP.match(line):
                    tell(" ".join(part for part in step.groups() if part))
                elif "Retrying (Retry" in line:
                    tell("the index does not answer; asking again")
        except BaseException:
            process.kill()
            raise
    return process.returncode, "".join(said)


def _failure(said: str, wheels: Wheels) -> MlopskitError:
    """Return what pip said as an error: without addresses, and with what can be done."""
    if "DO NOT MATCH THE HASHES" in said:
        names = ", ".join(_OTHER_BYTES.findall(said)) or "one of them"
        return IntegrityError(
            f"The index that pip is configured with has other bytes than the lock names for {names}.",
            remedy="Find out who changed them. If other wheels shall be taken from now on: mlopskit fetch --upgrade.",
        )
    if missing := _NONE_FOUND.search(said):
        return _lacking(said, missing[1], wheels)
    words = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    lines = (words or said.splitlines()[-1:])[-_MOST_WORDS:]
    return StorageError(
        f"pip could not download {wheels}: {_ADDRESS.sub('…', ' '.join(' '.join(lines).split()))}",
        remedy="Do what it asks for, then run the same command again.",
    )


def _lacking(said: str, what: str, wheels: Wheels) -> StorageError:
    if _NO_ENTRANCE.search(said):
        return StorageError(
            "The index that pip is configured with does not let us in (401 or 403).",
            remedy="Give pip the right credentials (pip config, a .netrc, or PIP_INDEX_URL), then run it again.",
        )
    if _SILENT.search(said):
        return StorageError(
            "The index that pip is configured with cannot be reached.",
            remedy="Connect, or let pip reach another index (pip config, or PIP_INDEX_URL), then run it again.",
        )
    versions = _VERSIONS.search(said)
    others = versions[1].split(", ")[-_MOST_WORDS:] if versions and versions[1] != "none" else []
    there = f"; there are wheels of {' '.join(others)}" if others else ""
    return StorageError(
        f"There is no wheel of {_ADDRESS.sub('…', what)} for {wheels.platform} and Python {wheels.python} in the index "
        f"that pip is configured with{there}.",
        remedy="Choose another version, platform or Python, or a form of the model that needs no wheels (portable).",
        requirement=what,
    )
