"""The model of a function: what a service's handler holds, and asks at each invocation.

A handler only turns its service's events into `respond` or `direct`. Half of a function's life is its start: nothing
is imported here that the first answer does not need.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, cast

from . import http
from .answers import MAX_ROWS, reply
from .errors import PackageError, UsageError, printable
from .names import shown
from .package import open_package
from .scoring import Loaders, Model, load

if TYPE_CHECKING:
    from logging import Logger
    from pathlib import Path

    from .following import WatchState
    from .problems import Response
    from .turns import Turns

EVERY = 30.0
TRIAL = 30.0
_FOREVER = 1e9
_FAULT = 500
_LIVE, _OPENAPI = "/health/live", "/openapi.json"


class Function:
    """The model of a function, made once when its process starts; any number of threads may ask it.

    `package` is the folder of the package that travels with the function, whole or lean for `format`. Its bytes are
    checked against `digest`; its golden rows were asked when it was deployed, and are not asked again at each start.
    With a `uri` the function answers with what that alias names. It looks when it is asked, `every` so many seconds;
    `query` and `environment` open a private place, and `trial` is how many seconds a new package may take in a
    process of its own before it is loaded here (0: there is none).

    Raises:
        PackageError: the package is damaged, or its model cannot be loaded in this form here.
        UsageError: the URI, or another value, cannot be meant so.
    """

    def __init__(
        self,
        package: str | Path,
        /,
        *,
        digest: str,
        format: str,
        uri: str = "",
        query: str = "",
        every: float = EVERY,
        trial: float = TRIAL,
        environment: Mapping[str, str] | None = None,
        loaders: Loaders | None = None,
    ) -> None:
        # No byte is kept: the model's are read when it is loaded, and stand in memory once. Services compile what they
        # find, beside it; the code of a package is run from its checked bytes alone.
        self._package = open_package(package, digest=digest, format=format, keep=lambda _: False, overlook=_is_bytecode)
        # Whoever built the function has read the code of this package, if it has any, and wrote the digest here.
        model = load(self._package, loaders=loaders, format=format, trust_code=(digest,))
        # What is served, and of which state: one value, as calls overtake one another.
        self._seen: tuple[object, http.Service] = None, http.Service.of(model)
        self._turns: Turns | None = None
        if uri:
            from .turns import turns

            known: Mapping[str, str] = environment or {}
            self._turns = turns(
                uri, self._package, model, query=query, every=every, trial=trial, environment=known, loaders=loaders
            )

    @classmethod
    def of(cls, package: str | Path, /, *, digest: str, format: str, environment: Mapping[str, str]) -> Self:
        """Return a function whose URI, and what belongs to it, stands in its environment.

        Those are `MODEL_URI`, `MODEL_QUERY`, `MODEL_EVERY` and `MODEL_TRIAL`; errors are as of the function itself.
        """
        return cls(
            package,
            digest=digest,
            format=format,
            uri=environment.get("MODEL_URI", ""),
            query=environment.get("MODEL_QUERY", ""),
            every=_seconds(environment, "MODEL_EVERY", EVERY),
            trial=_seconds(environment, "MODEL_TRIAL", TRIAL),
            environment=environment,
        )

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes, /) -> Response:
        """Return the response to a request over HTTP, as every server around a model gives it.

        Whatever is wrong with the request, or with us, is a response, too. What follows a `?` in the path is passed
        over; names of headers may be in any case.
        """
        path = path.partition("?")[0]
        lower = {name.lower(): value for name, value in headers.items()}
        id = http.request_id(lower.get("x-request-id"))
        response = http.respond(self._served(path), http.Request(method, path, lower, body, id))
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
        return reply(self._answering(), event, most=MAX_ROWS)

    def close(self) -> None:
        """Keep nothing on the disk any more; a service ends its functions without that."""
        if self._turns is not None:
            self._turns.close()

    def _answering(self) -> Model:
        if self._turns is not None:
            self._turns.take_turn()
            return self._turns.model
        (served,) = self._seen[1].models.values()
        return cast("Model", served.model)  # it was loaded at the start, and stays

    def _served(self, path: str) -> http.Service:
        """Return what is served now; whether this process lives can be told without a look."""
        _, service = self._seen
        if self._turns is not None and path != _LIVE:
            self._turns.take_turn()
            state = self._turns.state
            seen, service = self._seen
            if state is not seen:
                service = self._followed(self._turns, state)
                self._seen = state, service
        return self._shown(service) if path == _OPENAPI else service

    def _followed(self, turns: Turns, state: WatchState) -> http.Service:
        from .following import told

        model, failure = turns.answering, state.failure
        fault = printable(failure.message) if failure else "" if model else "Nothing is live."
        about = {**told(state), "verdict": turns.verdict}
        served = http.Served(
            self._package.manifest["name"], model, fault, about, examples=model.examples if model else ()
        )
        return http.Service({served.name: served})

    def _shown(self, service: http.Service) -> http.Service:
        """Return what is served with rows of our own package to try: few ask so, and no start waits for them."""
        from .golden import examples_of

        (served,) = service.models.values()
        if served.model is None or served.model.digest != self._package.digest:
            return service
        try:
            examples = examples_of(self._package)
        except PackageError:  # what stands beside us was changed: there is nothing to try then
            return service
        return service._replace(models={served.name: served._replace(examples=examples)})


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    given = environment.get(name, "")
    try:
        seconds = float(given) if given else default
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < _FOREVER:
        raise UsageError(
            f"{name} is {shown(given)}, expected a number of seconds.", remedy=f"Set {name}=30, or leave it."
        )
    return seconds


def _is_bytecode(path: str) -> bool:
    return path.startswith("code/") and path.endswith(".pyc") and path.split("/")[-2] == "__pycache__"


def _log() -> Logger:
    # Imported where it is used: few functions ever fail.
    import logging

    return logging.getLogger(__name__)
