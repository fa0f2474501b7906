"""Files whose cells have types of their own: JSON Lines, Parquet, Arrow (Feather). Nothing is guessed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlopskit.cells import plain_cells
from mlopskit.delimited import decoded
from mlopskit.errors import DataError
from mlopskit.fingerprint import read_bytes
from mlopskit.runtime.profile import Cell

# The names of the columns, their cells, and the line (or row, from 1) of each row.
Part = tuple[Sequence[str], Sequence[list[Cell]], Sequence[int]]
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1
_REMEDY = "Correct that line: each holds one JSON object of texts, numbers, booleans and nulls."


def _read_json_lines(file: Path, path: str) -> Part:
    text = decoded(read_bytes(file, path), path)
    rows = {number: _row(line, number, path) for number, line in enumerate(text.split("\n"), 1) if line.strip()}
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    if not rows:
        raise _empty(path)
    return names, [_whole([row.get(name) for row in rows.values()]) for name in names], list(rows)


def _row(line: str, number: int, path: str) -> Mapping[str, Cell]:
    import msgspec

    try:
        row = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DataError(
            f"The file {path!r} is malformed at line {number}: {_reason(line, error)}.",
            remedy=_REMEDY,
            file=path,
            line=number,
        ) from error
    if not isinstance(row, dict):
        raise DataError(
            f"Line {number} of {path!r} is {_shown(row)}, no object.", remedy=_REMEDY, file=path, line=number
        )
    for name, cell in row.items():
        if isinstance(cell, dict | list):
            raise DataError(
                f"Line {number} of {path!r}, column {name!r}: {_shown(cell)} is no single value.",
                remedy="Give each value a column of its own.",
                file=path,
                line=number,
            )
    if line.count(":") > len(row):  # a colon in a text, or a name twice
        _check_names(line, number, path)
    return row


def _check_names(line: str, number: int, path: str) -> None:
    names: list[str] = []
    json.loads(line, object_pairs_hook=lambda pairs: names.extend(name for name, _ in pairs))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            f"Line {number} of {path!r} has the name {twice!r} twice.", remedy=_REMEDY, file=path, line=number
        )


def _reason(line: str, error: Exception) -> str:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return str(error)
    return "it holds NaN, a number without bounds or half of a character"


def _shown(value: object) -> str:
    return json.dumps(value)[:60]


def _whole(cells: list[Any]) -> list[Cell]:
    """Return cells with integers that 64 bits do not hold as text, as in text files: no digit is lost."""
    if set(map(type, cells)) <= {int, type(None)} and any(
        cell is not None and not _MIN_INTEGER <= cell <= _MAX_INTEGER for cell in cells
    ):
        return [None if cell is None else str(cell) for cell in cells]
    return cells


def _read_parquet(file: Path, path: str) -> Part:
    import polars as pl

    return _frame(lambda: pl.read_parquet(file, glob=False, hive_partitioning=False), path, "Parquet")


def _read_arrow(file: Path, path: str) -> Part:
    return _frame(lambda: _arrow(file), path, "Arrow")


def _arrow(file: Path) -> Any:
    import polars as pl

    with file.open("rb") as opened:
        is_file = opened.read(6) == b"ARROW1"
    return pl.read_ipc(file) if is_file else pl.read_ipc_stream(file)


def _frame(read: Callable[[], Any], path: str, kind: str) -> Part:
    import polars as pl

    try:
        frame = read()
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise DataError(
            f"The file {path!r} cannot be read as {kind}: {str(error).partition(chr(10))[0]}.",
            remedy="Write it again, or give it the suffix of what it is.",
            file=path,
        ) from error
    if not len(frame):
        raise _empty(path)
    cells = [_cells(frame[name], path) for name in frame.columns]
    return list(frame.columns), cells, range(1, len(frame) + 1)


def _cells(series: Any, path: str) -> list[Cell]:
    import polars as pl

    kind = series.dtype
    if kind.is_nested() or kind in (pl.Binary, pl.Object, pl.Duration):
        raise DataError(
            f"The column {series.name!r} of {path!r} holds {kind}.",
            remedy="Turn it into text, numbers, booleans or dates first, or leave it out.",
            file=path,
            column=series.name,
        )
    return _whole(plain_cells(series.name, plain_series(series).to_list()))


def plain_series(series: Any, /) -> Any:
    """Return a polars series as what Python does not cut: decimals as floats, times with nanoseconds as text."""
    import polars as pl

    if isinstance(series.dtype, pl.Decimal):
        return series.cast(pl.Float64)
    if (
        isinstance(series.dtype, pl.Datetime)
        and series.dtype.time_unit == "ns"
        and (series.dt.nanosecond() % 1000 != 0).any()
    ):
        return series.dt.to_string("iso:strict")
    return series


def _empty(path: str) -> DataError:
    return DataError(f"The file {path!r} has no rows.", remedy="Fill it, or leave it out of the data.", file=path)


READERS: Mapping[str, Callable[[Path, str], Part]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
    ".arrow": _read_arrow,
    ".feather": _read_arrow,
}
