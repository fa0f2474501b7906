"""Splits: which rows are trained on and which are tested on, so that new rows never move old ones."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any

from mlopskit.cells import kind_of
from mlopskit.data import Dataset, no_inputs
from mlopskit.errors import ConfigError, DataError, unknown

_WAYS = "Write 'row' or 'group:COLUMN' or 'time:COLUMN'."


def split(
    dataset: Dataset, /, *, share: float = 0.2, by: str = "row", start: str | None = None
) -> tuple[Dataset, Dataset]:
    """Return the rows to train on and the rows to test on.

    By "row", rows with equal inputs stay together, whatever their labels; by "group:COLUMN", rows with an equal cell
    there. Each row or group is placed by the sha256 of its content, so that new, removed or reordered rows never
    move others; `share` is therefore met on average, not exactly.

    By "time:COLUMN", the rows at or after `start` are the test; `share` says only which start an error proposes. A cell
    is a date or time in ISO 8601 (a date means its midnight; without a zone it is in UTC), or a number. Since the start
    is fixed, new rows never move others here either: a later one never comes before it.

    Raises:
        ConfigError: `share` is not between 0 and 1, `by` is none of the ways, or `start` is missing, not wanted, or no
            date or number.
        DataError: one side would be empty, or a row has no group or no time.
    """
    if not 0 < share < 1:
        raise ConfigError(
            f"The share of test rows is {share!r}, expected a number between 0 and 1.",
            remedy="Write for example test = { share = 0.2 }.",
            key="share",
        )
    way, _, column = by.partition(":")
    if way == "time" and column:
        tested = _at_or_after(dataset, column, start, share)
    elif start is not None:
        raise ConfigError(f"from = {start!r} is only for splits by time.", remedy="Leave it out.", key="from")
    else:
        keys = zip(*(dataset.columns[name] for name in _names(dataset, by)), strict=True)
        tested = [place(key) < share for key in keys]
    if all(tested) or not any(tested):
        side = "test" if not any(tested) else "train"
        how = f"from {start!r}" if start else f"with the share {share}"
        raise DataError(
            f"Of {len(dataset):,} rows, split by {by!r} {how}, none is left to {side} on.",
            remedy="Give more rows or groups, another share or start, or test data of their own.",
        )
    return (
        dataset.take(row for row, test in enumerate(tested) if not test),
        dataset.take(row for row, test in enumerate(tested) if test),
    )


def place(key: Sequence[Any]) -> float:
    """Return where a row or group stands between 0 and 1, by the sha256 of its cells."""
    import msgspec

    digest = hashlib.sha256(msgspec.msgpack.encode([_text(cell) for cell in key])).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _at_or_after(dataset: Dataset, column: str, start: str | None, share: float) -> list[bool]:
    cells = _filled(dataset, column)
    numeric = bool(cells) and kind_of(column, cells) in ("integer", "number")
    times = [_time(cell, column, row, numeric=numeric) for row, cell in enumerate(cells)]
    if start is None:
        ordered = sorted(range(len(times)), key=times.__getitem__)
        proposed = cells[ordered[int(len(ordered) * (1 - share))]] if ordered else "2024-01-01"
        raise ConfigError(
            f"The split by {f'time:{column}'!r} has no start; a share alone would move old rows with each new one.",
            remedy=f'Fix it: from = "{proposed}" tests on about {share:.0%} of the rows that are there now.',
            key="from",
        )
    try:
        first = _parsed(start, numeric=numeric)
    except ValueError as error:
        expected = "a number" if numeric else "a date or time in ISO 8601"
        raise ConfigError(
            f"from = {start!r} is not {expected}, as {column!r} is.",
            remedy='Write for example "2024-01-31".',
            key="from",
        ) from error
    return [time >= first for time in times]


def _time(cell: Any, column: str, row: int, *, numeric: bool) -> Any:
    try:
        return _parsed(cell, numeric=numeric)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"Row {row}, column {column!r}: {ascii(cell)[:60]} is no date or time in ISO 8601.",
            remedy="Write it as 2024-01-31 or 2024-01-31T10:00:00+01:00.",
            row=row,
            column=column,
        ) from error


def _parsed(cell: Any, *, numeric: bool) -> Any:
    if numeric:
        return float(cell) if isinstance(cell, str) else cell
    found = dt.datetime.fromisoformat(cell)
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _names(dataset: Dataset, by: str) -> tuple[str, ...]:
    way, colon, column = by.partition(":")
    if by == "row":
        if not dataset.inputs and len(dataset):
            raise no_inputs(dataset)
        return dataset.inputs
    if way != "group" or not colon:
        raise ConfigError(f"{by!r} is no way to split.", remedy=_WAYS, key="by")
    _filled(dataset, column)
    return (column,)


def _filled(dataset: Dataset, column: str) -> Sequence[Any]:
    """Return the cells of a column, in which none may be missing."""
    if column not in dataset.columns:
        raise unknown("column", column, dataset.columns)
    cells = dataset.columns[column]
    if None in cells:
        raise DataError(
            f"Row {cells.index(None)} has no {column!r}, by which the rows are split.",
            remedy="Fill it in, or leave that row out.",
        )
    return cells


def _text(cell: Any) -> str | None:
    # More rows may widen a column's type; 1 and 1.0, True and "true" must then stay where they were.
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).lower()
    return repr(int(cell)) if isinstance(cell, int) or cell.is_integer() else repr(cell)
