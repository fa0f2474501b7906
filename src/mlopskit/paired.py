"""Bounds of differences between two models on the same rows: Tango's for proportions, DeLong's for areas."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlopskit.bootstrap import Array, OfSums
from mlopskit.intervals import CONFIDENCE, Bounds, cap, normal_quantile, placements

_STEPS = 60  # of halving the interval [-1, 1]: beyond the precision of a double


def tango(gained: float, lost: float, n: float, /, *, confidence: float = CONFIDENCE) -> Bounds:
    """Return the difference of two proportions on the same n rows, with Tango's one-sided score bounds.

    `gained` rows are right for the first model alone, `lost` for the second alone. Source: T. Tango, "Equivalence test
    and confidence interval for the difference in proportions for the paired-sample design", Statistics in Medicine 17
    (1998) 891-908.
    """
    if not n:
        return Bounds(value=0.0, lower=-1.0, upper=1.0)
    z = normal_quantile(confidence)
    lower = _crossing(lambda delta: _score(gained, lost, n, delta) > z)
    upper = -_crossing(lambda delta: _score(lost, gained, n, delta) > z)
    return Bounds(value=(gained - lost) / n, lower=lower, upper=upper)


def _score(gained: float, lost: float, n: float, delta: float) -> float:
    """Return how many standard errors the seen difference lies above delta; the error is that where delta is true."""
    a = 2 * n
    b = -gained - lost + (2 * n - gained + lost) * delta
    c = -lost * delta * (1 - delta)
    share_lost = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = n * (2 * share_lost + delta * (1 - delta))
    above = gained - lost - n * delta
    if variance <= 0:
        return math.copysign(math.inf, above) if above else 0.0
    return above / math.sqrt(variance)


def mcnemar(gained: int, lost: int, /) -> float:
    """Return the two-sided mid-p value of McNemar's test that two models are right equally often.

    `gained` rows are right for the first model alone, `lost` for the second alone. Source: M. W. Fagerland,
    S. Lydersen, P. Laake, "The McNemar test for binary matched-pairs data", BMC Medical Research Methodology 13 (2013).

    >>> round(mcnemar(7, 1), 4)
    0.0391
    """
    from scipy.special import bdtr

    fewer, n = min(gained, lost), gained + lost
    if not n:
        return 1.0
    at_most = float(bdtr(fewer, n, 0.5))
    seen = at_most - (float(bdtr(fewer - 1, n, 0.5)) if fewer else 0.0)
    return 1 - seen / 2 if gained == lost else 2 * at_most - seen


def _crossing(is_below: object) -> float:
    """Return the least difference that is not refuted as too low."""
    low, high = -1.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)  # type: ignore[operator]
    return low


def delong(first: Array, second: Array, positive: NDArray[np.bool_], /, *, confidence: float = CONFIDENCE) -> Bounds:
    """Return the difference of the areas under two ROC curves of the same rows, with DeLong's one-sided bounds.

    `first` and `second` are the scores of all rows, `positive` says which rows are of the positive class; both classes
    need a row. Where no difference is seen at all, the bounds are what so few rows can prove. Source: E. R. DeLong,
    D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44 (1988) 837-845.
    """
    above = [placements(scores[positive], scores[~positive]) for scores in (first, second)]
    by_positive, by_negative = (above[0][at] - above[1][at] for at in (0, 1))
    value = float(by_positive.mean())
    fewer = min(len(by_positive), len(by_negative))
    if fewer == 1:
        return Bounds(value=value, lower=-1.0, upper=1.0)
    error = math.sqrt(sum(float(one.var(ddof=1)) / len(one) for one in (by_positive, by_negative)))
    half = normal_quantile(confidence) * error
    return unseen(Bounds(value=value, lower=max(value - half, -1.0), upper=min(value + half, 1.0)), fewer)


def unseen(bounds: Bounds, n: int, /) -> Bounds:
    """Return the bounds of a difference between metrics in [0, 1]; without any spread they are what n rows can prove.

    Rows of which n were seen and none differs make up at most 1 - 0.05 ** (1 / n) of all, with 95 % confidence.
    """
    if bounds.upper - bounds.lower > _NOISE:
        return bounds
    rest = 1 - cap(n)
    return Bounds(value=bounds.value, lower=bounds.value - rest, upper=bounds.value + rest)


_NOISE = 1e-12


def difference(metric: OfSums, columns: int, /) -> OfSums:
    """Return a metric's difference as a function of sums: the first model's `columns`, then the second's."""
    return lambda sums: metric(sums[..., :columns]) - metric(sums[..., columns:])
