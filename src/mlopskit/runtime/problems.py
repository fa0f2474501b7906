"""What a request could not be answered for, as problem details of RFC 9457."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from .errors import LimitError, ManifestError, MlopskitError, PackageError, UsageError
from .names import shown

JSON = "application/json"
PROBLEM = "application/problem+json"
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_MEMBERS = ("row", "column", "expected", "missing", "extra")
_MOST, _LONGEST = 20, 400
Headers = tuple[tuple[str, str], ...]
_SAFE: Headers = (
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
)


class Response(NamedTuple):
    """What a server sends: a status, headers with names in lower case, a body.

    `error` is why it is no answer, for the server's log alone: it may say what a caller should not read.
    """

    status: int
    headers: Headers
    body: bytes
    error: BaseException | None = None


def problem(
    id: str,
    status: int,
    detail: str,
    *,
    remedy: str,
    kind: str = "UsageError",
    headers: Headers = (),
    error: BaseException | None = None,
    **members: Any,
) -> Response:
    """Return a response that says what is wrong with the request of this id, and what to do."""
    told = {"type": "about:blank", "title": TITLES[status], "status": status, "detail": detail, "remedy": remedy}
    # ASCII: a message may quote what no UTF-8 text can hold.
    body = json.dumps({**told, "kind": kind, **members, "request_id": id}, allow_nan=False).encode()
    return Response(status, (*always(PROBLEM, id), *headers), body, error)


def always(media: str, id: str, /) -> Headers:
    """Return the headers of every response: what is said is for this caller, now, and is what it says to be."""
    return ("content-type", media), ("x-request-id", id), *_SAFE


def of_error(id: str, error: BaseException, /) -> Response:
    """Return the response for an error.

    413 too much, 400 malformed, 422 does not fit the schema, or fits and the model has no answer; 500 a fault of ours.
    What an engine says of rows, and what a fault is, stays in the log.
    """
    if isinstance(error, LimitError):
        return _told(id, 413, error)
    if isinstance(error, ManifestError):
        return _told(id, 400, error)
    if isinstance(error, UsageError):
        return _told(id, 422, error)
    kind = type(error).__name__
    if isinstance(error, PackageError):
        # A model that serves has answered its golden rows: it is these rows that it cannot work with.
        detail = "The model has no answer to these rows, though they fit its schema."
        remedy = "Check the rows for values far from those that the model was trained on."
        return problem(id, 422, detail, remedy=remedy, kind=kind, error=error)
    remedy = "Give the server's operator the request_id; the server's log says more."
    return problem(id, 500, "The server failed.", remedy=remedy, kind="MlopskitError", error=error)


def _told(id: str, status: int, error: MlopskitError) -> Response:
    given = error.culprits
    members = {name: _short(given[name]) for name in _MEMBERS if name in given}
    if "value" in given:
        members["got"] = shown(given["value"])
    kind = type(error).__name__
    return problem(id, status, error.message, remedy=error.remedy, kind=kind, error=error, **members)


def _short(value: Any) -> Any:
    """Return what is sent of a culprit: rows are numbers, names may be long and many."""
    if isinstance(value, list):
        return [_short(one) for one in value[:_MOST]]
    return value if isinstance(value, int) or (isinstance(value, str) and len(value) <= _LONGEST) else shown(value)
