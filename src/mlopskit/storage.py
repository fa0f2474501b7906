"""Storage: the few operations that the registry and bundle deployers need from a place."""

from __future__ import annotations

import contextlib
import functools
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, NewType

from mlopskit import plugins
from mlopskit.errors import ConfigError, LimitError, StorageError
from mlopskit.runtime.names import check_path
from mlopskit.runtime.package import MAX_FILES, MAX_TOTAL

# The address of a place: a path, or scheme://...; a relative path counts from the project's folder.
Place = NewType("Place", str)
_CHUNK = 1 << 20
_WORKERS = 8


@dataclass(frozen=True, kw_only=True)
class Stat:
    """What a place says of one file: its size in bytes, a tag that changes with its content, and when it was written.

    `modified` is in seconds since 1970 by the clock of the place, None where that says nothing about it.
    """

    size: int
    etag: str
    modified: float | None = None


class Storage(ABC):
    """A place for immutable folders of files. Keys are relative paths joined by `/`.

    A subclass is made from a URI, `Storage(uri)`, and raises `StorageError` where the place fails.
    """

    schemes: ClassVar[tuple[str, ...]]

    @abstractmethod
    def __init__(self, uri: str, /) -> None:
        """Name the place; nothing is opened or made yet."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """The place's address, without secrets."""

    @abstractmethod
    def open(self, key: str, /) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading.

        Raises:
            FileNotFoundError: there is none.
        """

    @abstractmethod
    def stat(self, key: str, /) -> Stat | None:
        """Return the size and tag of a file, None if there is none."""

    @abstractmethod
    def local(self, key: str, /) -> Path | None:
        """Return the real path of a file or folder where there is one, so that nothing is copied needlessly."""

    @abstractmethod
    def list(self, prefix: str, /) -> Iterator[tuple[str, int]]:
        """Yield key and size of each file below a prefix; nothing that is still being made."""

    @abstractmethod
    def commit(self, prefix: str, files: Mapping[str, Path | bytes], /, *, last: str) -> bool:
        """Make a folder of files appear, whole or not at all, once.

        `last` is the file whose presence means that all are there.

        Returns:
            False if the folder was there already, whatever is in it; it is left as it is.
        """

    @abstractmethod
    def hint(self, key: str, data: bytes, /) -> None:
        """Write a small file that may be replaced; readers never trust it."""

    @abstractmethod
    def delete(self, prefix: str, /) -> None:
        """Remove a committed folder, `last` first; an absent one is no error."""

    def unfinished(self, prefix: str, /) -> Iterator[tuple[str, int]]:
        """Yield each folder below a prefix whose making, or removal, was begun and not ended, with its size in bytes.

        There are none where a place itself cleans up after writers that died, as a folder does.
        """
        check_path(prefix)
        return iter(())

    def read(self, key: str, /, *, limit: int) -> bytes | None:
        """Return at most `limit` + 1 bytes of a file, None if there is none."""
        try:
            with self.open(key) as opened:
                return opened.read(limit + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(
                f"{key!r} in {self.uri!r} cannot be read: {error.strerror or error}.",
                remedy="Mount the place, or get the right to read it; then run the same command again.",
            ) from error


def resolve_place(place: str, root: Path, /) -> str:
    """Return an address with a relative path counted from a folder."""
    if not place or "://" in place:
        return place
    try:
        return str(root / Path(place).expanduser())
    except RuntimeError as error:
        raise ConfigError(f"{place!r}: {error}", remedy="Give the folder's whole path.") from error


def storage_at(place: str, /) -> Storage:
    """Return the storage at a path or URI, by the plugin of its scheme.

    Raises:
        UnknownNameError: no plugin has this scheme.
    """
    scheme = place.partition("://")[0] if "://" in place else "file"
    return _storage_of(scheme)(place)


def copy_folder(storage: Storage, prefix: str, into: Path, /) -> None:
    """Copy a committed folder into a local one, which is to be checked then: what is gone by now is left out.

    Raises:
        LimitError: it is larger than any package may be; nothing was copied.
    """
    from concurrent.futures import ThreadPoolExecutor

    listed = list(itertools.islice(storage.list(prefix), MAX_FILES + 1))
    total = sum(size for _, size in listed)
    if len(listed) > MAX_FILES or total > MAX_TOTAL:
        raise LimitError(
            f"{prefix!r} in {storage.uri!r} has {len(listed):,} files of {total:,} bytes, "
            f"at most {MAX_FILES:,} of {MAX_TOTAL:,} are read.",
            remedy="Find out who wrote it.",
        )

    def copy(one: tuple[str, int]) -> None:
        key, size = one
        target = into / key.removeprefix(f"{prefix}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError), storage.open(key) as source, target.open("wb") as opened:
            left = size + 1  # one more than there may be shows that it is not the file that is meant
            while left and (chunk := source.read(min(left, _CHUNK))):
                left -= opened.write(chunk)

    with ThreadPoolExecutor(_WORKERS) as pool:
        for _ in pool.map(copy, listed):
            pass


@functools.cache  # a registry opens places by the dozen, and what is installed stays the same
def _storage_of(scheme: str) -> type[Storage]:
    return plugins.find("storages", scheme, Storage)  # type: ignore[type-abstract]
