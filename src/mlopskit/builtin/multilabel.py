"""Multilabel evaluator: rows with several targets that are classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mlopskit.bootstrap import Array
from mlopskit.builtin import curves
from mlopskit.builtin.answers import MOST, MeasuringEvaluator, plain, predictions_of, probabilities_of
from mlopskit.builtin.measuring import ROWS, Measured, Metric, proportion
from mlopskit.data import Dataset
from mlopskit.evidence import Evidence
from mlopskit.runtime.scoring import Scorer
from mlopskit.tables import Table

_TWO = 2
Flags = NDArray[np.bool_]


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
        answered = _Answered.of(model, data)
        columns, metrics = shares_of(answered.right, data.targets)
        flags = answered.flags()
        if flags is not None:
            more, further = flags_of(*flags, data.targets)
            columns, metrics = {**columns, **more}, (*metrics, *further)
        return Measured(columns=columns, metrics=metrics, groups=self.groups_of(data))

    def evidence(self, model: Scorer, data: Dataset, /) -> Evidence:
        """Return figures of each target, the rows with the most wrong ones, and the curves of all targets together."""
        if not len(data):
            return Evidence()
        answered = _Answered.of(model, data)
        flags, scores = answered.flags(), answered.scores()
        wrong = (~answered.right).sum(axis=1)
        answers = {"wrong": wrong.tolist(), "which": {at: answered.which(at) for at in curves.worst(wrong)}}
        return Evidence(
            plots=curves.together(scores, flags[0]) if flags and scores is not None else [],
            tables=[_of_targets(answered.right, flags, data.targets)],
            rows=[curves.worst_rows(data, wrong, answers, title="Rows with the most wrong targets")],
        )


@dataclass(frozen=True, kw_only=True)
class _Answered:
    """Labels and predictions of each target, and which of their cells mean yes, where it has two classes."""

    labels: Mapping[str, Sequence[Any]]
    said: Mapping[str, Sequence[Any]]
    positive: Mapping[str, set[Any] | None]
    outputs: Mapping[str, Any]

    @classmethod
    def of(cls, model: Scorer, data: Dataset) -> _Answered:
        outputs = model.score(data.input_columns()) if len(data) else {}
        labels = {name: plain(cells) for name, cells in data.label_columns().items()}
        said = {name: predictions_of(outputs, data, name) for name in labels}
        positive = {name: _positive({*said[name], *labels[name]}, _named(outputs, name)) for name in labels}
        return cls(labels=labels, said=said, positive=positive, outputs=outputs)

    @cached_property
    def right(self) -> Flags:
        """Whether each answer is right, of the shape (rows, targets)."""
        pairs = [zip(self.labels[name], self.said[name], strict=True) for name in self.labels]
        return np.array([[label == answer for label, answer in one] for one in pairs], bool).T

    def flags(self) -> tuple[Flags, Flags] | None:
        """Return which labels and which predictions mean yes, each of the shape (rows, targets)."""
        if None in self.positive.values():
            return None
        true, said = (
            np.array([[cell in (self.positive[name] or ()) for cell in cells] for name, cells in side.items()], bool).T
            for side in (self.labels, self.said)
        )
        return true, said

    def scores(self) -> Array | None:
        """Return how likely yes was called, of the shape (rows, targets)."""
        named = {name: sorted(_named(self.outputs, name)) for name in self.labels}
        if any(len(classes) != _TWO for classes in named.values()):
            return None
        return probabilities_of(self.outputs, [f"probability.{name}.{classes[-1]}" for name, classes in named.items()])

    def which(self, row: int) -> str:
        """Return in words what is wrong of a row."""
        found = [(name, self.said[name][row], self.labels[name][row]) for name in self.labels]
        return "; ".join(f"{name}: {said} instead of {label}" for name, said, label in found if said != label)


def _of_targets(right: Flags, flags: tuple[Flags, Flags] | None, names: Sequence[str]) -> Table:
    """Return how each target was answered, those most often wrong first."""
    columns: dict[str, Array] = {"share right": right.mean(axis=0)}
    if flags is not None:
        true, said = flags
        hits = (true & said).sum(axis=0)
        counts = {"labelled yes": true.sum(axis=0), "predicted yes": said.sum(axis=0)}
        with np.errstate(invalid="ignore"):
            shares = {"precision": hits / counts["predicted yes"], "recall": hits / counts["labelled yes"]}
        columns |= {**counts, **shares}
    order = np.argsort(columns["share right"], kind="stable")
    rows = [(names[at], *(_plain(cells[at]) for cells in columns.values())) for at in order]
    return curves.targets([*columns], rows, title="Targets, those most often wrong first")


def _plain(number: Any) -> float | int | None:
    """Return a number of an array, None where it is not defined."""
    return None if np.isnan(number) else number.item()


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
