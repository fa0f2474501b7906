"""What the columns of training and test rows hold, in a line each, for a person to compare."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mlopskit.data import Dataset
from mlopskit.evidence import shortened
from mlopskit.tables import Table, Value

_MOST_COLUMNS = 100
_FEWEST = 10  # rows, for a figure that few of them could be read from


def summary(train: Dataset | None, test: Dataset, /) -> Table:
    """Return what each column holds: the target, then the inputs; without training rows of the test rows alone.

    Of numbers: the mean, and between which two numbers 90 % of them lie. Of texts: how many different ones, and their
    mean length. What few hold may be about a person: a mean is of at least ten rows, beyond each of the two numbers lie
    at least ten, and the most frequent cell is named if at least ten have it. `missing` is a share of the rows.
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
    if set(map(type, known)) <= {int, float}:
        low, high = _ends(known) if len(known) // 20 >= _FEWEST else (None, None)
        average = math.fsum(known) / len(known) if len(known) >= _FEWEST else None
        return missing, len(counts), low, average, high, frequent
    lengths = [len(cell) for cell in known if isinstance(cell, str)]
    mean = f"{sum(lengths) / len(lengths):.3g} characters" if len(lengths) >= _FEWEST else None
    return missing, len(counts), None, mean, None, frequent


def _ends(numbers: Sequence[float]) -> tuple[float, float]:
    """Return the numbers that 5 % lie below, and above."""
    import numpy as np

    edge = len(numbers) // 20
    ordered = np.partition(np.array(numbers, float), [edge, len(numbers) - edge - 1])
    return float(ordered[edge]), float(ordered[len(numbers) - edge - 1])
