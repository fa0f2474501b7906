"""Load a checked package's model and score rows with it."""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

from . import loaders
from .arrays import is_text
from .code import Code, code_of
from .errors import PackageError, RowError, UnsafeModelError, UntrustedCodeError
from .package import Package
from .schema import Checker, Columns, Row

# The order in which a reader prefers the forms of one model.
FORMATS = ("portable", "onnx", "skops")


class Scorer(Protocol):
    """Anything that answers columns with columns of the fixed output names.

    Columns are lists of plain cells or arrays of one dimension (a number that is NaN is missing). A scorer whose
    attribute `series` is true is also given pandas' and polars' series of text.
    """

    def score(self, rows: Columns, /) -> Columns:
        """Return the outputs for the rows, a column each."""


class Loader(Protocol):
    """The half of a format that travels to the target: a module with one function."""

    def load(self, files: dict[str, bytes], spec: Mapping[str, Any], /) -> Scorer:
        """Return a scorer made of checked bytes; `spec` holds `schema`, `task`, `frame` and, if there is any, `code`.

        That is the package's own code (a `Code`): the loader takes classes and functions of it by name. What it takes
        out of `files` stands in memory no longer than it needs it.

        Raises:
            ValueError: the bytes are not a model that may be loaded.
        """


Loaders = Mapping[str, Callable[[], Loader]]


class Model:
    """A loaded model: rows in, rows out, both checked against its schema.

    `examples` are rows of its package that anybody may see, once somebody has put them there.
    """

    examples: Sequence[Row] = ()

    def __init__(self, *, name: str, digest: str, format: str, schema: Mapping[str, Any], scorer: Scorer) -> None:
        self.name, self.digest, self.format = name, digest, format
        self.schema, self.scorer = schema, scorer
        self._inputs, self._outputs = Checker.of(schema["inputs"]), Checker.of(schema["outputs"])

    def predict(self, rows: Sequence[Row], /) -> list[dict[str, Any]]:
        """Return one row of outputs for each row.

        Raises:
            RowError: a row does not fit the input schema.
            PackageError: the model failed, or its answer does not fit the output schema.
        """
        columns, count = self._inputs.rows(rows), len(rows)
        outputs = self._outputs_of(columns)
        if count == 1 and (row := self._outputs.one_row(outputs)) is not None:
            return [row]
        return list(rows_of(self._checked(outputs, count)))

    def predict_columns(self, columns: Columns, /) -> dict[str, Any]:
        """Return the outputs for whole columns, as `check_columns` gives them: arrays where the scorer answers so."""
        checked = self._inputs.columns(columns)
        if not getattr(self.scorer, "series", False):
            checked = {name: cells.to_list() if is_text(cells) else cells for name, cells in checked.items()}
        return self._checked(self._outputs_of(checked), len(next(iter(checked.values()))))

    def score(self, rows: Columns, /) -> Columns:
        """Return the outputs for whole columns: a model is a scorer."""
        return self.predict_columns(rows)

    def runtime(self) -> dict[str, str]:
        """Return what answers: the engine with its version, Python and the machine."""
        engine = getattr(self.scorer, "engine", self.format)
        return {"engine": engine, "python": platform.python_version(), "machine": platform.machine()}

    def _outputs_of(self, columns: Columns) -> Columns:
        try:
            return self.scorer.score(columns)
        except Exception as error:
            raise PackageError(
                f"The model {self.name!r} failed: {type(error).__name__}: {error}",
                remedy="Check the rows against the model's training data.",
            ) from error

    def _checked(self, outputs: Columns, count: int) -> dict[str, Any]:
        try:
            checked = self._outputs.columns(outputs)
        except RowError as error:
            raise PackageError(
                f"The model {self.name!r} answered something else than its schema says: {error.message}",
                remedy="Do not use this answer; package the model again.",
            ) from error
        if len(next(iter(checked.values()))) != count:
            raise PackageError(
                f"The model {self.name!r} answered another number of rows than the {count} it was given.",
                remedy="Do not use this answer; package the model again.",
            )
        return checked


def rows_of(columns: Columns, /) -> Iterator[dict[str, Any]]:
    """Yield columns as rows."""
    names = list(columns)
    lists = [cells if type(cells) in (list, tuple) else cells.tolist() for cells in columns.values()]
    for cells in zip(*lists, strict=True):
        yield dict(zip(names, cells, strict=True))


def load(
    package: Package, /, *, loaders: Loaders | None = None, format: str | None = None, trust_code: Collection[str] = ()
) -> Model:
    """Return the model of a checked package, in the first form whose engine is here, or in the one named.

    One that was opened for a form is loaded in that form.

    A form with code of its own is loaded only if the package's digest is among `trust_code`.

    Raises:
        UntrustedCodeError: it has such code, and the digest is not there; nothing of the code was looked at.
        UnsafeModelError: the stored model holds something that must not be loaded.
        PackageError: no form of it can be loaded here; the message says what each lacks.
    """
    known = own_loaders() if loaders is None else loaders
    format = format or package.format
    lacking = []
    for stored in sorted(package.manifest["models"], key=lambda model: _rank(model["format"])):
        name = stored["format"]
        if format not in (None, name):
            lacking.append(f"{name} was not asked for")
        elif name not in known:
            lacking.append(f"{name} has no loader here")
        else:
            try:
                return _load(package, stored, known[name], trust_code)
            except _AbsentError as error:
                lacking.append(f"{name} needs {' '.join(stored['requires']) or error} ({error})")
    raise PackageError(
        f"No form of the model {package.manifest['name']!r} can be loaded here"
        f"{'' if format is None else f' as {format!r}'}: {'; '.join(lacking) or 'it holds none'}.",
        remedy="Install what requirements.txt in the package names, or take another form.",
    )


class _AbsentError(Exception):
    """An engine is not installed, or broken."""


def _rank(name: str) -> int:
    return FORMATS.index(name) if name in FORMATS else len(FORMATS)


def check_code(manifest: Mapping[str, Any], digest: str, /, *, trust_code: Collection[str]) -> None:
    """Check that a package has no code of its own, or a digest that is trusted.

    Raises:
        UntrustedCodeError: it has, and is not.
    """
    modules = code_of(manifest["files"])
    if modules and digest not in trust_code:
        raise UntrustedCodeError(
            f"The package {digest} of {manifest['name']!r} holds code of its own ({len(modules)} files, "
            f"{modules[0]} first), and its digest is not on the list of those that may run theirs.",
            remedy=f"Read that code. If it may run here, add {digest!r} to trust_code.",
            digest=digest,
        )


def _load(
    package: Package, stored: Mapping[str, Any], loader: Callable[[], Loader], trust_code: Collection[str]
) -> Model:
    manifest = package.manifest
    files = {path: package.files[path] for path in stored["files"]}
    spec = {"schema": manifest["schema"], "task": manifest["task"], "frame": stored["frame"]}
    own = {path: files.pop(path) for path in code_of(stored["files"])}
    if own:
        check_code(manifest, package.digest, trust_code=trust_code)
    try:
        if own:
            spec["code"] = Code(own)
        scorer = _engine(loader).load(files, spec)
    except _AbsentError:
        raise
    except ImportError as error:  # a loader imports its engine where it uses it
        raise _AbsentError(str(error)) from error
    except Exception as error:
        # Whatever a parser says of hostile bytes, to the reader it is one thing: not loaded.
        raise UnsafeModelError(
            f"The {stored['format']} model of {manifest['name']!r} was not loaded: {type(error).__name__}: {error}",
            remedy="Use a package that you or someone you trust wrote with mlopskit.",
        ) from error
    return Model(
        name=manifest["name"], digest=package.digest, format=stored["format"], schema=manifest["schema"], scorer=scorer
    )


def _engine(loader: Callable[[], Loader]) -> Loader:
    try:
        return loader()
    except Exception as error:  # nothing of the package was looked at yet: an engine that cannot even be imported
        raise _AbsentError(f"{type(error).__name__}: {error}") from error


def own_loaders() -> Loaders:
    """Return the loaders that travel beside this copy of the runtime, by format.

    A reader maps a format's name to its own loaders: only these names, never one written in a package, are imported.
    """
    # Not by `pkgutil`, which loads `inspect` to list a folder.
    names = {entry.name.partition(".")[0] for folder in loaders.__path__ for entry in os.scandir(folder)}
    return {name: _importer(name) for name in sorted(names) if not name.startswith("_")}


def _importer(name: str) -> Callable[[], Loader]:
    return lambda: importlib.import_module(f".loaders.{name}", __package__)
