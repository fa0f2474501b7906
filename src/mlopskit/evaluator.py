"""Evaluator: a model and data in, estimates out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mlopskit.data import Dataset
from mlopskit.errors import DataError, StoreError
from mlopskit.evaluation import Estimate, Evaluation
from mlopskit.evidence import Evidence
from mlopskit.runtime.schema import Columns
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

    def differences(self, model: Scorer, other: Scorer, data: Dataset, /) -> Sequence[Estimate]:
        """Return by how much each metric of `model` exceeds that of `other` on the same rows, with bounds.

        A report shows them; no gate judges them.
        """
        del model, other, data
        return ()

    def evidence(self, model: Scorer, data: Dataset, /) -> Evidence:
        """Return what a person looks at beside the figures: curves, counts, and the rows that went worst."""
        del model, data
        return Evidence()


@dataclass(frozen=True)
class Answered:
    """A scorer of one set of rows that was asked about already; other rows are asked of `model`, if there is one."""

    inputs: Columns
    outputs: Columns
    model: Scorer | None = None

    def score(self, rows: Columns, /) -> Columns:
        """Return what was answered."""
        if rows is self.inputs or dict(rows) == dict(self.inputs):
            return self.outputs
        if self.model is None:
            raise StoreError(
                "Another set of rows is scored than the test rows.", remedy="Let compare() score the data it is given."
            )
        return self.model.score(rows)

    def take(self, data: Dataset, rows: Sequence[int], /) -> Answered:
        """Return the answers to these rows alone, which are those of `data`."""
        outputs = {name: [cells[row] for row in rows] for name, cells in self.outputs.items()}
        return Answered(data.input_columns(), outputs)


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


def prediction_of(outputs: Columns, data: Dataset, target: str, /) -> Any:
    """Return what a model predicts of one target of the data, as the column that it answered.

    Raises:
        DataError: it predicts other targets.
    """
    name = f"prediction.{target}" if data.targets[1:] else "prediction"
    if name not in outputs:
        found = ", ".join(repr(one) for one in outputs if one.startswith("prediction"))
        raise DataError(
            f"The model has no output {name!r}, it has {found}.",
            remedy="Take a model of these targets, or rows of the model's targets.",
        )
    return outputs[name]
