"""Folder storage: a local folder, a mounted share."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, ClassVar

from mlopskit import disk
from mlopskit.errors import ConfigError, StorageError
from mlopskit.runtime.names import check_path, check_paths
from mlopskit.storage import Stat, Storage


class FolderStorage(Storage):
    """Folders and files below one folder; a committed folder is renamed into place."""

    schemes: ClassVar[tuple[str, ...]] = ("", "file")

    def __init__(self, uri: str, /, *, disk: disk.Disk = disk.DISK) -> None:
        """Name the folder; it is made when something is first written.

        Raises:
            ConfigError: it is neither a path nor `file:///` and a path.
        """
        self.root = _folder(uri)
        self._disk = disk

    @property
    def uri(self) -> str:
        """The folder's path."""
        return str(self.root)

    def open(self, key: str, /) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading."""
        path = self._path(key)
        if self.stat(key) is None:
            raise FileNotFoundError(str(path))
        try:
            return path.open("rb")
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unreadable(error) from error

    def stat(self, key: str, /) -> Stat | None:
        """Return size and tag of a file."""
        try:
            info = self._path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unreadable(error) from error
        if not stat.S_ISREG(info.st_mode):
            return None
        etag = f"{info.st_mtime_ns}-{info.st_ino}-{info.st_size}"
        return Stat(size=info.st_size, etag=etag, modified=info.st_mtime)

    def local(self, key: str, /) -> Path | None:
        """Return the real path."""
        return self._path(key)

    def list(self, prefix: str, /) -> Iterator[tuple[str, int]]:
        """Yield key and size of each file, folder by folder."""
        start = self._path(prefix) if prefix else self.root
        for folder, folders, files in os.walk(start, onerror=self._check_vanished):
            folders[:] = sorted(name for name in folders if name != disk.ASIDE)
            for name in sorted(files):
                path = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):  # removed since it was listed
                    yield path.relative_to(self.root).as_posix(), path.stat().st_size

    def commit(self, prefix: str, files: Mapping[str, Path | bytes], /, *, last: str) -> bool:
        """Make a folder by renaming; `last` needs no special care, the rename shows all files at once."""
        target = self._path(prefix)
        check_paths(files)
        if last not in files:
            raise ValueError(f"{last!r} is not among the files to commit")
        return disk.commit_folder(self._disk, self.root, target, files)

    def hint(self, key: str, data: bytes, /) -> None:
        """Replace a small file."""
        disk.replace_file(self._disk, self.root, self._path(key), data)

    def delete(self, prefix: str, /) -> None:
        """Rename a folder aside, then remove it."""
        disk.remove_folder(self._disk, self.root, self._path(prefix))

    def _path(self, key: str) -> Path:
        return self.root / check_path(key)

    def _check_vanished(self, error: OSError) -> None:
        # What is not there holds nothing; a folder that cannot be read must not pass for an empty one.
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> StorageError:
        return StorageError(
            f"{self.uri!r} cannot be read: {error.strerror}.", remedy="Mount the place, or get the right to read it."
        )


def _folder(uri: str) -> Path:
    path = uri.removeprefix("file://")
    # In a URI these would have to be decoded or cut off; whoever means them gives the path itself.
    if path != uri and (not path.startswith("/") or set(path) & set("%?#;")):
        raise ConfigError(
            f"{uri!a} is no folder's URI of the form 'file:///path'.", remedy="Give the folder's path.", uri=uri
        )
    if not path or "\0" in path:
        raise ConfigError(f"{uri!a} is no folder.", remedy="Give the folder's path, '.' for this one.", uri=uri)
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigError(f"{uri!a}: {error}", remedy="Give the folder's whole path.", uri=uri) from error
