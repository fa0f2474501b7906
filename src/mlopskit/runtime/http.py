"""Request → answer: what any server around a model says to a body of JSON rows. There is no server in it."""

from __future__ import annotations

import json
from typing import Any

from . import canonical
from .errors import LimitError, ManifestError, MlopskitError, UsageError
from .scoring import Model

MAX_BODY = 16 << 20


def answer(model: Model, body: bytes, /, *, limit: int = MAX_BODY) -> tuple[int, bytes]:
    """Return the HTTP status and the JSON body for a request body `{"rows": [...]}`.

    200 with the answer of `reply`; 400 for what is not JSON, 413 for too much of it, 422 for rows that do not fit,
    500 if the model failed.
    """
    try:
        return 200, canonical.dumps(reply(model, canonical.parse(body, what="The request", limit=limit)))
    except LimitError as error:
        return 413, _problem(error)
    except ManifestError as error:
        return 400, _problem(error)
    except UsageError as error:
        return 422, _problem(error)
    except MlopskitError as error:
        return 500, _problem(error)


def reply(model: Model, request: Any, /) -> dict[str, Any]:
    """Return the answer to a parsed request: the rows, the digest that answered, and what ran it."""
    if not isinstance(request, dict) or request.keys() != {"rows"} or not isinstance(request["rows"], list):
        raise UsageError(
            "The request is not of the known form.", remedy='Send {"rows": [{"column": value, ...}, ...]}.'
        )
    return {"rows": model.predict(request["rows"]), "digest": model.digest, "runtime": model.runtime()}


def _problem(error: MlopskitError) -> bytes:
    # ensure_ascii: a message may quote what no UTF-8 text can hold.
    return json.dumps({"error": error.message, "remedy": error.remedy}).encode()
