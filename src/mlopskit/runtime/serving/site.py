"""What a server says: the runtime's answers around models that may change, and what it adds to them."""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .. import errors, exchange, http, openapi, problems
from ..errors import PackageError
from ..following import told
from ..golden import proven
from ..package import Package
from ..scoring import Model
from ..watching import Watched
from . import feedback, pages
from .connection import Asked
from .journal import Journal, NotedModel
from .metrics import Metrics

_log = logging.getLogger(__name__)
_decode = http.strict(msgspec.json.decode)
_encode = msgspec.json.Encoder().encode
_OPEN = {"/health/live", "/health/ready", *pages.PATHS}
_METRICS = "/metrics"
_SAID = {_METRICS, "/openapi.json", *pages.PATHS}
_PREDICT, _INFER, _OTHER = range(3)
_ADDED: Mapping[str, Any] = {
    _METRICS: {
        "get": {
            "summary": "Return counts and times, as Prometheus reads them.",
            "responses": {"200": {"description": "OK", "content": {"text/plain": {"schema": {"type": "string"}}}}},
        }
    }
}


@dataclass
class Source:
    """A model that is served under its name: one that follows an alias, or one that stays.

    What `beside` follows answers by its digest alone. An alias that was not read for more than `max_age` seconds is a
    fault.
    """

    name: str
    model: Model | Watched
    about: Mapping[str, Any] = field(default_factory=dict)
    beside: Watched | None = None
    max_age: float | None = None
    _begun: float = field(default_factory=time.time)

    @classmethod
    def of(cls, package: Package, model: Model, about: Mapping[str, Any], /) -> Source:
        """Return what serves a package that stays, once its model has answered the golden rows.

        Raises:
            PackageError: it answers one otherwise, or not at all.
        """
        return cls(str(package.manifest["name"]), proven(package, model), about)

    def states(self) -> list[object]:
        """Return what changes whenever something has changed."""
        followed = [one for one in (self.model, self.beside) if isinstance(one, Watched)]
        return [self.model, *[one.state for one in followed], self._is_old()]

    def _is_old(self) -> bool:
        if self.max_age is None or not isinstance(self.model, Watched):
            return False
        return time.time() - (self.model.state.checked or self._begun) > self.max_age

    def served(self, journal: Journal | None) -> http.Served:
        """Return what is served now, and written down if there is a journal."""
        beside = None if self.beside is None else self.beside.answering
        served = self._served()._replace(beside={} if beside is None else {beside.digest: beside})
        if journal is None or served.model is None:
            return served
        return served._replace(model=NotedModel(served.model, journal))

    def _served(self) -> http.Served:
        if isinstance(self.model, Model):
            return http.Served(self.name, self.model, about=self.about, examples=self.model.examples)
        state = self.model.state
        model = self.model.answering
        fault = errors.printable(state.failure.message) if state.failure else "" if model else "Nothing is live."
        if not fault and self._is_old():
            fault = f"The alias was not read for more than {self.max_age:g} s."
        about = {**self.about, "verdict": self.model.verdict, **told(state)}
        if self.beside is not None:
            offered = self.beside.state
            wrong = errors.printable(offered.failure.message) if offered.failure else None
            about["beside"] = {"fault": wrong, **told(offered)}
        return http.Served(self.name, model, fault, about, examples=model.examples if model else ())

    def close(self) -> None:
        """Follow the alias no more."""
        for one in (self.model, self.beside):
            if isinstance(one, Watched):
                one.close()


class Site:
    """The answers of a server process.

    `hosts` are the names by which it may be called (all, if none is given), `token` what callers have to show.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        metrics: Metrics,
        body: int,
        rows: int,
        hosts: frozenset[str] = frozenset(),
        token: str | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.sources = sources
        self._metrics, self._body, self._rows = metrics, body, rows
        self._hosts = hosts
        self._journal = journal
        self._token = None if token is None else token.encode()
        self.connections: Callable[[], int] = lambda: 0
        self._seen: list[object] = []
        self._service = http.Service({})

    def service(self) -> http.Service:
        """Return what is served now: the same value as long as nothing has changed."""
        states = [state for one in self.sources for state in one.states()]
        if len(states) != len(self._seen) or any(map(_is_not, states, self._seen)):
            models = {one.name: one.served(self._journal) for one in self.sources}
            self._service = http.Service(models, self._body, self._rows, _decode, _encode)
            self._seen = states
        return self._service

    def answer(self, asked: Asked, /) -> http.Response:
        """Return the answer to a request; count it, and log what went wrong in it."""
        start = time.perf_counter()
        path = asked.target.partition("?")[0]
        request = http.Request(
            asked.method, path, asked.headers, asked.body, http.request_id(asked.headers.get("x-request-id"))
        )
        if self._journal is not None:
            self._journal.request.id, self._journal.request.size = request.id, len(request.body)
        response = self._stranger(request) or self._own(request) or http.respond(self.service(), request)
        route = _PREDICT if path.endswith("/predict") else _INFER if path.endswith("/infer") else _OTHER
        self._metrics.note(route, response.status, time.perf_counter() - start)
        if response.error is not None:
            _tell(request, response)
        return response

    def _stranger(self, request: http.Request) -> http.Response | None:
        """Return why this caller is not answered at all, None if it is."""
        if self._hosts and _host(request.headers.get("host")) not in self._hosts:
            remedy = "Call it by its name, or let it be started with --allow-host."
            return http.worded(
                request.path, http.problem(request.id, 400, "The server is not called so.", remedy=remedy)
            )
        if self._token is None or request.path in _OPEN or self._shows_token(request):
            return None
        challenge = (("www-authenticate", "Bearer"),)
        remedy = "Send 'authorization: Bearer TOKEN', or 'x-api-key: TOKEN'."
        said = http.problem(request.id, 401, "The request shows no valid token.", remedy=remedy, headers=challenge)
        return http.worded(request.path, said)

    def _shows_token(self, request: http.Request) -> bool:
        kind, _, given = (request.headers.get("authorization") or "").partition(" ")
        shown = given if kind.lower() == "bearer" else request.headers.get("x-api-key") or ""
        return hmac.compare_digest(shown.strip().encode("latin-1", "replace"), self._token or b"")

    def _own(self, request: http.Request) -> http.Response | None:
        """Return what this server adds to the runtime's answers."""
        if request.path == "/feedback" and self._journal is not None:
            return feedback.told(request, self._journal, self._body)
        if request.path not in _SAID:
            return None
        if request.method not in ("GET", "HEAD"):
            return exchange.not_allowed(request, "GET")
        said = pages.page(request) if request.path in pages.PATHS else self._said(request)
        return said if request.method == "GET" else said._replace(body=b"")

    def _said(self, request: http.Request) -> http.Response:
        service = self.service()
        if request.path == _METRICS:
            models = [(name, _digest(one), bool(one.fault)) for name, one in service.models.items()]
            body, media = self._metrics.text(models, connections=self.connections()).encode(), "text/plain"
        else:
            added = {**_ADDED, **pages.PATHS, **({} if self._journal is None else feedback.PATHS)}
            told = openapi.document(service, paths=added)
            body, media = _encode(told if self._token is None else openapi.secured(told, _OPEN)), "application/json"
        return http.Response(200, problems.always(media, request.id), body)


def _digest(served: http.Served) -> str:
    return served.model.digest if served.model else "none"


def _is_not(one: object, other: object) -> bool:
    return one is not other


def _host(given: str | None) -> str:
    """Return the name in a header Host, without its port."""
    name, _, port = (given or "").rpartition(":")
    return (name if name and port.isdigit() else given or "").lower()


def _tell(request: http.Request, response: http.Response) -> None:
    """Log why there is no answer: in full if it is our fault, the engine's words if the model has none."""
    if response.status >= 500:  # noqa: PLR2004  # faults of a server
        _log.error("%s %s", request.id, response.status, exc_info=response.error)
    elif type(response.error) is PackageError:
        _log.warning("%s %s %s", request.id, response.status, response.error)
