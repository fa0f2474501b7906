"""What opens a private place to the machine or function that a cloud knows: a token for a while, by plain http(s).

A token is asked of an address of this machine or of the network's own, is sent to the place it is for and to nobody
else, and is shown nowhere.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from .errors import StorageError
from .web import WebPlace, checked_address

_EARLY = 300.0  # seconds before its end in which a token is not used any more
_LARGEST = 64 << 10
_SILENCE, _PATIENCE = 10.0, 20.0  # seconds: nobody waits for it, and one that has just started is slow
_TOKEN = re.compile(r"[!-~]+", re.ASCII)
_AZURE = {"Metadata": "true"}
_GOOGLE = {"Metadata-Flavor": "Google"}
_STORAGE = "https://storage.azure.com/"
# Reading by a token needs a version of the protocol; this one is of every cloud and emulator of today.
_VERSION = {"x-ms-version": "2021-12-02"}


class Token:
    """A token that is asked for when it is first needed, and again before it ends or when it was not accepted.

    `ask` returns what the cloud says of it, `fixed` are headers beside it.
    """

    def __init__(self, ask: Callable[[], Mapping[str, Any]], /, *, fixed: Mapping[str, str]) -> None:
        self._ask, self._fixed = ask, dict(fixed)
        self._one = threading.Lock()
        self._headers: Mapping[str, str] = {}
        self._until = 0.0

    def headers(self) -> Mapping[str, str]:
        """Return the headers of a request that shows the token.

        Raises:
            StorageError: nobody gives one now.
        """
        with self._one:
            if not self._headers or time.time() >= self._until:
                token, seconds = _checked(self._ask())
                # One that ends soon is used for half of its time: to ask at each request would help nobody.
                self._until = time.time() + max(seconds - _EARLY, seconds / 2)
                self._headers = {"Authorization": f"Bearer {token}", **self._fixed}
            return self._headers

    def forget(self) -> None:
        """Ask for another one next time."""
        self._headers = {}


def azure_token(environment: Mapping[str, str], /) -> Token:
    """Return the token for Azure's storage of a function's managed identity, else of the virtual machine's.

    `AZURE_CLIENT_ID` names one of several identities.

    Raises:
        UsageError: the service's own variable holds no address.
    """
    client = {"client_id": environment["AZURE_CLIENT_ID"]} if environment.get("AZURE_CLIENT_ID") else {}
    service, secret = environment.get("IDENTITY_ENDPOINT"), environment.get("IDENTITY_HEADER")
    if service and secret:
        query = {"api-version": "2019-08-01", "resource": _STORAGE, **client}
        return _of(service, {"X-IDENTITY-HEADER": secret}, query, _VERSION)
    host = environment.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://169.254.169.254").rstrip("/")
    query = {"api-version": "2018-02-01", "resource": _STORAGE, **client}
    return _of(f"{host}/metadata/identity/oauth2/token", _AZURE, query, _VERSION)


def google_token(environment: Mapping[str, str], /) -> Token:
    """Return the token of the service account that a function or machine of Google's runs as.

    Raises:
        UsageError: `GCE_METADATA_HOST` holds no host.
    """
    host = environment.get("GCE_METADATA_HOST") or "metadata.google.internal"
    return _of(f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token", _GOOGLE, {}, {})


def _of(address: str, headers: Mapping[str, str], query: Mapping[str, str], fixed: Mapping[str, str]) -> Token:
    checked_address(address)
    base, _, last = address.rstrip("/").rpartition("/")
    # No proxy stands between, wherever it is: it is for this machine alone.
    place = WebPlace(
        base,
        "token",
        0,
        own=True,
        headers=lambda: headers,
        query=urlencode(query),
        silence=_SILENCE,
        patience=_PATIENCE,
        right="Switch its managed identity (service account) on.",
    )

    def ask() -> Mapping[str, Any]:
        with place.read(last, size=_LARGEST) as chunks:  # not by `get`, which keeps what it read last
            data = b"" if chunks is None else b"".join(chunks)
        try:
            said = json.loads(data[:_LARGEST])
        except ValueError:
            said = None
        return said if isinstance(said, dict) else {}

    return Token(ask, fixed=fixed)


def _checked(said: Mapping[str, Any]) -> tuple[str, float]:
    """Return a token, and for how many seconds from now it holds."""
    token = said.get("access_token")
    try:
        left = float(said["expires_in"]) if said.get("expires_in") else float(said["expires_on"]) - time.time()
    except (KeyError, TypeError, ValueError):
        left = 0.0
    if not isinstance(token, str) or not _TOKEN.fullmatch(token) or not left > 0:
        raise StorageError(
            "What gives this machine its identity gave no token that holds.",
            remedy="Switch the managed identity (service account) of the function or machine on.",
        )
    return token, left
