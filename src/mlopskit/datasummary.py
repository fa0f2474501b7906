"""What the columns of training and test rows hold, in a line each, for a person to compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mlopskit.data import Dataset
from mlopskit.evidence import shortened
from mlopskit.tables import Table, Value

_MOST_COLUMNS = 100
_FEWEST = 10  # rows, for a figure that shows one cell


def summary(train: Dataset | None, test: Dataset, /) -> Table:
    """Return what each column holds: the target, then the inputs; without training rows of the test rows alone.

    Of numbers: the mean, and between which two numbers 90 % of them lie. Of texts: how many different ones, and their
    mean length. The most frequent cell is named if at least ten rows have it: what few hold may be about a person.
    `missing` is a share of the rows.
    """
    sides = [("train", train)] if train is not None else []
    names = [*dict.fromkeys([*test.targets, *test.inputs])][:_MOST_COLUMNS]
    rows: list[tuple[Value, ...]] = [
        (name, side, *_described(data.columns[name]))
        for name in names
        for side, data in [*sides, ("test", test)]
        if name in data.columns
    ]
    return Table(
        ("column", "rows of", "missing", "different", "5 % below", "mean", "5 % above", "most frequent"), rows, "Data"
    )


def _described(cells: Sequence[Any]) -> tuple[Value, ...]:
    known = [cell for cell in cells if cell is not None]
    missing = 1 - len(known) / len(cells) if cells else None
    if not known:
        return missing, 0, None, None, None, None
    counts = Counter(known)
    cell, times = counts.most_common(1)[0]
    frequent = f"{shortened(cell)} ({times:,})" if times >= _FEWEST else None
    kinds = set(map(type, known))
    if kinds <= {int, float}:
        low, high = _ends(known) if len(known) >= _FEWEST else (None, None)
        return missing, len(counts), low, sum(known) / len(known), high, frequent
    lengths = [len(cell) for cell in known if isinstance(cell, str)]
    mean = f"{sum(lengths) / len(lengths):.3g} characters" if lengths else None
    return missing, len(counts), None, mean, None, frequent


def _ends(numbers: Sequence[float]) -> tuple[float, float]:
    """Return the numbers that 5 % lie below, and above."""
    import numpy as np

    edge = len(numbers) // 20
    ordered = np.partition(np.array(numbers, float), [edge, len(numbers) - edge - 1])
    return float(ordered[edge]), float(ordered[len(numbers) - edge - 1])
