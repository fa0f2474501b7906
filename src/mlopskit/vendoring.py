"""The copy of the runtime that travels: its files, and the loaders of the formats it shall read."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlopskit import plugins, runtime
from mlopskit.errors import PluginError
from mlopskit.runtime import canonical

if TYPE_CHECKING:
    from mlopskit.format import Format

PACKAGE = "_mlopskit_runtime"
MAIN = "__main__.py"
# No bytecode is written beside the files: a folder of the runtime holds what it was published with, nothing else.
# Where Python would put that of MAIN, which it compiles before MAIN can forbid it, stands a file.
_NO_FOLDER = "__pycache__"
_MAIN_TEXT = f'''"""Answer rows from a package; see {PACKAGE}/__main__.py."""

import sys

sys.dont_write_bytecode = True

from {PACKAGE}.__main__ import main  # noqa: E402

sys.exit(main())
'''


def runtime_files(formats: Iterable[str], /, *, serving: bool = False) -> dict[str, bytes]:
    """Return the files of a runtime that reads these formats: `python FOLDER ...` runs it.

    With `serving` the server is among them, which needs the wheels that `mlopskit.runtime.serving.WHEELS` names.

    Raises:
        UnknownNameError: no plugin has this format.
    """
    source = Path(runtime.__path__[0])
    files = {MAIN: _MAIN_TEXT.encode(), _NO_FOLDER: b"So that Python writes no bytecode here.\n"}
    server = [file for file in (source / "serving").rglob("*.*") if file.suffix != ".pyc"] if serving else []
    for path in sorted([*source.glob("*.py"), source / "loaders" / "__init__.py", *server]):
        files[f"{PACKAGE}/{path.relative_to(source).as_posix()}"] = path.read_bytes()
    for name in sorted(formats):
        files |= {f"{PACKAGE}/loaders/{path}": data for path, data in _loader_files(name).items()}
    return files


def _loader_files(name: str) -> dict[str, bytes]:
    """Return the files of a format's loader: one named after the format, or a folder of that name for a package."""
    source = loader_source(name)
    if source.name != "__init__.py":
        return {f"{name}.py": source.read_bytes()}
    folder = source.parent
    return {f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in sorted(folder.rglob("*.py"))}


def loader_source(name: str, /) -> Path:
    """Return the file of a format's loader, without importing it."""
    module = format_of(name).loader
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise PluginError(
            f"The loader {module!r} of the format {name!r} is not there.", remedy=f"Install the format {name!r} again."
        )
    return Path(spec.origin)


def format_of(name: str, /) -> type[Format]:
    """Return the class of a format."""
    from mlopskit.format import Format

    return plugins.find("formats", name, Format)  # type: ignore[type-abstract]


def digest_of_files(files: Mapping[str, bytes], /) -> str:
    """Return one digest for a set of files: that of the canonical JSON of their paths and sha256 sums."""
    return canonical.digest_of(
        canonical.dumps({path: hashlib.sha256(data).hexdigest() for path, data in files.items()})
    )
