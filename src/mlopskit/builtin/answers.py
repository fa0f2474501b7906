"""What built-in evaluators share: labels and answers as plain cells, checked; estimates of all slices."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlopskit.bootstrap import Array
from mlopskit.builtin.measuring import Measured, differences, estimates
from mlopskit.cells import kind_of
from mlopskit.data import Dataset
from mlopskit.errors import ConfigError, DataError, unknown
from mlopskit.evaluation import Estimate, Evaluation
from mlopskit.evaluator import Evaluator, prediction_of, rows_of_slice, slices_of
from mlopskit.intervals import CONFIDENCE
from mlopskit.runtime.scoring import Scorer

# Of so many classes or targets each has figures of its own; of more, all together have.
MOST = 50


@dataclass(frozen=True, kw_only=True)
class MeasuringEvaluator(Evaluator):
    """Measures a model by metrics that are functions of sums over rows.

    `confidence` is that of each one-sided bound. `group` names a column whose equal cells make rows depend on each
    other (one customer's, one machine's): bounds then come from whole groups.
    """

    confidence: float = CONFIDENCE
    group: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise ConfigError(
                f"The confidence is {self.confidence!r}, expected a number between 0 and 1.",
                remedy="Write for example confidence = 0.95.",
                key="confidence",
            )

    @abstractmethod
    def measure(self, model: Scorer, data: Dataset, /) -> Measured:
        """Return what a model answers on all rows of a dataset, as columns to sum up."""

    def evaluate(self, model: Scorer, data: Dataset, /) -> Evaluation:
        """Return the estimates of a model on all rows of a dataset and on each slice of it.

        Raises:
            DataError: the labels are of another type than the predictions.
            UnknownNameError: there is no such class or group column.
        """
        measured = self.measure(model, data)
        found = [
            estimate
            for slice, rows in slices_of(data)
            for estimate in estimates(measured.take(_numbers(rows)), slice, confidence=self.confidence)
        ]
        return Evaluation(dataset=data.digest, rows=len(data), estimates=tuple(found))

    def compare(self, model: Scorer, other: Scorer, data: Dataset, /, *, metric: str, slice: str) -> Estimate | None:
        """Return by how much a metric of a model exceeds another one's on the same rows; None if there is none such."""
        rows = rows_of_slice(data, slice)
        if rows is None:
            return None
        first, second = (self.measure(one, data).take(_numbers(rows)) for one in (model, other))
        return next(differences(slice, first, second, confidence=self.confidence, only=metric), None)

    def differences(self, model: Scorer, other: Scorer, data: Dataset, /) -> Sequence[Estimate]:
        """Return by how much each metric of a model exceeds another one's on the same rows."""
        first, second = (self.measure(one, data) for one in (model, other))
        return [*differences("", first, second, confidence=self.confidence)]

    def groups_of(self, data: Dataset, /) -> NDArray[np.intp] | None:
        """Return a number for each row's group, None without groups."""
        name = self.group or getattr(data, "group", None)
        if name is None:
            return None
        if name not in data.columns:
            raise unknown("column", name, data.columns)
        numbers: dict[Any, int] = {}
        return np.array([numbers.setdefault(cell, len(numbers)) for cell in plain(data.columns[name])], np.intp)


def _numbers(rows: Sequence[int]) -> NDArray[np.intp]:
    return np.asarray(rows, np.intp)


def plain(cells: Any, /) -> list[Any]:
    """Return cells as a list, whatever kind of column they come in."""
    return cells.tolist() if hasattr(cells, "tolist") else list(cells)


def predictions_of(outputs: Mapping[str, Any], data: Dataset, target: str, /) -> list[Any]:
    """Return what a model predicts of one target, a cell for each row; none of no rows.

    Raises:
        DataError: it predicts other targets, or nothing or NaN for a row, or the labels are of another type than its
            predictions.
    """
    predictions = plain(prediction_of(outputs, data, target)) if len(data) else []
    for row, cell in enumerate(predictions):
        if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
            raise _no_answer(f"prediction of {target!r}", row, cell)
    check_kinds(target, plain(data.columns[target]), predictions)
    return predictions


def probabilities_of(outputs: Mapping[str, Any], names: Sequence[str], /) -> Array:
    """Return the named outputs as numbers of the shape (rows, names).

    Raises:
        DataError: one is missing, NaN or infinite.
    """
    found = np.column_stack([np.asarray(outputs[name], float) for name in names])
    for row, at in np.argwhere(~np.isfinite(found))[:1]:
        raise _no_answer(names[at], int(row), found[row, at].item())
    return found


def _no_answer(what: str, row: int, cell: object) -> DataError:
    return DataError(
        f"The model's {what} is {cell!r} for row {row}.",
        remedy="Let it answer each row with a class or a finite number, or leave out rows that it cannot answer.",
        row=row,
    )


def check_kinds(target: str, labels: Sequence[Any], predictions: Sequence[Any], /) -> None:
    """Refuse labels that can equal no prediction: 0.0 would say that the model is bad, where the data are."""
    if not labels:
        return
    wanted, given = kind_of("prediction", predictions), kind_of(target, labels)
    numbers = {"integer", "number"}
    if wanted != given and not {wanted, given} <= numbers:
        raise DataError(
            f"The labels in {target!r} are of the type {given}, the model predicts {wanted}.",
            remedy="Give the test data the labels that the model was trained with.",
            column=target,
        )
