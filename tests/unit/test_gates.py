from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.errors import ConfigError
from mlopskit.evaluation import Estimate, Evaluation
from mlopskit.gates import Finding, Gate, Relative, Verdict, judge


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
        "accuracy >= production",
        "accuracy >= production - 0.01",
        "accuracy[source=movies] >= v1.2-eu - 0.01",
        "mae <= production + 0.5",
        "recall(Very good).value[source=movies] >= 0.5",
        "precision(a (b)) >= 0.5",
        "accuracy[source=*] >= production - 0.03",
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
        "accuracy >= X",
        "accuracy >= 1e999",
        "0.75 <= accuracy",
        "accuracy >= 0.75 or recall >= 0.5",
        "accuracy[source] >= 0.5",
        "accuracy >= 0.5.1",
        "accuracy == 1",
        "accuracy >= production-0.01",
        "accuracy >= production -0.01",
        "accuracy >= production - ",
        "accuracy >= production - 1e999",
        "accuracy >= production * 0.99",
        "recall() >= 0.5",
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
    assert "<table" in verdict(True)._repr_html_()


def test_a_gate_may_be_relative_to_an_alias() -> None:
    assert Gate.parse("mae <= production + 0.5").limit == Relative(alias="production", margin=0.5)
    assert Gate.parse("accuracy >= staging - 0.01").limit == Relative(alias="staging", margin=-0.01)
    assert Gate.parse("accuracy >= staging").limit == Relative(alias="staging")


@pytest.mark.parametrize(
    ("text", "passed", "reason"),
    [
        (
            "accuracy >= production - 0.03",
            True,
            "the 95 % lower bound -0.02 of the difference +0.01 beyond live on 200",
        ),
        ("accuracy >= production - 0.01", False, "about 491 rows"),
        ("accuracy.value >= production", True, "the difference +0.01 beyond live on 200 rows, without regard"),
        ("accuracy.value >= production + 0.02", False, "+0.01"),
        ("accuracy <= production + 0.05", True, "the 95 % upper bound 0.04 of the difference"),
    ],
)
def test_a_relative_gate_judges_the_difference(text: str, passed: bool, reason: str) -> None:  # noqa: FBT001
    counts = {"gained": 8, "lost": 6}
    difference = Estimate(metric="accuracy", value=0.01, lower=-0.02, upper=0.04, n=200, method="tango", counts=counts)
    gate = Gate.parse(text)
    finding = gate.judge_difference(difference, "live")
    assert finding.passed is passed
    assert reason in finding.reason
    assert (finding.needed is not None) is ("about" in reason)
    assert judge([gate], evaluation(), {gate: [finding]}) == (finding,)
    assert not gate.judge(evaluation()).passed


def test_a_gate_that_lacks_only_rows_says_how_many_it_takes() -> None:
    finding = Gate.parse("accuracy >= 0.85").judge(evaluation())
    assert finding.needed is not None
    assert f"; about {finding.needed:,} rows would do at the same rates" in finding.reason
    for text in ("accuracy >= 0.95", "accuracy >= 0.75", "accuracy.value >= 0.95"):
        assert Gate.parse(text).judge(evaluation()).needed is None


def test_a_verdict_that_was_written_before_there_were_measurements_is_read() -> None:
    table = verdict(True).as_table()
    del table["measurements"]
    del table["findings"][0]["needed"], table["findings"][0]["judged"]
    assert Verdict.from_table(table) == verdict(True)
    timed = Estimate(metric="size_mb", value=1.0, lower=1.0, upper=1.0, n=1, method="exact")
    both = Verdict(name="m", digest="d", dataset="d", findings=(), measurements=(timed,))
    assert Verdict.from_table(both.as_table()) == both
