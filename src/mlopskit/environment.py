"""The environment of a run: what it imported, what is installed otherwise now, and a place where it is as it was."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from mlopskit import plugins
from mlopskit.errors import ManifestError, StorageError

# Kinds whose plugins may make another package of the same model, used or not.
KINDS = ("evaluators", "formats", "trainers")
MISSING = "missing"
_OURSELVES = "mlopskit"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_SECRET = re.compile(r"://[^/\s@]*@")


def imported() -> dict[str, str]:
    """Return the version of each distribution that this process has imported anything of, or that mlopskit looks at.

    That is what a run may have depended on: made again, it imports the same. mlopskit itself is not among them.
    """
    known = metadata.packages_distributions()
    names = {name for top in {one.partition(".")[0] for one in [*sys.modules]} for name in known.get(top, ())}
    found = {name: _version(name) for name in sorted({*names, *_plugins(), *_required()} - {_OURSELVES})}
    return {name: version for name, version in found.items() if version != MISSING}


def differing(then: Mapping[str, str], /) -> dict[str, tuple[str, str]]:
    """Return what is installed in another version now: by name, that of then and that of now, or "missing"."""
    found = {name: (version, _version(name)) for name, version in then.items()}
    found |= {name: (MISSING, _version(name)) for name in _plugins() - {*then, _OURSELVES}}
    return {name: both for name, both in sorted(found.items()) if both[0] != both[1]}


def restore(then: Mapping[str, str], folder: Path, /) -> Path:
    """Make a virtual environment of exactly these distributions and of mlopskit as it is here; return its Python.

    They come by pip from the index that it is configured with; nothing else is installed.

    Raises:
        ManifestError: a name or version is none.
        StorageError: the environment cannot be made, or the index cannot be reached or lacks one of them.
    """
    pins = folder.with_suffix(".txt")
    pins.write_text("".join(f"{_pin(name, version)}\n" for name, version in then.items()), encoding="utf-8")
    _call(sys.executable, "-m", "venv", str(folder), remedy="Mend what it says (Debian: apt install python3-venv).")
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-deps")
    _call(
        str(python),
        *("-m", "pip", "install", *quiet, "--requirement", str(pins)),
        remedy="Let pip reach an index that has these versions, then run the same command again.",
    )
    bases = {"base": str(folder), "platbase": str(folder)}
    _copy_ourselves(Path(sysconfig.get_path("purelib", "venv", bases)))
    return python


def _pin(name: str, version: str) -> str:
    if not (_NAME.fullmatch(name) and _VERSION.fullmatch(version)):
        raise ManifestError(
            f"The record of the run names {ascii(name)} {ascii(version)}, which is no distribution with a version.",
            remedy="Restore the registry from a copy.",
            field="installed",
        )
    return f"{name}=={version}"


def _copy_ourselves(site: Path) -> None:
    """Copy the files of mlopskit that run here, and its metadata, by which its plugins are found."""
    shutil.copytree(Path(__file__).parent, site / _OURSELVES, ignore=shutil.ignore_patterns("__pycache__"))
    for file in metadata.files(_OURSELVES) or ():
        if file.parts[0].endswith(".dist-info"):
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.locate(), site / file)


def _call(program: str, *arguments: str, remedy: str) -> None:
    # Isolated: neither the working directory nor PYTHONPATH says which modules these are.
    done = subprocess.run(
        [program, "-I", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        # pip ends with the error that matters, and a hint behind it; what stands before may be very long.
        told = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")] or lines
        raise StorageError(
            f"The recorded environment cannot be restored: {_SECRET.sub('://', ' '.join(told[-1:]))}",
            remedy=f"{remedy} Or make it here as it is: mlopskit reproduce --here",
        )


def _plugins() -> set[str]:
    return {entry.dist.name for kind in KINDS for entry in plugins.entries(kind) if entry.dist}


def _required() -> set[str]:
    """Return the names of what mlopskit needs in any case: a run asks for their versions, imported or not."""
    needed = (one for one in metadata.requires(_OURSELVES) or () if "extra ==" not in one)
    return {match[0] for one in needed if (match := _NAME.match(one))}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return MISSING
