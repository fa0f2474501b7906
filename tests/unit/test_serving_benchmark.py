"""benchmarks/serving without a server: what wrk prints is read, ratios are judged, what is absent is told."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PRINTED = """Running 3s test @ http://127.0.0.1:1/predict
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.15ms  500.00us   9.00ms   90.00%
    Req/Sec    13.00k     1.00k   15.00k    75.00%
  Latency Distribution
     50%  900.00us
     75%    1.20ms
     90%    1.50ms
     99%    1.01s
  40000 requests in 3.00s, 20.00MB read
Requests/sec:  13333.33
Transfer/sec:      6.67MB
"""


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("serving.figures")


@pytest.fixture
def peers(figures: ModuleType) -> ModuleType:
    return importlib.import_module("serving.peers")


@pytest.fixture
def load(figures: ModuleType) -> ModuleType:
    return importlib.import_module("serving.load")


def test_what_wrk_prints_is_read(load: ModuleType) -> None:
    found = load.read(PRINTED, 2.0)
    assert found == load.Round(rate=13333.33, p50=pytest.approx(0.0009), p99=1.01, cpu=2.0 / 40000)


@pytest.mark.parametrize(
    "said",
    [
        PRINTED + "  Non-2xx or 3xx responses: 3\n",
        PRINTED.replace("Requests/sec", "  Socket errors: connect 0, read 2, write 0, timeout 0\nRequests/sec"),
        PRINTED.replace("40000 requests", "0 requests"),
        "nothing",
    ],
)
def test_a_round_with_failures_is_none(load: ModuleType, said: str) -> None:
    with pytest.raises(RuntimeError):
        load.read(said, 2.0)


def _measured(figures: ModuleType, rate: float, p50: float) -> object:
    rounds = {count: [figures.Round(rate=rate, p50=p50, p99=p50, cpu=p50)] * 3 for count in figures.CONNECTIONS}
    return figures.Measured(started=0.5, rounds=rounds, rss=79e6, pss=50e6)


def test_ratios_are_those_to_the_best_product_and_the_limit(figures: ModuleType, peers: ModuleType) -> None:
    served = figures.Served(name="sentiment", what="texts", folder=Path(), rows=[{"Comment": "a"}], labels=["b"])
    slow, best = figures.PRODUCTS[:2]
    of_all = {slow: 500.0, best: 1000.0, figures.LIMIT: 15000.0, figures.PLAIN: 1000.0, figures.OURS: 10000.0}
    results = {name: _measured(figures, rate, 1 / rate) for name, rate in of_all.items()}
    found = [*figures.ratios(served, results)]
    assert [round(one.measured, 3) for one in found] == [10.0, 0.667, 0.1, 0.5, 79.0]
    assert [one.kept for one in found] == [True, False, True, True, True]
    assert best in found[0].what
    alone = [*figures.ratios(served, {figures.OURS: results[figures.OURS]})]
    assert [one.kept for one in alone] == [False, False, False, True, True]
    absent = set(figures.PRODUCTS[2:]) | {peers.ONNX, peers.ECHO}
    table = figures.table(served, results, dict.fromkeys(absent, "no wheel for this machine"))
    lines = {row[0]: row[1] for row in table.rows}
    assert {name for name, said in lines.items() if said == "not measured: no wheel for this machine"} == absent
    assert [*lines][-1] == figures.OURS


def test_every_environment_is_pinned(peers: ModuleType) -> None:
    named = {peer.environment for peer in peers.peers() if peer.environment}
    files = {file.stem: file for file in (BENCHMARKS / "serving" / "requirements").glob("*.txt")}
    assert named == files.keys()
    for file in files.values():
        lines = [line for line in file.read_text("ascii").splitlines() if not line.startswith("#")]
        assert lines
        assert all(re.fullmatch(r"[a-z0-9._-]+(\[[a-z,]+\])?==[^\s;]+", line) for line in lines)
