from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import mlopskit as mk
from mlopskit.errors import ConfigError
from mlopskit.testing import assert_directional, assert_invariant, assert_metric, assert_predicts


class Counting:
    """Predicts by how often a text says "good"."""

    def score(self, rows: Mapping[str, Any]) -> dict[str, list[Any]]:
        counts = [text.count("good") for text in rows["text"]]
        return {"prediction": ["p" if n else "n" for n in counts], "probability.p": [n / 10 for n in counts]}


GOOD, BAD = {"text": "a good day"}, {"text": "a bad day"}
ROWS = mk.Dataset(columns={"text": [row["text"] for row in (GOOD, BAD)], "y": ["p", "n"]}, target="y")


def upper(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"text": row["text"].upper()}


def praised(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"text": f"{row['text']} good"}


def quiet(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"text": row["text"].rstrip("!")}


def test_what_holds_is_silent(package: mk.ModelPackage) -> None:
    assert_predicts(Counting(), [(GOOD, "p"), (BAD, "n")])
    assert_invariant(Counting(), [{"text": "good!"}, BAD], quiet)
    assert_directional(Counting(), ROWS, praised, "probability.p", "up")
    assert_metric(package, "accuracy", at_least=0.75, at_most=1.0)


def test_wrong_predictions_are_shown_with_their_rows() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_predicts(Counting(), [(GOOD, "p"), (BAD, "p")])
    text = str(caught.value)
    assert text.startswith("1 of 2 rows are predicted otherwise\n")
    assert "1    expected 'p', answered 'n'.  a bad day" in text
    assert "a good day" not in text


def test_rows_that_vary_are_shown_as_they_are_after_the_change() -> None:
    with pytest.raises(
        AssertionError, match="expected the same prediction for all 2 rows, answered 'p', 'n'"
    ) as caught:
        assert_invariant(Counting(), ROWS, upper)
    assert "1 of 2 rows" in str(caught.value)
    assert "A GOOD DAY" in str(caught.value)


def test_rows_that_go_the_other_way_are_shown() -> None:
    with pytest.raises(AssertionError, match=r"2 of 2 rows move probability\.p the other way"):
        assert_directional(Counting(), ROWS, praised, "probability.p", "down")


def test_of_many_rows_some_are_shown() -> None:
    with pytest.raises(AssertionError, match="… and 30 more"):
        assert_predicts(Counting(), [(BAD, "p")] * 50)


@pytest.mark.parametrize(
    "nothing",
    [
        lambda: assert_predicts(Counting(), []),
        lambda: assert_invariant(Counting(), [], upper),
        lambda: assert_invariant(Counting(), [GOOD], dict),
        lambda: assert_directional(Counting(), [GOOD], dict, "probability.p", "up"),
    ],
)
def test_a_test_of_nothing_fails(nothing: Any) -> None:
    with pytest.raises(AssertionError, match="nothing was tested"):
        nothing()


def test_a_wrong_word_is_no_failed_assertion(package: mk.ModelPackage) -> None:
    with pytest.raises(ConfigError, match="direction"):
        assert_directional(Counting(), [GOOD], praised, "probability.p", "upwards")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"probability\.q"):
        assert_directional(Counting(), [GOOD], praised, "probability.q", "up")
    with pytest.raises(ConfigError, match="at_least=None"):
        assert_metric(package, "accuracy")
    with pytest.raises(ConfigError, match="nan"):
        assert_metric(package, "accuracy", at_least=float("nan"))


def test_a_metric_is_judged_as_a_gate_is(package: mk.ModelPackage) -> None:
    assert_metric(package, "accuracy", at_least=1.0, at="value")
    with pytest.raises(AssertionError, match=r"accuracy >= 1: the 95 % lower bound 0\.9") as caught:
        assert_metric(package, "accuracy", at_least=1.0)
    assert "metric    value" in str(caught.value)
    with pytest.raises(AssertionError, match="There is no metric 'acuracy'"):
        assert_metric(package, "acuracy", at_least=0.5)
    with pytest.raises(AssertionError, match="There is no slice 'source=x'"):
        assert_metric(package, "accuracy", at_least=0.5, slice="source=x")


def test_every_slice_of_a_column_can_be_asked_for(package: mk.ModelPackage) -> None:
    estimates = [
        mk.Estimate(metric="accuracy", slice=f"source={name}", value=value, lower=value, upper=value, n=100, method="")
        for name, value in (("a", 0.9), ("b", 0.7))
    ]
    evaluation = mk.Evaluation(dataset="", rows=200, estimates=tuple(estimates))
    files = {**package.files, "evaluation.json": json.dumps(evaluation.as_table()).encode()}
    sliced = replace(package, files=files)
    assert_metric(sliced, "accuracy", at_least=0.7, slice="source=*")
    with pytest.raises(AssertionError) as caught:
        assert_metric(sliced, "accuracy", at_least=0.8, slice="source=*")
    assert str(caught.value).startswith("accuracy[source=b] >= 0.8: ")
    assert "accuracy[source=a] >= 0.8" not in str(caught.value)


def test_the_worst_rows_are_shown_where_they_are_known(package: mk.ModelPackage) -> None:
    model = mk.load(package.folder, digest=package.digest)
    data = mk.Dataset.from_frame(["good 1", "bad 1", "bad 2"], ["Positive", "Negative", "Positive"])
    with pytest.raises(AssertionError) as caught:
        assert_metric(package, "accuracy", at_least=1.0, model=model, data=data)
    assert "Wrong rows, the surest first" in str(caught.value)
    assert "bad 2" in str(caught.value)
    assert "bad 1" not in str(caught.value)
