"""Rows in a body of CSV, typed by a model's schema, and outputs as CSV. The first line names the columns."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .answers import by_column, check_count
from .errors import ManifestError, UsageError
from .names import shown
from .profile import Cell, types_of
from .scoring import Model

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_REMEDY = "Send UTF-8 text: a line of the columns' names, then a line for each row, with a comma between two cells."


def columns_of(body: bytes, model: Model, /, *, most: int) -> dict[str, list[Any]]:
    """Return a model's outputs for a body of CSV, by column.

    An empty cell is missing where the column may be, else empty text. What is no number in a column of numbers stays
    text, and is refused as such.

    Raises:
        ManifestError: it is not CSV in UTF-8, or a line has more or fewer cells than the first.
        LimitError: it has more rows than `most`.
        UsageError: a column or cell does not fit the schema.
    """
    names, rows = _read(body, most)
    properties = model.schema["inputs"]["properties"]
    cells = zip(*rows, strict=True) if rows else iter([()] * len(names))
    # What is no column stays text: the schema names it.
    columns = {name: _typed(texts, properties.get(name, {})) for name, texts in zip(names, cells, strict=True)}
    return by_column(model, columns)


def written(columns: Mapping[str, Sequence[Cell]], /) -> bytes:
    """Return columns as CSV; missing is an empty cell, a number stands as in JSON."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\r\n").writerow  # RFC 4180
    write(columns)
    for cells in zip(*columns.values(), strict=True):
        write([_text(cell) for cell in cells])
    return text.getvalue().encode()


def _read(body: bytes, most: int) -> tuple[list[str], list[list[str]]]:
    try:
        lines = _records(body.decode("utf-8-sig"))
        names = next(lines, [])
        # One more than there may be is enough to be refused.
        rows = [*itertools.islice(lines, most + 1)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"The body is malformed CSV: {error}.", remedy=_REMEDY) from error
    check_count(len(rows), most)
    double = next((name for name in names if names.count(name) > 1), None) if len({*names}) < len(names) else None
    if double is not None:
        raise UsageError(f"The column {shown(double)} stands there twice.", remedy="Name each column once.")
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise ManifestError(
                f"Row {number} has {len(row)} cells, the first line names {len(names)} columns.",
                remedy=_REMEDY,
                row=number,
            )
    return names, rows


def _records(text: str) -> Iterator[list[str]]:
    # A blank line is a row where there is one column, which may be empty; else nothing.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names = next(reader, [])
    yield names
    for row in reader:
        if row:
            yield row
        elif len(names) == 1:
            yield [""]


def _typed(texts: Sequence[str], spec: Mapping[str, Any]) -> list[Cell]:
    types = types_of(spec) if spec else ["string"]
    empty = None if "null" in types else ""
    read: Callable[[str], Cell] = str if "string" in types else _boolean if "boolean" in types else _number
    return [read(text) if text else empty for text in texts]


def _boolean(text: str) -> Cell:
    return _BOOLEANS.get(text, text)


def _number(text: str) -> Cell:
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _text(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "" if cell is None else str(cell)
