"""How often a gate passes though the truth is beyond its limit; written to docs/reference/honesty.md.

    python benchmarks/honesty.py [RUNS]

Clopper-Pearson gates: summed exactly over the binomial. All other bounds: RUNS simulations (4,000) of each metric, each
with the methods that the evaluators use. A false pass is a bound on the wrong side of the truth: a gate whose limit is
the truth itself would pass by chance; 5 % of them may.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.special import expit

from mlopskit import bootstrap, intervals
from mlopskit.builtin import regression
from mlopskit.builtin.classification import _LOSSES
from mlopskit.builtin.measuring import ROWS, Measured, Metric, estimates
from mlopskit.tables import Table

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "honesty.md"
SIZES = (20, 50, 100, 200, 500, 1000, 2000, 5000)
THRESHOLDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99)
ROWS_OF_SIMULATIONS = (30, 100, 300, 1000)
RUNS = 4000
TRUTH_ROWS = 4_000_000
ABOVE = 3.5  # standard errors above the threshold, where power is asked for
LIMITS = {"normal": 0.07, "exponential": 0.07, "log-normal": 0.09}
JUDGED_FROM = 100


@dataclass(frozen=True, kw_only=True)
class Exact:
    """What a gate `accuracy >= threshold` on n rows does, by the binomial."""

    n: int
    threshold: float
    fewest: int
    false: float
    power: float
    best: float


def exact(n: int, threshold: float, /) -> Exact:
    """Return how often a gate passes at the threshold, and 3.5 standard errors above it; exactly.

    `fewest` is the least number of right rows whose bound passes, `best` the power of the best test there is: the one
    that passes from the least number on that a true value at the threshold reaches in at most 5 %.
    """
    passing = (k for k in range(n + 1) if intervals.proportion(k, n)[0] >= threshold)
    fewest = next(passing, n + 1)
    true = min(threshold + ABOVE * (threshold * (1 - threshold) / n) ** 0.5, 1.0)
    critical = int(stats.binom.isf(1 - intervals.CONFIDENCE, n, threshold)) + 1
    false, power, best = (
        float(stats.binom.sf(k - 1, n, p)) for k, p in ((fewest, threshold), (fewest, true), (critical, true))
    )
    return Exact(n=n, threshold=threshold, fewest=fewest, false=false, power=power, best=best)


def exact_table(sizes: Sequence[int] | None = None, thresholds: Sequence[float] = THRESHOLDS) -> list[Exact]:
    """Return every pair of a size and a threshold."""
    return [exact(n, threshold) for threshold in thresholds for n in sizes or SIZES]


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """How often the bound of a metric was on the wrong side of the truth."""

    case: str
    metric: str
    n: int
    false: float
    judged: float
    limit: float

    @property
    def kept(self) -> bool:
        """Whether that is no more than the limit, which holds from 100 rows on."""
        return self.n < JUDGED_FROM or self.false <= self.limit


def residuals(kind: str, n: int, generator: np.random.Generator, /) -> bootstrap.Array:
    """Return residuals of mean 0: normal, exponential or log-normal, each with scale 1."""
    if kind == "normal":
        return generator.normal(size=n)
    if kind == "exponential":
        return generator.exponential(size=n) - 1
    return generator.lognormal(size=n) - float(np.exp(0.5))


def _regression(kind: str, n: int, generator: np.random.Generator) -> Measured:
    said = 2 * generator.normal(size=n)
    return Measured(
        columns=regression.columns_of(said + residuals(kind, n, generator), said), metrics=regression.METRICS
    )


def _classes(share: float, n: int, generator: np.random.Generator) -> Measured:
    """Return a calibrated model of two normal classes 1.5 apart, of which one has the share of the rows."""
    positive, apart = generator.random(n) < share, 1.5
    scores = generator.normal(size=n) + apart * positive
    probability = expit(apart * (scores - apart / 2) + np.log(share / (1 - share)))
    said = probability >= 0.5  # noqa: PLR2004  # the likelier class
    own = np.where(positive, probability, 1 - probability)
    hit, either = (said & positive).astype(float), said.astype(float) + positive
    columns = {ROWS: np.ones(n), "hit": hit, "either": either, "log loss": -np.log(own), "brier": (1 - own) ** 2}
    f1 = Metric(name="f1", formula=lambda sums: 2 * sums["hit"] / sums["either"])
    return Measured(columns=columns, metrics=(f1, *_LOSSES), scores=scores, positive=positive)


UPPER = {"mae", "rmse", "log_loss", "brier"}  # a gate on them says `<=`


def simulate(case: str, n: int, runs: int, /, *, seed: int = 0) -> list[Simulated]:
    """Return the false passes of every metric of a case: a kind of residuals, or a share of the positive class."""
    generator = np.random.default_rng([seed, n])
    share = None if case in LIMITS else float(case.rpartition(" ")[2])

    def drawn(rows: int) -> Measured:
        return _regression(case, rows, generator) if share is None else _classes(share, rows, generator)

    large = drawn(TRUTH_ROWS)
    totals = np.array([column.sum() for column in large.columns.values()])
    truth = {one.name: float(large.of_sums(one)(totals)) for one in large.metrics}
    if share is not None:
        truth["roc_auc"] = float(stats.norm.cdf(1.5 / 2**0.5))
    wrong, judged = (dict.fromkeys(truth, 0) for _ in range(2))
    for _ in range(runs):
        sample, drawn_with = drawn(n), int(generator.integers(1 << 31))
        for one in estimates(sample, "", confidence=intervals.CONFIDENCE, seed=drawn_with, fewest=0):
            upper = one.metric in UPPER
            bound = one.upper if upper else one.lower
            if bound is not None:
                judged[one.metric] += 1
                wrong[one.metric] += bound < truth[one.metric] if upper else bound > truth[one.metric]
    limit = LIMITS.get(case, 0.07)
    return [
        Simulated(case=case, metric=name, n=n, false=wrong[name] / runs, judged=judged[name] / runs, limit=limit)
        for name in truth
    ]


def simulations(runs: int, workers: int) -> Iterator[Simulated]:
    """Yield the false passes of every case at every number of rows."""
    cases = (*LIMITS, "share of positives 0.5", "share of positives 0.2")
    pairs = [(case, n) for case in cases for n in ROWS_OF_SIMULATIONS]
    if workers == 1:
        for case, n in pairs:
            yield from simulate(case, n, runs)
        return
    with ProcessPoolExecutor(workers) as pool:
        for found in pool.map(simulate, *zip(*pairs, strict=True), itertools.repeat(runs)):
            yield from found


def measure(runs: int = RUNS, workers: int = 1) -> tuple[str, bool]:
    """Measure all, write the page, and return a summary with whether every limit is kept."""
    exacts, simulated = exact_table(), []
    for one in simulations(runs, workers):
        print(f"{one.case}, {one.n} rows, {one.metric}: {one.false:.1%} false passes", flush=True)
        simulated.append(one)
    worst = max(one.false for one in exacts)
    kept = worst <= 1 - intervals.CONFIDENCE and all(one.kept for one in simulated)
    PAGE.write_text(_page(exacts, simulated, runs), encoding="utf-8")
    beyond = [f"{one.metric} ({one.case}, {one.n} rows): {one.false:.1%}" for one in simulated if not one.kept]
    return f"Clopper-Pearson {worst:.2%} at most; beyond their limit: {', '.join(beyond) or 'none'}", kept


def _page(exacts: Sequence[Exact], simulated: Sequence[Simulated], runs: int) -> str:
    first = Table(
        ("threshold", "rows", "right rows it takes", "false passes", "power", "power of the best test"),
        [
            (f"{one.threshold:g}", one.n, one.fewest if one.fewest <= one.n else "-", f"{one.false:.2%}",
             f"{one.power:.1%}", f"{one.best:.1%}")
            for one in exacts
        ],
    )  # fmt: skip
    sizes = sorted({one.n for one in simulated})
    cells = {(one.case, one.metric, one.n): _cell(one) for one in simulated}
    pairs = list(dict.fromkeys((one.case, one.metric, one.limit) for one in simulated))
    second = Table(
        ("data", "metric", *(f"{n} rows" for n in sizes), "limit from 100 rows on"),
        [(case, metric, *(cells[case, metric, n] for n in sizes), f"{limit:.0%}") for case, metric, limit in pairs],
    )
    return _TEXT.format(
        when=dt.datetime.now(dt.UTC).date().isoformat(),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        first=first.markdown(), second=second.markdown(), runs=f"{runs:,}",
    )  # fmt: skip


def _cell(one: Simulated) -> str:
    rest = "" if one.judged > _NEARLY_ALL else f", {one.judged:.0%} judged"
    return f"{one.false:.1%}{'' if one.kept else ' (!)'}{rest}"


_NEARLY_ALL = 0.995

_TEXT = """# How honest the gates are

Written by `make prove` (`benchmarks/honesty.py`) on {when}, on {machine}.

A *false pass* is a gate that passes though the true value is at its limit. With bounds of 95 %, that may happen in 5 %.

## Shares of rows, exactly

Gates on accuracy, precision and recall, judged by Clopper-Pearson bounds: summed over the binomial, nothing is
simulated. *Power* is how often a model passes whose true value is 3.5 standard errors above the threshold; beside it
that of the best test there is. `-`: no number of right rows is enough.

{first}

## All other metrics, simulated

{runs} samples of each kind, each judged by the method of the [evaluators](gates.md#bounds). `mae`, `rmse` and `r2`: a
true model whose residuals have that distribution. `f1`, `log_loss`, `brier`, `roc_auc`: a calibrated model of two
normal classes, one with that share of the rows. Below 100 rows gates on `mae`, `rmse`, `r2` and `log_loss` are not
judged; the column of 30 rows shows why. `(!)`: beyond the limit that the project set itself.

{second}

Where few rows decide a figure (the square of a rare, large error), more of that kind may not have been seen: such a
sample is not judged either, the gate fails and says about how many rows it takes. The table says how many samples were
judged, where it was not all; a false pass counts among all of them. With skewed errors, gate on `mae`, not on squares.
"""


def main() -> int:
    """Measure, print, write; return 1 if a limit is not kept."""
    summary, kept = measure(int(sys.argv[1]) if sys.argv[1:] else RUNS, os.cpu_count() or 1)
    print(summary)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
