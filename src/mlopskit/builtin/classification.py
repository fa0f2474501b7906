"""Classification evaluator: proportions of right answers with exact bounds, over all rows and per slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mlopskit.cells import kind_of
from mlopskit.data import Dataset
from mlopskit.errors import ConfigError, DataError, unknown
from mlopskit.evaluation import Estimate, Evaluation
from mlopskit.evaluator import Evaluator
from mlopskit.runtime.scoring import Scorer

METHOD = "clopper-pearson"
_PROBABILITY = "probability."
_TWO = 2


@dataclass(frozen=True, kw_only=True)
class ClassificationEvaluator(Evaluator):
    """Measures accuracy, and precision and recall of the positive class.

    `positive` is that class; by default it is, of two, the last in sorted order, and of more there is none.
    `confidence` is that of each one-sided bound. Each metric is a proportion of its own rows: accuracy of all,
    precision of those predicted positive, recall of those labelled so. A proportion of no rows is not defined: its
    `n` is 0 and its bounds are [0, 1], so that no gate on it passes.
    """

    name: ClassVar[str] = "classification"
    tasks: ClassVar[tuple[str, ...]] = ("binary", "multiclass")

    confidence: float = 0.95
    positive: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise ConfigError(
                f"The confidence is {self.confidence!r}, expected a number between 0 and 1.",
                remedy="Write for example confidence = 0.95.",
                key="confidence",
            )

    def evaluate(self, model: Scorer, data: Dataset, /) -> Evaluation:
        """Return the estimates of a model on all rows of a dataset and on each slice of it.

        Raises:
            DataError: the labels are of another type than the predictions.
            UnknownNameError: there is no class `positive`.
        """
        labels = list(data.labels)
        outputs = model.score(data.input_columns()) if labels else {"prediction": []}
        predictions = _plain(outputs["prediction"])
        _check_kinds(data.target, labels, predictions)
        positive = self._positive(_classes(outputs, labels, predictions))
        estimates = [
            estimate
            for slice, rows in _slices(data)
            for estimate in self._estimates(
                slice, [labels[row] for row in rows], [predictions[row] for row in rows], positive
            )
        ]
        return Evaluation(dataset=data.digest, rows=len(labels), estimates=tuple(estimates))

    def _positive(self, classes: Sequence[str]) -> str | None:
        if self.positive is None:
            return classes[-1] if len(classes) == _TWO else None
        if self.positive not in classes:
            raise unknown("class", self.positive, classes)
        return self.positive

    def _estimates(
        self, slice: str, labels: Sequence[Any], predictions: Sequence[Any], positive: str | None
    ) -> Iterator[Estimate]:
        right = [label == prediction for label, prediction in zip(labels, predictions, strict=True)]
        yield self._estimate("accuracy", slice, right)
        if positive is not None:
            for metric, chosen in (("precision", predictions), ("recall", labels)):
                of = [hit for hit, cell in zip(right, chosen, strict=True) if str(cell) == positive]
                yield self._estimate(metric, slice, of)

    def _estimate(self, metric: str, slice: str, hits: Sequence[bool]) -> Estimate:
        n, k = len(hits), sum(hits)
        lower, upper = bounds(k, n, confidence=self.confidence)
        value = k / n if n else 0.0
        return Estimate(metric=metric, value=value, lower=lower, upper=upper, n=n, method=METHOD, slice=slice)


def bounds(k: int, n: int, /, *, confidence: float) -> tuple[float, float]:
    """Return the one-sided Clopper-Pearson bounds of a proportion of which k of n were seen.

    Each bound alone holds with at least this confidence. Source: C. J. Clopper, E. S. Pearson, "The use of
    confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26 (1934) 404-413; as
    quantiles of beta distributions.

    >>> [round(bound, 3) for bound in bounds(5, 5, confidence=0.95)]
    [0.549, 1.0]
    """
    from scipy.special import betaincinv

    lower = float(betaincinv(k, n - k + 1, 1 - confidence)) if k else 0.0
    upper = float(betaincinv(k + 1, n - k, confidence)) if k < n else 1.0
    return lower, upper


def _plain(cells: Any) -> list[Any]:
    return cells.tolist() if hasattr(cells, "tolist") else list(cells)


def _check_kinds(target: str, labels: Sequence[Any], predictions: Sequence[Any]) -> None:
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


def _classes(outputs: Any, labels: Sequence[Any], predictions: Sequence[Any]) -> list[str]:
    """Return the classes as text in sorted order: the model's own where it names them, else those that were seen."""
    named = [name.removeprefix(_PROBABILITY) for name in outputs if name.startswith(_PROBABILITY)]
    return named or [str(label) for label in sorted({*labels, *predictions})]


def _slices(data: Dataset) -> Iterator[tuple[str, Sequence[int]]]:
    """Yield the name and the rows of each slice; the name of all rows is empty."""
    yield "", range(len(data))
    for column in data.slices:
        rows: dict[str, list[int]] = {}
        for row, cell in enumerate(data.columns[column]):
            rows.setdefault("" if cell is None else str(cell), []).append(row)
        for value in sorted(rows):
            yield f"{column}={value}", rows[value]
