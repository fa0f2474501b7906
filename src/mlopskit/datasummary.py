"""What the columns of training and test rows hold, in a line each, for a person to compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mlopskit.data import Dataset
from mlopskit.evidence import shortened
from mlopskit.tables import Table, Value

_MOST_COLUMNS = 100


def summary(train: Dataset | None, test: Dataset, /) -> Table:
    """Return what each column holds: the target, then the inputs; without training rows of the test rows alone.

    Of numbers: the least, the mean and the greatest. Of texts: how many different ones, their mean length, and the most
    frequent. `missing` is a share of the rows.
    """
    sides = [("train", train)] if train is not None else []
    names = [*dict.fromkeys([test.target, *test.inputs])][:_MOST_COLUMNS]
    rows: list[tuple[Value, ...]] = [
        (name, side, *_described(data.columns[name]))
        for name in names
        for side, data in [*sides, ("test", test)]
        if name in data.columns
    ]
    return Table(
        ("column", "rows of", "missing", "different", "least", "mean", "greatest", "most frequent"), rows, "Data"
    )


def _described(cells: Sequence[Any]) -> tuple[Value, ...]:
    known = [cell for cell in cells if cell is not None]
    missing = 1 - len(known) / len(cells) if cells else None
    if not known:
        return missing, 0, None, None, None, None
    different = len(set(known))
    cell, times = Counter(known).most_common(1)[0]
    frequent = f"{shortened(cell)} ({times:,})" if times > 1 else None
    if all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in known):
        return missing, different, min(known), sum(known) / len(known), max(known), frequent
    lengths = [len(cell) for cell in known if isinstance(cell, str)]
    mean = f"{sum(lengths) / len(lengths):.3g} characters" if lengths else None
    return missing, different, None, mean, None, frequent
