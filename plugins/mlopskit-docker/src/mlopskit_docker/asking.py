"""A container's server, asked over HTTP as its users do."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from typing import Any

from mlopskit import Answer, Row
from mlopskit.errors import DeployError

_SECONDS = 60.0
_NOT_YET = (502, 503, 504)
_MOST = 256 * 2**20


def ask(address: tuple[str, int], rows: Sequence[Row], /) -> Answer | None:
    """Return the answer to rows, None if nothing answers there yet.

    Raises:
        DeployError: it refuses them, or says something else than an answer.
    """
    host, port = address
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    body = json.dumps({"rows": [dict(row) for row in rows]})
    try:
        connection.request("POST", "/predict", body, {"Content-Type": "application/json", "Connection": "close"})
        reply = connection.getresponse()
        status, data = reply.status, reply.read(_MOST)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    if status in _NOT_YET:
        return None
    said = _table(data)
    if status != http.client.OK:
        raise DeployError(
            f"{host}:{port} answered {status}: {said.get('detail', 'no problem details')}",
            remedy=str(said.get("remedy", "Look at the container's log.")),
        )
    try:
        return Answer(rows=said["rows"], digest=said["digest"], runtime=said["runtime"])
    except KeyError as error:
        raise DeployError(
            f"{host}:{port} gave an answer without {error}.", remedy="Another program answers there: find out which."
        ) from error


def _table(data: bytes) -> dict[str, Any]:
    try:
        said = json.loads(data)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {}
