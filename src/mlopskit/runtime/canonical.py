"""JSON with one spelling for one value, read strictly: what manifests, records and golden rows are written in.

Keys sorted by code point, no blanks, UTF-8, no NaN or infinity, floats in the shortest form that reads back
equal (David Gay's algorithm, as `repr` writes them).
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, NoReturn

from .errors import LimitError, ManifestError

MAX_DEPTH = 64
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_REMEDY = "Fetch it again from where it was published."


def dumps(value: object) -> bytes:
    """Return the one spelling of a JSON value.

    Raises:
        ValueError: it holds NaN, infinity, a lone surrogate, or something that is not JSON.

    >>> dumps({"b": 1, "a": [0.1, None]})
    b'{"a":[0.1,null],"b":1}'
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest_of(data: bytes) -> str:
    """Return the digest of bytes, `sha256:` and 64 hex digits."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def loads(data: bytes, *, what: str, limit: int) -> Any:
    """Return the value of canonical JSON bytes of at most `limit` bytes.

    Raises:
        LimitError: it is longer than the limit or nested deeper than 64.
        ManifestError: it is not JSON, or not in its canonical spelling.
    """
    value = parse(data, what=what, limit=limit)
    try:
        same = dumps(value) == data
    except ValueError as error:
        raise _malformed(what, str(error)) from error
    if not same:
        raise _malformed(what, "it is not in canonical form (sorted keys, no blanks, no double keys)")
    return value


def parse(data: bytes, *, what: str, limit: int) -> Any:
    """Return the value of strict JSON bytes: no double keys, NaN, infinity, byte order mark or deep nesting."""
    if len(data) > limit:
        raise LimitError(f"{what} has more than {limit:,} bytes.", remedy=_REMEDY, what=what)
    if _depth(data) > MAX_DEPTH:
        raise LimitError(f"{what} is nested deeper than {MAX_DEPTH}.", remedy=_REMEDY, what=what)
    try:
        return json.loads(data.decode(), object_pairs_hook=_no_doubles, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise _malformed(what, str(error)) from error


def _depth(data: bytes) -> int:
    # Only brackets outside of strings are walked, so that a text full of brackets is no deep nesting.
    deepest = depth = 0
    for byte in _STRING.sub(b"", data).translate(None, delete=_NO_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {double!r} stands twice")
    return table


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text} is too large")
    return number


def _malformed(what: str, reason: str) -> ManifestError:
    return ManifestError(f"{what} is malformed: {reason}.", remedy=_REMEDY, what=what)
