"""Load a package's model into this process: `mk.load(...).predict(rows or frame)`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlopskit import plugins
from mlopskit.errors import AliasError, RowError, UnknownNameError
from mlopskit.format import Format
from mlopskit.modelpackage import ModelPackage
from mlopskit.registry import Registry, opened
from mlopskit.runtime import places as reader_places
from mlopskit.runtime.arrays import is_array, is_text
from mlopskit.runtime.fetching import too_large
from mlopskit.runtime.names import check_name, hex_of
from mlopskit.runtime.package import Package, open_package
from mlopskit.runtime.scoring import Loader, Loaders, Model
from mlopskit.runtime.scoring import load as load_model
from mlopskit.runtime.watching import LARGEST, Watched
from mlopskit.storage import copy_folder
from mlopskit.trial import Trial
from mlopskit.trust import trusted


@dataclass(frozen=True)
class LoadedModel:
    """A model in this process."""

    model: Model

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def digest(self) -> str:
        """The digest of the package it was loaded from."""
        return self.model.digest

    def predict(self, data: Any, /) -> Any:
        """Return the outputs: a list of rows for a list of rows, a frame of the same kind for a frame.

        Raises:
            RowError: a row does not fit the schema; it names the row, the column and the value.
        """
        if type(data) is list or isinstance(data, Sequence):
            return self.model.predict(data)
        import narwhals as nw

        try:
            frame = nw.from_native(data, eager_only=True)
        except TypeError as error:
            raise RowError(
                f"The data is a {type(data).__name__}.",
                remedy="Give a list of rows, each a table of column → value, or a pandas or polars frame.",
            ) from error
        except nw.exceptions.DuplicateError as error:
            raise RowError("The data has two columns of one name.", remedy="Give each column once.") from error
        columns = {column.name: _cells(column) for column in frame.iter_columns()}
        answered = self.model.predict_columns(columns)
        return nw.from_dict(answered, backend=frame.implementation).to_native()

    def __repr__(self) -> str:
        return f"LoadedModel({self.name!r}, {self.digest[:19]}…, {self.model.format})"


def _cells(column: Any) -> Any:
    """Return a column of a frame: an array or a series of text where it is one, or else a list.

    What may be missing is NaN in an array of numbers and None in a list; integers and booleans have no such value.
    """
    native = column.to_native()
    if is_text(native):
        return native
    if column.dtype.is_float() or (
        (column.dtype.is_integer() or str(column.dtype) == "Boolean") and not column.null_count()
    ):
        values = column.to_numpy()
        if is_array(values) and values.dtype.kind in "iufb":
            return values
    missing = column.is_null().to_list()  # pandas has words of its own for what is missing
    return [None if gone else cell for gone, cell in zip(missing, column.to_list(), strict=True)]


def load(
    reference: str | Path,
    /,
    *,
    digest: str | None = None,
    alias: str | None = None,
    registry: Registry | str | Path | None = None,
    trust_code: Collection[str] = (),
) -> LoadedModel:
    """Load a model from a package's folder, from a file share, or from a registry.

    `NAME@ALIAS` and `NAME@DIGEST` are looked up in the registry. A model's folder on a share, or its address in a
    bucket (az://…/NAME), opens with `alias`. A package's folder opens by its name (the digest's 64 hex digits), by
    `digest="sha256:..."`, or unchecked against any digest with `digest="unpinned"`. A package with code of its own is
    loaded if it was packaged on this machine, or if its digest is among `trust_code`; that code then runs in this
    process.

    Raises:
        IntegrityError: the package is not what its digest says.
        UntrustedCodeError: it has code of its own, and is not trusted; nothing of it was run.
        UnsafeModelError: its model holds something that must not be loaded.
    """
    text = str(reference)
    if alias is not None:
        found = _on_share(text, alias)
        return _load(found.folder, found.digest, trust_code)
    if "@" in text and not Path(text).exists():
        found = opened(registry).resolve(text)
        return _load(found.folder, found.digest, trust_code)
    if not Path(text).is_dir():
        raise UnknownNameError(
            f"There is no folder {text!r}.", remedy="Give a package's folder, or NAME@ALIAS or NAME@DIGEST."
        )
    return _load(Path(text), digest, trust_code)


def watch(
    place: str | Path,
    /,
    *,
    alias: str,
    every: float = 5.0,
    folder: str | Path | None = None,
    trust_code: Collection[str] = (),
    headers: Mapping[str, str] | None = None,
    query: str = "",
    limit: int = LARGEST,
    trial: Trial | None = None,
    same_columns: bool = False,
) -> Watched:
    """Return a model that follows an alias of a model's folder: at a path, at an http(s) address, or in a bucket.

    The place is looked at now, then `every` so many seconds, in a thread of its own; the model changes once the next
    package was checked and loaded, and stays if that fails, which `state` tells. `folder` is kept between runs: what
    was seen, and what was downloaded (at most `limit` bytes a package). `headers` and `query` are sent with each
    request; what opens a bucket is its plugin's matter. Close it, or use it in a `with` statement. `trust_code` is as
    of `load`. With a `trial` each package is first loaded, and asked its golden rows, in a process of its own.
    With `same_columns` one that takes or gives other columns than the model that answers is not taken.

    Raises:
        UsageError: the place, the alias or an option cannot be meant so.
    """

    def load_tried(package: Package) -> Model:
        if trial is not None:
            trial.run(package, trust_code=trusted(package.digest, trust_code))
        return _model(package, trust_code)

    scheme, is_address, _ = str(place).partition("://")
    there: reader_places.Place = (
        _Bucket.at(str(place), limit)
        if is_address and scheme not in ("http", "https")
        else reader_places.place_at(str(place), headers=headers, query=query, limit=limit)
    )
    return Watched(there, alias=alias, every=every, folder=folder, load=load_tried, same_columns=same_columns)


@dataclass(frozen=True)
class _Bucket:
    """A model's folder in a place that a storage's plugin knows, as a reader sees it."""

    registry: Registry
    name: str
    limit: int

    @classmethod
    def at(cls, address: str, limit: int) -> _Bucket:
        root, _, name = address.rstrip("/").rpartition("/")
        checked = check_name(name, kind="name of a model's folder")
        return cls(Registry.at(root), checked, limit)

    def get(self, key: str, /, *, limit: int) -> bytes | None:
        return self.registry.storage.read(f"{self.name}/{key}", limit=limit)

    def package(self, digest: str, /, *, kept: Path) -> Package:
        def fetch(part: Path) -> None:
            files = self.registry.manifest(self.name, digest)["files"]
            if (size := sum(entry["size"] for entry in files.values())) > self.limit:
                raise too_large(digest, size, self.limit)
            copy_folder(self.registry.storage, f"{self.name}/{reader_places.PACKAGES}/{hex_of(digest)}", part)

        return reader_places.kept_package(kept, digest, self.name, fetch=fetch)


def _on_share(folder: str, alias: str) -> ModelPackage:
    place, _, name = (folder if "://" in folder else Path(folder).absolute().as_posix()).rpartition("/")
    registry = Registry.at(place)
    found = registry.alias(name, alias).head()
    if found is None or found.digest is None:
        raise AliasError(f"Nothing is live under {alias!r} in {folder!r}.", remedy="Deploy a package to it first.")
    return registry.package(name, found.digest)


def _load(folder: Path, digest: str | None, trust_code: Collection[str]) -> LoadedModel:
    # Of several forms one is loaded, and then read again: no other stands in memory.
    return LoadedModel(_model(open_package(folder, digest=digest, keep=lambda _: False), trust_code))


def _model(package: Package, trust_code: Collection[str]) -> Model:
    return load_model(package, loaders=installed_loaders(), trust_code=trusted(package.digest, trust_code))


def installed_loaders() -> Loaders:
    """Return the loaders of the installed formats, each imported when it is needed."""
    return {name: _importer(name) for name in plugins.names("formats")}


def _importer(name: str) -> Callable[[], Loader]:
    def load_loader() -> Loader:
        module = plugins.find("formats", name, Format).loader  # type: ignore[type-abstract]
        loader: Loader = importlib.import_module(module)
        return loader

    return load_loader
