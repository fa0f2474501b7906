from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit import config, everyslice
from mlopskit.errors import ConfigError
from mlopskit.evaluation import Estimate, Evaluation
from mlopskit.gates import Gate, Verdict, judge


def estimate(slice: str, n: int, lower: float = 0.8, metric: str = "accuracy", reason: str = "") -> Estimate:
    return Estimate(metric=metric, value=0.9, lower=lower, upper=0.95, n=n, method="m", slice=slice, reason=reason)


def evaluation(*estimates: Estimate) -> Evaluation:
    return Evaluation(dataset="sha256:" + "0" * 64, rows=1000, estimates=(estimate("", 1000), *estimates))


def test_every_slice_has_its_finding() -> None:
    found = evaluation(estimate("s=a", 100), estimate("s=b", 60, lower=0.5), estimate("t=c", 70, lower=0.0))
    first, second = Gate.parse("accuracy[s=*] >= 0.7").findings(found)
    assert (first.gate, first.passed, first.n) == ("accuracy[s=a] >= 0.7", True, 100)
    assert (second.gate, second.passed, second.n) == ("accuracy[s=b] >= 0.7", False, 60)
    assert judge([Gate.parse("accuracy[s=a] >= 0.7")], found) == (first,)


@pytest.mark.parametrize(("small_slices", "passed"), [("show", True), ("fail", False)])
def test_small_slices_are_shown_and_fail_only_where_that_is_asked_for(small_slices: str, passed: bool) -> None:  # noqa: FBT001
    gate = Gate.parse("accuracy[s=*] >= 0.7", smallest_slice=61, small_slices=small_slices)  # type: ignore[arg-type]
    first, rest = gate.findings(evaluation(estimate("s=a", 100), estimate("s=b", 60), estimate("s=", 3)))
    assert first.passed
    assert (rest.gate, rest.passed, rest.judged, rest.n) == ("accuracy[s=*] >= 0.7", passed, False, 63)
    assert rest.reason == "not judged: 2 slices have fewer than 61 rows for it: s=b (60), s= (3)"
    verdict = Verdict(name="m", digest="sha256:" + "1" * 64, dataset="d", findings=(first, rest))
    assert [row[1] for row in verdict.table().rows] == [True, None if passed else False]
    assert verdict.passed is passed
    assert Verdict.from_table(verdict.as_table()) == verdict


def test_where_all_slices_are_small_nothing_is_judged_and_that_fails() -> None:
    (only,) = Gate.parse("accuracy[s=*] >= 0.7").findings(evaluation(estimate("s=a", 49)))
    assert not only.passed
    assert only.reason.endswith("1 slice has fewer than 50 rows for it: s=a (49); no slice is left to judge")


def test_a_metric_counts_its_own_rows() -> None:
    found = evaluation(estimate("s=a", 100), estimate("s=a", 100, metric="recall"))
    found = evaluation(*found.estimates, estimate("s=b", 100), estimate("s=b", 10, metric="recall"))
    first, rest = Gate.parse("recall[s=*] >= 0.7").findings(found)
    assert first.passed
    assert "s=b (10)" in rest.reason


def test_what_is_not_defined_on_enough_rows_fails() -> None:
    nan = [estimate("s=b", 0, metric="r2", reason="r2 is not defined on these 100 rows")]
    found = evaluation(estimate("s=a", 100, metric="r2"), estimate("s=b", 100), *nan)
    first, second = Gate.parse("r2[s=*] >= 0.7").findings(found)
    assert first.passed
    assert not second.passed
    assert second.reason == "r2 is not defined on these 100 rows"
    small = evaluation(estimate("s=a", 100, metric="r2"), estimate("s=b", 20), *nan)
    assert "s=b (20)" in Gate.parse("r2[s=*] >= 0.7").findings(small)[1].reason


@pytest.mark.parametrize(
    ("text", "reason"), [("acuracy[s=*] >= 0", "Did you mean 'accuracy'?"), ("accuracy[t=*] >= 0", "slice 't=*'")]
)
def test_without_such_a_metric_or_column_it_fails(text: str, reason: str) -> None:
    (only,) = Gate.parse(text).findings(evaluation(estimate("s=a", 100)))
    assert not only.passed
    assert reason in only.reason


def test_a_star_is_also_a_value() -> None:
    findings = Gate.parse("accuracy[s=*] >= 0.7").findings(evaluation(estimate("s=*", 100), estimate("s=a", 100)))
    assert [one.gate for one in findings] == ["accuracy[s=*] >= 0.7", "accuracy[s=a] >= 0.7"]
    assert everyslice.column_of("s=a*") is None
    assert everyslice.column_of("s=b=*") is None
    assert everyslice.column_of("") is None


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 200), min_size=1), st.integers(0, 100))
def test_each_slice_is_judged_or_counted(sizes: Mapping[str, int], smallest: int) -> None:
    gate = Gate.parse("accuracy[s=*] >= 0.7", smallest_slice=smallest)
    found = everyslice.findings(gate, sizes, lambda one: one.finding("", passed=True, n=sizes[one.slice]))
    assert sum(one.n for one in found) == sum(sizes.values())
    assert sum(one.judged for one in found) == sum(n >= smallest for n in sizes.values())
    assert all(one.passed for one in found) is any(one.judged for one in found)


def test_what_small_slices_do_is_one_of_two_words() -> None:
    with pytest.raises(ConfigError, match="small_slices"):
        config.convert({"small_slices": "ignore"}, config.EvaluateTable, where="[evaluate]")
