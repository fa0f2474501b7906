"""What a service answers, as a document of OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .exchange import CSV, Served, Service
from .problems import JSON, PROBLEM, TITLES
from .profile import INT64, types_of

VERSION = "3.1.0"
_TEXT = {"type": "string"}
_BAD = (400, 404, 405, 413, 415, 422, 429, 500, 503)


def document(service: Service, /, *, paths: Mapping[str, Any] = {}) -> dict[str, Any]:
    """Return the document of a service; `paths` are those that its server adds."""
    single = next(iter(service.models.values())) if len(service.models) == 1 else None
    found: dict[str, Any] = {
        "/health/live": _get("Say that the server runs."),
        "/health/ready": _get("Say whether each model answers.", also=(503,)),
        "/models": _get("List the models."),
        "/openapi.json": _get("Return this document."),
    }
    if single is not None:
        found |= _paths("", single)
    for name, served in service.models.items():
        found |= _paths(f"/models/{name}", served)
    found |= _v2(service)
    return {
        "openapi": VERSION,
        "info": {"title": " and ".join(sorted(service.models)) or "models", "version": _digests(service)},
        "paths": {**found, **paths},
        "components": {"schemas": {"Problem": _problem()}},
    }


def _digests(service: Service) -> str:
    return " ".join(one.model.digest for one in service.models.values() if one.model) or "none"


def _paths(prefix: str, served: Served) -> dict[str, Any]:
    return {
        f"{prefix}/predict": {"post": _predict(served)},
        f"{prefix}/schema": _get("Return the schemas of inputs and outputs.", also=(503,)),
        f"{prefix}/metadata": _get("Say which package answers."),
    }


def _predict(served: Served) -> dict[str, Any]:
    model = served.model
    inputs = _bounded(model.schema["inputs"]) if model else {"type": "object"}
    outputs = model.schema["outputs"] if model else {"type": "object"}
    body: dict[str, Any] = {"schema": {"oneOf": [_form(inputs, form) for form in ("row", "rows", "columns")]}}
    if served.examples:
        body["example"] = {"rows": [dict(row) for row in served.examples]}
    answer = {"schema": {"oneOf": [_answer(outputs, form) for form in ("row", "rows", "columns")]}}
    return {
        "summary": f"Answer rows with the model {served.name}.",
        "requestBody": {"required": True, "content": {JSON: body, CSV: {"schema": _TEXT}}},
        "responses": {"200": _response("The answer.", {JSON: answer, CSV: {"schema": _TEXT}}), **_problems()},
    }


def _form(schema: Mapping[str, Any], form: str) -> dict[str, Any]:
    columns = {name: {"type": "array", "items": spec} for name, spec in schema.get("properties", {}).items()}
    forms: dict[str, Any] = {
        "row": schema,
        "rows": {"type": "array", "items": schema, "minItems": 1},
        "columns": {**schema, "properties": columns},
    }
    return {"type": "object", "properties": {form: forms[form]}, "required": [form], "additionalProperties": False}


def _answer(schema: Mapping[str, Any], form: str) -> dict[str, Any]:
    one = _form(schema, form)
    texts = {"digest": _TEXT, "request_id": _TEXT}
    properties = {**one["properties"], **texts, "runtime": {"type": "object"}}
    return {**one, "properties": properties, "required": [*properties]}


def _bounded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema that says of integers what JSON Schema does not: that they are of 64 bits."""
    bounds = {"minimum": -INT64, "maximum": INT64 - 1}
    properties = {
        name: {**bounds, **spec} if "integer" in types_of(spec) and "number" not in types_of(spec) else spec
        for name, spec in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def _v2(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = {
        "/v2": _get("Name the server."),
        "/v2/health/live": _get("Say that the server runs."),
        "/v2/health/ready": _get("Say whether each model answers.", also=(503,)),
    }
    for name in service.models:
        path = f"/v2/models/{name}"
        tensors = {"type": "object", "properties": {"inputs": {"type": "array"}}, "required": ["inputs"]}
        found |= {
            path: _get("Describe the model's tensors.", also=(503,)),
            f"{path}/ready": _get("Say whether the model answers.", also=(503,)),
            f"{path}/infer": {
                "post": {
                    "summary": "Answer tensors.",
                    "requestBody": {"required": True, "content": {JSON: {"schema": tensors}}},
                    "responses": {
                        "200": _response("The answer.", {JSON: {"schema": {"type": "object"}}}),
                        **_problems(),
                    },
                }
            },
        }
    return found


def _get(summary: str, *, also: tuple[int, ...] = ()) -> dict[str, Any]:
    content = {JSON: {"schema": {"type": "object"}}}
    responses = {str(status): _response(TITLES.get(status, "OK"), content) for status in (200, *also)}
    return {"get": {"summary": summary, "responses": {**responses, **_problems((404, 405))}}}


def _problems(statuses: tuple[int, ...] = _BAD) -> dict[str, Any]:
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): _response(TITLES[status], content) for status in statuses}


def _response(description: str, content: Mapping[str, Any]) -> dict[str, Any]:
    headers = {"x-request-id": {"schema": _TEXT}}
    return {"description": description, "headers": headers, "content": content}


def _problem() -> dict[str, Any]:
    texts = ("type", "title", "detail", "remedy", "kind", "request_id")
    properties = {**dict.fromkeys(texts, _TEXT), "status": {"type": "integer"}}
    return {"type": "object", "properties": properties, "required": [*properties]}
