"""What a function's zip holds: its handler, the runtime, the package with one form of its model, and its engine."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from mlopskit import ModelPackage, StoredModel, Wheels, runtime_files
from mlopskit_serverless import bytecode, stripping
from mlopskit_serverless.options import FunctionOptions
from mlopskit_serverless.services import Service

PACKAGE = "package"
SITE = "site"
REQUIREMENTS = "requirements.txt"
# A function is called by its handler: nobody runs the runtime by itself.
_NOT_HERE = ("__main__.py", "__pycache__")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The files of a zip by their paths in it, the bytecode of those that have any, and what was left out of wheels."""

    files: Mapping[str, bytes | Path]
    bytecode: Mapping[str, bytes]
    stripped: Mapping[stripping.Rule, int]


def template(name: str, /, **words: str) -> bytes:
    """Return a file of the folder `templates` with its words filled in, which are taken as they are."""
    data = (files(__package__) / "templates" / name).read_text(encoding="utf-8")
    return string.Template(data).substitute(words).encode()


def needs(options: FunctionOptions, model: StoredModel | None, /) -> Sequence[Wheels]:
    """Return the wheels of a form's engine for a function's platform; the portable form needs none."""
    if model is None or not model.requires:
        return ()
    return (Wheels(requirements=model.requires, platform=options.platform, python=options.python),)


@contextmanager
def contents(
    service: Service, options: FunctionOptions, package: ModelPackage, model: StoredModel, /
) -> Iterator[Contents]:
    """Give what a function's zip holds; files of folders stand as long as this is open.

    Bytecode stands beside the sources but not beside the handler, which whoever reads it may want to change.

    Raises:
        DeployError: the wheels of the form's engine were not fetched.
    """
    handlers = {name: template(name, digest=package.digest, format=model.format) for name in service.handlers}
    runtime = {path: data for path, data in runtime_files([model.format]).items() if path not in _NOT_HERE}
    with TemporaryDirectory(prefix="mlopskit-") as temporary:
        folder = Path(temporary)
        package.write(folder / PACKAGE, format=model.format)
        stripped: dict[stripping.Rule, int] = {}
        for wheels in needs(options, model):
            wheels.unpack(folder / SITE)
            stripped = stripping.strip(folder / SITE, model.format)
        held: dict[str, bytes | Path] = {**runtime, **_files(folder)}
        # A package's own code runs from its checked sources alone.
        sources = {path: one for path, one in held.items() if not path.startswith(f"{PACKAGE}/")}
        compiled = dict(bytecode.beside(sources)) if bytecode.is_possible(options.python) else {}
        yield Contents(files={**held, **handlers, **_named(service, options)}, bytecode=compiled, stripped=stripped)


def _named(service: Service, options: FunctionOptions) -> dict[str, bytes]:
    """Return the requirements that a service installs by itself: the very wheels that a function is asked with."""
    if not service.installs:
        return {}
    wheels = service.wheels(options.platform, options.python).cached()
    return {REQUIREMENTS: "".join(_pinned(file) for file in wheels).encode()}


def _pinned(wheel: Path) -> str:
    name, version, *_ = wheel.name.split("-")
    # A wheel's name has _ for -: Google's buildpack looks for `functions-framework`, and else installs one of its own.
    name = re.sub("[-_.]+", "-", name).lower()
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
