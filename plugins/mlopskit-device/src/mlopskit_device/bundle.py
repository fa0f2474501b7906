"""What a bundle for a device holds: the model, what answers from it, a self-test, and how it is used."""

from __future__ import annotations

import shutil
import string
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from mlopskit import ModelPackage, runtime_files

PACKAGE = "package"
MAIN = "__main__.py"
# Each stands in the bundle under the name of the template, but the first.
_SCRIPTS = {MAIN: "main.py", "model.py": "model.py", "selftest.py": "selftest.py"}


def template(name: str, /, **words: str) -> bytes:
    """Return a file of the folder `templates`, its words filled in if there are any."""
    data = (files(__package__) / "templates" / name).read_bytes()
    return string.Template(data.decode()).substitute(words).encode() if words else data


def write_package(package: ModelPackage, into: Path, /) -> None:
    """Copy a package."""
    for path, source in package.paths().items():
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def python_files(format: str, /) -> dict[str, bytes]:
    """Return what answers from a package's form in Python, and the self-test."""
    return {**runtime_files([format]), **{path: template(name) for path, name in _SCRIPTS.items()}}


def write_files(files: Mapping[str, bytes], into: Path, /) -> None:
    """Write files into a folder."""
    for path, data in files.items():
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
