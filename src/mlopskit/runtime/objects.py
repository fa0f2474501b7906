"""A model's folder in a bucket of S3, read by boto3, which AWS's own runtimes bring: loaded when it is first asked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import StorageError
from .fetching import bounded
from .package import Package
from .places import fetched_package

_ABSENT = "NoSuchKey"  # not each 404: a bucket may be missing, too
_DENIED = 403
_CONNECT, _SILENCE = 2.0, 3.0  # seconds


def s3_client() -> Any:
    """Return a client that finds region, address and credentials as all of AWS's tools do.

    Raises:
        StorageError: there is no boto3 here.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise StorageError(
            f"A bucket of S3 is read by boto3, which is not here: {error}.",
            remedy="Run it where AWS's runtime brings boto3, or read the bucket by an https address.",
        ) from error
    options = Config(connect_timeout=_CONNECT, read_timeout=_SILENCE, retries={"total_max_attempts": 2})
    return boto3.session.Session().client("s3", config=options)


@dataclass(frozen=True)
class BucketPlace:
    """A model's folder in a bucket of S3. What gives access is the client's matter, and shown nowhere."""

    bucket: str
    folder: str
    name: str
    limit: int
    form: str | None = None
    client: Callable[[], Any] = field(default=s3_client, repr=False)
    _made: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def address(self) -> str:
        """The folder's address."""
        return f"s3://{self.bucket}/{self.folder}"

    def get(self, key: str, /, *, limit: int) -> bytes | None:
        """Return at most `limit` + 1 bytes of a file, None if there is none."""
        with self.read(key, size=limit) as chunks:
            return None if chunks is None else b"".join(chunks)

    @contextlib.contextmanager
    def read(self, key: str, /, *, size: int) -> Iterator[Iterator[bytes] | None]:
        """Give the chunks of a file, at most `size` + 1 bytes; None if there is none."""
        with contextlib.ExitStack() as stack:
            body = self._opened(key)
            if body is not None:
                stack.callback(body.close)
            yield None if body is None else self._chunks(body, key, size + 1)

    def package(self, digest: str, /, *, kept: Path) -> Package:
        """Return a package with every byte checked, downloaded below a folder unless it stands there."""
        return fetched_package(self, self.name, digest, kept=kept, limit=self.limit, form=self.form)

    def _opened(self, key: str) -> Any:
        with self._explained(key):
            if not self._made:
                self._made.append(self.client())
            try:
                return self._made[0].get_object(Bucket=self.bucket, Key=f"{self.folder}/{key}")["Body"]
            except self._made[0].exceptions.ClientError as error:
                if str(error.response.get("Error", {}).get("Code")) == _ABSENT:
                    return None
                raise

    def _chunks(self, body: Any, key: str, most: int) -> Iterator[bytes]:
        def read(size: int) -> bytes:
            with self._explained(key):
                chunk: bytes = body.read(size)
            return chunk

        return bounded(read, most)

    @contextlib.contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except Exception as error:
            # From None, and no more than its kind and code: what a client says may show what gives access.
            response = getattr(error, "response", None) or {}
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            code = (
                f"the status is {status} ({response.get('Error', {}).get('Code')})" if status else type(error).__name__
            )
            raise self._away(key, status, code) from None

    def _away(self, key: str, status: int | None, code: str) -> StorageError:
        what = f"{self.address}/{key} cannot be read"
        if status == _DENIED:
            return StorageError(
                f"{what}: {code}, and so it cannot be told whether it is there.",
                remedy=f"Give the function's role s3:GetObject on arn:aws:s3:::{self.bucket}/* and s3:ListBucket on "
                f"arn:aws:s3:::{self.bucket}: without the latter S3 denies also what is not there.",
            )
        return StorageError(
            f"{what}: {code}.",
            remedy="Check the bucket, its region (AWS_REGION), the network, and the function's role.",
        )
