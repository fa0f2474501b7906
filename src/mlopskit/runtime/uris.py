"""The model by URI: `PLACE@ALIAS`, where the place is a folder, an address, or a folder in a bucket of three clouds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from .errors import UsageError
from .identity import Token, azure_token, google_token
from .names import check_name
from .objects import BucketPlace
from .places import Place, place_at
from .web import WebPlace, web_place

FORMS = (
    "https://HOST/…/NAME@ALIAS",
    "az://ACCOUNT/CONTAINER/…/NAME@ALIAS",
    "s3://BUCKET/…/NAME@ALIAS",
    "gs://BUCKET/…/NAME@ALIAS",
    "/FOLDER/…/NAME@ALIAS",
)
_PART = r"[A-Za-z0-9_$][A-Za-z0-9._$-]*"
_FOLDERS = rf"((?:{_PART}/)*{_PART})"
_AZ = re.compile(rf"az://([a-z0-9]{{3,24}})/(\$?[a-z0-9][a-z0-9-]{{1,62}})/{_FOLDERS}", re.ASCII)
_BUCKET = re.compile(rf"(s3|gs)://([a-z0-9][a-z0-9._-]{{1,61}}[a-z0-9])/{_FOLDERS}", re.ASCII)
_ALIAS = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_READER = {
    "az": "Give the function's identity the role Storage Blob Data Reader on the container.",
    "gs": "Give the function's service account the role Storage Object Viewer (storage.objects.get and "
    "storage.objects.list) on the bucket: without the latter it denies also what is not there.",
}


@dataclass(frozen=True)
class _Given:
    """What a place is made of."""

    place: str = field(repr=False)
    query: str = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    limit: int
    form: str | None

    def parts(self, form: re.Pattern[str]) -> list[str]:
        """Return what stands in the place, if it is of this form."""
        found = form.fullmatch(self.place)
        if found is None:
            raise _unknown()
        return [*found.groups()]

    def at(self, address: str) -> WebPlace:
        """Return the place at an address."""
        return web_place(address, headers={}, query=self.query, limit=self.limit, form=self.form)


def place_of(
    uri: str, /, *, query: str = "", environment: Mapping[str, str], limit: int, form: str | None = None
) -> tuple[Place, str]:
    """Return the place and the alias that a URI names; `limit` and `form` are as of `place_at`.

    `query` is what gives access to an http(s) address or to Azure's storage, such as a SAS; it is never part of the
    URI. Private places of Azure and Google are opened by the identity that the `environment` leads to, S3 by boto3.

    Raises:
        UsageError: it is of no known form, or the query cannot be meant so. Neither of them is shown.
    """
    place, _, alias = uri.rpartition("@")
    scheme = place.partition("://")[0] if "://" in place else ""
    if not place or not _ALIAS.fullmatch(alias) or scheme not in _PLACES:
        raise _unknown()
    check_name(alias, kind="alias")
    if query and scheme not in _QUERIED:
        raise UsageError("A query opens no such place.", remedy="Leave MODEL_QUERY empty, or give an https address.")
    return _PLACES[scheme](_Given(place, query, environment, limit, form)), alias


def _unknown() -> UsageError:
    # It is not shown: whoever wrote it wrong may have written a secret into it.
    return UsageError(
        "The URI of the model is of no known form.",
        remedy=f"Give {', '.join(FORMS[:-1])} or {FORMS[-1]}, of plain names; a SAS stands in MODEL_QUERY.",
    )


def _folder(given: _Given) -> Place:
    if not given.place.startswith("/") or "\0" in given.place:
        raise _unknown()
    return place_at(given.place, limit=given.limit, form=given.form)


def _web(given: _Given) -> Place:
    there = given.at(given.place)
    return _private(there) if given.query else there


def _azure(given: _Given) -> Place:
    account, container, folder = given.parts(_AZ)
    endpoint = given.environment.get("AZURE_STORAGE_BLOB_ENDPOINT") or f"https://{account}.blob.core.windows.net"
    there = _private(given.at(f"{endpoint.rstrip('/')}/{container}/{folder}"))
    return there if given.query else _opened(there, azure_token(given.environment), "az")


def _google(given: _Given) -> Place:
    _, bucket, folder = given.parts(_BUCKET)
    endpoint = given.environment.get("GOOGLE_BASE_URL") or "https://storage.googleapis.com"
    there = _private(given.at(f"{endpoint.rstrip('/')}/{bucket}/{folder}"))
    return _opened(there, google_token(given.environment), "gs")


def _s3(given: _Given) -> Place:
    _, bucket, folder = given.parts(_BUCKET)
    name = check_name(folder.rpartition("/")[2], kind="name of a model's folder")
    return BucketPlace(bucket, folder, name, given.limit, given.form)


def _opened(there: WebPlace, token: Token, scheme: str) -> WebPlace:
    return replace(there, headers=token.headers, forget=token.forget, right=_READER[scheme])


def _private(there: WebPlace) -> WebPlace:
    """Return a place that a secret is sent to, if nobody between can read it."""
    if not there.own and not there.address.startswith("https://"):
        raise UsageError(
            "What gives access would be sent unencrypted.", remedy="Give an https address, or one of this machine."
        )
    return there


_QUERIED = ("https", "http", "az")
_PLACES: Mapping[str, Callable[[_Given], Place]] = {
    "": _folder,
    "http": _web,
    "https": _web,
    "az": _azure,
    "gs": _google,
    "s3": _s3,
}
