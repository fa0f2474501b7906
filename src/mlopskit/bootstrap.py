"""BCa bootstrap bounds of metrics that are functions of sums over rows, and of any function of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlopskit.intervals import CONFIDENCE, Bounds, normal_quantile

RESAMPLES = 2000
SEED = 0
Array = NDArray[np.float64]
# Sums over rows, of shape (..., columns), in; values, of shape (...), out.
OfSums = Callable[[Array], Array]
# The numbers of rows, each as often as it was drawn, in; a value out.
OfRows = Callable[[NDArray[np.intp]], float]

_BATCH = 1 << 22  # cells of a batch of resamples: 32 MB
_MOST_PARTS = 400
_DEFINED = 0.9  # share of resamples that must have a value
# By how much careful bounds go further out, times the acceleration; found by simulation, see benchmarks/honesty.py.
_CAUTION = 3.0


def of_sums(
    rows: Array,
    metrics: Sequence[OfSums],
    /,
    *,
    strata: NDArray[np.intp] | None = None,
    groups: NDArray[np.intp] | None = None,
    careful: Sequence[bool] | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> list[Bounds | None]:
    """Return the BCa bounds of metrics that are functions of the sums of columns; None of one that is not defined.

    `rows` has the shape (n, columns). `strata` holds a number for each row: so many of each are drawn as there are.
    `groups` alike: whole groups are drawn instead of rows, and strata are not looked at. `careful` says of each metric
    whether its bounds are to be careful ones, as `bca` has them. The same input gives the
    same bounds: the draws are seeded, and no library splits their sums among threads. Source: B. Efron, "Better
    bootstrap confidence intervals", Journal of the American Statistical Association 82 (1987) 171-185; the
    acceleration over several strata is that of a statistic of several samples, from their jackknife values.
    """
    units = rows if groups is None else _summed(rows, groups)
    kept = np.zeros(len(units), np.intp) if strata is None or groups is not None else strata
    parts = [np.ascontiguousarray(units[kept == one].T) for one in np.unique(kept)]
    totals = np.array([part.sum(axis=1) for part in parts])
    generator = np.random.default_rng(seed)
    drawn = sum(_resampled(part, resamples, generator) for part in parts)
    left = [
        totals.sum(axis=0) - totals[at] + (totals[at] - part.T) * part.shape[1] / (part.shape[1] - 1)
        for at, part in enumerate(parts)
        if part.shape[1] > 1
    ]
    found: list[Bounds | None] = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for metric, wary in zip(metrics, careful or [False] * len(metrics), strict=True):
            value, values = float(metric(totals.sum(axis=0))), metric(np.asarray(drawn))
            found.append(bca(value, values, [metric(one) for one in left], confidence=confidence, careful=wary))
    return found


def of_rows(
    function: OfRows, n: int, /, *, confidence: float = CONFIDENCE, resamples: int = RESAMPLES, seed: int = SEED
) -> Bounds | None:
    """Return the BCa bounds of any function of n rows, given by number; None if it is not defined."""
    found = of_named(lambda rows: {"": function(rows)}, n, confidence=confidence, resamples=resamples, seed=seed)
    return found[""]


def of_named(
    function: Callable[[NDArray[np.intp]], Mapping[str, float]],
    n: int,
    /,
    *,
    groups: NDArray[np.intp] | None = None,
    careful: bool = False,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> dict[str, Bounds | None]:
    """Return the BCa bounds of several figures by name, each a function of n rows, given by number.

    The function is called once for each resample. The jackknife leaves out one of at most 400 equal parts of the rows
    instead of each row: the acceleration, which is the skewness of a sum, is the same on average. `groups` holds a
    number for each row: whole groups are then drawn and left out. A name that the function leaves out of its answer to
    some rows is not defined on them.
    """
    members = [] if groups is None else _members(groups)
    units = n if groups is None else len(members)

    def of_units(numbers: NDArray[np.intp]) -> Mapping[str, float]:
        return function(numbers if groups is None else np.concatenate([members[one] for one in numbers]))

    generator = np.random.default_rng(seed)
    values = function(np.arange(n))
    drawn = [of_units(generator.integers(0, units, units)) for _ in range(resamples)]
    shuffled = generator.permutation(units)
    parts = np.array_split(shuffled, min(units, _MOST_PARTS)) if units > 1 else []
    left = [of_units(np.setdiff1d(shuffled, part)) for part in parts]

    def column(name: str, answers: Sequence[Mapping[str, float]]) -> Array:
        return np.array([answer.get(name, math.nan) for answer in answers], float)

    return {
        name: bca(value, column(name, drawn), [column(name, left)], confidence=confidence, careful=careful)
        for name, value in values.items()
    }


def of_groups(
    function: OfRows,
    groups: NDArray[np.intp],
    /,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Bounds | None:
    """Return the BCa bounds of any function of rows that come in groups: whole groups are drawn and left out."""
    found = of_named(
        lambda rows: {"": function(rows)},
        len(groups),
        groups=groups,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    return found[""]


def _members(groups: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return the numbers of the rows of each group."""
    _, place = np.unique(groups, return_inverse=True)
    return [np.flatnonzero(place == one) for one in range(int(place.max(initial=-1)) + 1)]


def bca(
    value: float,
    drawn: Array,
    left_out: Sequence[Array],
    /,
    *,
    confidence: float = CONFIDENCE,
    careful: bool = False,
) -> Bounds | None:
    """Return the bias-corrected and accelerated bounds of a value, given its resampled and its jackknife values.

    `left_out` holds the jackknife values of each stratum. None if the value, or more than a tenth of the resampled
    ones, is no number. Samples of skewed values show too little of their skewness: `careful` bounds go further out, the
    more the more skewed they look.
    """
    from scipy.special import ndtr, ndtri

    known = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(known) < _DEFINED * len(drawn) or not len(known):
        return None
    noise = 1e-12 * max(1.0, abs(value))
    below, above = int((known < value - noise).sum()), int((known > value + noise).sum())
    if not below and not above:
        return Bounds(value=value, lower=value, upper=value)
    share = (below + (len(known) - below - above) / 2) / len(known)
    bias = float(ndtri(min(max(share, 0.5 / len(known)), 1 - 0.5 / len(known))))
    skew = _acceleration(left_out)
    bounds = []
    outer = normal_quantile(confidence) * (1 + _CAUTION * abs(skew) * careful)
    for z in (-outer, outer):
        shrink = 1 - skew * (bias + z)
        # Beyond its pole the formula turns round; the outermost resample is then the answer.
        level = float(ndtr(bias + (bias + z) / shrink)) if shrink > 0 else float(z > 0)
        bounds.append(float(np.quantile(known, level)))
    return Bounds(value=value, lower=bounds[0], upper=bounds[1])


def _acceleration(left_out: Sequence[Array]) -> float:
    cubes = squares = 0.0
    for values in left_out:
        known = values[np.isfinite(values)]
        n = len(known)
        if n > 1:
            influence = (n - 1) * (known.mean() - known)
            cubes += float((influence**3).sum()) / n**3
            squares += float((influence**2).sum()) / n**2
    return cubes / (6 * squares**1.5) if squares > 0 else 0.0


def _resampled(part: Array, resamples: int, generator: np.random.Generator) -> Array:
    """Return the sums, of shape (resamples, columns), of as many draws of rows as there are; `part` is transposed."""
    n = part.shape[1]
    sums = [np.einsum("bn,dn->bd", counts, part) for counts in _drawn(n, resamples, generator)]
    return np.concatenate(sums)


def _drawn(n: int, resamples: int, generator: np.random.Generator) -> Iterator[Array]:
    """Yield how often each of n rows was drawn, in batches of resamples."""
    size = max(1, _BATCH // n)
    for start in range(0, resamples, size):
        batch = min(size, resamples - start)
        numbers = generator.integers(0, n, (batch, n), dtype=np.int64)
        numbers += np.arange(batch)[:, None] * n
        yield np.bincount(numbers.ravel(), minlength=batch * n).reshape(batch, n).astype(np.float64)


def _summed(rows: Array, groups: NDArray[np.intp]) -> Array:
    _, place = np.unique(groups, return_inverse=True)
    sums = np.zeros((int(place.max(initial=-1)) + 1, rows.shape[1]))
    np.add.at(sums, place, rows)
    return sums
