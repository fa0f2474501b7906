"""What each input is worth to a model: how much worse it answers when that column's cells are shuffled."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from mlopskit.data import Dataset
from mlopskit.evaluator import prediction_of
from mlopskit.runtime.scoring import Scorer
from mlopskit.tables import Table

MOST_ROWS = 1000
REPEATS = 5
TITLE = "Importance of inputs"


def importance(model: Scorer, data: Dataset, /, *, labels: bool) -> Table:
    """Return how much each input column is worth, the most important first: a mean, and the least and most of five.

    Of up to 1,000 rows one column at a time is shuffled, by fixed seeds. Of classes (`labels`) it is the loss of the
    share of rows with every target right, of numbers the gain of the mean absolute error over all targets. Columns that
    say the same share what they are worth, and may each look worth nothing. Source: L. Breiman, "Random forests",
    Machine Learning 45 (2001) 5-32.
    """
    taken = random.Random(0).sample(range(len(data)), min(len(data), MOST_ROWS))  # noqa: S311  # no secret
    rows = data.take(sorted(taken))
    inputs = rows.input_columns()
    whole = _badness(model, inputs, rows, labels=labels)
    found = []
    for name in inputs:
        worse = [
            _badness(model, {**inputs, name: _shuffled(inputs[name], seed)}, rows, labels=labels) - whole
            for seed in range(REPEATS)
        ]
        found.append((name, sum(worse) / REPEATS, min(worse), max(worse)))
    found.sort(key=lambda row: -row[1])
    what = "rows right lost" if labels else "mean absolute error gained"
    return Table(("input", what, "least", "most"), found, f"{TITLE}, of {len(rows):,} rows")


def _badness(model: Scorer, inputs: Mapping[str, Sequence[Any]], rows: Dataset, *, labels: bool) -> float:
    """Return the share of rows with a wrong target, or the mean absolute error over all targets."""
    outputs = model.score(inputs)
    pairs = [
        [*zip(cells, prediction_of(outputs, rows, name), strict=True)] for name, cells in rows.label_columns().items()
    ]
    if labels:
        wrong = [any(true != said for true, said in one) for one in zip(*pairs, strict=True)]
        return sum(wrong) / len(wrong)
    return sum(abs(float(said) - float(true)) for one in pairs for true, said in one) / (len(pairs) * len(rows))


def _shuffled(cells: Sequence[Any], seed: int) -> list[Any]:
    return random.Random(seed).sample(cells, len(cells))  # noqa: S311  # no secret
