from __future__ import annotations

import pytest

import mlopskit as mk
from mlopskit import timing
from mlopskit.data import Dataset
from mlopskit.evaluation import Evaluation
from mlopskit.gates import Gate


def judged(text: str, *estimates: mk.Estimate) -> mk.Finding:
    return Gate.parse(text).judge(Evaluation(dataset="d", rows=1, estimates=estimates))


def test_a_percentile_is_judged_by_a_measurement_that_bounds_it() -> None:
    estimate = timing.percentile_of([at / 1000 for at in range(1, 401)], 95)
    assert (estimate.value, estimate.n, estimate.method) == (pytest.approx(380.0), 400, "order statistics")
    assert estimate.upper == pytest.approx(388.0)
    assert judged("latency_p95_ms <= 389", estimate).passed
    finding = judged("latency_p95_ms <= 381", estimate)
    assert not finding.passed
    assert finding.needed is None


def test_too_few_measurements_are_not_judged() -> None:
    estimate = timing.percentile_of([0.001] * 58, 95)
    finding = judged("latency_p95_ms <= 5", estimate)
    assert not finding.passed
    assert finding.reason == "not judged: the bound of latency_p95_ms needs at least 59 measurements, there are 58"
    assert judged("latency_p95_ms <= 5", timing.percentile_of([0.001] * 59, 95)).passed
    assert not judged("latency_p50_ms <= 5", timing.percentile_of([], 50)).passed


def test_size_is_always_measured_and_latency_where_a_gate_asks(package: mk.ModelPackage) -> None:
    data = Dataset.from_frame(["good", "bad"], ["Positive", "Negative"])
    (size,) = timing.measure(package, data, [Gate.parse("accuracy >= 0.5")])
    total = sum(file.stat().st_size for file in package.folder.rglob("*") if file.is_file())
    assert size.value * 1e6 == pytest.approx(total, abs=(package.folder / "manifest.json").stat().st_size)
    found = timing.measure(package, data, [Gate.parse("latency_p95_ms <= 5"), Gate.parse("latency_p50_ms <= 5")])
    assert [one.metric for one in found] == ["size_mb", "latency_p50_ms", "latency_p95_ms"]
    assert all(one.n == timing.MOST for one in found[1:])


def test_a_slow_model_is_asked_for_a_limited_time(package: mk.ModelPackage) -> None:
    data = Dataset.from_frame(["good"], ["Positive"])
    assert timing.latencies(package, data, seconds=0.0) == []
    assert len(timing.latencies(package, data, most=3)) == 3
