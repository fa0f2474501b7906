"""The client of a bucket, and what it says when something fails."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlopskit_objectstore.places import CREDENTIALS, PLACES, Place, Settings

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SIGNATURES = re.compile(r"(?i)((?:signature|sig|token|credential)=)[^&\s\"']+")
_LONGEST = 300
_CONNECT_SECONDS = 10


def store_at(place: Place, settings: Settings, deadline: float, silence: float, /) -> ObjectStore:
    """Return the client of a bucket."""
    from obstore.store import GCSStore, S3Store

    host = urlsplit(settings.place.get("aws_endpoint_url") or settings.place.get("google_base_url") or "").hostname
    options: Any = {
        "client_options": {
            "timeout": dt.timedelta(seconds=silence),
            "connect_timeout": dt.timedelta(seconds=min(_CONNECT_SECONDS, silence)),
            "allow_http": host in _LOOPBACK,
        },
        "retry_config": {"max_retries": 10, "retry_timeout": dt.timedelta(seconds=deadline)},
        "prefix": place.prefix or None,
    }
    config: Any = {**settings.place, **(settings.credentials if place.scheme == "gs" else {})}
    if place.scheme == "gs":
        return GCSStore(place.bucket, config=config, **options)
    if settings.credentials:
        options["credential_provider"] = _own(settings.credentials)
    return S3Store(place.bucket, config=config, **options)


def _own(credentials: Mapping[str, str]) -> Callable[[], dict[str, Any]]:
    """Return what gives these credentials and no others: the client would add a token that belongs to another key."""
    own = {
        "access_key_id": credentials.get("aws_access_key_id", ""),
        "secret_access_key": credentials.get("aws_secret_access_key", ""),
        "token": credentials.get("aws_session_token"),
        "expires_at": None,
    }
    return lambda: own


def reason(error: Exception, settings: Settings, /) -> str:
    """Return in a line what the client says, without anything secret."""
    text = " ".join(str(error).split())
    for secret in settings.secrets:
        text = text.replace(secret, "…")
    text = _SIGNATURES.sub(r"\1…", text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def remedy(error: Exception, place: Place, /) -> str:
    """Return what to do about it."""
    from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

    variables = ", ".join(CREDENTIALS[place.scheme] + PLACES[place.scheme])
    if "NoSuchBucket" in str(error):
        return f"Create the bucket {place.bucket!r}."
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return f"See that the credentials are right, not expired, and may read, write, list and delete: {variables}."
    return f"See that the service can be reached, and that these are right: {variables}; then run it again."
