"""Storages in memory, for tests: they keep the contract of `Storage`, and have no real paths, as a bucket has none."""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, ClassVar

from mlopskit.buckets import BucketStorage
from mlopskit.commits import StoredObject
from mlopskit.runtime.names import check_path, check_paths
from mlopskit.storage import Stat, Storage


class MemoryStorage(Storage):
    """Files in a dictionary; each instance is a place of its own, gone with it."""

    schemes: ClassVar[tuple[str, ...]] = ("memory",)

    def __init__(self, uri: str = "memory://", /, *, clock: Callable[[], float] = time.time) -> None:
        """Begin with nothing; `clock` gives the time of the place."""
        self._uri = uri
        self._clock = clock
        self._files: dict[str, bytes] = {}
        self._times: dict[str, float] = {}
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
        if data is None:
            return None
        return Stat(size=len(data), etag=hashlib.sha256(data).hexdigest(), modified=self._times.get(key))

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
            self._times |= dict.fromkeys(made, self._clock())
        return True

    def hint(self, key: str, data: bytes, /) -> None:
        """Set a file."""
        with self._lock:
            self._files |= {check_path(key): data}
            self._times[key] = self._clock()

    def delete(self, prefix: str, /) -> None:
        """Forget the files below a prefix."""
        start = f"{check_path(prefix)}/"
        with self._lock:
            self._files = {key: data for key, data in self._files.items() if not key.startswith(start)}


class MemoryBucket(BucketStorage):
    """Objects in a dictionary, each written on a condition, as a bucket has them.

    `tells` is False for a bucket whose listings say nothing of the facts that are kept beside an object.
    """

    schemes: ClassVar[tuple[str, ...]] = ("memory-bucket",)

    def __init__(self, uri: str = "memory-bucket://", /, *, tells: bool = True) -> None:
        """Begin with nothing."""
        self._uri = uri
        self._tells = tells
        self._lock = threading.Lock()
        self.objects: dict[str, tuple[StoredObject, bytes]] = {}

    @property
    def uri(self) -> str:
        """The address it was given."""
        return self._uri

    def find(self, key: str, /) -> StoredObject | None:
        """Return what is known of an object."""
        found = self.objects.get(key)
        return None if found is None else found[0]

    @contextlib.contextmanager
    def fetch(self, key: str, /) -> Iterator[tuple[StoredObject, Iterator[bytes]]]:
        """Open an object."""
        if key not in self.objects:
            raise FileNotFoundError(key)
        known, data = self.objects[key]
        yield known, iter([data] if data else [])

    def store(self, key: str, data: Path | bytes, facts: Mapping[str, str], /, *, over: str | None) -> bool:
        """Write an object under a lock, if that is there which it is to be written over."""
        content = data if isinstance(data, bytes) else data.read_bytes()
        made = StoredObject(size=len(content), etag=uuid.uuid4().hex, facts=dict(facts), modified=time.time())
        with self._lock:
            found = self.find(key)
            if over not in (self.ANY, found and found.etag):
                return False
            self.objects[key] = (made, content)
        return True

    def scan(self, start: str, /) -> Iterator[tuple[str, int, Mapping[str, str] | None]]:
        """Yield each object, sorted by key."""
        for key, (known, _) in sorted(self.objects.items()):
            if key.startswith(start):
                yield key, known.size, known.facts if self._tells else None

    def discard(self, key: str, /) -> None:
        """Forget an object."""
        self.objects.pop(key, None)
