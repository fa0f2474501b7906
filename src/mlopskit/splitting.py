"""Split rows into those to learn from and those to measure with, and find rows that stand in both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from mlopskit.data import Dataset
from mlopskit.errors import ConfigError, DataError, unknown

_WAYS = "'row' or 'group:COLUMN'"


def split(dataset: Dataset, /, *, share: float = 0.2, by: str = "row") -> tuple[Dataset, Dataset]:
    """Return the rows to train on and the rows to test on.

    By "row", rows with equal inputs stay together, whatever their labels; by "group:COLUMN", rows with an equal cell
    there. Each row or group is placed by the sha256 of its content, so that new, removed or reordered rows never
    move others; `share` is therefore met on average, not exactly.

    Raises:
        ConfigError: `share` is not between 0 and 1, or `by` is none of the ways.
        DataError: one side would be empty, or a row has no group.
    """
    if not 0 < share < 1:
        raise ConfigError(
            f"The share of test rows is {share!r}, expected a number between 0 and 1.",
            remedy="Write for example test = { share = 0.2 }.",
            key="share",
        )
    keys = list(zip(*(dataset.columns[name] for name in _names(dataset, by)), strict=True))
    tested = [place(key) < share for key in keys]
    if all(tested) or not any(tested):
        side = "test" if not any(tested) else "train"
        raise DataError(
            f"Of {len(dataset):,} rows, split by {by!r} with the share {share}, none is left to {side} on.",
            remedy="Give more rows or groups, another share, or test data of their own.",
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


def overlap(train: Dataset, test: Dataset, /) -> list[int]:
    """Return the numbers of the test rows whose inputs also stand in the training rows.

    Raises:
        UnknownNameError: the test rows lack an input column of the training rows.
    """
    for name in train.inputs:
        if name not in test.columns:
            raise unknown("column", name, test.columns)
    known = set(zip(*train.input_columns().values(), strict=True))
    rows = zip(*(test.columns[name] for name in train.inputs), strict=True)
    return [number for number, row in enumerate(rows) if row in known]


def _names(dataset: Dataset, by: str) -> tuple[str, ...]:
    way, colon, column = by.partition(":")
    if by == "row":
        return dataset.inputs
    if way != "group" or not colon:
        raise ConfigError(f"{by!r} is no way to split.", remedy=f"Write {_WAYS}.", key="by")
    if column not in dataset.columns:
        raise unknown("column", column, dataset.columns)
    if None in dataset.columns[column]:
        row = dataset.columns[column].index(None)
        raise DataError(
            f"Row {row} has no {column!r}, by which the rows are split.", remedy="Fill it in, or leave that row out."
        )
    return (column,)


def _text(cell: Any) -> str | None:
    # More rows may widen a column's type; 1 and 1.0, True and "true" must then stay where they were.
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).lower()
    return str(int(cell)) if cell == int(cell) else repr(cell)
