"""The zip of a function, as AWS Lambda gets it: in the request, or by a bucket."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from mlopskit_serverless import aws
from mlopskit_serverless.lambdaoptions import LambdaOptions


@dataclass(frozen=True, kw_only=True)
class Code:
    """The zip of a function; `sha256` is written as AWS does, in base64."""

    file: Path
    digest: bytes

    @classmethod
    def of(cls, file: Path, /) -> Code:
        """Return the zip in a file."""
        with file.open("rb") as opened:
            return cls(file=file, digest=hashlib.file_digest(opened, "sha256").digest())

    @property
    def sha256(self) -> str:
        """What AWS calls CodeSha256."""
        return base64.b64encode(self.digest).decode()

    def placed(self, options: LambdaOptions, function: str, /) -> aws.Reply:
        """Return where AWS finds the zip, once it is there: in the request itself, or in the bucket."""
        if not options.bucket:
            return {"ZipFile": self.file.read_bytes()}
        key = f"mlopskit/{function}/{self.digest.hex()}.zip"
        with aws.client("s3", options) as store, self.file.open("rb") as opened:
            # One that is there may be half of it: S3 takes the same bytes again, and checks them.
            aws.call(store, "put_object", Bucket=options.bucket, Key=key, Body=opened, ChecksumAlgorithm="SHA256")
        return {"S3Bucket": options.bucket, "S3Key": key}
