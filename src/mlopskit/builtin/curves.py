"""What the built-in evaluators show beside their figures: curves, counts, errors, and the rows that went worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlopskit.bootstrap import Array
from mlopskit.data import Dataset
from mlopskit.evidence import (
    MOST_CLASSES,
    MOST_COLUMNS,
    MOST_POINTS,
    MOST_ROWS,
    MOST_TARGETS,
    Matrix,
    Plot,
    Points,
    Series,
    shortened,
)
from mlopskit.tables import Table, Value

_BINS = 10
_BARS = 30
_MOST_ANSWERS = 1_000_000
_REST = "all others"


def roc(scores: Array, positive: NDArray[np.bool_], /) -> Plot:
    """Return the ROC curve: the share of positives found against the share of negatives taken for one.

    `scores` and `positive` have a cell for each row; rows of one score make one step.
    """
    found, taken, _ = _cumulated(scores, positive)
    points = _thinned(np.r_[0, taken / max(taken[-1], 1)], np.r_[0, found / max(found[-1], 1)])
    return Plot(
        title="ROC curve", x="false positive rate", y="true positive rate", kind="line", diagonal=True,
        series=[Series(name="model", points=points)],
    )  # fmt: skip


def precision_recall(scores: Array, positive: NDArray[np.bool_], /) -> Plot:
    """Return the precision-recall curve; its note says what a model that guesses would reach."""
    found, taken, _ = _cumulated(scores, positive)
    precision, recall = found / (found + taken), found / max(found[-1], 1)
    share = float(positive.mean())
    return Plot(
        title="Precision and recall", x="recall", y="precision", kind="line",
        series=[Series(name="model", points=_thinned(recall, precision))],
        note=f"A model that guesses has a precision of {share:.3g}, the share of positives.",
    )  # fmt: skip


def calibration(scores: Array, positive: NDArray[np.bool_], /) -> Plot:
    """Return how often the positive class was seen against how likely it was called, in ten parts of equal size."""
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, _BINS) if len(part)]
    points = [(float(scores[part].mean()), float(positive[part].mean())) for part in parts]
    return Plot(
        title="Calibration", x="mean predicted probability", y="share seen", kind="line", diagonal=True,
        series=[Series(name="model", points=points)], note="On the diagonal a probability is as often true as it says.",
    )  # fmt: skip


def confusion(true: Sequence[str], said: Sequence[str], classes: Sequence[str], /) -> Matrix:
    """Return the counts of rows by label and prediction; of many classes the most frequent, the rest together."""
    names = list(dict.fromkeys([*classes, *true, *said]))
    if len(names) > MOST_CLASSES:
        values, counts = np.unique(np.array(true, str), return_counts=True)
        kept = [str(values[at]) for at in np.argsort(-counts, kind="stable")[: MOST_CLASSES - 1]]
        names = [*sorted(kept), _REST]
    places = {name: at for at, name in enumerate(names)}
    counted = np.zeros((len(names), len(names)), int)
    last = len(names) - 1
    rows, columns = ([places.get(name, last) for name in cells] for cells in (true, said))
    np.add.at(counted, (rows, columns), 1)
    return Matrix(title="Confusion matrix", labels=names, counts=counted.tolist())


def residuals(true: Array, said: Array, /) -> list[Plot]:
    """Return the predictions against the labels (a sample of them), and how the errors are spread."""
    rows = np.linspace(0, len(true) - 1, min(len(true), MOST_POINTS)).astype(int)
    pairs = [(float(true[at]), float(said[at])) for at in rows]
    counts, edges = np.histogram(said - true, bins=min(_BARS, max(len(true) // 5, 1)))
    bars = [(float(middle), int(count)) for middle, count in zip((edges[:-1] + edges[1:]) / 2, counts, strict=True)]
    return [
        Plot(title="Predictions", x="label", y="prediction", kind="points", diagonal=True,
             series=[Series(name="rows", points=pairs)],
             note=f"{len(rows):,} of {len(true):,} rows." if len(rows) < len(true) else ""),
        Plot(title="Errors", x="prediction - label", y="rows", kind="bars", series=[Series(name="rows", points=bars)]),
    ]  # fmt: skip


def together(scores: Array, positive: NDArray[np.bool_], /) -> list[Plot]:
    """Return the curves of several targets together (micro-averaged); both arguments have the shape (rows, targets).

    Each answer counts as a row does. Of more than a million answers some of the rows are taken, evenly. Without answers
    of both classes there are none.
    """
    step = max(positive.size // _MOST_ANSWERS, 1)
    scored, seen = scores[::step].ravel(), positive[::step].ravel()
    if not seen.any() or seen.all():
        return []
    plots = [make(scored, seen) for make in (roc, precision_recall, calibration)]
    return [replace(one, title=f"{one.title}, all targets together") for one in plots]


def targets(columns: Sequence[str], rows: Sequence[tuple[Value, ...]], /, *, title: str) -> Table:
    """Return figures of each target as a table, of very many the first ones; each row begins with the target's name."""
    cut = f", {MOST_TARGETS} of {len(rows):,}" if len(rows) > MOST_TARGETS else ""
    return Table(("target", *columns), rows[:MOST_TARGETS], f"{title}{cut}")


def worst(badness: Array, /) -> list[int]:
    """Return the numbers of the rows of the greatest badness above 0, the worst first."""
    return [int(at) for at in np.argsort(-badness, kind="stable")[:MOST_ROWS] if badness[at] > 0]


def worst_rows(data: Dataset, badness: Array, answers: Mapping[str, Any], /, *, title: str) -> Table:
    """Return the rows of the greatest badness above 0, with what was answered, and their inputs.

    `answers` holds, by title, what has a cell for the number of each row, or of those rows alone. Of one target its
    labels stand there, too.
    """
    inputs = {f"input {name}": data.columns[name] for name in data.inputs[:MOST_COLUMNS]}
    columns = {**({} if data.targets[1:] else {"label": data.labels}), **answers, **inputs}
    rows = [(at, *(shortened(cells[at]) for cells in columns.values())) for at in worst(badness)]
    return Table(("row", *columns), rows, title)


def _cumulated(scores: Array, positive: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Return how many positives and negatives have at least each score, the greatest first."""
    order = np.argsort(-scores, kind="stable")
    ends = np.r_[np.flatnonzero(np.diff(scores[order])), len(order) - 1]
    found = np.cumsum(positive[order])[ends].astype(float)
    return found, ends + 1 - found, scores[order][ends]


def _thinned(x: Array, y: Array) -> Points:
    """Return the points of a curve, of many those that lie evenly along it."""
    if len(x) > MOST_POINTS:
        along = np.r_[0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))]
        at = np.searchsorted(along, np.linspace(0, along[-1], MOST_POINTS))
        at = np.unique(np.r_[0, at[at < len(x)], len(x) - 1])
        x, y = x[at], y[at]
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
