"""Evaluator: a model and data in, estimates out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from mlopskit.data import Dataset
from mlopskit.evaluation import Estimate, Evaluation
from mlopskit.runtime.scoring import Scorer


class Evaluator(ABC):
    """Measures a model. An evaluator is a frozen, keyword-only dataclass: it is its options."""

    name: ClassVar[str]
    tasks: ClassVar[tuple[str, ...]]

    @abstractmethod
    def evaluate(self, model: Scorer, data: Dataset, /) -> Evaluation:
        """Return the estimates of a model on the rows of a dataset: the same for the same model and rows."""

    def compare(self, model: Scorer, other: Scorer, data: Dataset, /, *, metric: str, slice: str) -> Estimate | None:
        """Return by how much a metric of `model` exceeds that of `other` on the same rows, with bounds.

        A gate relative to an alias is judged by it. None, as here, says that this evaluator does not compare, or has
        no such metric or slice.
        """
        del model, other, data, metric, slice
        return None


def slices_of(data: Dataset, /) -> Iterator[tuple[str, Sequence[int]]]:
    """Yield the name and the numbers of the rows of each slice; the name of all rows is empty."""
    yield "", range(len(data))
    for column in data.slices:
        rows: dict[str, list[int]] = {}
        for row, cell in enumerate(data.columns[column]):
            rows.setdefault("" if cell is None else str(cell), []).append(row)
        for value in sorted(rows):
            yield f"{column}={value}", rows[value]


def rows_of_slice(data: Dataset, slice: str, /) -> Sequence[int] | None:
    """Return the numbers of the rows of one slice, None if there is no such slice."""
    return next((rows for name, rows in slices_of(data) if name == slice), None)
