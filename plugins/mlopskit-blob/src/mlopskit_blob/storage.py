"""Azure Blob Storage as a storage: `az://ACCOUNT/CONTAINER/PREFIX`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from mlopskit import BucketStorage, StoredObject, sending
from mlopskit_blob.access import Access, access_to, place_of
from mlopskit_blob.client import container_client
from mlopskit_blob.failures import explained

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobProperties, ContainerClient

T = TypeVar("T")
_BLOCK = "AAAA"  # a block's name, base64


class BlobStorage(BucketStorage):
    """A container, or what lies below a prefix of it. Credentials are taken from the environment when it is used."""

    schemes: ClassVar[tuple[str, ...]] = ("az",)
    #: How long a single request may be tried again, in seconds.
    deadline: ClassVar[float] = 60.0
    #: How long the service may be silent until the request is tried again, in seconds.
    silence: ClassVar[float] = 30.0

    def __init__(self, uri: str, /) -> None:
        """Name the place; nothing is asked yet.

        Raises:
            ConfigError: it is no address of a container.
        """
        self.place = place_of(uri)

    @property
    def uri(self) -> str:
        """The address."""
        return self.place.uri

    def find(self, key: str, /) -> StoredObject | None:
        """Return what is known of a blob."""
        from azure.core.exceptions import ResourceNotFoundError

        def look() -> StoredObject | None:
            try:
                return _known(self._blob(key).get_blob_properties())
            except ResourceNotFoundError as error:
                if _is_code(error, "ContainerNotFound"):
                    raise
                return None

        return self._act(look)

    @contextlib.contextmanager
    def fetch(self, key: str, /) -> Iterator[tuple[StoredObject, Iterator[bytes]]]:
        """Open a blob."""
        from azure.core.exceptions import ResourceNotFoundError

        def begin() -> Any:
            try:
                return self._blob(key).download_blob()
            except ResourceNotFoundError as error:
                if _is_code(error, "ContainerNotFound"):
                    raise
                return None

        download = self._act(begin)
        if download is None:
            raise FileNotFoundError(key)
        yield _known(download.properties), self._pieces(download.chunks())

    def _pieces(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        while (chunk := self._act(lambda: next(chunks, None))) is not None:
            yield chunk

    def store(self, key: str, data: Path | bytes, facts: Mapping[str, str], /, *, over: str | None) -> bool:
        """Write a blob: a small one in one request, a large one in blocks, whose last request makes it appear."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError

        options: dict[str, Any] = {"metadata": dict(facts), "overwrite": over is not None}
        if over not in (None, self.ANY):
            options |= {"etag": over, "match_condition": MatchConditions.IfNotModified}

        def send() -> bool:
            try:
                self._upload(key, data, options)
            except (ResourceExistsError, ResourceModifiedError):
                return False
            return True

        return self._act(send) or (over is None and self._heal(key, data, facts))

    def _heal(self, key: str, data: Path | bytes, facts: Mapping[str, str]) -> bool:
        """Write a small blob by a block where blocks that a dead writer left make the service say that it is there."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError
        from azure.storage.blob import BlobBlock

        if isinstance(data, Path) or self.find(key) is not None:
            return False
        options: dict[str, Any] = {"metadata": dict(facts), "match_condition": MatchConditions.IfMissing}

        def send() -> bool:
            try:
                self._blob(key).stage_block(_BLOCK, data)
                self._blob(key).commit_block_list([BlobBlock(_BLOCK)], **options)
            except (ResourceExistsError, ResourceModifiedError):
                return False
            return True

        return self._act(send)

    def _upload(self, key: str, data: Path | bytes, options: Mapping[str, Any]) -> None:
        blob = self._blob(key)
        if isinstance(data, bytes):
            blob.upload_blob(data, max_concurrency=1, **options)
            return
        with data.open("rb") as opened:
            size = data.stat().st_size
            if size < self.large:
                blob.upload_blob(opened, length=size, max_concurrency=1, **options)
                return
            sent = sending(size)
            hook: dict[str, Any] = {"progress_hook": lambda done, _: sent(done)}
            blob.upload_blob(opened, length=size, max_concurrency=self.workers, **hook, **options)

    def scan(self, start: str, /) -> Iterator[tuple[str, int, Mapping[str, str] | None]]:
        """Yield each blob, page by page, with its facts."""
        base = f"{self.place.prefix}/" if self.place.prefix else ""
        listed: dict[str, Any] = {"name_starts_with": base + start, "include": ["metadata"]}
        blobs = self._act(lambda: iter(self._container().list_blobs(**listed)))
        while (blob := self._act(lambda: next(blobs, None))) is not None:
            yield blob.name.removeprefix(base), blob.size, blob.metadata or {}

    def discard(self, key: str, /) -> None:
        """Delete a blob."""
        from azure.core.exceptions import ResourceNotFoundError

        def delete() -> None:
            with contextlib.suppress(ResourceNotFoundError):
                self._blob(key).delete_blob(delete_snapshots="include")

        self._act(delete)

    def _blob(self, key: str) -> BlobClient:
        return self._container().get_blob_client(f"{self.place.prefix}/{key}" if self.place.prefix else key)

    def _container(self) -> ContainerClient:
        # A child process must not speak over connections of its parent.
        return container_client(self._access, self.place.container, self.deadline, self.silence, os.getpid())

    @cached_property
    def _access(self) -> Access:
        return access_to(self.place)

    def _act(self, act: Callable[[], T]) -> T:
        """Do something with the service; what it raises holds no address with a signature in it, nor do its causes."""
        from azure.core.exceptions import AzureError

        try:
            return act()
        except (AzureError, ValueError) as error:
            failure = explained(error, self.place, self._access)
        raise failure


def _is_code(error: Any, code: str) -> bool:
    return getattr(error, "error_code", None) == code


def _known(properties: BlobProperties) -> StoredObject:
    facts = {name.lower(): value for name, value in (properties.metadata or {}).items()}
    modified = properties.last_modified.timestamp()
    return StoredObject(size=properties.size, etag=properties.etag, facts=facts, modified=modified)
