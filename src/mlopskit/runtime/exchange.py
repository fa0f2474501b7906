"""What goes in and out of a service around models, as values: requests, what is served, and parts of responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from . import canonical
from .answers import MAX_ROWS
from .decoding import Decode, Encode, decode
from .errors import LimitError
from .names import shown
from .problems import JSON, Response, always, of_error, problem
from .schema import Row
from .scoring import Model

MAX_BODY = 16 << 20
CSV = "text/csv"
DIGEST = "x-model-digest"
_RETRY = (("retry-after", "5"),)


class Lookup(Protocol):
    """Headers of a request, looked up by their names in lower case."""

    def get(self, name: str, /) -> str | None:
        """Return the value of a header, None if there is none."""


class Request(NamedTuple):
    """What came in: the path without its query, and an id of `request_id`."""

    method: str
    path: str
    headers: Lookup
    body: bytes
    id: str


class Served(NamedTuple):
    """A model that is served under its name.

    `model` answers now, None if none does; `fault` says in a sentence why, or what is wrong though one answers. What is
    `beside` answers by its digest alone. `about` stands in /metadata, too. `examples` are rows that anybody may see.
    """

    name: str
    model: Model | None
    fault: str = ""
    about: Mapping[str, Any] = {}
    beside: Mapping[str, Model] = {}
    examples: Sequence[Row] = ()


class Service(NamedTuple):
    """What a server serves: models by their names, the most that a request may hold, how JSON is read and written.

    `decode` is strict, as that of `decoding` is, or a faster one made so by `strict`.
    """

    models: Mapping[str, Served]
    body: int = MAX_BODY
    rows: int = MAX_ROWS
    decode: Decode = decode
    encode: Encode = canonical.dumps

    @classmethod
    def of(cls, *models: Model) -> Service:
        """Return the service of loaded models."""
        return cls({model.name: Served(model.name, model) for model in models})


def find(service: Service, name: str, digest: str, /) -> tuple[Served, Model | None] | None:
    """Return what is served under a name, with the model that answers, or that of a digest; None if there is none."""
    served = service.models.get(name)
    if served is None or not digest:
        return None if served is None else (served, served.model)
    live = {served.model.digest: served.model} if served.model else {}
    model = {**served.beside, **live}.get(digest if ":" in digest else f"sha256:{digest}")
    return None if model is None else (served, model)


def versions(served: Served, /) -> list[str]:
    """Return the digests that answer, the live one first."""
    live = [served.model.digest] if served.model else []
    return [*live, *(digest for digest in sorted(served.beside) if digest not in live)]


def answered(service: Service, request: Request, said: Mapping[str, Any], digest: str, /) -> Response:
    """Return a response of JSON that names the package which answered."""
    return Response(200, (*always(JSON, request.id), (DIGEST, digest)), service.encode(said))


def refusal(service: Service, request: Request, /, *, media: Sequence[str] = (JSON, CSV)) -> Response | None:
    """Return why a body is not even read: too long, packed, of another type or character set; None if it is."""
    if len(request.body) > service.body:
        limit = f"{service.body:,} bytes"
        return of_error(
            request.id, LimitError(f"The body has more than {limit}.", remedy=f"Send at most {limit} at once.")
        )
    kind, _, rest = (request.headers.get("content-type") or "").partition(";")
    if kind != JSON and kind.strip().lower() not in media:
        given = shown(kind) if kind else "none"
        return _unsupported(request.id, f"The content type is {given}.", f"Send {' or '.join(filter(None, media))}.")
    if rest and not all(map(_is_utf8, rest.lower().split(";"))):
        return _unsupported(request.id, f"The character set is not UTF-8: {shown(rest.strip())}.", "Send UTF-8.")
    packed = request.headers.get("content-encoding")
    if packed and packed.lower() != "identity":
        return _unsupported(request.id, f"The content encoding is {shown(packed)}.", "Send the body as it is.")
    return None


def _is_utf8(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() != "charset" or value.strip(' "') in ("utf-8", "utf8")


def media_type(request: Request, /) -> str:
    """Return the media type of a request's body, without its parameters."""
    return (request.headers.get("content-type") or "").partition(";")[0].strip().lower()


def _unsupported(id: str, detail: str, remedy: str) -> Response:
    return problem(id, 415, detail, remedy=remedy)


def not_allowed(request: Request, method: str, /) -> Response:
    """Return the response to another method than the one that a path takes."""
    allowed = "GET, HEAD" if method == "GET" else method
    detail = f"{shown(request.path)} does not take {shown(request.method)}."
    return problem(request.id, 405, detail, remedy=f"Send {method}.", headers=(("allow", allowed),))


def not_ready(id: str, served: Served, /) -> Response:
    """Return the response of a model that does not answer yet, or no more."""
    detail = f"No model answers for {served.name!r}: {served.fault or 'it is not there yet.'}"
    return problem(id, 503, detail, remedy="Ask again in a while.", kind="NotReadyError", headers=_RETRY)


def is_ready(service: Service, /) -> bool:
    """Say whether there are models, and each answers."""
    return bool(service.models) and all(one.model for one in service.models.values())
