"""Commits to a bucket: how one writer makes a folder whole while others may be at work on it; see `buckets`."""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlopskit.errors import ConflictError, StorageError
from mlopskit.runtime import canonical

if TYPE_CHECKING:
    from mlopskit.buckets import BucketStorage

_PAUSE = 0.05
MOST_TRIES = 20
_MOST_CLAIMS = 3
# What is kept beside an object's bytes.
SHA256 = "sha256"
CLAIM = "claim"  # which claim it was written under
LAST = "last"  # the key of its folder's last file
WRITER = "writer"  # who gave the last file its bytes
FOLDER = "folder"  # of a claim: what is being made,
MAKING = "making"  # and the digest of its content,
GIVEN_UP = "givenup"  # and whether nobody is at it any more
DELETING = "deleting"
# In bytes: only what is of this size may be a claim.
CLAIM_SIZE = 32


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """One object of a bucket: its size in bytes, its etag, and the facts kept beside its bytes, by lower-case names.

    `modified` is when it was written, in seconds since 1970 by the clock of the place, None where that does not say.
    """

    size: int
    etag: str
    facts: Mapping[str, str]
    modified: float | None = None


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One writer at work on a folder."""

    storage: BucketStorage
    folder: str
    files: Mapping[str, Path | bytes]
    last: str
    shas: Mapping[str, str]
    writer: str

    @cached_property
    def key(self) -> str:
        """The key of the last file."""
        return f"{self.folder}/{self.last}"

    @cached_property
    def content(self) -> str:
        """The digest of all that is to be made: writers of one content help each other."""
        return canonical.digest_of(canonical.dumps({"files": dict(self.shas), "last": self.last}))

    def run(self) -> bool:
        """Make the folder; return False if somebody else has.

        Raises:
            ConflictError: others, with another content, are at it again and again.
        """
        if len(self.files) == 1 and self._finish(None, uuid.uuid4().hex):
            return True  # a single object is whole anyway
        for _ in range(_MOST_CLAIMS):
            claim = self._claim()
            if claim is None:
                return False
            try:
                self._send_all(claim)
                if self._finish(claim.etag, claim.facts[CLAIM]):
                    return True
            except BaseException:
                # What was sent under this claim counts for whoever goes on with it.
                with contextlib.suppress(Exception):
                    put_claim(self.storage, self.key, {**claim.facts, GIVEN_UP: "yes"}, over=claim.etag)
                raise
        raise busy(f"Others write another content to {self.folder!r} in {self.storage.uri!r}")

    def _claim(self) -> StoredObject | None:
        """Return the claim under which this content is made; None where the folder has been made."""
        for _ in range(MOST_TRIES):
            found = self.storage.find(self.key)
            if found is not None and MAKING not in found.facts:
                return None
            if found is not None and found.facts[MAKING] == self.content:
                return found
            if found is None or not self._moves(found):
                facts = claim_facts(self.content, folder=self.folder, last=self.key)
                put_claim(self.storage, self.key, facts, over=None if found is None else found.etag)
        raise busy(f"Others write to {self.folder!r} in {self.storage.uri!r} again and again")

    def _moves(self, claim: StoredObject) -> bool:
        """Wait for whoever has a claim; say whether anything came of it within the time that one waits."""
        end = time.monotonic() + (0 if GIVEN_UP in claim.facts else self.storage.patience)
        while time.monotonic() < end:
            time.sleep(_PAUSE)
            found = self.storage.find(self.key)
            if found is None or found.etag != claim.etag:
                return True
        return False

    def _send_all(self, claim: StoredObject) -> None:
        others = [path for path in self.files if path != self.last]
        large = [path for path in others if _size(self.files[path]) >= self.storage.large]
        with ThreadPoolExecutor(self.storage.workers) as pool:
            for _ in pool.map(lambda path: self._send(path, claim), [path for path in others if path not in large]):
                pass
        for path in large:
            self._send(path, claim)

    def _send(self, path: str, claim: StoredObject) -> None:
        """Write one file, unless this content's writers have; over another content's only while the claim stands."""
        key, facts = f"{self.folder}/{path}", self._about(path, claim.facts[CLAIM])
        for _ in range(MOST_TRIES):
            found = self.storage.find(key)
            if found is not None and facts.items() <= found.facts.items():
                return
            if found is not None and getattr(self.storage.find(self.key), "etag", None) != claim.etag:
                return  # whoever took the claim over, or has finished, cares for it
            before = _stamp(self.files[path])
            if self.storage.store(key, self.files[path], facts, over=None if found is None else found.etag):
                if _stamp(self.files[path]) != before:
                    raise StorageError(
                        f"The file {str(self.files[path])!r} changed while it was sent.", remedy="Run it again."
                    )
                return
        raise busy(f"{key!r} in {self.storage.uri!r} is being written by others again and again")

    def _finish(self, over: str | None, claim: str) -> bool:
        facts = {**self._about(self.last, claim), WRITER: self.writer}
        try:
            done = self.storage.store(self.key, self.files[self.last], facts, over=over)
        except StorageError:
            if self._is_ours():  # done, and the answer was lost
                return True
            raise
        return done or self._is_ours()

    def _is_ours(self) -> bool:
        found = self.storage.find(self.key)
        return found is not None and found.facts.get(WRITER) == self.writer

    def _about(self, path: str, claim: str) -> dict[str, str]:
        return {SHA256: self.shas[path], CLAIM: claim, LAST: self.key}


def claim_facts(making: str, /, *, folder: str, last: str) -> dict[str, str]:
    """Return the facts of a new claim."""
    return {CLAIM: uuid.uuid4().hex, MAKING: making, FOLDER: folder, LAST: last}


def put_claim(storage: BucketStorage, key: str, facts: Mapping[str, str], /, *, over: str | None) -> bool:
    """Write a claim, with bytes like no other's: in some buckets an etag tells contents, not versions."""
    return storage.store(key, uuid.uuid4().hex.encode(), facts, over=over)


def sha256_of(data: Path | bytes, /) -> str:
    """Return the sha256 of bytes, or of those of a file, in hex digits."""
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    with data.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _size(data: Path | bytes) -> int:
    return len(data) if isinstance(data, bytes) else data.stat().st_size


def _stamp(data: Path | bytes) -> tuple[int, ...]:
    if isinstance(data, bytes):
        return ()
    info = data.stat()
    return info.st_size, info.st_mtime_ns, info.st_ino


def busy(what: str, /) -> ConflictError:
    """Return the error that others are at the same work."""
    return ConflictError(f"{what}.", remedy="Run the command again when they are done.")
