"""What a function's zip holds: its handler, the runtime, the package with one form of its model, and its engine."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from mlopskit import ModelPackage, StoredModel, Wheels, runtime_files
from mlopskit_serverless.options import FunctionOptions
from mlopskit_serverless.services import Service

ZIP = "function.zip"
PACKAGE = "package"
SITE = "site"
# A function is called by its handler: nobody runs the runtime by itself.
_NOT_HERE = ("__main__.py", "__pycache__")


def template(name: str, /, **words: str) -> bytes:
    """Return a file of the folder `templates` with its words filled in, which are taken as they are."""
    data = (files(__package__) / "templates" / name).read_text(encoding="utf-8")
    return string.Template(data).substitute(words).encode()


def engine(options: FunctionOptions, model: StoredModel, /) -> Wheels | None:
    """Return the wheels of a form's engine for a function's platform; None for the portable form, which needs none."""
    if not model.requires:
        return None
    return Wheels(requirements=model.requires, platform=options.platform, python=options.python)


@contextmanager
def contents(
    service: Service, options: FunctionOptions, package: ModelPackage, model: StoredModel, /
) -> Iterator[Mapping[str, bytes | Path]]:
    """Give the files of a function's zip by their paths in it; those of folders stand as long as this is open.

    Raises:
        DeployError: the wheels of the form's engine were not fetched.
    """
    program: dict[str, bytes | Path] = {
        name: template(name, digest=package.digest, format=model.format) for name in service.handlers
    }
    runtime = {path: data for path, data in runtime_files([model.format]).items() if path not in _NOT_HERE}
    with TemporaryDirectory(prefix="mlopskit-") as temporary:
        folder = Path(temporary)
        package.write(folder / PACKAGE, format=model.format)
        wheels = engine(options, model)
        if wheels is not None:
            wheels.unpack(folder / SITE)
        yield {**program, **runtime, **_files(folder)}


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
