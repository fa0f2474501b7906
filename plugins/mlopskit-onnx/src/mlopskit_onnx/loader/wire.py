"""Protocol buffers, read strictly: each message has only the fields that are named, each singular one once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_VARINT, _BYTES = 0, 2
_LONGEST = 10  # bytes of an integer

# What a field holds: an integer, bytes, a text, or a message (its own fields); whether it may stand several times.
INT, RAW, TEXT = "integer", "bytes", "text"
Field = tuple[str, Any, bool]


def read(data: memoryview, fields: Mapping[int, Field], what: str, /) -> dict[str, Any]:
    """Return a message as a table: lists for fields that may stand several times, None for others that are absent.

    Raises:
        ValueError: it is no such message, or has another field; the message names it.
    """
    found: dict[str, Any] = {name: [] if several else None for name, _, several in fields.values()}
    for number, value in _fields(data, what):
        if number not in fields:
            raise ValueError(f"the {what} has the field {number}, which is not allowed")
        name, kind, several = fields[number]
        made = _value(value, kind, f"{what}.{name}")
        if several:
            found[name].append(made)
        elif found[name] is not None:
            raise ValueError(f"the {what} has its field {name} twice")
        else:
            found[name] = made
    return found


def _value(value: int | memoryview, kind: Any, what: str) -> Any:
    if isinstance(value, int) != (kind == INT):
        raise ValueError(f"{what} is of another type")
    if isinstance(value, int):
        return value - (1 << 64) if value >> 63 else value
    if kind == RAW:
        return bytes(value)
    return str(value, "utf-8") if kind == TEXT else read(value, kind, what)


def _fields(data: memoryview, what: str) -> Iterator[tuple[int, int | memoryview]]:
    at, end = 0, len(data)
    while at < end:
        key, at = _integer(data, at, what)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _integer(data, at, what)
            yield number, value
        elif kind == _BYTES:
            size, at = _integer(data, at, what)
            if size > end - at:
                raise ValueError(f"the {what} ends too soon")
            yield number, data[at : at + size]
            at += size
        else:
            raise ValueError(f"the {what} has the field {number} in a form that is not allowed")


def _integer(data: memoryview, at: int, what: str) -> tuple[int, int]:
    value = 0
    for place in range(_LONGEST):
        if at + place >= len(data):
            raise ValueError(f"the {what} ends too soon")
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004  # the last byte of an integer
            if value >> 64:
                break
            return value, at + place + 1
    raise ValueError(f"the {what} has an integer of more than 64 bits")
