"""Request → answer: what a server around models says. Pure functions: there is no server in it, and no I/O.

A server makes a `Request` of what came in, and sends the `Response` of `respond`. What it serves is a `Service`, a
value: a server whose model changes makes a new one. docs/reference/http.md says which paths there are, and what each
says.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from .answers import MAX_ROWS, reply
from .decoding import Decode, Encode, decode, strict
from .exchange import (
    CSV,
    DIGEST,
    MAX_BODY,
    Request,
    Served,
    Service,
    answered,
    find,
    is_ready,
    media_type,
    not_allowed,
    not_ready,
    refusal,
    versions,
)
from .names import shown
from .problems import JSON, Headers, Response, always, of_error, problem
from .scoring import Model

__all__ = [
    "MAX_BODY",
    "MAX_ROWS",
    "Decode",
    "Encode",
    "Headers",
    "Request",
    "Response",
    "Served",
    "Service",
    "decode",
    "problem",
    "request_id",
    "respond",
    "strict",
    "worded",
]

_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_SEE = "GET /openapi.json says what there is."


def request_id(given: str | None, /) -> str:
    """Return the id that a caller gave, if it is 1 to 64 letters, digits or `-`, else a new one."""
    return given if given is not None and _ID.fullmatch(given) else os.urandom(12).hex()


def respond(service: Service, request: Request, /) -> Response:
    """Return the response to a request. Whatever is wrong with it, or with us, is a response, too."""
    try:
        if request.method != "HEAD":
            return _routed(service, request)
        return _routed(service, request._replace(method="GET"))._replace(body=b"")
    except Exception as error:
        return worded(request.path, of_error(request.id, error))


def worded(path: str, response: Response, /) -> Response:
    """Return a problem as callers of this path expect it: below `/v2` with `error` beside."""
    return _v2("as_error")(response) if path == "/v2" or path.startswith("/v2/") else response


Answer = Callable[[Service, Request], Response]
OfModel = Callable[[Service, Request, Served, Model | None], Response]


def _routed(service: Service, request: Request) -> Response:
    path = request.path
    if path in _OF_ALL:
        method, answer = _OF_ALL[path]
        return answer(service, request) if request.method == method else not_allowed(request, method)
    if path == "/v2" or path.startswith("/v2/"):
        return _v2("routed")(service, request)
    return _routed_to_model(service, request, *_parts(service, path))


def _routed_to_model(service: Service, request: Request, name: str | None, digest: str, tail: str) -> Response:
    if tail not in _OF_MODEL:
        return _not_found(request, f"There is nothing at {shown(request.path)}.")
    if name is None:
        known = ", ".join(f"/models/{one}{tail}" for one in sorted(service.models)) or "no model is served"
        return _not_found(request, f"Several models are served: {tail} is said of one.", remedy=f"Ask one: {known}.")
    method, of_model = _OF_MODEL[tail]
    if request.method != method:
        return not_allowed(request, method)
    found = find(service, name, digest)
    if found is None:
        return _not_found(request, f"No such model is served: {shown(request.path)}.")
    return of_model(service, request, *found)


def _parts(service: Service, path: str) -> tuple[str | None, str, str]:
    """Return what a path names: a model, a digest of it (or nothing), and what is asked of it."""
    if not path.startswith("/models/"):
        return next(iter(service.models)) if len(service.models) == 1 else None, "", path
    name, _, tail = path.removeprefix("/models/").partition("/")
    if not tail.startswith("versions/"):
        return name, "", f"/{tail}"
    digest, _, tail = tail.removeprefix("versions/").partition("/")
    return name, digest or "none", f"/{tail}"


def _predict(service: Service, request: Request, served: Served, model: Model | None) -> Response:
    if model is None:
        return not_ready(request.id, served)
    refused = refusal(service, request)
    if refused:
        return refused
    if media_type(request) == CSV:
        return _csv(service, request, model)
    said = reply(model, service.decode(request.body), most=service.rows)
    said["request_id"] = request.id
    return answered(service, request, said, model.digest)


def _csv(service: Service, request: Request, model: Model) -> Response:
    from .csvrows import columns_of, written  # few ask so

    outputs = columns_of(request.body, model, most=service.rows)
    headers = (*always(CSV, request.id), (DIGEST, model.digest))
    return Response(200, headers, written(outputs))


def _schema(service: Service, request: Request, served: Served, model: Model | None) -> Response:
    if model is None:
        return not_ready(request.id, served)
    return answered(service, request, model.schema, model.digest)


def _metadata(service: Service, request: Request, served: Served, model: Model | None) -> Response:
    about: dict[str, Any] = {**served.about, "name": served.name, "fault": served.fault or None}
    about["versions"] = versions(served)
    if model is not None:
        about |= {"digest": model.digest, "format": model.format, "runtime": model.runtime()}
    return answered(service, request, about, model.digest if model else "none")


def _models(service: Service, request: Request) -> Response:
    return _said(service, request, 200, {"models": sorted(service.models)})


def _live(service: Service, request: Request) -> Response:
    return _said(service, request, 200, {"status": "live"})


def _ready(service: Service, request: Request) -> Response:
    models = {
        name: {"digest": one.model.digest if one.model else None, "fault": one.fault or None}
        for name, one in service.models.items()
    }
    if not is_ready(service):
        return _said(service, request, 503, {"status": "not ready", "models": models})
    word = "degraded" if any(one.fault for one in service.models.values()) else "ready"
    return _said(service, request, 200, {"status": word, "models": models})


def _openapi(service: Service, request: Request) -> Response:
    from .openapi import document

    return _said(service, request, 200, document(service))


def _said(service: Service, request: Request, status: int, value: Any) -> Response:
    return Response(status, always(JSON, request.id), service.encode(value))


def _not_found(request: Request, detail: str, *, remedy: str = _SEE) -> Response:
    return problem(request.id, 404, detail, remedy=remedy)


def _v2(name: str) -> Callable[..., Response]:
    # Its own module, loaded when it is first asked for: most callers never do.
    found: Callable[..., Response] = getattr(importlib.import_module(f"{__package__}.inference_v2"), name)
    return found


_OF_ALL: Mapping[str, tuple[str, Answer]] = {
    "/health/live": ("GET", _live),
    "/health/ready": ("GET", _ready),
    "/models": ("GET", _models),
    "/openapi.json": ("GET", _openapi),
}
_OF_MODEL: Mapping[str, tuple[str, OfModel]] = {
    "/predict": ("POST", _predict),
    "/schema": ("GET", _schema),
    "/metadata": ("GET", _metadata),
}
