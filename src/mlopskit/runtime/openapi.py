"""What a service answers, as a document of OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .exchange import CSV, DIGEST, Served, Service
from .problems import JSON, PROBLEM, TITLES
from .profile import INT64, types_of

VERSION = "3.1.0"
TEXT: Mapping[str, Any] = {"type": "string"}
_OR_NONE = {"type": ["string", "null"]}
_TEXTS = {"type": "array", "items": TEXT}
_BAD = (400, 404, 405, 413, 415, 422, 429, 500, 503)
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}


def document(service: Service, /, *, paths: Mapping[str, Any] = {}) -> dict[str, Any]:
    """Return the document of a service; `paths` are those that its server adds."""
    from .openapi_v2 import OF_SERVER, paths_of

    single = next(iter(service.models.values())) if len(service.models) == 1 else None
    ready = table(status=TEXT, models=_tables(table(digest=_OR_NONE, fault=_OR_NONE)))
    found: dict[str, Any] = {
        "/health/live": get("Say that the server runs.", table(status=TEXT)),
        "/health/ready": get("Say whether each model answers.", ready, also=(503,)),
        "/models": get("List the models.", table(models=_TEXTS)),
        "/openapi.json": get("Return this document.", table(openapi=TEXT, info={}, paths={}, components={})),
    }
    if single is not None:
        found |= _paths("", single)
    for name, served in service.models.items():
        found |= _paths(f"/models/{name}", served)
        found |= paths_of(served)
    return {
        "openapi": VERSION,
        "info": {"title": " and ".join(sorted(service.models)) or "models", "version": _digests(service)},
        "paths": {**found, **OF_SERVER, **paths},
        "components": {"schemas": {"Problem": _problem()}},
    }


def secured(told: Mapping[str, Any], open: Collection[str], /) -> dict[str, Any]:
    """Return a document which says that callers show a token, but for the paths that are open."""
    paths: dict[str, Any] = {}
    for path, operations in told["paths"].items():
        for method, one in operations.items():
            refused = {} if path in open else problems((401,))
            needed: dict[str, Any] = {"security": []} if path in open else {}
            paths[path] = {method: {**one, **needed, "responses": {**one["responses"], **refused}}}
    components = {**told["components"], "securitySchemes": _SCHEMES}
    return {**told, "paths": paths, "components": components, "security": [{name: []} for name in _SCHEMES]}


def table(**columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has these members."""
    return {"type": "object", "properties": columns, "required": [*columns]}


def _tables(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": one}


def _digests(service: Service) -> str:
    return " ".join(one.model.digest for one in service.models.values() if one.model) or "none"


def _paths(prefix: str, served: Served) -> dict[str, Any]:
    about = table(name=TEXT, fault=_OR_NONE, versions=_TEXTS)
    schemas = table(inputs=_tables({}), outputs=_tables({}))
    return {
        f"{prefix}/predict": {"post": _predict(served)},
        f"{prefix}/schema": get("Return the schemas of inputs and outputs.", schemas, bad=(400, 404, 405, 503)),
        f"{prefix}/metadata": get("Say which package answers.", about),
    }


def _predict(served: Served) -> dict[str, Any]:
    model = served.model
    inputs = bounded(model.schema["inputs"]) if model else {"type": "object"}
    outputs = model.schema["outputs"] if model else {"type": "object"}
    body: dict[str, Any] = {"schema": {"oneOf": [_form(inputs, form) for form in ("row", "rows", "columns")]}}
    if served.examples:
        body["example"] = {"rows": [dict(row) for row in served.examples]}
    answer = {"schema": {"oneOf": [_answer(outputs, form) for form in ("row", "rows", "columns")]}}
    return post(
        f"Answer rows with the model {served.name}.",
        {JSON: body, CSV: {"schema": _rows(inputs)}},
        {JSON: answer, CSV: {"schema": _rows(outputs)}},
    )


def _rows(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema, "minItems": 1}


def _form(schema: Mapping[str, Any], form: str) -> dict[str, Any]:
    columns = {
        name: {"type": "array", "items": spec, "minItems": 1} for name, spec in schema.get("properties", {}).items()
    }
    forms: dict[str, Any] = {"row": schema, "rows": _rows(schema), "columns": {**schema, "properties": columns}}
    return {**table(**{form: forms[form]}), "additionalProperties": False}


def _answer(schema: Mapping[str, Any], form: str) -> dict[str, Any]:
    (said,) = _form(schema, form)["properties"].values()
    return {**table(**{form: said}, digest=TEXT, request_id=TEXT, runtime=_tables({})), "additionalProperties": False}


def bounded(schema: Mapping[str, Any], /) -> dict[str, Any]:
    """Return a schema that says of integers what JSON Schema does not: that they are of 64 bits."""
    bounds = {"minimum": -INT64, "maximum": INT64 - 1}
    properties = {
        name: {**bounds, **spec} if "integer" in types_of(spec) and "number" not in types_of(spec) else spec
        for name, spec in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def get(
    summary: str, schema: Mapping[str, Any], /, *, also: Sequence[int] = (), bad: Sequence[int] = (400, 404, 405)
) -> dict[str, Any]:
    """Return a path that is read: what it answers with 200 and the statuses in `also`, and with which problems."""
    content = {JSON: {"schema": schema}}
    responses = {str(status): _response(TITLES.get(status, "OK"), content) for status in (200, *also)}
    return {"get": {"summary": summary, "responses": {**responses, **problems(bad)}}}


def post(summary: str, asked: Mapping[str, Any], answered: Mapping[str, Any], /) -> dict[str, Any]:
    """Return what is sent to a model and what it answers, both by media type."""
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": asked},
        "responses": {"200": _response("The answer.", answered, DIGEST), **problems(_BAD)},
    }


def problems(statuses: Sequence[int], /) -> dict[str, Any]:
    """Return responses of problem details."""
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): _response(TITLES[status], content) for status in statuses}


def _response(description: str, content: Mapping[str, Any], *headers: str) -> dict[str, Any]:
    names = ("x-request-id", *headers)
    return {"description": description, "headers": {name: {"schema": TEXT} for name in names}, "content": content}


def _problem() -> dict[str, Any]:
    texts = ("type", "title", "detail", "remedy", "kind", "request_id")
    return table(**dict.fromkeys(texts, TEXT), status={"type": "integer"})
