"""Where a container is and with what it is opened: an address, and credentials from the environment alone."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mlopskit.errors import ConfigError, UnsafePathError
from mlopskit.runtime import check_path

CONNECTION = "AZURE_STORAGE_CONNECTION_STRING"
SAS = "AZURE_STORAGE_SAS_TOKEN"
KEY = "AZURE_STORAGE_KEY"
ENDPOINT = "AZURE_STORAGE_BLOB_ENDPOINT"
ACCOUNT = "AZURE_STORAGE_ACCOUNT"
FORM = "az://ACCOUNT/CONTAINER or az://ACCOUNT/CONTAINER/PREFIX"
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}", re.ASCII)
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SECRETS = re.compile(r"(?i)(sig=|AccountKey=|SharedAccessSignature=)[^&;\s\"']+")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A container, and the prefix below which everything stands."""

    account: str
    container: str
    prefix: str = ""

    @property
    def uri(self) -> str:
        """The address."""
        return "/".join(["az:/", self.account, self.container, *([self.prefix] if self.prefix else [])])


def place_of(uri: str, /) -> Place:
    """Return the place that an address names.

    Raises:
        ConfigError: it is not of the form, or Azure has no account or container of such a name.
    """
    shown = uri.partition("?")[0]  # what follows may be a signature
    if re.search(r"[?#%;@\s]", uri):
        raise _no_place(shown, "an address holds no query, no escapes and no credentials")
    account, _, rest = uri.removeprefix("az://").partition("/")
    container, _, prefix = rest.removesuffix("/").partition("/")
    if not _ACCOUNT.fullmatch(account):
        raise _no_place(shown, f"{account!r} is no storage account: these have 3 to 24 lower-case letters and digits")
    if not _CONTAINER.fullmatch(container):
        rule = "these have 3 to 63 lower-case letters, digits and single hyphens between them"
        raise _no_place(shown, f"{container!r} is no container: {rule}")
    try:
        return Place(account=account, container=container, prefix=check_path(prefix) if prefix else "")
    except UnsafePathError as error:
        raise _no_place(shown, error.message) from error


def _no_place(uri: str, why: str) -> ConfigError:
    return ConfigError(f"{uri!a}: {why}.", remedy=f"Give an address of the form {FORM}.", uri=uri)


@dataclass(frozen=True, kw_only=True)
class Access:
    """An endpoint, and at most one of a key and a signature; without either, Azure's chain of identities is asked."""

    account: str
    endpoint: str
    source: str
    key: str = field(default="", repr=False)
    sas: str = field(default="", repr=False)

    def redacted(self, text: str, /) -> str:
        """Return a text without what is secret."""
        for secret in (self.key, self.sas):
            text = text.replace(secret, "…") if secret else text
        return _SECRETS.sub(r"\1…", text)


def access_to(place: Place, environment: Mapping[str, str] | None = None, /) -> Access:
    """Return the access to a place that the environment gives.

    A variable with the container's name behind it counts before one with the account's, and that before the bare one,
    which counts only if it says that it is for this account: nothing secret is sent to another.

    Raises:
        ConfigError: a variable is malformed, for another account, or names an endpoint without https.
    """
    given = os.environ if environment is None else environment
    account = f"_{place.account}".upper()
    levels = (f"{account}_{place.container}".upper().replace("-", "_"), account, "")
    default = f"https://{place.account}.blob.core.windows.net"
    ours = {level: bool(level) or given.get(ACCOUNT) == place.account for level in levels}
    endpoint = next((given[ENDPOINT + one] for one in levels if ours[one] and given.get(ENDPOINT + one)), default)
    for level in levels:
        if text := given.get(CONNECTION + level, ""):
            access = _from_connection(text, CONNECTION + level, place.account)
            if access.account == place.account:
                return _checked(access)
            if level:
                raise ConfigError(
                    f"{CONNECTION + level} is for the account {access.account!r}, not for {place.account!r}.",
                    remedy="Correct it.",
                )
        for name, kind in ((SAS, "sas"), (KEY, "key")):
            if ours[level] and (text := given.get(name + level, "").strip().lstrip("?")):
                secret = {kind: text}
                return _checked(Access(account=place.account, endpoint=endpoint, source=name + level, **secret))
    return _checked(Access(account=place.account, endpoint=endpoint, source="Azure's default credentials"))


def _from_connection(text: str, name: str, account: str) -> Access:
    parts = dict(part.split("=", 1) for part in text.strip().strip(";").split(";") if "=" in part)
    endpoint = parts.get("BlobEndpoint", "").rstrip("/")
    known = parts.get("AccountName") or _account_in(endpoint, account)
    if not known or not (parts.get("AccountKey") or parts.get("SharedAccessSignature")):
        raise ConfigError(
            f"{name} is no connection string: it needs AccountName, and AccountKey or SharedAccessSignature.",
            remedy="Copy it again from the account's access keys.",
        )
    protocol, suffix = parts.get("DefaultEndpointsProtocol", "https"), parts.get("EndpointSuffix", "core.windows.net")
    return Access(
        account=known,
        endpoint=endpoint or f"{protocol}://{known}.blob.{suffix}",
        source=name,
        key=parts.get("AccountKey", ""),
        sas="" if parts.get("AccountKey") else parts.get("SharedAccessSignature", "").lstrip("?"),
    )


def _account_in(endpoint: str, account: str) -> str:
    """Return the account of an endpoint: the first part of its host, or its path where the host is an address."""
    parts = urlsplit(endpoint)
    return account if account in (parts.path.strip("/"), (parts.hostname or "").split(".")[0]) else parts.netloc


def _checked(access: Access) -> Access:
    parts = urlsplit(access.endpoint)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ConfigError(
            f"The endpoint of {access.account!r} is {access.redacted(access.endpoint)!a}, which is not https.",
            remedy=f"Give an https:// address in {ENDPOINT} or in the connection string.",
        )
    return access
