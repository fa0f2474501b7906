"""Where a bucket is, and with what it is opened: an address, and settings from the environment alone."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlopskit.errors import ConfigError, UnsafePathError
from mlopskit.runtime import check_path

# The environment's settings of each service, by the names that its own tools give them.
CREDENTIALS = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    "gs": ("GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY"),
}
PLACES = {"s3": ("AWS_ENDPOINT_URL", "AWS_REGION"), "gs": ("GOOGLE_BASE_URL",)}
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9._-]{1,61})[a-z0-9]", re.ASCII)
_ADDRESS = re.compile(r"(\d+\.){3}\d+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A bucket, and the prefix below which everything stands."""

    scheme: str
    bucket: str
    prefix: str = ""

    @property
    def uri(self) -> str:
        """The address."""
        return f"{self.scheme}://{self.bucket}/{self.prefix}".rstrip("/")


def place_of(uri: str, /) -> Place:
    """Return the place that an address names.

    Raises:
        ConfigError: it is not of the form, or no bucket can have such a name.
    """
    shown = uri.partition("?")[0]  # what follows may be a signature
    scheme, _, rest = uri.partition("://")
    if scheme not in CREDENTIALS or re.search(r"[?#%;@\s]", uri):
        raise _no_place(shown, "an address holds no query, no escapes and no credentials")
    bucket, _, prefix = rest.removesuffix("/").partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket or _ADDRESS.fullmatch(bucket):
        rule = "these have 3 to 63 lower-case letters, digits, dots and hyphens"
        raise _no_place(shown, f"{bucket!r} is no bucket: {rule}")
    try:
        return Place(scheme=scheme, bucket=bucket, prefix=check_path(prefix) if prefix else "")
    except UnsafePathError as error:
        raise _no_place(shown, error.message) from error


def _no_place(uri: str, why: str) -> ConfigError:
    return ConfigError(
        f"{uri!a}: {why}.", remedy="Give an address of the form s3://BUCKET/PREFIX or gs://BUCKET/PREFIX.", uri=uri
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the environment says of a bucket: where it is, and credentials of its own, where it has some."""

    place: Mapping[str, str]
    credentials: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def settings_of(place: Place, environment: Mapping[str, str] | None = None, /) -> Settings:
    """Return the settings of a bucket; a variable with its name behind it counts before the bare one.

    Without credentials of its own, the client looks for the bare ones, and for an identity of this machine.
    """
    given = os.environ if environment is None else environment
    suffix = "_" + re.sub(r"[.-]", "_", place.bucket).upper()
    where = {name.lower(): given.get(name + suffix) or given.get(name, "") for name in PLACES[place.scheme]}
    names = CREDENTIALS[place.scheme]
    return Settings(
        place={name: value for name, value in where.items() if value},
        credentials={name.lower(): given[name + suffix] for name in names if given.get(name + suffix)},
        secrets=tuple(given[one] for name in names[1:] for one in (name, name + suffix) if given.get(one)),
    )
