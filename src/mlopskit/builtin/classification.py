"""Classification evaluator: right answers, precision, recall, F1, and how good the probabilities are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mlopskit.bootstrap import Array
from mlopskit.builtin import curves
from mlopskit.builtin.answers import MOST, MeasuringEvaluator, plain, predictions_of, probabilities_of
from mlopskit.builtin.measuring import ROWS, Measured, Metric, proportion
from mlopskit.data import Dataset
from mlopskit.errors import unknown
from mlopskit.evidence import Evidence, Plot
from mlopskit.runtime.scoring import Scorer
from mlopskit.tables import Table

_PROBABILITY = "probability."
_TWO = 2
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, kw_only=True)
class ClassificationEvaluator(MeasuringEvaluator):
    """Measures accuracy and, of the positive class, precision, recall, F1 and the area under the ROC curve.

    `positive` is that class; by default it is, of two, the last in sorted order. Of more classes each has its
    `precision(class)` and `recall(class)`, up to 50 of them, and all together `macro_f1`. A model with probabilities
    has `log_loss` and `brier` too. Each proportion is one of its own rows: accuracy of all, precision of those
    predicted so, recall of those labelled so. One of no rows is not defined: its `n` is 0, and no gate on it passes.
    """

    name: ClassVar[str] = "classification"
    tasks: ClassVar[tuple[str, ...]] = ("binary", "multiclass")

    positive: str | None = None

    def measure(self, model: Scorer, data: Dataset, /) -> Measured:
        """Return what a model answers on all rows of a dataset, as columns to sum up."""
        answered = _answered(model, data)
        positive = self._positive(answered.classes)
        columns, metrics = answered.basic() if positive is None else answered.of_class(positive)
        if positive is None and self.positive is None and len(answered.classes) > _TWO:
            more, further = answered.of_classes()
            columns, metrics = {**columns, **more}, [*metrics, *further]
        scored = answered.probabilities()
        if scored is not None:
            columns, metrics = {**columns, **answered.losses(scored)}, [*metrics, *_LOSSES]
        areas = {}
        if scored is not None and positive is not None and positive in answered.named:
            areas = {"scores": scored[:, answered.named.index(positive)], "positive": answered.true == positive}
        return Measured(columns=columns, metrics=tuple(metrics), groups=self.groups_of(data), **areas)

    def evidence(self, model: Scorer, data: Dataset, /) -> Evidence:
        """Return the confusion matrix, the worst rows and, of two classes with probabilities, the curves."""
        answered = _answered(model, data)
        if not len(answered.true):
            return Evidence()
        scored, positive = answered.probabilities(), self._positive(answered.classes)
        plots: list[Plot] = []
        if scored is not None and positive in answered.named:
            scores, is_positive = scored[:, answered.named.index(str(positive))], answered.true == positive
            if is_positive.any() and not is_positive.all():
                plots = [
                    make(scores, is_positive) for make in (curves.roc, curves.precision_recall, curves.calibration)
                ]
        return Evidence(
            plots=plots,
            matrices=[curves.confusion([*answered.true], [*answered.said], answered.classes)],
            rows=[_worst(data, answered, scored)],
        )

    def _positive(self, classes: Sequence[str]) -> str | None:
        if self.positive is None:
            return classes[-1] if len(classes) == _TWO else None
        if self.positive not in classes:
            raise unknown("class", self.positive, classes)
        return self.positive


def _answered(model: Scorer, data: Dataset) -> _Answered:
    labels = plain(data.labels)
    outputs = model.score(data.input_columns()) if labels else {}
    return _Answered.of(labels, predictions_of(outputs, data, data.targets[0]), outputs)


def _worst(data: Dataset, answered: _Answered, scored: Array | None) -> Table:
    """Return the rows that were wrong, the surest first."""
    wrong = _numbers(answered.true != answered.said)
    answers: dict[str, Sequence[Any]] = {"prediction": answered.said.tolist()}
    if scored is not None:
        sure = scored.max(axis=1)
        answers["probability"] = sure.tolist()
        wrong *= sure
    return curves.worst_rows(data, wrong, answers, title="Wrong rows, the surest first")


@dataclass(frozen=True)
class _Answered:
    """Labels and predictions as texts; the classes that the model names, and those it names or that were seen."""

    true: Any
    said: Any
    named: list[str]
    classes: list[str]
    outputs: Mapping[str, Any]

    @classmethod
    def of(cls, labels: Sequence[Any], predictions: Sequence[Any], outputs: Mapping[str, Any]) -> _Answered:
        texts: dict[Any, str] = {}
        for cell in (*predictions, *labels):  # 1 and 1.0 are one class, written as the model does
            texts.setdefault(cell, str(cell))
        named = [name.removeprefix(_PROBABILITY) for name in outputs if name.startswith(_PROBABILITY)]
        seen = [texts[cell] for cell in sorted(texts)]
        true, said = (np.array([texts[cell] for cell in cells], object) for cells in (labels, predictions))
        return cls(true, said, named, named or seen, outputs)

    def basic(self) -> tuple[dict[str, Array], list[Metric]]:
        right = _numbers(self.true == self.said)
        return {ROWS: np.ones(len(self.true)), "right": right}, [proportion("accuracy", "right", ROWS)]

    def of_class(self, name: str) -> tuple[dict[str, Array], list[Metric]]:
        columns, metrics = self.basic()
        columns |= self._columns(name, "")
        f1 = Metric(name="f1", formula=lambda sums: _f1(sums, ""), of=lambda sums: _concerned(sums, ""))
        return columns, [*metrics, proportion("precision", "hit", "said"), proportion("recall", "hit", "true"), f1]

    def of_classes(self) -> tuple[dict[str, Array], list[Metric]]:
        columns: dict[str, Array] = {}
        classes = list(dict.fromkeys([*self.classes, *self.true, *self.said]))
        for name in classes:
            columns |= self._columns(name, f" {name}")
        single = [
            proportion(f"{metric}({name})", f"hit {name}", f"{base} {name}")
            for name in (classes if len(classes) <= MOST else [])
            for metric, base in (("precision", "said"), ("recall", "true"))
        ]
        macro = Metric(name="macro_f1", formula=lambda sums: _mean([_f1(sums, f" {name}") for name in classes]))
        return columns, [*single, macro]

    def _columns(self, name: str, suffix: str) -> dict[str, Array]:
        said, true = self.said == name, self.true == name
        found = {"hit": said & true, "said": said, "true": true}
        return {f"{column}{suffix}": _numbers(cells) for column, cells in found.items()}

    def probabilities(self) -> Array | None:
        if not self.named:
            return None
        return probabilities_of(self.outputs, [f"{_PROBABILITY}{name}" for name in self.named])

    def losses(self, scored: Array) -> dict[str, Array]:
        places = {name: at for at, name in enumerate(self.named)}
        at = np.array([places.get(name, -1) for name in self.true], np.intp)
        # The probability of a class that the model does not know is 0.
        own = np.where(at >= 0, scored[np.arange(len(at)), at], 0.0)
        squares = (scored**2).sum(axis=1) - 2 * own + 1
        return {"log loss": -np.log(np.clip(own, _EPS, 1.0)), "brier": squares / 2}


def _numbers(cells: Any) -> Array:
    return np.asarray(cells, bool).astype(float)


def _f1(sums: Mapping[str, Array], suffix: str) -> Array:
    return 2 * sums[f"hit{suffix}"] / (sums[f"said{suffix}"] + sums[f"true{suffix}"])


def _concerned(sums: Mapping[str, Array], suffix: str) -> Array:
    """Return how many rows are of a class or predicted so."""
    return sums[f"said{suffix}"] + sums[f"true{suffix}"] - sums[f"hit{suffix}"]


def _mean(values: Sequence[Array]) -> Array:
    """Return the mean over the classes that were seen or predicted."""
    together = np.stack([np.asarray(one, float) for one in values])
    known = np.isfinite(together)
    mean: Array = np.where(known, together, 0.0).sum(axis=0) / known.sum(axis=0)
    return mean


_LOSSES = (
    Metric(name="log_loss", formula=lambda sums: sums["log loss"] / sums[ROWS], unit=False, tail="log loss"),
    Metric(name="brier", formula=lambda sums: sums["brier"] / sums[ROWS]),
)
