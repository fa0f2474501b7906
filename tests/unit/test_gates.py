from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.errors import ConfigError
from mlopskit.evaluation import Estimate, Evaluation
from mlopskit.gates import Finding, Gate, Verdict, judge


def evaluation(**changes: object) -> Evaluation:
    estimate = {"metric": "accuracy", "value": 0.9, "lower": 0.8, "upper": 0.95, "n": 100, "method": "clopper-pearson"}
    sliced = {**estimate, "slice": "source=movies", "lower": 0.5}
    undefined = {**estimate, "metric": "precision", "n": 0, "value": 0.0, "lower": 0.0, "upper": 1.0}
    estimates = tuple(Estimate(**one) for one in ({**estimate, **changes}, sliced, undefined))
    return Evaluation(dataset="sha256:" + "0" * 64, rows=100, estimates=estimates)


@pytest.mark.parametrize(
    "text",
    [
        "accuracy >= 0.75",
        "accuracy.value >= 0.75",
        "accuracy[source=movies] >= 0.65",
        "accuracy.value[city=São Paulo] >= 0.5",
        "mae <= 3.2",
        "latency_p95_ms <= 5",
        "accuracy[source=] >= 0.5",
        "brier <= 1e-05",
    ],
)
def test_a_gate_is_written_as_it_is_read(text: str) -> None:
    assert str(Gate.parse(text)) == text
    assert Gate.parse(str(Gate.parse(text))) == Gate.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "accuracy",
        "accuracy > 0.75",
        "accuracy >= ",
        "accuracy >= x",
        "accuracy >= 1e999",
        "0.75 <= accuracy",
        "accuracy >= 0.75 or recall >= 0.5",
        "accuracy[source] >= 0.5",
        "accuracy >= 0.5.1",
        "accuracy == 1",
    ],
)
def test_what_is_no_gate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a gate") as caught:
        Gate.parse(text)
    assert "accuracy >= 0.75" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "passed", "reached"),
    [
        ("accuracy >= 0.75", True, 0.8),
        ("accuracy >= 0.8", True, 0.8),
        ("accuracy >= 0.81", False, 0.8),
        ("accuracy.value >= 0.85", True, 0.9),
        ("accuracy.value >= 0.95", False, 0.9),
        ("accuracy <= 0.95", True, 0.95),
        ("accuracy <= 0.9", False, 0.95),
        ("accuracy.value <= 0.9", True, 0.9),
        ("accuracy[source=movies] >= 0.65", False, 0.5),
    ],
)
def test_at_least_judges_the_lower_bound_and_at_most_the_upper(text: str, passed: bool, reached: float) -> None:  # noqa: FBT001
    finding = Gate.parse(text).judge(evaluation())
    assert (finding.passed, finding.reached, finding.n) == (passed, reached, 100)
    assert f"{reached:.4g}" in finding.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("acuracy >= 0", "Did you mean 'accuracy'?"),
        ("accuracy[source=movie] >= 0", "Did you mean 'source=movies'?"),
        ("precision >= 0", "precision is not defined on 0 rows"),
        ("precision <= 1", "precision is not defined on 0 rows"),
    ],
)
def test_nothing_to_judge_fails_with_its_reason(text: str, reason: str) -> None:
    finding = Gate.parse(text).judge(evaluation())
    assert not finding.passed
    assert reason in finding.reason


@pytest.mark.parametrize("at", ["", ".value"])
@pytest.mark.parametrize("op", [">=", "<="])
def test_a_metric_that_is_no_number_fails(at: str, op: str) -> None:
    nan = float("nan")
    finding = Gate.parse(f"accuracy{at} {op} 0.5").judge(evaluation(value=nan, lower=nan, upper=nan))
    assert not finding.passed
    assert finding.reached is None


def test_a_failed_behavioural_test_fails_the_verdict() -> None:
    found = Evaluation(dataset="sha256:" + "0" * 64, rows=1, estimates=evaluation().estimates, failures=("a", "b"))
    findings = judge([Gate.parse("accuracy >= 0.5")], found)
    assert [finding.passed for finding in findings] == [True, False]
    assert findings[1].reason == "a; b"


def verdict(*passed: bool, override: str | None = None) -> Verdict:
    findings = tuple(Finding(gate="g", passed=one, reached=0.5, n=1, reason="r") for one in passed)
    return Verdict(name="m", digest="sha256:" + "1" * 64, dataset="d", findings=findings, override=override)


@pytest.mark.parametrize(("findings", "passed"), [((), False), ((True,), True), ((True, False), False)])
def test_a_verdict_passes_if_there_are_findings_and_all_passed(findings: tuple[bool, ...], passed: bool) -> None:  # noqa: FBT001
    assert verdict(*findings).passed is passed


@given(st.lists(st.booleans(), max_size=4), st.none() | st.text())
def test_a_verdict_is_read_as_it_was_written(findings: list[bool], override: str | None) -> None:
    written = verdict(*findings, override=override)
    assert Verdict.from_table(written.as_table()) == written


def test_a_verdict_is_shown_as_a_table() -> None:
    assert "passed" in verdict(True).table().text(width=80)
    assert verdict(True)._repr_html_().startswith("<table>")
