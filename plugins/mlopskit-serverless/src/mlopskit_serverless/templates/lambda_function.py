"""AWS Lambda calls `handler`; what it answers is said in docs/reference/http.md of mlopskit."""

import base64
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE / "site"))

from _mlopskit_runtime import http, load, open_package  # type: ignore[import-not-found]  # noqa: E402  # stands beside

PACKAGE = open_package(HERE / "package", digest="$digest", format="$format")
SERVICE = http.Service.of(load(PACKAGE, format="$format", trust_code=["$digest"]))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of a function URL or of an HTTP API (payload format 2.0)."""
    body = event.get("body") or ""
    data = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    said = event["requestContext"]["http"]
    request = http.Request(said["method"], event["rawPath"], event["headers"], data, context.aws_request_id)
    reply = http.respond(SERVICE, request)
    return {"statusCode": reply.status, "headers": dict(reply.headers), "body": reply.body.decode()}
