"""Measure all servers in one run, the rounds interleaved; compare `mlopskit serve` with them.

    python benchmarks/serving/figures.py [SECONDS] [MODEL...]

Each server has one core, wrk the other. SECONDS are those of a round; if not given 3 for texts, 2 for the other models.
"""

from __future__ import annotations

import itertools
import math
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from budgets import Figure

from mlopskit.tables import Table
from serving.load import Round, Running
from serving.models import Served, models
from serving.peers import LIMIT, OURS, PLAIN, PRODUCTS, Peer, absent, peers

SECONDS = {"sentiment": 3.0}
ROUNDS = 3
CONNECTIONS = (1, 16)
TEXTS = "sentiment"


@dataclass(kw_only=True)
class Measured:
    """What was measured of one server with one model."""

    started: float
    rounds: dict[int, list[Round]] = field(default_factory=lambda: {count: [] for count in CONNECTIONS})
    rss: float = 0.0
    pss: float = 0.0

    def median(self, connections: int, what: str) -> float:
        """Return the median over the rounds: of "rate", "p50", "p99" or "cpu"."""
        return statistics.median(getattr(one, what) for one in self.rounds[connections])


Results = Mapping[str, Measured]


def serving_figures(seconds: float | None = None, only: Sequence[str] = ()) -> Iterator[Figure | Table]:
    """Yield for each model what the ratios are, and then a table of all servers."""
    if (os.cpu_count() or 1) < 2 or shutil.which("wrk") is None:  # noqa: PLR2004  # the server's and wrk's
        raise SystemExit("This needs two cores, and wrk: apt-get install wrk")
    missing = {one.name: why for one in peers() if (why := absent(one))}
    os.sched_setaffinity(0, {1})  # what asks for the first answer takes no time of the server's
    with tempfile.TemporaryDirectory() as temporary:
        for served in models(Path(temporary)):
            if not only or served.name in only:
                absent_here = dict(missing)
                lasting = seconds or SECONDS.get(served.name, 2.0)
                results = measured(served, lasting, absent_here, Path(temporary))
                yield from ratios(served, results)
                yield table(served, results, absent_here)


def measured(served: Served, seconds: float, missing: dict[str, str], temporary: Path) -> Results:
    """Start all servers of a model, one after the other, and let each be asked in turn.

    Why one was not measured is added to `missing`.
    """
    results: dict[str, Measured] = {}
    with ExitStack() as stack:
        running: dict[str, Running] = {}
        for peer in peers():
            if peer.name not in missing and peer.serves(served):
                with _told(peer.name, missing):
                    one = running[peer.name] = stack.enter_context(Running(peer, served, temporary))
                    results[peer.name] = Measured(started=one.started)
                    print(f"{served.name}: {peer.name} answers rightly after {one.started:.2f} s", flush=True)
        for _, count in itertools.product(range(ROUNDS), CONNECTIONS):
            for name, one in running.items():
                with _told(name, missing):
                    results[name].rounds[count].append(one.round(count, seconds))
        for name, one in running.items():
            results[name].rss, results[name].pss = one.memory()
    return {name: one for name, one in results.items() if name not in missing}


@contextmanager
def _told(name: str, missing: dict[str, str]) -> Iterator[None]:
    """Note why a server did not answer, or not rightly; if it is ours, that is an error."""
    try:
        yield
    except RuntimeError as error:
        if name == OURS:
            raise
        missing[name] = str(error)


def ratios(served: Served, results: Results) -> Iterator[Figure]:
    """Yield what is asked of `mlopskit serve` with a model; beside a server that was not measured nothing is kept."""
    ours, texts = results[OURS], served.name == TEXTS
    rate, rates = ours.median(16, "rate"), {name: one.median(16, "rate") for name, one in results.items()}
    best = max(PRODUCTS, key=lambda name: rates.get(name, 0.0))
    of = f"mlopskit serve, {served.what}"
    yield Figure(
        what=f"{of}: requests/s of 16 connections ({rate:,.0f}), times {best}, the best product",
        measured=rate / rates.get(best, math.nan), budget=10 if texts else 8, unit="x", at_least=True,
    )  # fmt: skip
    yield Figure(
        what=f"{of}: requests/s of 16 connections, times the limit by hand",
        measured=rate / rates.get(LIMIT, math.nan), budget=0.7, unit="x", at_least=True,
    )  # fmt: skip
    if texts:
        p50, plain = ours.median(1, "p50"), results[PLAIN].median(1, "p50") if PLAIN in results else math.nan
        what = f"{of}: p50 of one connection ({p50 * 1e3:.3g} ms), times plain FastAPI"
        yield Figure(what=what, measured=p50 / plain, budget=0.3, unit="x")
        yield Figure(what=f"{of}: from start to the first answer", measured=ours.started, budget=1.0, unit="s")
        what = f"{of}: resident memory of all its processes, after the load"
        yield Figure(what=what, measured=ours.rss / 1e6, budget=80, unit="MB")


def table(served: Served, results: Results, missing: Mapping[str, str]) -> Table:
    """Return a line for each server."""
    head = ("server", "1 conn.: p50 ms", "1 conn.: requests/s", "16 conn.: requests/s", "16 conn.: p99 ms",
            "16 conn.: processor us a request", "first answer s", "memory MB (shared once)")  # fmt: skip
    lines = [_line(peer, results, missing) for peer in peers() if peer.serves(served)]
    return Table((f"{head[0]}: {served.what}", *head[1:]), lines)


def _line(peer: Peer, results: Results, missing: Mapping[str, str]) -> tuple[str, ...]:
    if peer.name not in results:
        return peer.name, f"not measured: {missing[peer.name][:200]}", *[""] * 6
    one = results[peer.name]
    return (
        peer.name,
        f"{one.median(1, 'p50') * 1e3:.3g}",
        f"{one.median(1, 'rate'):,.0f}",
        f"{one.median(16, 'rate'):,.0f}",
        f"{one.median(16, 'p99') * 1e3:.3g}",
        f"{one.median(16, 'cpu') * 1e6:,.0f}",
        f"{one.started:.2f}",
        f"{one.rss / 1e6:.0f} ({one.pss / 1e6:.0f})",
    )


if __name__ == "__main__":
    for found in serving_figures(float(sys.argv[1]) if len(sys.argv) > 1 else None, sys.argv[2:]):
        if isinstance(found, Table):
            print(found.text(), flush=True)
        else:
            kept = "kept" if found.kept else "NOT KEPT"
            print(f"{found.what}: {found.measured:.3g} {found.unit} ({kept})", flush=True)
