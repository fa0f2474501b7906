"""Cells: the plain values that data hold. Text, 64-bit integers, finite numbers, booleans; None for what is missing.

Dates and times are text in ISO 8601.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from typing import Any

from mlopskit.errors import DataError
from mlopskit.runtime.profile import Cell

_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1
_KINDS: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}
_PLAIN = {str, int, bool, type(None)}


def check_cells(name: str, cells: Sequence[Any], /) -> None:
    """Check that a column holds plain cells.

    Raises:
        DataError: a cell is of another type, NaN, infinite, an integer beyond 64 bits, or text that is not Unicode;
            it names the row (from 0), the column and the cell.
    """
    kinds = set(map(type, cells))
    for kind in kinds - _KINDS.keys() - {type(None)}:
        raise _wrong(name, cells, lambda cell: type(cell) is kind, f"of the type {kind.__name__}")  # noqa: B023  # raised at once
    if float in kinds and not all(map(_is_finite, cells)):
        raise _wrong(name, cells, lambda cell: not _is_finite(cell), "not finite")
    if int in kinds and not all(map(_in_64_bits, cells)):
        raise _wrong(name, cells, lambda cell: not _in_64_bits(cell), "beyond 64 bits")
    if str in kinds and not all(map(_is_unicode, cells)):
        raise _wrong(name, cells, lambda cell: not _is_unicode(cell), "not Unicode")


def kind_of(name: str, cells: Sequence[Any], /) -> str:
    """Return the JSON type of a column's cells, whether or not some are missing: "number" for integers with numbers.

    Raises:
        DataError: all are missing, or they are of several types.
    """
    kinds = {_KINDS[kind] for kind in set(map(type, cells)) - {type(None)}}
    if kinds == {"integer", "number"}:
        return "number"
    if len(kinds) != 1:
        what = f"cells of several types: {', '.join(sorted(kinds))}" if kinds else "no cell that is not missing"
        raise DataError(
            f"The column {name!r} has {what}.", remedy="Give it one type, or leave the column out.", column=name
        )
    return kinds.pop()


def plain_cells(name: str, cells: Sequence[Any], /) -> list[Cell]:
    """Return cells with the scalars of numpy and pandas turned into plain ones, NaN and the like into None.

    Dates and times become text in ISO 8601.

    Raises:
        DataError: a cell is no text, number, boolean, date or time; it names the row (from 0), the column and the cell.
    """
    if set(map(type, cells)) <= _PLAIN:
        return [*cells]
    return [_plain(name, row, cell) for row, cell in enumerate(cells)]


def _plain(name: str, row: int, cell: Any) -> Cell:
    value = _python(cell)
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, dt.date | dt.time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    for kind in (bool, int, str):
        if isinstance(value, kind):
            return kind(value)
    raise DataError(
        f"Row {row}, column {name!r}: {ascii(value)[:60]} is of the type {type(value).__name__}.",
        remedy="Turn the column into text, numbers or booleans first.",
        row=row,
        column=name,
    )


def _python(cell: Any) -> Any:
    """Return a scalar of numpy as Python's; a time with nanoseconds, which Python cuts, as text."""
    if type(cell).__module__ != "numpy" or not hasattr(cell, "item"):
        return cell
    if type(cell).__name__ == "datetime64":
        value = cell.item()
        if not isinstance(value, int):
            return value
        micro = cell.astype("datetime64[us]")
        return micro.item() if micro == cell else str(cell)
    return cell.item()


def _is_finite(cell: object) -> bool:
    return type(cell) is not float or math.isfinite(cell)


def _in_64_bits(cell: object) -> bool:
    return type(cell) is not int or _MIN_INTEGER <= cell <= _MAX_INTEGER


def _is_unicode(cell: object) -> bool:
    """Say whether a text has no half of a surrogate pair: such a text has no bytes."""
    if type(cell) is not str or cell.isascii():
        return True
    return not any("\ud800" <= character <= "\udfff" for character in cell)


def _wrong(name: str, cells: Sequence[Any], is_wrong: Callable[[Any], bool], what: str) -> DataError:
    row = next(number for number, cell in enumerate(cells) if is_wrong(cell))
    return DataError(
        f"Row {row}, column {name!r}: {ascii(cells[row])[:60]} is {what}.",
        remedy="Give text, finite numbers, booleans, or None for what is missing.",
        row=row,
        column=name,
    )
