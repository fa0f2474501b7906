"""A server of a model, asked over HTTP as its users ask it: docs/reference/http.md is what it answers."""

from __future__ import annotations

import http.client
import json
import re
import urllib.parse
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mlopskit.errors import ConfigError, DeployError, MlopskitError, NotReadyError
from mlopskit.log import one_line
from mlopskit.records import Answer
from mlopskit.runtime import canonical
from mlopskit.runtime.schema import Row

NOT_YET = (502, 503, 504)
_LARGEST = 256 << 20
_LONGEST = 500
_LOG = "Look at the log of what answers there."
_FIELDS = {"rows": list, "digest": str, "runtime": dict}
# A name, or an address of version 6: the libraries would raise errors of their own, and show what cannot be sent.
_HOST = re.compile(r"(?:[A-Za-z0-9_-]{1,63}(?:\.|\Z))+|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?", re.ASCII)
_VISIBLE = re.compile(r"[!-~]+", re.ASCII)
_SCHEMES = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


def ask_over_http(
    address: str, rows: Sequence[Row], /, *, token: str = "", timeout: float = 60.0, not_yet: Collection[int] = NOT_YET
) -> Answer:
    """Return what a server answers to rows that are sent to an address like "http://127.0.0.1:8000/predict".

    It follows no redirect and uses no proxy: `token`, sent as a bearer's, is for this server alone. `timeout` is in
    seconds, for each wait for bytes; an answer has at most 256 MiB.

    Raises:
        NotReadyError: nothing answers there, or with a status that means so: one of `not_yet`.
        DeployError: it refuses the rows, or gives no answer.
        ConfigError: the address or the token cannot be used.
    """
    body = json.dumps({"rows": [dict(row) for row in rows]}).encode()
    server, status, said = _exchange("POST", address, body, token, timeout)
    if status in not_yet:
        raise NotReadyError(f"{server} answered {status}: {_problem(said)['detail']}", remedy=_LOG)
    return answer_of(status, said, server)


def read_over_http(address: str, /, *, token: str = "", timeout: float = 60.0) -> Any:
    """Return the JSON that a server gives for an address like "http://127.0.0.1:8000/metadata", asked as above.

    Raises:
        NotReadyError: nothing answers there.
        DeployError: the status is not 200, or it is no JSON.
        ConfigError: the address or the token cannot be used.
    """
    server, status, said = _exchange("GET", address, None, token, timeout)
    if status != http.client.OK:
        raise DeployError(f"{server} answered {status}: {_problem(said)['detail']}", remedy=_LOG)
    return _parsed(said, server)


def answer_of(
    status: int,
    body: bytes,
    of: str,
    /,
    *,
    remedy: str = _LOG,
    place: str = "target",
    measurements: Mapping[str, float] | None = None,
) -> Answer:
    """Return the answer that a reply to `POST /predict` is, however it came; `of` says in messages who gave it.

    Raises:
        DeployError: it is a refusal, with the reason that it gives, or no answer.
    """
    if status != http.client.OK:
        problem = _problem(body)
        raise DeployError(f"{of} answered {status}: {problem['detail']}", remedy=problem.get("remedy", remedy))
    said = _parsed(body, of)
    found: dict[str, Any] = {name: said.get(name) if isinstance(said, dict) else None for name in _FIELDS}
    wrong = [name for name, kind in _FIELDS.items() if not isinstance(found[name], kind)]
    if wrong or not all(isinstance(row, dict) for row in found["rows"]):
        raise DeployError(
            f"{of} gave an answer without {' and '.join(wrong) or 'rows that are tables'}.",
            remedy="Another program answers there: find out which.",
        )
    return Answer(**found, place=place, measurements=measurements or {})


def _exchange(method: str, address: str, body: bytes | None, token: str, timeout: float) -> tuple[str, int, bytes]:
    """Return the server's name for messages, its status and its body."""
    server, path, connection = _connection(address, timeout)
    headers = {"Content-Type": "application/json", "Connection": "close"}
    if token:
        headers["Authorization"] = f"Bearer {_sendable(token)}"
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        status, said = reply.status, reply.read(_LARGEST + 1)
        if reply.length and len(said) <= _LARGEST:
            raise http.client.IncompleteRead(said, reply.length)
    except (OSError, http.client.HTTPException) as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise NotReadyError(f"{server} cannot be asked: {reason}.", remedy=_LOG) from error
    finally:
        connection.close()
    if len(said) > _LARGEST:
        raise DeployError(f"{server} answered with more than {_LARGEST:,} bytes.", remedy=_LOG)
    return server, status, said


def _connection(address: str, timeout: float) -> tuple[str, str, http.client.HTTPConnection]:
    """Return the server's name for messages, the path to ask for, and a connection that is not open yet."""
    remedy = "Write it as http://HOST:PORT/PATH or https://HOST/PATH."
    try:
        parts = urllib.parse.urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError("The address of a server cannot be read.", remedy=remedy) from error
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    # What stands before an @, or is no address, may be a secret: neither is shown.
    if parts.scheme not in _SCHEMES or parts.username is not None:
        raise ConfigError("A server's address is none of http or https, or has a user's name in it.", remedy=remedy)
    if not host or not _HOST.fullmatch(host) or not _VISIBLE.fullmatch(path):
        raise ConfigError("The address of a server has characters that cannot be sent.", remedy=remedy)
    return f"{parts.scheme}://{parts.netloc}", path, _SCHEMES[parts.scheme](host, port, timeout=timeout)


def _sendable(token: str) -> str:
    """Return a token that a header may hold; the libraries would show another one in their errors."""
    if token.isascii() and token.isprintable():
        return token
    raise ConfigError(
        "The token of a server holds characters that cannot be sent.", remedy="Look for a line end or a space in it."
    )


def _parsed(body: bytes, of: str) -> Any:
    try:
        return canonical.parse(body, what=f"The answer of {of}", limit=_LARGEST)
    except MlopskitError as error:
        raise DeployError(error.message, remedy="Another program answers there: find out which.") from error


def _problem(body: bytes) -> dict[str, str]:
    """Return what problem details say, as lines that a terminal does not obey."""
    try:
        said = canonical.parse(body, what="It", limit=_LARGEST)
    except MlopskitError:
        said = None
    texts = {name: said.get(name) for name in ("detail", "remedy")} if isinstance(said, dict) else {}
    told = {name: one_line(text)[:_LONGEST] for name, text in texts.items() if isinstance(text, str) and text}
    return {"detail": "no problem details", **told}
