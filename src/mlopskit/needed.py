"""How many rows would do: where a gate fails for want of rows and not for want of quality."""

from __future__ import annotations

import math
from collections.abc import Callable

from mlopskit.evaluation import Estimate

_MOST = 1 << 30


def rows_needed(estimate: Estimate, limit: float, /, *, at_least: bool) -> int | None:
    """Return the least number of rows at which a bound would keep the limit if what was seen stayed as it is.

    For proportions and their differences the bound is computed anew with the seen rates; for all else its distance
    from the value shrinks with the root of the rows. None if no number would do: the value itself is beyond the limit.
    """
    better = estimate.value > limit if at_least else estimate.value < limit
    bound = _bound_at(estimate, at_least=at_least)
    if not better or bound is None:
        return None

    def kept(n: int) -> bool:
        return bound(n) >= limit if at_least else bound(n) <= limit

    high = max(estimate.n, 1)
    while not kept(high):
        high *= 2
        if high > _MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if kept(middle) else (middle, high)
    return high


def _bound_at(estimate: Estimate, *, at_least: bool) -> Callable[[int], float] | None:
    """Return the bound as a function of the number of rows."""
    from mlopskit.intervals import proportion
    from mlopskit.paired import tango

    seen = estimate.lower if at_least else estimate.upper
    if estimate.method == "clopper-pearson":
        return lambda n: proportion(estimate.value * n, n)[0 if at_least else 1]
    if estimate.method == "tango" and estimate.counts:
        gained, lost = (estimate.counts[name] / estimate.n for name in ("gained", "lost"))
        side = "lower" if at_least else "upper"
        return lambda n: float(getattr(tango(gained * n, lost * n, n), side))
    if seen is None or estimate.method == "order statistics":
        return None
    return lambda n: estimate.value + (seen - estimate.value) * math.sqrt(estimate.n / n)
