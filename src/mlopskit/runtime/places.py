"""Where a reader finds a model: a folder, or a web address. Files of known keys are asked for, nothing is listed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from . import canonical
from .errors import IntegrityError, PackageError, StorageError
from .fetching import Source, bounded, fetch_folder, kept_folder
from .manifest import MANIFEST, MAX_MANIFEST, check_manifest
from .names import check_name, hex_of
from .package import Package, files_of_others, open_package, open_plain

if TYPE_CHECKING:
    from .web import WebPlace

PACKAGES = "packages"


class Place(Protocol):
    """A model's folder, wherever it is. Keys are relative paths joined by `/`."""

    @property
    def name(self) -> str:
        """The model's name: that of its folder."""

    def get(self, key: str, /, *, limit: int) -> bytes | None:
        """Return at most `limit` + 1 bytes of a file, None if there is none.

        Raises:
            StorageError: the place cannot be read now.
        """

    def package(self, digest: str, /, *, kept: Path) -> Package:
        """Return a package with every byte checked; what has to be copied for that is kept below a folder.

        Raises:
            PackageError: it is missing, damaged or not of the allowed form.
            StorageError: the place cannot be read now.
        """


def place_at(
    text: str, /, *, headers: Mapping[str, str] | None = None, query: str = "", limit: int, form: str | None = None
) -> Folder | WebPlace:
    """Return the place at a path or an http(s) address; `limit` is the largest package in bytes that is downloaded.

    With a `form` packages are read for that form of the model alone: what only others use is left where it is.

    Raises:
        UsageError: it is neither, or its last part is no model's name.
    """
    if "://" in text:
        from .web import web_place

        return web_place(text, headers=headers or {}, query=query, limit=limit, form=form)
    folder = Path(text).absolute()
    return Folder(folder, check_name(folder.name, kind="name of a model's folder"), form)


@dataclass(frozen=True)
class Folder:
    """A model's folder on a disk or a mounted share."""

    folder: Path
    name: str
    form: str | None = None

    @property
    def address(self) -> str:
        """The folder's path."""
        return str(self.folder)

    def get(self, key: str, /, *, limit: int) -> bytes | None:
        """Return at most `limit` + 1 bytes of a file, None if there is none."""
        with self.read(key, size=limit) as chunks:
            return None if chunks is None else b"".join(chunks)

    @contextlib.contextmanager
    def read(self, key: str, /, *, size: int) -> Iterator[Iterator[bytes] | None]:
        """Give the chunks of a file, at most `size` + 1 bytes; None if there is none."""
        with contextlib.ExitStack() as stack:
            opened = self._opened(key, stack)
            yield None if opened is None else self._chunks(opened, key, size + 1)

    def _opened(self, key: str, stack: contextlib.ExitStack) -> BinaryIO | None:
        try:
            return stack.enter_context(open_plain(self.folder / key, key))[0]
        except (FileNotFoundError, NotADirectoryError) as error:
            if self.folder.is_dir():
                return None
            raise self._away("it is not there") from error
        except OSError as error:
            raise self._away(error.strerror or str(error), key) from error

    def _chunks(self, opened: BinaryIO, key: str, most: int) -> Iterator[bytes]:
        def read(size: int) -> bytes:
            try:
                return opened.read(size)
            except OSError as error:
                raise self._away(error.strerror or str(error), key) from error

        return bounded(read, most)

    def package(self, digest: str, /, *, kept: Path) -> Package:
        """Return a package with every byte checked, read where it stands."""
        del kept
        return _opened(self.folder / PACKAGES / hex_of(digest), digest, self.name, self.form)

    def _away(self, why: str, key: str = "") -> StorageError:
        return StorageError(
            f"{str(self.folder / key)!r} cannot be read: {why}.",
            remedy="Mount the place, or get the right to read it.",
        )


def of_model(package: Package, name: str, /) -> Package:
    """Return a package that an alias names, if it is one of the alias's model.

    Raises:
        IntegrityError: it is another model's.
    """
    if package.manifest["name"] != name:
        raise IntegrityError(
            f"The alias of {name!r} names a package of {package.manifest['name']!r}.",
            remedy="Point it at a package of the same model.",
            digest=package.digest,
        )
    return package


def fetched_package(
    source: Source, name: str, digest: str, /, *, kept: Path, limit: int, form: str | None = None
) -> Package:
    """Return a model's package of at most `limit` bytes, fetched below a folder unless it is there, and whole.

    Raises:
        PackageError: it is missing, damaged, another model's, or lacks the form that alone is asked for.
        StorageError: the source cannot be read now.
    """

    def files(data: bytes) -> Mapping[str, Any]:
        manifest = check_manifest(canonical.loads(data, what=MANIFEST, limit=MAX_MANIFEST))
        _check_form(manifest, digest, form)
        others = files_of_others(manifest, form)
        return {path: entry for path, entry in manifest["files"].items() if path not in others}

    def fetch(part: Path) -> None:
        key = f"{PACKAGES}/{hex_of(digest)}"
        fetch_folder(source, key, part, digest=digest, listing=MANIFEST, files=files, limit=limit)

    return kept_package(kept, digest, name, fetch=fetch, form=form)


def kept_package(
    kept: Path, digest: str, name: str, /, *, fetch: Callable[[Path], None], form: str | None = None
) -> Package:
    """Return a package that is kept below a folder, fetched by `fetch` if it is not, or is damaged."""
    return kept_folder(kept, digest, check=lambda folder: _opened(folder, digest, name, form), fetch=fetch)


def _opened(folder: Path, digest: str, name: str, form: str | None) -> Package:
    # Of one form alone the bytes are read, and checked, once more when it is loaded, and stand in memory once.
    keep = (lambda _: True) if form is None else (lambda _: False)
    package = of_model(open_package(folder, digest=digest, format=form, keep=keep), name)
    _check_form(package.manifest, digest, form)
    return package


def _check_form(manifest: Mapping[str, Any], digest: str, form: str | None) -> None:
    held = [model["format"] for model in manifest["models"]]
    if form is not None and form not in held:
        raise PackageError(
            f"The package {digest} holds its model as {', '.join(held) or 'nothing'}; here only {form!r} has a loader.",
            remedy=f"Package the model with the form {form!r}, or deploy again with a form that it holds.",
            digest=digest,
        )
