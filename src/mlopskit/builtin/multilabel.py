"""Multilabel evaluator: rows with several yes-or-no targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mlopskit.bootstrap import Array
from mlopskit.builtin.answers import MeasuringEvaluator, check_kinds, plain
from mlopskit.builtin.measuring import ROWS, Measured, Metric, proportion
from mlopskit.data import Dataset
from mlopskit.runtime.scoring import Scorer


@dataclass(frozen=True, kw_only=True)
class MultilabelEvaluator(MeasuringEvaluator):
    """Measures the share of rows with every target right, F1 over all targets and their mean, and the Hamming loss.

    A label is yes if it is true, or a number that is not 0. `hamming` is the share of single answers that are wrong.
    """

    name: ClassVar[str] = "multilabel"
    tasks: ClassVar[tuple[str, ...]] = ("multilabel",)

    def measure(self, model: Scorer, data: Dataset, /) -> Measured:
        """Return what a model answers on all rows of a dataset, as columns to sum up."""
        several: Any = data
        targets: Mapping[str, Any] = several.label_columns()
        outputs = model.score(data.input_columns()) if len(data) else {}
        true, said = [], []
        for name, cells in targets.items():
            labels, predictions = plain(cells), plain(outputs.get(f"prediction.{name}", []))
            check_kinds(name, labels, predictions)
            true.append(np.asarray(labels, float) != 0)
            said.append(np.asarray(predictions, float) != 0)
        columns, metrics = columns_of(np.column_stack(true), np.column_stack(said))
        return Measured(columns=columns, metrics=metrics, groups=self.groups_of(data))


def columns_of(true: Any, said: Any, /) -> tuple[dict[str, Array], tuple[Metric, ...]]:
    """Return the columns whose sums give every metric, of labels and predictions of the shape (rows, targets)."""
    count = true.shape[1]
    columns = {
        ROWS: np.ones(len(true)),
        "right": (true == said).all(axis=1).astype(float),
        "wrong share": (true != said).mean(axis=1),
    }
    for at in range(count):
        pairs = {"hit": true[:, at] & said[:, at], "either": true[:, at].astype(int) + said[:, at]}
        columns |= {f"{name} {at}": cells.astype(float) for name, cells in pairs.items()}

    def micro(sums: Mapping[str, Array]) -> Array:
        hits, either = (np.sum([sums[f"{name} {at}"] for at in range(count)], axis=0) for name in ("hit", "either"))
        share: Array = 2 * hits / either
        return share

    def macro(sums: Mapping[str, Array]) -> Array:
        # A target that is neither seen nor predicted counts 0, as scikit-learn counts it.
        each = [2 * sums[f"hit {at}"] / np.maximum(sums[f"either {at}"], 1) for at in range(count)]
        mean: Array = np.mean(each, axis=0)
        return mean

    hamming = Metric(name="hamming", formula=lambda sums: sums["wrong share"] / sums[ROWS])
    metrics = (Metric(name="micro_f1", formula=micro), Metric(name="macro_f1", formula=macro), hamming)
    return columns, (proportion("accuracy", "right", ROWS), *metrics)
