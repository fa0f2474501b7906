"""S3, Google Cloud Storage and S3-compatible servers as a storage: `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from mlopskit import BucketStorage, StoredObject, sending
from mlopskit.errors import StorageError
from mlopskit_objectstore.places import place_of, settings_of
from mlopskit_objectstore.stores import reason, remedy, store_at

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")
_PART = 8 << 20
# What is larger goes in parts, which these services do not join on a condition.
_WHOLE = 64 << 20
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class ObjectStorage(BucketStorage):
    """A bucket, or what lies below a prefix of it. Credentials are taken from the environment when it is used."""

    schemes: ClassVar[tuple[str, ...]] = ("s3", "gs")
    #: How long a single request may be tried again, in seconds.
    deadline: ClassVar[float] = 60.0
    #: How long the service may be silent until the request is tried again, in seconds.
    silence: ClassVar[float] = 30.0

    def __init__(self, uri: str, /) -> None:
        """Name the place; nothing is asked yet.

        Raises:
            ConfigError: it is no address of a bucket.
        """
        self.place = place_of(uri)

    @property
    def uri(self) -> str:
        """The address."""
        return self.place.uri

    def find(self, key: str, /) -> StoredObject | None:
        """Return what is known of an object."""
        import obstore

        def look() -> StoredObject | None:
            try:
                return _known(obstore.get(self._store, key, options={"head": True}))
            except FileNotFoundError:
                return None

        return self._act(look)

    @contextlib.contextmanager
    def fetch(self, key: str, /) -> Iterator[tuple[StoredObject, Iterator[bytes]]]:
        """Open an object."""
        import obstore

        def begin() -> Any:
            with contextlib.suppress(FileNotFoundError):
                return obstore.get(self._store, key)
            return None

        found = self._act(begin)
        if found is None:
            raise FileNotFoundError(key)
        yield _known(found), self._pieces(iter(found.stream(min_chunk_size=_PART)))

    def _pieces(self, stream: Iterator[Any]) -> Iterator[bytes]:
        while (piece := self._act(lambda: next(stream, None), again=False)) is not None:
            yield bytes(piece)

    def store(self, key: str, data: Path | bytes, facts: Mapping[str, str], /, *, over: str | None) -> bool:
        """Write an object on a condition; one of more than 64 MiB once it is seen to be met."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode = _mode(over, self.ANY)
        large = isinstance(data, Path) and data.stat().st_size > _WHOLE
        if large:
            found = self.find(key)
            if mode != "overwrite" and (found and found.etag) != over:
                return False
            mode = "overwrite"

        def send() -> bool:
            try:
                obstore.put(
                    self._store,
                    key,
                    _told(data) if large and isinstance(data, Path) else data,
                    attributes=dict(facts),
                    mode=mode,
                    use_multipart=None if mode == "overwrite" else False,
                    chunk_size=_PART,
                    max_concurrency=self.workers,
                )
            except (AlreadyExistsError, PreconditionError):
                return False
            except FileNotFoundError as error:
                if isinstance(data, Path) and not data.exists():
                    raise
                if isinstance(mode, dict):  # what was to be written over is gone
                    return False
                raise ValueError(f"NoSuchBucket: {error}") from None
            return True

        return self._act(send)

    def scan(self, start: str, /) -> Iterator[tuple[str, int, Mapping[str, str] | None]]:
        """Yield each object, page by page; listings have no facts."""
        import obstore

        # These services list by whole folders, and `start` is one, or everything.
        pages = iter(obstore.list(self._store, prefix=start.rstrip("/") or None))
        while (page := self._act(lambda: next(pages, None), again=False)) is not None:
            yield from ((one["path"], one["size"], None) for one in page)

    def discard(self, key: str, /) -> None:
        """Delete an object."""
        import obstore

        def delete() -> None:
            with contextlib.suppress(FileNotFoundError):
                obstore.delete(self._store, key)

        self._act(delete)

    @cached_property
    def _store(self) -> ObjectStore:
        return store_at(self.place, settings_of(self.place), self.deadline, self.silence)

    def _act(self, act: Callable[[], T], *, again: bool = True) -> T:
        """Do something with the service, again until the deadline where it is not there; no error names a secret."""
        from obstore.exceptions import BaseError, GenericError

        end, pause = time.monotonic() + self.deadline, _FIRST_PAUSE
        while True:
            try:
                return act()
            except (BaseError, ValueError) as error:
                said = StorageError(
                    f"{self.uri!r} failed: {reason(error, settings_of(self.place))}.",
                    remedy=remedy(error, self.place),
                    place=self.uri,
                )
                wait = pause * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
                if not again or not isinstance(error, GenericError) or time.monotonic() + wait > end:
                    break
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise said


def _told(file: Path) -> Iterator[bytes]:
    """Yield a file's bytes in parts, and tell the step at work how far it is."""
    done, sent = 0, sending(file.stat().st_size)
    with file.open("rb") as opened:
        while part := opened.read(_PART):
            yield part
            done += len(part)
            sent(done)


def _mode(over: str | None, anything: str) -> Any:
    if over is None:
        return "create"
    if over == anything:
        return "overwrite"
    version, _, etag = over.partition(" ")
    return {"e_tag": etag, "version": version} if version else {"e_tag": etag}


def _known(found: Any) -> StoredObject:
    """Return what is known of an object; its tag holds the version too, by which Google's service goes."""
    etag = f"{found.meta.get('version') or ''} {found.meta.get('e_tag') or ''}"
    facts = {name.lower(): value for name, value in found.attributes.items()}
    modified = found.meta["last_modified"].timestamp()
    return StoredObject(size=found.meta["size"], etag=etag, facts=facts, modified=modified)
