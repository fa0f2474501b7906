"""Regression evaluator: how far predictions are from the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mlopskit.bootstrap import Array
from mlopskit.builtin.answers import MeasuringEvaluator, check_kinds, plain
from mlopskit.builtin.measuring import ROWS, Measured, Metric
from mlopskit.data import Dataset
from mlopskit.runtime.scoring import Scorer


@dataclass(frozen=True, kw_only=True)
class RegressionEvaluator(MeasuringEvaluator):
    """Measures the mean absolute error, the root of the mean squared error, and the share of variance explained.

    `mae` and `rmse` are in the target's unit; `r2` is at most 1, and 0 for a model that always answers the mean of the
    rows it is judged on. None of them is bounded on both sides: their bounds need at least 100 rows.
    """

    name: ClassVar[str] = "regression"
    tasks: ClassVar[tuple[str, ...]] = ("regression",)

    def measure(self, model: Scorer, data: Dataset, /) -> Measured:
        """Return what a model answers on all rows of a dataset, as columns to sum up."""
        labels = plain(data.labels)
        predictions = plain(model.score(data.input_columns())["prediction"]) if labels else []
        check_kinds(data.target, labels, predictions)
        true = np.asarray(labels, float)
        columns = columns_of(true, np.asarray(predictions, float))
        return Measured(columns=columns, metrics=METRICS, groups=self.groups_of(data))


def columns_of(true: Array, said: Array, /) -> dict[str, Array]:
    """Return the columns whose sums give every metric; labels count from their mean, so that squares stay exact."""
    error = said - true
    centred = true - true.mean() if len(true) else true
    return {
        ROWS: np.ones(len(true)),
        "absolute": np.abs(error),
        "squared": error**2,
        "label": centred,
        "label squared": centred**2,
    }


def _r2(sums: Mapping[str, Array]) -> Array:
    spread = sums["label squared"] - sums["label"] ** 2 / sums[ROWS]
    # Labels that are all equal have no variance to explain.
    return 1 - sums["squared"] / np.where(spread > _NOISE * sums["label squared"], spread, np.nan)


_NOISE = 1e-12
METRICS = (
    Metric(name="mae", formula=lambda sums: sums["absolute"] / sums[ROWS], unit=False, tail="absolute"),
    Metric(name="rmse", formula=lambda sums: np.sqrt(sums["squared"] / sums[ROWS]), unit=False, tail="squared"),
    Metric(name="r2", formula=_r2, unit=False, tail="squared"),
)
