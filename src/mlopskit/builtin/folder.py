"""Folder storage: a local folder, a mounted share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, ClassVar

from mlopskit import disk
from mlopskit.errors import StorageError
from mlopskit.runtime.names import check_path
from mlopskit.storage import Stat, Storage


class FolderStorage(Storage):
    """Folders and files below one folder; a committed folder is renamed into place."""

    schemes: ClassVar[tuple[str, ...]] = ("file",)

    def __init__(self, uri: str, /, *, disk: disk.Disk = disk.DISK) -> None:
        """Name the folder; it is made when something is first written."""
        self.root = Path(uri.removeprefix("file://")).expanduser().absolute()
        self._disk = disk

    @property
    def uri(self) -> str:
        """The folder's path."""
        return str(self.root)

    def open(self, key: str, /) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading."""
        path = self._path(key)
        try:
            if not path.is_file():
                raise FileNotFoundError(str(path))
            return path.open("rb")
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unreadable(error) from error

    def stat(self, key: str, /) -> Stat | None:
        """Return size and tag of a file."""
        path = self._path(key)
        try:
            info = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unreadable(error) from error
        return Stat(size=info.st_size, etag=f"{info.st_mtime_ns}-{info.st_ino}-{info.st_size}")

    def local(self, key: str, /) -> Path | None:
        """Return the real path."""
        return self._path(key)

    def list(self, prefix: str, /) -> Iterator[tuple[str, int]]:
        """Yield key and size of each file, sorted by key."""
        start = self._path(prefix) if prefix else self.root
        for folder, folders, files in os.walk(start):
            folders[:] = sorted(name for name in folders if name != disk.ASIDE)
            for name in sorted(files):
                path = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):  # removed since it was listed
                    yield path.relative_to(self.root).as_posix(), path.stat().st_size

    def commit(self, prefix: str, files: Mapping[str, Path | bytes], /, *, last: str) -> bool:
        """Make a folder by renaming; `last` needs no special care, the rename shows all files at once."""
        target = self._path(prefix)
        for path in files:
            check_path(path)
        if last not in files:
            raise ValueError(f"{last!r} is not among the files to commit")
        if target.is_dir() and any(target.iterdir()):
            return False
        try:
            return disk.commit_folder(self._disk, self.root, target, files)
        except OSError as error:
            raise disk.storage_error(error, root=self.root, needed=_size(files)) from error

    def hint(self, key: str, data: bytes, /) -> None:
        """Replace a small file."""
        try:
            disk.replace_file(self._disk, self.root, self._path(key), data)
        except OSError as error:
            raise disk.storage_error(error, root=self.root, needed=len(data)) from error

    def delete(self, prefix: str, /) -> None:
        """Rename a folder aside, then remove it."""
        try:
            disk.remove_folder(self._disk, self.root, self._path(prefix))
        except OSError as error:
            raise disk.storage_error(error, root=self.root) from error

    def _path(self, key: str) -> Path:
        return self.root / check_path(key)

    def _unreadable(self, error: OSError) -> StorageError:
        return StorageError(
            f"{self.uri!r} cannot be read: {error.strerror}.", remedy="Mount the place, or get the right to read it."
        )


def _size(files: Mapping[str, Path | bytes]) -> int:
    return sum(len(source) if isinstance(source, bytes) else source.stat().st_size for source in files.values())
