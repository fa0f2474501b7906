"""Storage in a bucket: folders whole or not at all, where only single objects can be written on a condition.

A folder is made in three steps. Its last file is claimed: written with a mark, and facts that say what is being made.
All other files are written, each over nothing or over exactly what was looked at. Then the last file gets its bytes,
over exactly that claim. Until then nobody sees the folder; who finds the claim of a writer that died goes on with it
or takes it over, after which that writer can change nothing any more. Whether a write whose answer was lost was done
is told by what stands there. No clock decides: time only says how long to wait for somebody who may be at work.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import uuid
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, ClassVar

from mlopskit.commits import (
    CLAIM_SIZE,
    DELETING,
    FOLDER,
    LAST,
    MAKING,
    MOST_TRIES,
    SHA256,
    Commit,
    StoredObject,
    busy,
    claim_facts,
    put_claim,
    sha256_of,
)
from mlopskit.errors import IntegrityError, UnsafePathError
from mlopskit.runtime.names import check_path, check_paths
from mlopskit.storage import Stat, Storage

# Key, size and facts of an object that was listed.
Listed = tuple[str, int, Mapping[str, str] | None]


class BucketStorage(Storage):
    """Storage on whatever keeps objects under keys, and can write one only if nothing, or a known one, is there.

    A subclass writes `uri`, and five operations on single objects: `find`, `fetch`, `store`, `scan` and `discard`. They
    raise `StorageError` where the place fails, after trying again as long as that makes sense. Keys are checked before.
    """

    #: In place of an etag: write over whatever is there.
    ANY: ClassVar[str] = "*"
    #: How many objects, or parts of a large one, are under way at once.
    workers: ClassVar[int] = 8
    #: From this size on, in bytes, an object is sent in parts, with no other beside it.
    large: ClassVar[int] = 8 << 20
    #: How long a writer of another content is waited for, in seconds since something of it was last seen to move.
    patience: ClassVar[float] = 5.0

    @abstractmethod
    def find(self, key: str, /) -> StoredObject | None:
        """Return what is known of an object, None if there is none."""

    @abstractmethod
    def fetch(self, key: str, /) -> AbstractContextManager[tuple[StoredObject, Iterator[bytes]]]:
        """Open an object: what is known of it, and its bytes in pieces.

        Raises:
            FileNotFoundError: there is none.
        """

    @abstractmethod
    def store(self, key: str, data: Path | bytes, facts: Mapping[str, str], /, *, over: str | None) -> bool:
        """Write an object if nothing is there (None), over the one with an etag, or over whatever is there (`ANY`).

        Returns:
            False if something else is there; then nothing was written.
        """

    @abstractmethod
    def scan(self, start: str, /) -> Iterator[Listed]:
        """Yield key, size and facts of each object whose key begins so; facts are None where a listing has none."""

    @abstractmethod
    def discard(self, key: str, /) -> None:
        """Remove an object; an absent one is no error."""

    # --- what a storage does, made of these -------------------------------------------------------------------------

    @contextlib.contextmanager
    def open(self, key: str, /) -> Iterator[BinaryIO]:
        """Open a file for reading; its bytes are compared with the sha256 that it was written with, as they come."""
        with self.fetch(check_path(key)) as (found, chunks):
            if MAKING in found.facts:
                raise FileNotFoundError(key)
            pieces = self._checked(key, found, chunks)
            if found.size < self.large:
                pieces = iter([self._whole(key, pieces)])
            with io.BufferedReader(_Chunks(pieces)) as opened:
                yield opened

    def _whole(self, key: str, pieces: Iterator[bytes]) -> bytes:
        """Return all bytes of a small object; what was damaged on the way is asked for once more."""
        try:
            return b"".join(pieces)
        except IntegrityError:
            with self.fetch(key) as (found, chunks):
                return b"".join(self._checked(key, found, chunks))

    def stat(self, key: str, /) -> Stat | None:
        """Return size and tag of a file."""
        found = self.find(check_path(key))
        if found is None or MAKING in found.facts:
            return None
        return Stat(size=found.size, etag=found.etag, modified=found.modified)

    def local(self, key: str, /) -> Path | None:
        """Return None: a bucket has no paths."""
        check_path(key)
        return None

    def list(self, prefix: str, /) -> Iterator[tuple[str, int]]:
        """Yield key and size of each file, those of other programs left out if their names are not allowed."""
        start = f"{check_path(prefix)}/" if prefix else ""
        found = [one for one in self.scan(start) if _allowed(one[0])]
        hidden = self._hidden(start, found)
        yield from ((key, size) for key, size, _ in found if not key.startswith(hidden))

    def commit(self, prefix: str, files: Mapping[str, Path | bytes], /, *, last: str) -> bool:
        """Make a folder of files."""
        check_path(prefix)
        check_paths(files)
        if last not in files:
            raise ValueError(f"{last!r} is not among the files to commit")
        listed = next(self.list(prefix), None)
        if listed is not None and self.find(listed[0]) is not None:  # a listing may be late
            return False
        shas = {path: sha256_of(data) for path, data in files.items()}
        return Commit(storage=self, folder=prefix, files=files, last=last, shas=shas, writer=uuid.uuid4().hex).run()

    def hint(self, key: str, data: bytes, /) -> None:
        """Write a small file over whatever is there."""
        self.store(check_path(key), data, {SHA256: sha256_of(data)}, over=self.ANY)

    def delete(self, prefix: str, /) -> None:
        """Hide a folder by claiming its last file, then remove the others, then that one."""
        found = [(key, self._facts(key, facts)) for key, _, facts in self.scan(f"{check_path(prefix)}/")]
        lasts = [key for key, facts in found if facts.get(LAST) == key or MAKING in facts]
        others = [key for key, _ in found if key not in lasts]
        for key in lasts if others else ():
            self._claim_to_delete(key, prefix)
        with ThreadPoolExecutor(self.workers) as pool:
            for _ in pool.map(self.discard, others):
                pass
        for key in lasts:
            self.discard(key)

    def _claim_to_delete(self, key: str, folder: str) -> None:
        facts = claim_facts(DELETING, folder=folder, last=key)
        for _ in range(MOST_TRIES):
            found = self.find(key)
            if found is None or put_claim(self, key, facts, over=found.etag):
                return
        raise busy(f"{key!r} in {self.uri!r} is being written by others again and again")

    def _facts(self, key: str, facts: Mapping[str, str] | None) -> Mapping[str, str]:
        if facts is not None:
            return facts
        found = self.find(key)
        return {} if found is None else found.facts

    def unfinished(self, prefix: str, /) -> Iterator[tuple[str, int]]:
        """Yield each folder below a prefix that is claimed, with the bytes that were written of it."""
        found = [one for one in self.scan(f"{check_path(prefix)}/") if _allowed(one[0])]
        for start in sorted(self._claimed(found)):
            yield start.removesuffix("/"), sum(size for key, size, _ in found if key.startswith(start))

    def _claimed(self, found: Sequence[Listed]) -> set[str]:
        """Return with what the keys of folders begin that are being made, or removed."""
        claims = [self._facts(key, facts) for key, size, facts in found if size == CLAIM_SIZE]
        return {f"{facts[FOLDER]}/" for facts in claims if MAKING in facts}

    def _hidden(self, start: str, found: Sequence[Listed]) -> tuple[str, ...]:
        """Return with what the keys begin that nobody is to see."""
        hidden = self._claimed(found)
        if found:  # it may all be a part of a folder whose last file stands elsewhere
            last = self._facts(found[0][0], found[0][2]).get(LAST, start)
            if not last.startswith(start) and self.stat(last) is None:
                hidden.add("")
        return tuple(hidden)

    def _checked(self, key: str, found: StoredObject, chunks: Iterator[bytes]) -> Iterator[bytes]:
        sha256, size, expected = hashlib.sha256(), 0, found.facts.get(SHA256)
        for chunk in chunks:
            sha256.update(chunk)
            size += len(chunk)
            if size > found.size or (size == found.size and expected not in (None, sha256.hexdigest())):
                raise IntegrityError(
                    f"{key!r} in {self.uri!r} is not what was written there: its sha256 is {sha256.hexdigest()}, "
                    f"expected {expected}.",
                    remedy="Read it again; if it stays so, restore that file, and find out who changed it.",
                    file=key,
                )
            yield chunk
        if size < found.size:
            raise IntegrityError(
                f"{key!r} in {self.uri!r} ended after {size:,} of {found.size:,} bytes.",
                remedy="Read it again; if it stays so, restore that file.",
                file=key,
            )


class _Chunks(io.RawIOBase):
    """Pieces of bytes as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if not chunk:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _allowed(key: str) -> bool:
    try:
        return bool(check_path(key))
    except UnsafePathError:
        return False
