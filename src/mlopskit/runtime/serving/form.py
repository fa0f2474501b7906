"""The form by which people try a model: three files, which are the same for every model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from .. import http, problems

_FILES = {
    "/": ("form.html", "text/html; charset=utf-8"),
    "/form.css": ("form.css", "text/css; charset=utf-8"),
    "/form.mjs": ("form.mjs", "text/javascript; charset=utf-8"),
}
# Only what this server sends runs, and nobody shows it inside of a page of theirs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
PATHS: Mapping[str, object] = {
    path: {
        "get": {
            "summary": "Return the form by which people try a model, or a part of it.",
            "responses": {
                "200": {"description": "OK", "content": {media.partition(";")[0]: {"schema": {"type": "string"}}}}
            },
        }
    }
    for path, (_, media) in _FILES.items()
}


def page(request: http.Request, /) -> http.Response:
    """Return the form, or a part of it."""
    name, media = _FILES[request.path]
    safe = (("content-security-policy", _POLICY), ("referrer-policy", "no-referrer"), ("cache-control", "no-cache"))
    return http.Response(200, (*problems.always(media, request.id), *safe), _read(name))


@cache
def _read(name: str) -> bytes:
    return (Path(__file__).with_name("templates") / name).read_bytes()
