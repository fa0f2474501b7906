"""The model of a function: what a service's handler holds, and asks at each invocation.

A handler only turns its service's events into `respond` or `direct`. Half of a function's life is its start: nothing
is imported here that the first answer does not need.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import http
from .answers import MAX_ROWS, reply
from .package import open_package
from .scoring import Loaders, load

if TYPE_CHECKING:
    from logging import Logger
    from pathlib import Path

    from .problems import Response

_FAULT = 500
_OPENAPI = "/openapi.json"


class Function:
    """The model of a function, made once when its process starts; any number of threads may ask it.

    `package` is the folder of the package that travels with the function, whole or lean for `format`. Its bytes are
    checked against `digest`; its golden rows were asked when it was deployed, and are not asked again at each start.

    Raises:
        PackageError: the package is damaged, or its model cannot be loaded in this form here.
    """

    def __init__(self, package: str | Path, /, *, digest: str, format: str, loaders: Loaders | None = None) -> None:
        # No byte is kept: the model's are read when it is loaded, and stand in memory once.
        self._package = open_package(package, digest=digest, format=format, keep=lambda _: False)
        # Whoever built the function has read the code of this package, if it has any, and wrote the digest here.
        self._model = load(self._package, loaders=loaders, format=format, trust_code=(digest,))
        self._service = http.Service.of(self._model)

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes, /) -> Response:
        """Return the response to a request over HTTP, as every server around a model gives it.

        Whatever is wrong with the request, or with us, is a response, too. What follows a `?` in the path is passed
        over; names of headers may be in any case.
        """
        path = path.partition("?")[0]
        lower = {name.lower(): value for name, value in headers.items()}
        id = http.request_id(lower.get("x-request-id"))
        response = http.respond(self._shown(path), http.Request(method, path, lower, body, id))
        if response.status >= _FAULT and response.error is not None:
            _log().error("%s %s", id, response.status, exc_info=response.error)
        return response

    def direct(self, event: object, /) -> dict[str, Any]:
        """Return what POST /predict says of an event that is no request over HTTP, but what it would hold.

        The forms are `{"rows": [{column: value}, …]}`, `{"row": {column: value}}` and `{"columns": {column: [value,
        …]}}`.

        Raises:
            UsageError: the event is of another form, or a row does not fit the schema.
            LimitError: it has more rows than are taken at once.
            PackageError: the model has no answer to these rows.
        """
        return reply(self._model, event, most=MAX_ROWS)

    def _shown(self, path: str) -> http.Service:
        """Return what is served, with rows to try where they are shown: few ask so, and no start waits for them."""
        if path != _OPENAPI:
            return self._service
        from .golden import examples_of

        (served,) = self._service.models.values()
        examples = examples_of(self._package)
        return self._service._replace(models={served.name: served._replace(examples=examples)})


def _log() -> Logger:
    # Imported where it is used: few functions ever fail.
    import logging

    return logging.getLogger(__name__)
