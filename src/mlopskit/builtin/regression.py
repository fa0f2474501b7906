"""Regression evaluator: how far predictions are from the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mlopskit.bootstrap import Array
from mlopskit.builtin import curves
from mlopskit.builtin.answers import MOST, MeasuringEvaluator, predictions_of
from mlopskit.builtin.measuring import ROWS, Measured, Metric
from mlopskit.data import Dataset
from mlopskit.evidence import Evidence
from mlopskit.runtime.scoring import Scorer
from mlopskit.tables import Table, Value

_MOST_PLOTTED = 2  # targets


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
        return Measured(columns=columns_of(*_answered(model, data)), metrics=METRICS, groups=self.groups_of(data))

    def evidence(self, model: Scorer, data: Dataset, /) -> Evidence:
        """Return predictions against labels, how the errors are spread, and the rows of the largest."""
        true, said = _answered(model, data)
        if not len(true):
            return Evidence()
        error = said - true
        answers = {"prediction": said.tolist(), "error": error.tolist()}
        worst = curves.worst_rows(data, np.abs(error), answers, title="Rows of the largest errors")
        return Evidence(plots=curves.residuals(true, said), rows=[worst])


def _answered(model: Scorer, data: Dataset) -> tuple[Array, Array]:
    """Return the labels of all rows, and what a model answers."""
    outputs = model.score(data.input_columns()) if len(data) else {}
    said = predictions_of(outputs, data, data.targets[0])
    return np.asarray(data.labels, float), np.asarray(said, float)


@dataclass(frozen=True, kw_only=True)
class MultioutputRegressionEvaluator(MeasuringEvaluator):
    """Measures what `RegressionEvaluator` does for each of several targets, and the plain means over the targets.

    `mae(target)`, `rmse(target)` and `r2(target)` are those of one target, for up to 50 of them; `mae`, `rmse` and `r2`
    are the means of these, as scikit-learn's `multioutput="uniform_average"` gives them: in units that the targets
    share, if they do. Their bounds need at least 100 rows.
    """

    name: ClassVar[str] = "multioutput-regression"
    tasks: ClassVar[tuple[str, ...]] = ("multioutput-regression",)

    def measure(self, model: Scorer, data: Dataset, /) -> Measured:
        """Return what a model answers on all rows of a dataset, as columns to sum up."""
        parts = {name: columns_of(*pair) for name, pair in _answered_each(model, data).items()}
        columns = {f"{column}: {name}": cells for name, part in parts.items() for column, cells in part.items()}
        columns |= {ROWS: np.ones(len(data)), **_tails(parts)}
        single = [_of_target(metric, name) for name in (parts if len(parts) <= MOST else []) for metric in METRICS]
        means = [_mean(metric, data.targets) for metric in METRICS]
        return Measured(columns=columns, metrics=(*means, *single), groups=self.groups_of(data))

    def evidence(self, model: Scorer, data: Dataset, /) -> Evidence:
        """Return figures of each target, the rows of the largest errors, and plots of the two worst targets.

        Errors of different targets are compared in units of the spread (the standard deviation) of their labels.
        """
        if not len(data):
            return Evidence()
        pairs = _answered_each(model, data)
        errors = {name: np.abs(said - true) / _spread(true) for name, (true, said) in pairs.items()}
        ordered = sorted(pairs, key=lambda name: -float((errors[name] ** 2).mean()))
        each = np.column_stack([*errors.values()])
        mean = each.mean(axis=1)
        answers = {"mean error": mean.tolist(), **_largest(pairs, each, curves.worst(mean))}
        plots = [(name, plot) for name in ordered[:_MOST_PLOTTED] for plot in curves.residuals(*pairs[name])]
        return Evidence(
            plots=[replace(plot, title=f"{plot.title}: {name}") for name, plot in plots],
            tables=[_of_targets({name: pairs[name] for name in ordered})],
            rows=[curves.worst_rows(data, mean, answers, title="Rows of the largest errors, in units of spread")],
        )


def _largest(
    pairs: Mapping[str, tuple[Array, Array]], errors: Array, rows: Sequence[int]
) -> dict[str, Mapping[int, str | float]]:
    """Return, of some rows, the target of the largest error, its label, and what was predicted."""
    names = [*pairs]
    found = {row: names[int(errors[row].argmax())] for row in rows}
    label, said = ({row: float(pairs[name][side][row]) for row, name in found.items()} for side in (0, 1))
    return {"most at": found, "its label": label, "its prediction": said}


def _answered_each(model: Scorer, data: Dataset) -> dict[str, tuple[Array, Array]]:
    """Return the labels of each target, and what a model answers."""
    outputs = model.score(data.input_columns()) if len(data) else {}
    return {
        name: (np.asarray(cells, float), np.asarray(predictions_of(outputs, data, name), float))
        for name, cells in data.label_columns().items()
    }


def _of_targets(pairs: Mapping[str, tuple[Array, Array]]) -> Table:
    """Return the figures of each target, in the given order."""
    rows: list[tuple[Value, ...]] = []
    for name, (true, said) in pairs.items():
        error, spread = said - true, float(np.std(true))
        rmse = float(np.sqrt((error**2).mean()))
        rows.append((name, float(np.abs(error).mean()), rmse, 1 - (rmse / spread) ** 2 if spread else None, spread))
    return curves.targets(
        ("mae", "rmse", "r2", "spread of labels"), rows, title="Targets, those of the largest errors first"
    )


def _spread(labels: Array) -> float:
    return float(np.std(labels)) or 1.0 if len(labels) else 1.0


def _tails(parts: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """Return by how much each row moves a mean: errors add up, squares in units of their target's spread."""
    spreads = {name: _spread(part["label"]) for name, part in parts.items()}
    powers = {"mae": ("absolute", 0), "rmse": ("squared", 1), "r2": ("squared", 2)}
    return {
        f"tail of {metric}": np.sum([part[of] / spreads[name] ** power for name, part in parts.items()], axis=0)
        for metric, (of, power) in powers.items()
    }


def _of_target(metric: Metric, target: str) -> Metric:
    return Metric(
        name=f"{metric.name}({target})",
        formula=lambda sums: metric.formula(_sums_of(sums, target)),
        unit=False,
        tail=f"{metric.tail}: {target}",
    )


def _mean(metric: Metric, targets: Sequence[str]) -> Metric:
    def mean(sums: Mapping[str, Array]) -> Array:
        found: Array = np.mean([metric.formula(_sums_of(sums, name)) for name in targets], axis=0)
        return found

    return Metric(name=metric.name, formula=mean, unit=False, tail=f"tail of {metric.name}")


def _sums_of(sums: Mapping[str, Array], target: str) -> dict[str, Array]:
    return {column: sums[f"{column}: {target}"] for column in (ROWS, "absolute", "squared", "label", "label squared")}


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
