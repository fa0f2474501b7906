"""AWS Lambda calls `handler` with an event: a request over HTTP, or the rows themselves.

The request is that of a function URL or of an API Gateway (a REST API or an HTTP API, of either payload format); what
is answered is said in docs/reference/http.md of mlopskit. Who invokes the function directly gives what the body of
`POST /predict` would hold, gets what that would say, and finds what was wrong as the function's error.
"""

import base64
import json
import os
import sys
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(1, os.path.join(HERE, "site"))

from _mlopskit_runtime.functions import Function  # type: ignore[import-not-found]  # noqa: E402  # stands beside
from _mlopskit_runtime.problems import Response, problem  # type: ignore[import-not-found]  # noqa: E402  # the same

FUNCTION = Function.of(os.path.join(HERE, "package"), digest="$digest", format="$format", environment=os.environ)
KNOWN = 'Send what a function URL, an HTTP API or a REST API sends, or {"rows": [...]} without a requestContext.'
# What Lambda hands on at most: 6 MiB and 100 bytes. JSON takes up to twelve of them for a character.
LARGEST = (6 << 20) + 100
LONG = "The answer has more than the 6 MiB that AWS Lambda hands on."


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Answer a request, or the rows of an event."""
    if not isinstance(event, dict) or "requestContext" not in event:
        said: dict[str, Any] = FUNCTION.direct(event)
        return said
    try:
        method, path, headers, body = asked(event)
    except (ValueError, TypeError, LookupError, AttributeError):
        return told(problem(context.aws_request_id, 400, "The event is no request that is known here.", remedy=KNOWN))
    headers.setdefault("x-request-id", context.aws_request_id)
    answer = told(FUNCTION.respond(method, path, headers, body))
    if len(answer["body"]) > LARGEST // 12 and len(json.dumps(answer)) > LARGEST:
        return told(problem(context.aws_request_id, 413, LONG, remedy="Send fewer rows.", kind="LimitError"))
    return answer


def asked(event: dict[str, Any]) -> tuple[str, str, dict[str, str], bytes]:
    """Return method, path, headers (their names in lower case) and body of a request."""
    about = event["requestContext"]
    if "httpMethod" in event:  # payload format 1.0
        method, path, route = event["httpMethod"], event["path"], event.get("resource")
    else:
        method, path, route = about["http"]["method"], event["rawPath"], event.get("routeKey")
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    for name, values in (event.get("multiValueHeaders") or {}).items():
        headers[name.lower()] = ", ".join(values)
    body = event.get("body") or ""
    data = (
        base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass")
    )
    path = inside(path, str(about.get("stage")), str(route), event.get("pathParameters") or {})
    if not all(type(one) is str for one in (method, path, *headers.values())):
        raise TypeError
    return method, path, headers, data


def inside(path: str, stage: str, route: str, parameters: dict[str, str]) -> str:
    """Return a path without what a domain of one's own, or a stage, has before it."""
    if route.endswith("/{proxy+}") and "proxy" in parameters:
        return "/" + parameters["proxy"]
    return path.removeprefix("/" + stage) if path.startswith("/" + stage + "/") else path


def told(response: Response) -> dict[str, Any]:
    """Return a response as gateways take it; what is no text goes in base64."""
    said = {"statusCode": response.status, "headers": dict(response.headers), "isBase64Encoded": False}
    try:
        return {**said, "body": response.body.decode()}
    except UnicodeDecodeError:
        return {**said, "body": base64.b64encode(response.body).decode(), "isBase64Encoded": True}
