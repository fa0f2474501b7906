"""The pages for people, a form to try a model and what programs can ask: files that are the same for every model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from .. import http, problems

_FILES = {
    "/": ("form.html", "text/html; charset=utf-8"),
    "/docs": ("docs.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.mjs": ("page.mjs", "text/javascript; charset=utf-8"),
    "/form.mjs": ("form.mjs", "text/javascript; charset=utf-8"),
    "/docs.mjs": ("docs.mjs", "text/javascript; charset=utf-8"),
}
# Only what this server sends runs, and nobody shows it inside of a page of theirs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
PATHS: Mapping[str, object] = {
    path: {
        "get": {
            "summary": "Return a page for people, or a part of one.",
            "responses": {
                "200": {"description": "OK", "content": {media.partition(";")[0]: {"schema": {"type": "string"}}}}
            },
        }
    }
    for path, (_, media) in _FILES.items()
}


def page(request: http.Request, /) -> http.Response:
    """Return a page, or a part of one."""
    name, media = _FILES[request.path]
    headers = (*problems.always(media, request.id), ("content-security-policy", _POLICY))
    return http.Response(200, headers, _read(name))


@cache
def _read(name: str) -> bytes:
    return (Path(__file__).with_name("templates") / name).read_bytes()
