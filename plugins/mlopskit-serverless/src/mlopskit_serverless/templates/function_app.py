"""Azure Functions calls `answer`; what it answers is said in docs/reference/http.md of mlopskit."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import azure.functions as func  # type: ignore[import-untyped]  # of the service

HERE = Path(__file__).parent
sys.path.append(str(HERE / "site"))  # what the form of the model needs; nothing for the portable one

from _mlopskit_runtime.functions import Function  # type: ignore[import-not-found]  # noqa: E402  # stands beside

# With MODEL_URI among the app's settings it follows that alias.
MODEL = Function.of(HERE / "package", digest="$digest", format="$format", environment=os.environ)
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
# Whoever asks shows a key of the app: https://learn.microsoft.com/azure/azure-functions/function-keys-how-to
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="{*path}", methods=METHODS)  # type: ignore[untyped-decorator]  # of the service
def answer(req: func.HttpRequest) -> func.HttpResponse:
    """Answer a request, whatever its path."""
    said = MODEL.respond(req.method, urlsplit(req.url).path, req.headers, req.get_body())
    return func.HttpResponse(said.body, status_code=said.status, headers=dict(said.headers))
