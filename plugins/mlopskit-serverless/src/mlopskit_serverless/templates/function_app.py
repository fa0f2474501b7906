"""Azure Functions calls `answer`; what it answers is said in docs/reference/http.md of mlopskit."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

import azure.functions as func  # type: ignore[import-untyped]  # of the service

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE / "site"))

from _mlopskit_runtime import http, load, open_package  # type: ignore[import-not-found]  # noqa: E402  # stands beside

PACKAGE = open_package(HERE / "package", digest="$digest", format="$format")
SERVICE = http.Service.of(load(PACKAGE, format="$format", trust_code=["$digest"]))
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="{*path}", methods=METHODS)  # type: ignore[untyped-decorator]  # of the service
def answer(req: func.HttpRequest) -> func.HttpResponse:
    """Answer a request."""
    headers = {name.lower(): value for name, value in req.headers.items()}
    request = http.Request(req.method, urlsplit(req.url).path, headers, req.get_body(), http.request_id(None))
    reply = http.respond(SERVICE, request)
    return func.HttpResponse(reply.body, status_code=reply.status, headers=dict(reply.headers))
