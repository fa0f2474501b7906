"""A request over HTTP as the event that AWS's services make of it, and the function's answer as the reply they make.

`rest` is an API Gateway REST API (payload format 1.0, behind a stage), `http` an HTTP API (format 2.0, behind a stage),
`url` a function's own URL (format 2.0).
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Literal

from mlopskit.errors import DeployError
from mlopskit_serverless.running import Reply
from mlopskit_serverless.runtimeapi import REGION

Form = Literal["rest", "http", "url"]
STAGE = "prod"
_ACCOUNT, _API = "123456789012", "a1b2c3d4e5"
_SOURCE = "127.0.0.1"
# What an HTTP API and a function URL hand on as text; all else they pack into base64.
_TEXT = ("text/", "application/json", "application/javascript", "application/xml")
_REMEDY = "Return statusCode, headers, body and isBase64Encoded from the handler."
_STATUSES = range(100, 600)


def event_of(form: Form, method: str, path: str, headers: Mapping[str, str], body: bytes, id: str, /) -> dict[str, Any]:
    """Return the event of a request; the query behind `path`, if there is one, stands where the form has it."""
    path, _, query = path.partition("?")
    if form == "rest":
        return _first(method, path, query, headers, body, id)
    return _second(form, method, path, query, headers, body, id)


def _first(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, id: str) -> dict[str, Any]:
    text, packed = _body(body, as_text=True)
    pairs = [(name, value) for name, _, value in (one.partition("=") for one in query.split("&") if one)]
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(pairs) or None,
        "multiValueQueryStringParameters": {name: [v for n, v in pairs if n == name] for name, _ in pairs} or None,
        "pathParameters": {"proxy": path.removeprefix("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": _API,
            "domainName": f"{_API}.execute-api.{REGION}.amazonaws.com",
            "httpMethod": method,
            "identity": {"sourceIp": _SOURCE, "userAgent": headers.get("user-agent")},
            "path": f"/{STAGE}{path}",
            "protocol": "HTTP/1.1",
            "requestId": id,
            "resourcePath": "/{proxy+}",
            "stage": STAGE,
        },
        "body": text,
        "isBase64Encoded": packed,
    }


def _second(
    form: Form, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, id: str
) -> dict[str, Any]:
    kind = headers.get("content-type", "").strip().lower()
    text, packed = _body(body, as_text=kind.startswith(_TEXT))
    behind = form == "http"
    route, stage = ("ANY /{proxy+}", STAGE) if behind else ("$default", "$default")
    raw = f"/{stage}{path}" if behind else path
    service = "execute-api" if behind else "lambda-url"
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": raw,
        "rawQueryString": query,
        "headers": {name.lower(): value for name, value in headers.items()},
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": _API,
            "domainName": f"{_API}.{service}.{REGION}.amazonaws.com",
            "domainPrefix": _API,
            "http": {
                "method": method,
                "path": raw,
                "protocol": "HTTP/1.1",
                "sourceIp": _SOURCE,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": id,
            "routeKey": route,
            "stage": stage,
        },
        **({"pathParameters": {"proxy": path.removeprefix("/")}} if behind else {}),
        **({} if text is None else {"body": text}),
        "isBase64Encoded": packed,
    }


def _body(body: bytes, *, as_text: bool) -> tuple[str | None, bool]:
    if not body:
        return None, False
    try:
        if as_text:
            return body.decode(), False
    except UnicodeDecodeError:
        pass
    return base64.b64encode(body).decode(), True


def reply_of(answer: object, /) -> Reply:
    """Return the reply that a gateway makes of what a function returned.

    Raises:
        DeployError: it makes none of it, but says 502 to the caller.
    """
    said = answer if isinstance(answer, dict) else {}
    status, headers, body = said.get("statusCode"), said.get("headers") or {}, said.get("body") or ""
    if type(status) is not int or status not in _STATUSES:
        raise _wrong("statusCode", status, "a status")
    if not isinstance(headers, dict) or not all(type(one) is str for one in headers.values()):
        raise _wrong("headers", headers, "a table of texts")
    if not isinstance(body, str):
        raise _wrong("body", body, "a text")
    return Reply(status, {name.lower(): value for name, value in headers.items()}, _bytes(body, said))


def _bytes(body: str, said: Mapping[str, Any]) -> bytes:
    if said.get("isBase64Encoded") is not True:
        return body.encode(errors="surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong("body", body, "base64") from error


def _wrong(name: str, value: object, expected: str) -> DeployError:
    return DeployError(f"The function returned {str(value)[:100]!a} as {name}, expected {expected}.", remedy=_REMEDY)
