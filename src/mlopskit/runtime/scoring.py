"""Load a checked package's model and score rows with it."""

from __future__ import annotations

import importlib
import importlib.util
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .errors import PackageError, RowError, UnsafeModelError
from .package import Package
from .schema import Columns, Row, check_columns, check_schema, to_columns

# The order in which a reader prefers the forms of one model.
FORMATS = ("portable", "onnx", "skops")


class Scorer(Protocol):
    """Anything that answers columns with columns of the fixed output names."""

    def score(self, rows: Columns, /) -> Columns:
        """Return the outputs for the rows, a column each."""


class Loader(Protocol):
    """The half of a format that travels to the target: a module with one function."""

    def load(self, files: Mapping[str, bytes], spec: Mapping[str, Any], /) -> Scorer:
        """Return a scorer made of checked bytes; `spec` holds `schema`, `task` and `frame`.

        Raises:
            ValueError: the bytes are not a model that may be loaded.
        """


Loaders = Mapping[str, Callable[[], Loader]]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A loaded model: rows in, rows out, both checked against its schema."""

    name: str
    digest: str
    format: str
    schema: Mapping[str, Any]
    scorer: Scorer

    def predict(self, rows: Sequence[Row], /) -> list[dict[str, Any]]:
        """Return one row of outputs for each row.

        Raises:
            RowError: a row does not fit the input schema.
            PackageError: the model failed, or its answer does not fit the output schema.
        """
        columns = to_columns(self.schema["inputs"], rows)
        return [dict(row) for row in rows_of(self._answer(columns))]

    def predict_columns(self, columns: Columns, /) -> dict[str, list[Any]]:
        """Return the outputs for whole columns."""
        return self._answer(check_columns(self.schema["inputs"], columns))

    def score(self, rows: Columns, /) -> Columns:
        """Return the outputs for whole columns: a model is a scorer."""
        return self.predict_columns(rows)

    def runtime(self) -> dict[str, str]:
        """Return what answers: the engine with its version, Python and the machine."""
        engine = getattr(self.scorer, "engine", self.format)
        return {"engine": engine, "python": platform.python_version(), "machine": platform.machine()}

    def _answer(self, columns: Mapping[str, Any]) -> dict[str, list[Any]]:
        count = len(next(iter(columns.values())))
        try:
            outputs = self.scorer.score(columns)
        except Exception as error:
            raise PackageError(
                f"The model {self.name!r} failed: {type(error).__name__}: {error}",
                remedy="Check the rows against the model's training data.",
            ) from error
        try:
            checked = check_columns(self.schema["outputs"], outputs)
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
    for cells in zip(*columns.values(), strict=True):
        yield dict(zip(names, cells, strict=True))


def load(package: Package, /, *, loaders: Loaders | None = None, format: str | None = None) -> Model:
    """Return the model of a checked package, in the first form whose engine is here, or in the one named.

    Raises:
        UnsafeModelError: the stored model holds something that must not be loaded.
        PackageError: no form of it can be loaded here.
    """
    known = own_loaders() if loaders is None else loaders
    manifest = package.manifest
    for part in ("inputs", "outputs"):
        check_schema(manifest["schema"].get(part))
    missing = []
    for stored in sorted(manifest["models"], key=lambda model: _rank(model["format"])):
        name = stored["format"]
        if name in known and format in (None, name):
            try:
                return _load(package, stored, known[name]())
            except ImportError as error:
                missing.append(f"{name} needs {error.name!r}")
    forms = ", ".join(model["format"] for model in manifest["models"]) or "none"
    raise PackageError(
        f"No form of the model can be loaded here (it has: {forms}{''.join(f'; {text}' for text in missing)}).",
        remedy="Install what requirements.txt in the package names.",
    )


def _rank(name: str) -> int:
    return FORMATS.index(name) if name in FORMATS else len(FORMATS)


def _load(package: Package, stored: Mapping[str, Any], loader: Loader) -> Model:
    manifest = package.manifest
    files = {path: package.files[path] for path in stored["files"]}
    spec = {"schema": manifest["schema"], "task": manifest["task"], "frame": stored["frame"]}
    try:
        scorer = loader.load(files, spec)
    except ImportError:
        raise
    except Exception as error:
        # Whatever a parser says of hostile bytes, to the reader it is one thing: not loaded.
        raise UnsafeModelError(
            f"The {stored['format']} model of {manifest['name']!r} was not loaded: {error}",
            remedy="Use a package that you or someone you trust wrote with mlopskit.",
        ) from error
    return Model(
        name=manifest["name"], digest=package.digest, format=stored["format"], schema=manifest["schema"], scorer=scorer
    )


def own_loaders() -> Loaders:
    """Return the loaders that travel beside this copy of the runtime, by format.

    A reader maps a format's name to its own loaders: only these names, never one written in a package, are imported.
    """
    return {name: _importer(name) for name in FORMATS if importlib.util.find_spec(f".loaders.{name}", __package__)}


def _importer(name: str) -> Callable[[], Loader]:
    return lambda: importlib.import_module(f".loaders.{name}", __package__)  # type: ignore[return-value]
