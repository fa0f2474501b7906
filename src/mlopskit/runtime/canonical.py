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
from .names import shown

MAX_DEPTH = 64
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_REMEDY = "Fetch it again from where it was published."


def dumps(value: object) -> bytes:
    """Return the one spelling of a JSON value.

    Raises:
        ValueError: it holds NaN, infinity, a lone surrogate, or something that is not JSON.

    >>> dumps({"b": 1, "a": [0.1, None]})
    b'{"a":[0.1,null],"b":1}'
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
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
    if dumps(value) != data:
        raise _malformed(what, "it is not in canonical form (sorted keys, no blanks, no double keys)")
    return value


def parse(data: bytes, *, what: str, limit: int) -> Any:
    """Return the value of strict JSON bytes: no double keys, NaN, infinity, byte order mark or lone surrogates.

    Raises:
        LimitError: it is longer than the limit or nested deeper than 64.
        ManifestError: it is not strict JSON.
    """
    if len(data) > limit:
        raise LimitError(f"{what} has more than {limit:,} bytes.", remedy=_REMEDY, what=what)
    if _too_deep(data):
        raise LimitError(f"{what} is nested deeper than {MAX_DEPTH}.", remedy=_REMEDY, what=what)
    try:
        text = data.decode()
        value = json.loads(text, object_pairs_hook=_no_doubles, parse_constant=_no_constant, parse_float=_finite)
        if _SURROGATE.search(data):
            dumps(value)  # refuses half a pair, which no text can hold
    except (ValueError, RecursionError) as error:
        raise _malformed(what, str(error)) from error
    return value


def _too_deep(data: bytes) -> bool:
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    # Only brackets outside of strings count: a text full of brackets is no deep nesting. Each round takes away the
    # innermost pairs; what is never empty is unbalanced, and the parser's to refuse.
    left = _STRING.sub(b"", data).translate(_ONE_KIND, delete=_NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        fewer = left.replace(b"[]", b"")
        if len(fewer) == len(left):
            return False
        left = fewer
    return bool(left)


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shown(double)} stands twice")
    return table


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {shown(text)} is too large")
    return number


def _malformed(what: str, reason: str) -> ManifestError:
    return ManifestError(f"{what} is malformed: {reason}.", remedy=_REMEDY, what=what)
