"""Bounds of single figures: proportions, areas under ROC curves, percentiles; and the cap of what n rows can prove."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
# Below so many rows, no bound of an unbounded metric holds what it says; benchmarks/honesty.py shows it.
FEWEST = 100
# Nor do they where few rows decide: beyond this acceleration, a sixth of the skewness over the root of the rows.
_HEAVIEST = 0.06


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """A value with its one-sided bounds; each alone holds with the confidence asked for."""

    value: float
    lower: float
    upper: float


def proportion(k: float, n: float, /, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the one-sided Clopper-Pearson bounds of a proportion of which k of n were seen; of none, [0, 1].

    Each bound alone holds with at least this confidence. Source: C. J. Clopper, E. S. Pearson, "The use of
    confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26 (1934) 404-413; as
    quantiles of beta distributions.

    >>> [round(bound, 3) for bound in proportion(5, 5)]
    [0.549, 1.0]
    """
    from scipy.special import betaincinv

    lower = float(betaincinv(k, n - k + 1, 1 - confidence)) if k else 0.0
    upper = float(betaincinv(k + 1, n - k, confidence)) if k < n else 1.0
    return lower, upper


def cap(n: float, /, *, confidence: float = CONFIDENCE) -> float:
    """Return the highest lower bound that n rows can prove of a metric in [0, 1]: that of n right ones of n.

    >>> round(cap(5), 3)
    0.549
    """
    return float((1 - confidence) ** (1 / n)) if n else 0.0


def capped(bounds: Bounds, n: float, /, *, confidence: float = CONFIDENCE) -> Bounds:
    """Return the bounds of a metric in [0, 1], none nearer to 0 or 1 than n rows can prove."""
    most = cap(n, confidence=confidence)
    lower, upper = min(bounds.lower, most), max(bounds.upper, 1 - most)
    return Bounds(value=bounds.value, lower=max(lower, 0.0), upper=min(upper, 1.0))


def rows_for(values: NDArray[np.float64], /) -> int:
    """Return how many rows it takes until their mean no longer hangs on a few of such values; 0 without any spread."""
    deviations = values - values.mean() if len(values) else values
    spread = float((deviations**2).mean()) if len(values) else 0.0
    if spread <= 0:
        return 0
    skewness: float = float((deviations**3).mean()) / spread**1.5
    return math.ceil((skewness / (6 * _HEAVIEST)) ** 2)


def normal_quantile(confidence: float, /) -> float:
    """Return the quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(confidence)


def midranks(values: NDArray[np.float64], /) -> NDArray[np.float64]:
    """Return the rank of each value from 1; equal values share their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def placements(
    positive: NDArray[np.float64], negative: NDArray[np.float64], /
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the share of negatives below each positive, and the share of positives above each negative.

    These are DeLong's structural components; ties count half. Source: E. R. DeLong, D. M. DeLong, D. L.
    Clarke-Pearson, Biometrics 44 (1988) 837-845; by ranks after X. Sun, W. Xu, IEEE Signal Processing Letters 21 (2014)
    1389-1393.
    """
    m, n = len(positive), len(negative)
    ranks = midranks(np.concatenate([positive, negative]))
    above = (ranks[:m] - midranks(positive)) / n
    below = 1 - (ranks[m:] - midranks(negative)) / m
    return above, below


def auc(positive: NDArray[np.float64], negative: NDArray[np.float64], /, *, confidence: float = CONFIDENCE) -> Bounds:
    """Return the area under the ROC curve with DeLong's bounds on the logit scale, capped by the rarer class.

    Both classes need a row. Source of the scale: M. S. Pepe, "The statistical evaluation of medical tests" (2003),
    section 5.2: bounds stay within [0, 1] and hold better near 1.
    """
    above, below = placements(positive, negative)
    value = float(above.mean())
    fewer = min(len(positive), len(negative))
    variance = _mean_variance(above) + _mean_variance(below)
    if not 0 < value < 1 or fewer == 1:  # no variance can be seen: only the cap speaks
        return capped(Bounds(value=value, lower=value if fewer > 1 else 0.0, upper=value if fewer > 1 else 1.0), fewer)
    half = normal_quantile(confidence) * math.sqrt(variance) / (value * (1 - value))
    logit = math.log(value / (1 - value))
    bounds = Bounds(value=value, lower=_expit(logit - half), upper=_expit(logit + half))
    return capped(bounds, fewer, confidence=confidence)


def _mean_variance(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1)) / len(values) if len(values) > 1 else 0.0


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -_FAR else 0.0


_FAR = 700.0  # exp of more is beyond a double


def percentile(values: NDArray[np.float64], share: float, /, *, confidence: float = CONFIDENCE) -> Bounds | None:
    """Return a percentile of measurements with bounds that are measurements themselves, for any distribution.

    The upper bound is the j-th smallest of n with the least j for which Bin(n, share) is below j with the confidence;
    the lower one alike. None if there are too few: `fewest_for` says how many it takes. Source: H. A. David,
    H. N. Nagaraja, "Order statistics", 3rd edition (2003), section 7.1.
    """
    from scipy.stats import binom

    n = len(values)
    if n < fewest_for(share, confidence=confidence):
        return None
    ordered = np.sort(values)
    upper = int(binom.ppf(confidence, n, share))  # j - 1: the least number with P(Bin <= number) >= confidence
    below = int(binom.ppf(1 - confidence, n, share)) - 1  # P(Bin <= below) < 1 - confidence
    lower = ordered[below] if below >= 0 else -math.inf
    value = ordered[min(n - 1, math.ceil(share * n) - 1)]
    return Bounds(value=float(value), lower=float(lower), upper=float(ordered[min(upper, n - 1)]))


def fewest_for(share: float, /, *, confidence: float = CONFIDENCE) -> int:
    """Return how many measurements the upper bound of a percentile needs.

    >>> fewest_for(0.95), fewest_for(0.99)
    (59, 299)
    """
    return math.ceil(math.log(1 - confidence) / math.log(share))
