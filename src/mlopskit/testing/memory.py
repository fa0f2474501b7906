"""A storage in memory, for tests: it keeps the contract of `Storage`, and has no real paths, as a bucket has none."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, ClassVar

from mlopskit.runtime.names import check_path, check_paths
from mlopskit.storage import Stat, Storage


class MemoryStorage(Storage):
    """Files in a dictionary; each instance is a place of its own, gone with it."""

    schemes: ClassVar[tuple[str, ...]] = ("memory",)

    def __init__(self, uri: str = "memory://", /) -> None:
        """Begin with nothing."""
        self._uri = uri
        self._files: dict[str, bytes] = {}
        self._lock = threading.Lock()

    @property
    def uri(self) -> str:
        """The address it was given."""
        return self._uri

    def open(self, key: str, /) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading."""
        try:
            return io.BytesIO(self._files[check_path(key)])
        except KeyError:
            raise FileNotFoundError(key) from None

    def stat(self, key: str, /) -> Stat | None:
        """Return size and tag of a file."""
        data = self._files.get(check_path(key))
        return None if data is None else Stat(size=len(data), etag=hashlib.sha256(data).hexdigest())

    def local(self, key: str, /) -> Path | None:
        """Return None: there are no paths."""
        check_path(key)
        return None

    def list(self, prefix: str, /) -> Iterator[tuple[str, int]]:
        """Yield key and size of each file, sorted by key."""
        start = f"{check_path(prefix)}/" if prefix else ""
        for key, data in sorted(self._files.items()):
            if key.startswith(start):
                yield key, len(data)

    def commit(self, prefix: str, files: Mapping[str, Path | bytes], /, *, last: str) -> bool:
        """Add the files under a lock, unless there are some already."""
        start = f"{check_path(prefix)}/"
        check_paths(files)
        if last not in files:
            raise ValueError(f"{last!r} is not among the files to commit")
        made = {start + path: data if isinstance(data, bytes) else data.read_bytes() for path, data in files.items()}
        with self._lock:
            if any(key.startswith(start) for key in self._files):
                return False
            self._files |= made
        return True

    def hint(self, key: str, data: bytes, /) -> None:
        """Set a file."""
        with self._lock:
            self._files |= {check_path(key): data}

    def delete(self, prefix: str, /) -> None:
        """Forget the files below a prefix."""
        start = f"{check_path(prefix)}/"
        with self._lock:
            self._files = {key: data for key, data in self._files.items() if not key.startswith(start)}
