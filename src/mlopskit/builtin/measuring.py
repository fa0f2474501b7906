"""Metrics as functions of sums over rows, and their estimates: of one model, and of two on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlopskit import bootstrap, intervals, paired
from mlopskit.bootstrap import Array, OfSums
from mlopskit.evaluation import Estimate
from mlopskit.intervals import Bounds

# Sums by the names of columns in; values out.
Formula = Callable[[Mapping[str, Array]], Array]
ROWS = "rows"
AREA = "roc_auc"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric as a formula of sums of columns.

    `unit` says that it lies in [0, 1]; if not, `tail` is the column of which a few rows may decide it. `of` is the sum
    of rows that it is about: all, or fewer. A proportion is the share of `hit` among the rows `base`, two columns.
    """

    name: str
    formula: Formula
    unit: bool = True
    of: Formula = field(default=lambda sums: sums[ROWS])
    hit: str = ""
    base: str = ""
    tail: str = ""


def proportion(name: str, hit: str, base: str) -> Metric:
    """Return the metric that is the share of the rows `base` which are `hit`, two columns of zeros and ones."""

    def share(sums: Mapping[str, Array]) -> Array:
        return sums[hit] / sums[base]

    return Metric(name=name, formula=share, of=lambda sums: sums[base], hit=hit, base=base)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a model answered on rows, as columns whose sums give each metric; scores, for the area under the ROC curve.

    `groups` holds a number for each row, as `mlopskit.bootstrap` takes it. Rows are not drawn by class: how many there
    are of each class is chance too, and bounds that leave it out promise too much (benchmarks/honesty.py).
    """

    columns: Mapping[str, Array]
    metrics: tuple[Metric, ...]
    scores: Array | None = None
    positive: NDArray[np.bool_] | None = None
    groups: NDArray[np.intp] | None = None

    def take(self, rows: NDArray[np.intp], /) -> Measured:
        """Return what was answered on some of the rows."""
        arrays = {name: getattr(self, name) for name in ("scores", "positive", "groups")}
        taken = {name: None if array is None else array[rows] for name, array in arrays.items()}
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Measured(columns=columns, metrics=self.metrics, **taken)

    @property
    def matrix(self) -> Array:
        """The columns side by side."""
        return np.column_stack([*self.columns.values()])

    def of_sums(self, metric: Metric, /) -> OfSums:
        """Return a metric as a function of the sums of the matrix."""
        names = [*self.columns]
        return lambda sums: metric.formula({name: sums[..., at] for at, name in enumerate(names)})

    def rows_of(self, metric: Metric, /) -> int:
        """Return how many rows a metric is about."""
        return int(metric.of({name: np.asarray(column.sum()) for name, column in self.columns.items()}))


def estimates(
    measured: Measured,
    slice: str,
    /,
    *,
    confidence: float,
    seed: int = bootstrap.SEED,
    fewest: int = intervals.FEWEST,
) -> Iterator[Estimate]:
    """Yield the estimate of each metric; `seed` is that of the draws, `fewest` the rows that an unbounded one needs."""
    exact = [one for one in measured.metrics if one.hit and measured.groups is None]
    others = [one for one in measured.metrics if one not in exact]
    for metric in exact:
        yield _proportion(measured, metric, slice, confidence)
    if measured.scores is not None:
        yield _area(measured, slice, confidence)
    if not others:
        return
    formulas = [measured.of_sums(one) for one in others]
    drawn: Sequence[Bounds | None] = [None] * len(others)
    if len(measured.columns[ROWS]):
        careful = [not one.unit for one in others]
        drawn = bootstrap.of_sums(
            measured.matrix, formulas, groups=measured.groups, careful=careful, confidence=confidence, seed=seed
        )
    for metric, bounds in zip(others, drawn, strict=True):
        n = _independent(measured, measured.rows_of(metric))
        about: dict[str, Any] = {"method": "bca", "unit": metric.unit, "confidence": confidence, "fewest": fewest}
        found = estimate(metric.name, slice, bounds, n, **about)
        yield _light(found, measured.columns[metric.tail]) if metric.tail else found


def estimate(
    metric: str,
    slice: str,
    bounds: Bounds | None,
    n: int,
    /,
    *,
    method: str,
    unit: bool,
    confidence: float,
    fewest: int = intervals.FEWEST,
) -> Estimate:
    """Return an estimate whose bounds say no more than n rows can prove."""
    if bounds is None or not n:
        return _undefined(metric, slice, n, method)
    if not unit and n < fewest:
        reason = f"the bounds of {metric} need at least {fewest} rows"
        return Estimate(
            metric=metric, value=bounds.value, lower=None, upper=None, n=n, method=method, slice=slice, reason=reason
        )
    kept = intervals.capped(bounds, n, confidence=confidence) if unit else bounds
    return Estimate(
        metric=metric, value=kept.value, lower=kept.lower, upper=kept.upper, n=n, method=method, slice=slice
    )


def _undefined(metric: str, slice: str, n: int, method: str) -> Estimate:
    reason = f"{metric} is not defined on these {n} rows" if n else ""
    return Estimate(metric=metric, value=0.0, lower=None, upper=None, n=0, method=method, slice=slice, reason=reason)


def _light(found: Estimate, tail: Array) -> Estimate:
    """Return an estimate without its bounds where a few rows decide it: more like them may not have been seen."""
    needed = intervals.rows_for(tail)
    if found.lower is None or found.n >= needed:
        return found
    reason = f"a few rows decide {found.metric}, its bounds need about {needed:,} rows like these"
    return replace(found, lower=None, upper=None, reason=reason)


def _proportion(measured: Measured, metric: Metric, slice: str, confidence: float) -> Estimate:
    k, n = int(measured.columns[metric.hit].sum()), int(measured.columns[metric.base].sum())
    lower, upper = intervals.proportion(k, n, confidence=confidence)
    value = k / n if n else 0.0
    return Estimate(
        metric=metric.name, value=value, lower=lower, upper=upper, n=n, method="clopper-pearson", slice=slice
    )


def _area(measured: Measured, slice: str, confidence: float) -> Estimate:
    positive, negative = _parted(measured)
    fewer = min(len(positive), len(negative))
    bounds = intervals.auc(positive, negative, confidence=confidence) if fewer else None
    if bounds is not None and measured.groups is not None:
        bounds = bootstrap.of_groups(_area_of(measured), measured.groups, confidence=confidence)
        fewer = _independent(measured, fewer)
    method = "delong" if measured.groups is None else "bca"
    return estimate(AREA, slice, bounds, fewer, method=method, unit=True, confidence=confidence)


def _area_of(measured: Measured, other: Measured | None = None) -> bootstrap.OfRows:
    """Return the area, or how much it exceeds another model's, as a function of rows; NaN where a class lacks."""

    def area(rows: NDArray[np.intp]) -> float:
        taken = [one.take(rows) for one in (measured, other) if one is not None]
        parted = [_parted(one) for one in taken]
        if not all(len(part) for part in parted[0]):
            return float("nan")
        areas = [float(intervals.placements(*one)[0].mean()) for one in parted]
        return areas[0] - areas[1] if other is not None else areas[0]

    return area


def _parted(measured: Measured) -> tuple[Array, Array]:
    if measured.scores is None or measured.positive is None:
        return np.empty(0), np.empty(0)
    return measured.scores[measured.positive], measured.scores[~measured.positive]


def _independent(measured: Measured, n: int) -> int:
    """Return how many independent things n rows are: no more than groups."""
    return n if measured.groups is None else min(n, len(np.unique(measured.groups)))


def differences(
    slice: str, first: Measured, second: Measured, /, *, confidence: float, only: str | None = None
) -> Iterator[Estimate]:
    """Yield by how much each metric of the first model, or one, exceeds the second's on the same rows."""
    others = {one.name: one for one in second.metrics}
    both = [(one, others[one.name]) for one in first.metrics if one.name in others and only in (None, one.name)]
    exact = [metric for metric, _ in both if _is_exact(metric, first, second)]
    for metric in exact:
        yield _share_difference(metric, slice, first, second, confidence)
    if only in (None, AREA):
        area = _area_difference(slice, first, second, confidence)
        if area is not None:
            yield area
    rest = [pair for pair in both if pair[0] not in exact]
    if rest:
        yield from _drawn_differences(rest, slice, first, second, confidence)


def _is_exact(metric: Metric, first: Measured, second: Measured) -> bool:
    """Say whether a metric is a share of the same rows for both models."""
    return (
        bool(metric.hit)
        and first.groups is None
        and np.array_equal(first.columns[metric.base], second.columns[metric.base])
    )


def _share_difference(metric: Metric, slice: str, first: Measured, second: Measured, confidence: float) -> Estimate:
    counted = first.columns[metric.base] > 0
    right, live = first.columns[metric.hit][counted], second.columns[metric.hit][counted]
    gained, lost = int((right > live).sum()), int((right < live).sum())
    bounds = paired.tango(gained, lost, len(right), confidence=confidence)
    return _difference(metric.name, slice, bounds, len(right), "tango", {"gained": gained, "lost": lost})


def _drawn_differences(
    both: Sequence[tuple[Metric, Metric]], slice: str, first: Measured, second: Measured, confidence: float
) -> Iterator[Estimate]:
    drawn: Sequence[Bounds | None] = [None] * len(both)
    if len(first.columns[ROWS]):
        width = len(first.columns)
        drawn = bootstrap.of_sums(
            np.hstack([first.matrix, second.matrix]),
            [_subtracted(first.of_sums(one), second.of_sums(other), width) for one, other in both],
            groups=first.groups,
            careful=[not one.unit for one, _ in both],
            confidence=confidence,
        )
    for (metric, other), bounds in zip(both, drawn, strict=True):
        n = _independent(first, min(first.rows_of(metric), second.rows_of(other)))
        judged = bounded_difference(metric.name, slice, bounds, n, unit=metric.unit)
        if metric.tail:
            judged = _light(judged, first.columns[metric.tail] - second.columns[metric.tail])
        yield judged


def _subtracted(own: OfSums, live: OfSums, width: int) -> OfSums:
    """Return a difference as a function of sums: those of the first model's `width` columns, then the second's."""
    return lambda sums: own(sums[..., :width]) - live(sums[..., width:])


def bounded_difference(name: str, slice: str, bounds: Bounds | None, n: int, /, *, unit: bool) -> Estimate:
    """Return the estimate of a difference by paired BCa; of an unbounded metric it needs as many rows as any bound."""
    if bounds is not None and unit and n:
        return _difference(name, slice, paired.unseen(bounds, n), n, "paired bca")
    if bounds is not None and n < intervals.FEWEST:
        return estimate(name, slice, bounds, n, method="paired bca", unit=False, confidence=intervals.CONFIDENCE)
    return _difference(name, slice, bounds, n, "paired bca")


def _area_difference(slice: str, first: Measured, second: Measured, confidence: float) -> Estimate | None:
    if first.scores is None or second.scores is None or first.positive is None:
        return None
    fewer = int(min(first.positive.sum(), (~first.positive).sum()))
    if not fewer:
        return _difference(AREA, slice, None, 0, "paired delong")
    if first.groups is not None:
        found = bootstrap.of_groups(_area_of(first, second), first.groups, confidence=confidence)
        return bounded_difference(AREA, slice, found, _independent(first, fewer), unit=True)
    bounds = paired.delong(first.scores, second.scores, first.positive, confidence=confidence)
    return _difference(AREA, slice, bounds, fewer, "paired delong")


def _difference(
    name: str, slice: str, bounds: Bounds | None, n: int, method: str, counts: Mapping[str, int] | None = None
) -> Estimate:
    if bounds is None or not n:
        return _undefined(name, slice, n, method)
    return Estimate(
        metric=name, value=bounds.value, lower=bounds.lower, upper=bounds.upper, n=n, method=method, slice=slice,
        counts=dict(counts or {}),
    )  # fmt: skip
