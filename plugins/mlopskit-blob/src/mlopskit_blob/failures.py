"""What Azure and the network say when something fails, in words that help; nothing secret is among them."""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime
from typing import Any

from mlopskit.errors import StorageError
from mlopskit_blob.access import CONNECTION, KEY, SAS, Access, Place

_SKEW = dt.timedelta(minutes=10)
_UNREACHABLE = "Connect to it, and see that the account's name is right; then run the same command again."
_REMEDIES = {
    "ContainerNotFound": "Create it: az storage container create --account-name {account} --name {container}",
    "ContainerBeingDeleted": "Wait until it is deleted, or use another one.",
    "AuthenticationFailed": "See that {source} is right and not expired.",
    "NoAuthenticationInformation": "Give credentials: {variables}, or sign in with 'az login'.",
    "AuthorizationFailure": "See that {source} is right and not expired, may do this, and may do it from this network.",
    "AuthorizationPermissionMismatch": "Ask for the role 'Storage Blob Data Contributor', or a signature that may "
    "read, write, list and delete; credentials are from {source}.",
    "AccountIsDisabled": "Enable the account.",
    "ServerBusy": "Wait; then run the same command again.",
    "InvalidHeaderValue": "Name an API version that it knows: MLOPSKIT_BLOB_API_VERSION=…",
}


def explained(error: Exception, place: Place, access: Access, /) -> StorageError:
    """Return the error that says what happened at a place, and what to do."""
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError

    code, status = getattr(error, "error_code", None) or "", getattr(error, "status_code", None)
    code = str(getattr(code, "value", code))
    skew = _skew(error)
    if skew is not None:
        what, remedy = f"the clocks differ by {skew}", "Set this machine's clock."
    elif isinstance(error, HttpResponseError) and status is not None:
        what, remedy = f"it answered {status} {code}".rstrip(), _remedy(code, status)
    elif isinstance(error, ClientAuthenticationError) or _needs_https(error, access):
        what = f"no credentials were found for the account {place.account!r} ({_first_line(error)})"
        remedy = _REMEDIES["NoAuthenticationInformation"]
    elif isinstance(error, ServiceRequestError):
        what, remedy = "it cannot be reached", _UNREACHABLE
    else:
        what, remedy = f"{type(error).__name__}: {_first_line(error)}", _UNREACHABLE
    variables = ", ".join(f"{name}_{place.account.upper()}" for name in (CONNECTION, SAS, KEY))
    return StorageError(
        access.redacted(f"{place.uri!r} failed: {what}."),
        remedy=remedy.format(
            account=place.account, container=place.container, source=access.source, variables=variables
        ),
        place=place.uri,
        code=code,
        status=status,
    )


def _remedy(code: str, status: int) -> str:
    if code in _REMEDIES:
        return _REMEDIES[code]
    if status in (401, 403):
        return _REMEDIES["AuthenticationFailed"]
    return "Run the same command again; if it stays so, look into the account."


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200].rstrip(".")


def _needs_https(error: Exception, access: Access) -> bool:
    """Say whether Azure's default credentials were to be sent to an emulator, for want of others."""
    return isinstance(error, ValueError) and not (access.key or access.sas) and access.endpoint.startswith("http:")


def now() -> dt.datetime:
    """Return the present time as this machine has it."""
    return dt.datetime.now(dt.UTC)


def _skew(error: Any) -> str | None:
    """Say by how much the clocks differ, where the service refuses for that."""
    response = getattr(error, "response", None)
    if getattr(error, "status_code", None) != 403 or response is None:  # noqa: PLR2004  # the status that it has then
        return None
    try:
        theirs = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None
    difference = abs(now() - theirs)
    return f"{difference.total_seconds() / 60:.0f} minutes" if difference > _SKEW else None
