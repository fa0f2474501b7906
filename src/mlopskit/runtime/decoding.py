"""Bodies of JSON → values: strictly, whichever decoder reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from . import canonical
from .errors import LimitError, ManifestError

Decode = Callable[[bytes], Any]
Encode = Callable[[Any], bytes]

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_PLAIN = {str, int, float, bool, type(None)}


def decode(body: bytes, /) -> Any:
    """Return the value of strict JSON, read by the standard library: no double keys, NaN, infinity or half characters.

    Raises:
        LimitError: it is nested deeper than 64.
        ManifestError: it is not strict JSON.
    """
    try:
        return canonical.parse(body, what="The body", limit=len(body))
    except LimitError as error:
        raise LimitError(error.message, remedy=f"Nest at most {canonical.MAX_DEPTH} deep.") from error
    except ManifestError as error:
        raise ManifestError(
            error.message, remedy="Send JSON in UTF-8, each key of an object once; what is missing is null."
        ) from error


def strict(fast: Decode, /) -> Decode:
    """Return a faster decoder made strict: what it reads without any doubt is taken, all else is for `decode` to say.

    `fast` must raise an exception for what RFC 8259 does not know (NaN, infinity, a comma too many), for a number
    beyond double precision, for half a surrogate pair, and for what nests deeper than it can read: as the decoders of
    msgspec and orjson do. That a key stands twice they do not see: outside of strings each colon is a key's, so then
    there are more of those than keys were read.
    """

    def decoded(body: bytes, /) -> Any:
        try:
            value = fast(body)
            keys = _keys(value, canonical.MAX_DEPTH)
        except (Exception, RecursionError):
            return decode(body)
        if keys == body.count(b":") or keys == _STRING.sub(b"", body).count(b":"):
            return value
        return decode(body)

    return decoded


def _keys(value: Any, deepest: int) -> int:
    """Return how many keys a value has in it, at any depth."""
    if type(value) not in (dict, list):
        return 0
    if not deepest:
        raise RecursionError
    count, inner = (len(value), [*value.values()]) if type(value) is dict else (0, value)
    if _PLAIN.issuperset(map(type, inner)):
        return count
    return count + sum(_keys(one, deepest - 1) for one in inner)
