"""Google Cloud Functions calls `answer`; what it answers is said in docs/reference/http.md of mlopskit."""

import sys
from pathlib import Path
from typing import Any

import functions_framework  # type: ignore[import-not-found]  # of the service

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE / "site"))

from _mlopskit_runtime import http, load, open_package  # type: ignore[import-not-found]  # noqa: E402  # stands beside

PACKAGE = open_package(HERE / "package", digest="$digest", format="$format")
SERVICE = http.Service.of(load(PACKAGE, format="$format", trust_code=["$digest"]))


@functions_framework.http  # type: ignore[untyped-decorator]  # of the service
def answer(request: Any) -> tuple[bytes, int, dict[str, str]]:
    """Answer a request."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    asked = http.Request(request.method, request.path, headers, request.get_data(), http.request_id(None))
    reply = http.respond(SERVICE, asked)
    return reply.body, reply.status, dict(reply.headers)
