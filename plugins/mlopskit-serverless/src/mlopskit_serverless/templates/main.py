"""Google Cloud Functions calls `answer`; what it answers is said in docs/reference/http.md of mlopskit."""

import os
import sys

import flask
import functions_framework  # type: ignore[import-not-found]  # of the service

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.append(os.path.join(HERE, "site"))

from _mlopskit_runtime.functions import Function  # type: ignore[import-not-found]  # noqa: E402  # stands beside
from _mlopskit_runtime.http import MAX_BODY  # type: ignore[import-not-found]  # noqa: E402  # this, too

MIB = 1 << 20
FUNCTION = Function.of(
    os.path.join(HERE, "package"),
    digest="$digest",
    format="$format",
    environment=os.environ,  # MODEL_URI and what belongs to it
)


@functions_framework.http  # type: ignore[untyped-decorator]  # of the service
def answer(request: flask.Request) -> flask.Response:
    """Answer a request."""
    # A byte more than a body may have shows that it has more. The rest is read, as callers wait for that, and let go.
    body = request.stream.read(MAX_BODY + 1)
    while request.stream.read(MIB):
        pass
    # flask leaves the body of an answer to HEAD out, and says how long it is.
    method = "GET" if request.method == "HEAD" else request.method
    said = FUNCTION.respond(method, request.path, dict(request.headers), body)
    return flask.Response(said.body, said.status, list(said.headers))
