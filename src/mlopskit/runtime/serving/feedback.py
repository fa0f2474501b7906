"""`POST /feedback`: what would have been right for a request that was answered before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from .. import exchange, http, openapi, problems
from ..errors import UsageError
from .journal import Journal

_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_MOST, _LONGEST = 10_000, 1000
_decode = http.strict(msgspec.json.decode)
_REMEDY = 'Send {"request_id": "...", "label": ...}, or "labels": [...] with one for each row of the request.'
_CELL: Mapping[str, Any] = {"type": ["string", "number", "boolean"], "maxLength": _LONGEST}
_LABEL: Mapping[str, Any] = {"oneOf": [_CELL, {"type": "object", "additionalProperties": _CELL, "minProperties": 1}]}
_REQUEST: Mapping[str, Any] = {"request_id": {"type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$"}}
_FORMS: Sequence[Any] = [
    {**openapi.table(**_REQUEST, **{name: spec}), "additionalProperties": False}
    for name, spec in {
        "label": _LABEL,
        "labels": {"type": "array", "items": _LABEL, "minItems": 1, "maxItems": _MOST},
    }.items()
]
PATHS: Mapping[str, Any] = {
    "/feedback": {
        "post": {
            "summary": "Tell what would have been right.",
            "requestBody": {"required": True, "content": {problems.JSON: {"schema": {"oneOf": _FORMS}}}},
            "responses": {
                "202": {"description": "Kept.", "content": {problems.JSON: {"schema": {"type": "object"}}}},
                **openapi.problems((400, 405, 413, 415, 422, 503)),
            },
        }
    }
}


def told(request: http.Request, journal: Journal, most: int, /) -> http.Response:
    """Return the response to labels for the rows of an earlier request: 202, and they are kept."""
    if request.method != "POST":
        return exchange.not_allowed(request, "POST")
    service = http.Service({}, most, decode=_decode)
    refused = exchange.refusal(service, request, media=("application/json",))
    if refused:
        return refused
    try:
        id, labels = _read(service.decode(request.body))
    except Exception as error:
        return problems.of_error(request.id, error)
    if not journal.label(id, labels):
        return http.problem(request.id, 503, "There is no room for more labels.", remedy="Tell the server's operator.")
    return http.Response(202, problems.always("application/json", request.id), b"{}")


def _read(body: Any) -> tuple[str, list[Any]]:
    """Return the request and its labels."""
    if not isinstance(body, dict) or body.keys() not in ({"request_id", "label"}, {"request_id", "labels"}):
        raise UsageError("The feedback is not of the known form.", remedy=_REMEDY)
    id, labels = body["request_id"], body.get("labels", [body.get("label")])
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise UsageError("The request_id is none.", remedy=_REMEDY)
    if not isinstance(labels, list) or not 0 < len(labels) <= _MOST or not all(map(_is_label, labels)):
        raise UsageError("The labels are none.", remedy=_REMEDY)
    return id, labels


def _is_label(label: Any) -> bool:
    """Say whether this is a cell, or a table of cells for several targets."""
    if isinstance(label, dict):
        return bool(label) and all(not isinstance(one, dict) and _is_label(one) for one in label.values())
    return isinstance(label, int | float | bool) or (isinstance(label, str) and len(label) <= _LONGEST)
