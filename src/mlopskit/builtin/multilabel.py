"""Multilabel evaluator: rows with several targets that are classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mlopskit.bootstrap import Array
from mlopskit.builtin.answers import MOST, MeasuringEvaluator, plain, predictions_of
from mlopskit.builtin.measuring import ROWS, Measured, Metric, proportion
from mlopskit.data import Dataset
from mlopskit.runtime.scoring import Scorer

_TWO = 2


@dataclass(frozen=True, kw_only=True)
class MultilabelEvaluator(MeasuringEvaluator):
    """Measures the share of rows with every target right, and of right rows by target; F1; and the Hamming loss.

    `hamming` is the share of single answers that are wrong. Each target has its `accuracy(target)`, up to 50 of them.
    Where every target has two classes, there are `micro_f1` and `macro_f1` over all of them, and `precision(target)`
    and `recall(target)` of the positive one: true or 1, of two others the last in sorted order.
    """

    name: ClassVar[str] = "multilabel"
    tasks: ClassVar[tuple[str, ...]] = ("multilabel",)

    def measure(self, model: Scorer, data: Dataset, /) -> Measured:
        """Return what a model answers on all rows of a dataset, as columns to sum up."""
        outputs = model.score(data.input_columns()) if len(data) else {}
        right, true, said = [], [], []
        for name, cells in data.label_columns().items():
            labels, predictions = plain(cells), predictions_of(outputs, data, name)
            right.append([label == answer for label, answer in zip(labels, predictions, strict=True)])
            positive = _positive({*predictions, *labels}, _named(outputs, name))
            if positive is not None:
                true.append([cell in positive for cell in labels])
                said.append([cell in positive for cell in predictions])
        columns, metrics = shares_of(np.array(right, bool).T, data.targets)
        if len(true) == len(right):
            more, further = flags_of(np.array(true, bool).T, np.array(said, bool).T, data.targets)
            columns, metrics = {**columns, **more}, (*metrics, *further)
        return Measured(columns=columns, metrics=metrics, groups=self.groups_of(data))


def _named(outputs: Mapping[str, Any], target: str) -> list[str]:
    prefix = f"probability.{target}."
    return [name.removeprefix(prefix) for name in outputs if name.startswith(prefix)]


def _positive(seen: set[Any], named: Sequence[str]) -> set[Any] | None:
    """Return the cells that mean yes, None where a target has more than two classes."""
    if seen <= {0, 1}:  # as are False and True
        return {1}
    texts = sorted(named or set(map(str, seen)))
    return {cell for cell in seen if str(cell) == texts[-1]} if len(texts) == _TWO else None


def shares_of(right: Any, names: Sequence[str], /) -> tuple[dict[str, Array], tuple[Metric, ...]]:
    """Return the columns whose sums give the shares of right answers, which have the shape (rows, targets)."""
    columns = {
        ROWS: np.ones(len(right)),
        "right": right.all(axis=1).astype(float),
        "wrong share": (~right).mean(axis=1),
        **{f"right: {name}": right[:, at].astype(float) for at, name in enumerate(names)},
    }
    hamming = Metric(name="hamming", formula=lambda sums: sums["wrong share"] / sums[ROWS])
    single = [proportion(f"accuracy({name})", f"right: {name}", ROWS) for name in (names if len(names) <= MOST else [])]
    return columns, (proportion("accuracy", "right", ROWS), hamming, *single)


def flags_of(true: Any, said: Any, names: Sequence[str], /) -> tuple[dict[str, Array], tuple[Metric, ...]]:
    """Return the columns whose sums give F1, precision and recall, of flags of the shape (rows, targets)."""
    columns: dict[str, Array] = {}
    for at, name in enumerate(names):
        flags = {"hit": true[:, at] & said[:, at], "said": said[:, at], "true": true[:, at]}
        columns |= {f"{column}: {name}": cells.astype(float) for column, cells in flags.items()}

    def micro(sums: Mapping[str, Array]) -> Array:
        hits, given, wanted = (
            np.sum([sums[f"{column}: {name}"] for name in names], axis=0) for column in ("hit", "said", "true")
        )
        share: Array = 2 * hits / (given + wanted)
        return share

    def macro(sums: Mapping[str, Array]) -> Array:
        # A target that is neither seen nor predicted counts 0, as scikit-learn counts it.
        concerned = {name: sums[f"said: {name}"] + sums[f"true: {name}"] for name in names}
        each = [2 * sums[f"hit: {name}"] / np.maximum(concerned[name], 1) for name in names]
        mean: Array = np.mean(each, axis=0)
        return mean

    single = [
        proportion(f"{metric}({name})", f"hit: {name}", f"{base}: {name}")
        for name in (names if len(names) <= MOST else [])
        for metric, base in (("precision", "said"), ("recall", "true"))
    ]
    return columns, (Metric(name="micro_f1", formula=micro), Metric(name="macro_f1", formula=macro), *single)
