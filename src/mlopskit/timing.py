"""Measurements: what differs from one machine to the next, and is kept with the verdict instead of in the package."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence

from mlopskit import isolated
from mlopskit.data import Dataset
from mlopskit.evaluation import Estimate
from mlopskit.gates import Gate
from mlopskit.modelpackage import ModelPackage
from mlopskit.runtime.scoring import rows_of

LATENCY = re.compile(r"latency_p([1-9][0-9]?)_ms")
SIZE = "size_mb"
MOST = 400  # p99 needs 299
SECONDS = 30.0
_WARM = 20
_MB = 1_000_000


def measure(package: ModelPackage, data: Dataset, gates: Sequence[Gate], /) -> tuple[Estimate, ...]:
    """Return the package's size, and the percentiles of latency that gates ask for.

    Latency is the time from a row to its answer, with one row at a time in a fresh process of one thread; JSON and the
    pipe between are part of it. Up to 400 rows are asked, for up to 30 s.
    """
    size = sum(entry["size"] for entry in package.manifest["files"].values()) / _MB
    found = [Estimate(metric=SIZE, value=size, lower=size, upper=size, n=1, method="exact")]
    shares = sorted({int(match[1]) for gate in gates if (match := LATENCY.fullmatch(gate.metric))})
    if shares:
        seconds = latencies(package, data)
        found += [percentile_of(seconds, share) for share in shares]
    return tuple(found)


def latencies(package: ModelPackage, data: Dataset, /, *, most: int = MOST, seconds: float = SECONDS) -> list[float]:
    """Return how many seconds each of up to `most` rows took, for up to so many seconds; test rows come in turn."""
    rows = list(rows_of(data.input_columns()))
    formats = [model.format for model in package.models]
    found: list[float] = []
    trust = [package.digest]  # measured is what was just packaged here
    with isolated.isolated_model(package.folder, digest=package.digest, formats=formats, trust_code=trust) as model:
        for at in range(_WARM):
            model.ask([rows[at % len(rows)]])
        end = time.perf_counter() + seconds
        while len(found) < most and time.perf_counter() < end:
            start = time.perf_counter()
            model.ask([rows[len(found) % len(rows)]])
            found.append(time.perf_counter() - start)
    return found


def percentile_of(seconds: Sequence[float], share: int, /) -> Estimate:
    """Return a percentile of latencies in milliseconds, with bounds by order statistics; without, if they are few."""
    import numpy as np

    from mlopskit.intervals import fewest_for, percentile

    milliseconds = np.asarray(seconds) * 1000
    bounds = percentile(milliseconds, share / 100)
    metric, method, n = f"latency_p{share}_ms", "order statistics", len(seconds)
    if bounds is None:
        value = float(np.quantile(milliseconds, share / 100)) if n else 0.0
        reason = f"the bound of {metric} needs at least {fewest_for(share / 100)} measurements"
        return Estimate(metric=metric, value=value, lower=None, upper=None, n=n, method=method, reason=reason)
    lower = bounds.lower if math.isfinite(bounds.lower) else 0.0
    return Estimate(metric=metric, value=bounds.value, lower=lower, upper=bounds.upper, n=n, method=method)
