"""The kinds of fields that steps have, each with its check."""

from __future__ import annotations

import math
from array import array
from typing import Any

from .values import MOST, Field

_NUMERIC = {int, float}


def _list(value: Any) -> Any:
    if type(value) not in (list, array):  # a long list of floats is an array
        raise ValueError(f"is a {type(value).__name__}, expected a list")
    return value


def _numbers(value: Any) -> list[float]:
    kinds = {float} if type(value) is array else set(map(type, _list(value)))
    if not kinds <= _NUMERIC:
        raise ValueError("holds something else than numbers")
    found = value if kinds <= {float} else [_float(one) for one in value]
    if not all(map(math.isfinite, found)):
        raise ValueError("holds a number that is not finite")
    return found


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError("holds a number that is not finite") from error


def _number(value: Any) -> float:
    return _numbers([value])[0]


def _gaps(value: Any) -> list[float]:
    given = iter(_numbers([one for one in _list(value) if one is not None]))
    return [math.nan if one is None else next(given) for one in value]


def _nonzero(value: Any) -> list[float]:
    found = _numbers(value)
    if 0.0 in found:
        raise ValueError("holds a zero, by which nothing can be divided")
    return found


def _integers(value: Any) -> list[int]:
    if not set(map(type, _list(value))) <= {int}:
        raise ValueError("holds something else than integers")
    if value and not (min(value) >= -2 and max(value) < MOST):  # noqa: PLR2004  # -1 and -2 are words
        raise ValueError("holds an integer out of range")
    found: list[int] = value
    return found


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < MOST:
        raise ValueError("is no count")
    return value


def _place(value: Any) -> int:
    (found,) = _integers([value])
    return found


def _texts(value: Any) -> list[str]:
    if not set(map(type, _list(value))) <= {str}:
        raise ValueError("holds something else than texts")
    found: list[str] = value
    return found


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("is neither true nor false")
    return value


def _cell(value: Any) -> str | float | None:
    return value if value is None or type(value) is str else _number(value)


def _cells(value: Any) -> list[str | float | None]:
    return [_cell(one) for one in _list(value)]


def _matrix(value: Any) -> list[list[float]]:
    rows = [_numbers(one) for one in _list(value)]
    if len({len(row) for row in rows}) != 1:
        raise ValueError("has no rows, or rows of different lengths")
    return rows


def word(*known: str) -> Field:
    """Return the field that is one of some words."""

    def check(value: Any) -> str:
        if type(value) is not str or value not in known:
            raise ValueError(f"is none of {', '.join(known)}")
        return value

    return Field(check, {"enum": [*known]})


def optional(field: Field) -> Field:
    """Return the field that may also be null."""
    return Field(
        lambda value: None if value is None else field.check(value), {"anyOf": [{"type": "null"}, dict(field.schema)]}
    )


def listing(field: Field) -> Field:
    """Return the field that is a list of another."""
    return Field(
        lambda value: [field.check(one) for one in _list(value)], {"type": "array", "items": dict(field.schema)}
    )


def record(**fields: Field) -> Field:
    """Return the field that is a table of others."""

    def check(value: Any) -> dict[str, Any]:
        if type(value) is not dict or value.keys() != fields.keys():
            raise ValueError(f"is no table of {', '.join(fields)}")
        return {name: field.check(value[name]) for name, field in fields.items()}

    return Field(
        check,
        {
            "type": "object",
            "properties": {name: dict(field.schema) for name, field in fields.items()},
            "required": [*fields],
            "additionalProperties": False,
        },
    )


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_CELL = {"type": ["string", "number", "null"]}
NUMBERS = Field(_numbers, _array({"type": "number"}))
NONZERO = Field(_nonzero, _array({"type": "number", "not": {"const": 0}}))
GAPS = Field(_gaps, _array({"type": ["number", "null"]}))
NUMBER = Field(_number, {"type": "number"})
INTEGERS = Field(_integers, _array({"type": "integer", "minimum": -2, "maximum": MOST - 1}))
PLACE = Field(_place, {"type": "integer", "minimum": -2, "maximum": MOST - 1})
COUNT = Field(_count, {"type": "integer", "minimum": 0, "maximum": MOST - 1})
TEXTS = Field(_texts, _array({"type": "string"}))
FLAG = Field(_flag, {"type": "boolean"})
CELL = Field(_cell, _CELL)
CELLS = Field(_cells, _array(_CELL))
MATRIX = Field(_matrix, {**_array(_array({"type": "number"})), "minItems": 1})
