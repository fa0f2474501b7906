from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlopskit.builtin.classification import ClassificationEvaluator, bounds
from mlopskit.data import Dataset
from mlopskit.errors import ConfigError, DataError, UnknownNameError
from mlopskit.evaluation import Evaluation
from mlopskit.gates import Gate


class Said:
    """Answers with what stands in the column "said"; counts how often it is asked."""

    def __init__(self, probabilities=()):
        self.asked = 0
        self.probabilities = probabilities

    def score(self, rows):
        self.asked += 1
        assert set(rows) == {"said"}
        return {
            "prediction": rows["said"],
            **{f"probability.{name}": [0.5] * len(rows["said"]) for name in self.probabilities},
        }


def dataset(labels, said, **slices):
    return Dataset(columns={"said": said, **slices, "y": labels}, target="y", slices=tuple(slices))


def evaluate(labels, said, probabilities=(), **slices) -> Evaluation:
    return ClassificationEvaluator().evaluate(Said(probabilities), dataset(labels, said, **slices))


# --- the bounds -----------------------------------------------------------------------------------------------------


def test_five_right_of_five_prove_little():
    assert bounds(5, 5, confidence=0.95) == (pytest.approx(0.05 ** (1 / 5), rel=1e-12), 1.0)
    evaluation = evaluate(["p"] * 4 + ["n"], ["p"] * 4 + ["n"])
    finding = Gate.parse("accuracy >= 0.75").judge(evaluation)
    assert not finding.passed
    assert finding.reached == pytest.approx(0.549, abs=5e-4)


@pytest.mark.parametrize(
    ("k", "n", "lower", "upper"),
    # Two-sided 95 % limits (each one-sided 97.5 %) as published: 81 of 263, 15 of 148, 0 of 20, 1 of 29 in
    # R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, table I.
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_the_bounds_are_those_published(k, n, lower, upper):
    assert bounds(k, n, confidence=0.975) == (pytest.approx(lower, abs=5e-5), pytest.approx(upper, abs=5e-5))


def at_least(k: int, n: int, p: float) -> float:
    return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.6, 0.99))
def test_at_its_bound_a_proportion_is_just_as_improbable_as_said(seen, confidence):
    k, n = seen
    lower, upper = bounds(k, n, confidence=confidence)
    assert lower <= k / n <= upper
    assert lower == 0 if k == 0 else at_least(k, n, lower) == pytest.approx(1 - confidence, rel=1e-6)
    assert upper == 1 if k == n else 1 - at_least(k + 1, n, upper) == pytest.approx(1 - confidence, rel=1e-6)


@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_bounds_are_quantiles_of_beta_distributions(seen):
    k, n = seen
    lower, upper = bounds(k, n, confidence=0.95)
    assert lower == pytest.approx(stats.beta.ppf(0.05, k, n - k + 1) if k else 0, rel=1e-8)
    assert upper == pytest.approx(stats.beta.ppf(0.95, k + 1, n - k) if k < n else 1, rel=1e-8)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.75, 0.97])
def test_the_lower_bound_is_above_the_truth_in_at_most_5_percent_of_samples(p):
    n = 80
    above = [k for k in range(n + 1) if bounds(k, n, confidence=0.95)[0] > p]
    assert math.fsum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in above) <= 0.05


# --- the metrics ----------------------------------------------------------------------------------------------------


def test_two_classes_have_accuracy_precision_and_recall():
    labels = ["p", "p", "p", "n", "n", "n", "n", "p"]
    said = ["p", "p", "n", "p", "n", "n", "n", "n"]
    model = Said()
    data = dataset(labels, said, source=["a", "a", "a", "a", "b", "b", "b", None])
    evaluation = ClassificationEvaluator().evaluate(model, data)
    found = {(one.metric, one.slice): (one.value, one.n) for one in evaluation.estimates}
    assert found == {
        ("accuracy", ""): (5 / 8, 8),
        ("precision", ""): (2 / 3, 3),
        ("recall", ""): (2 / 4, 4),
        ("accuracy", "source="): (0.0, 1),
        ("precision", "source="): (0.0, 0),
        ("recall", "source="): (0.0, 1),
        ("accuracy", "source=a"): (2 / 4, 4),
        ("precision", "source=a"): (2 / 3, 3),
        ("recall", "source=a"): (2 / 3, 3),
        ("accuracy", "source=b"): (1.0, 3),
        ("precision", "source=b"): (0.0, 0),
        ("recall", "source=b"): (0.0, 0),
    }
    assert model.asked == 1
    assert (evaluation.dataset, evaluation.rows) == (data.digest, 8)
    recall = evaluation.find("recall")
    assert (recall.lower, recall.upper) == bounds(2, 4, confidence=0.95)
    assert {one.method for one in evaluation.estimates} == {"clopper-pearson"}
    assert evaluation == ClassificationEvaluator().evaluate(Said(), data)
    assert Evaluation.from_table(evaluation.as_table()) == evaluation


@pytest.mark.parametrize(
    "rule", ["recall[s=b] >= 0", "recall[s=b] <= 1", "recall.value[s=b] <= 1", "recall.value[s=b] >= 0"]
)
def test_a_metric_of_no_rows_passes_no_gate(rule):
    evaluation = evaluate(["p", "n"], ["p", "n"], s=["a", "b"])
    estimate = evaluation.find("recall", "s=b")
    assert (estimate.value, estimate.lower, estimate.upper, estimate.n) == (0.0, 0.0, 1.0, 0)
    finding = Gate.parse(rule).judge(evaluation)
    assert not finding.passed
    assert "not defined on 0 rows" in finding.reason


def test_no_rows_pass_no_gate():
    evaluation = evaluate([], [])
    assert evaluation.rows == 0
    assert not Gate.parse("accuracy <= 1").judge(evaluation).passed


def test_three_classes_have_accuracy_alone():
    evaluation = evaluate(["a", "b", "c"], ["a", "b", "b"])
    assert [one.metric for one in evaluation.estimates] == ["accuracy"]


@pytest.mark.parametrize(
    ("labels", "n"),
    [(["b", "a", "a"], 1), ([1, 0, 0], 1), ([True, False, False], 1), ([10, 9, 9], 1), ([1.5, -2.0, -2.0], 1)],
)
def test_the_positive_class_is_the_last_in_sorted_order(labels, n):
    assert evaluate(labels, labels).find("recall").n == n


def test_the_models_own_classes_decide_where_it_names_them():
    # All rows are of the first class: seen alone they would make it the positive one.
    evaluation = evaluate(["n", "n"], ["n", "n"], probabilities=["n", "p"])
    assert evaluation.find("recall").n == 0
    assert evaluate(["n", "n"], ["n", "n"]).find("recall") is None
    assert evaluate(["a", "b"], ["a", "b"], probabilities=["a", "b", "c"]).find("recall") is None


def test_the_positive_class_may_be_chosen():
    data = dataset(["a", "b", "c", "c"], ["a", "b", "c", "a"])
    assert ClassificationEvaluator(positive="c").evaluate(Said(), data).find("recall").value == 0.5
    with pytest.raises(UnknownNameError, match="no class 'd'"):
        ClassificationEvaluator(positive="d").evaluate(Said(), data)


def test_the_confidence_may_be_chosen():
    data = dataset(["a"] * 5, ["a"] * 5)
    estimate = ClassificationEvaluator(confidence=0.5).evaluate(Said(), data).find("accuracy")
    assert estimate.lower == pytest.approx(0.5 ** (1 / 5))
    for confidence in (0, 1, 95, float("nan")):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            ClassificationEvaluator(confidence=confidence)


@pytest.mark.parametrize(("labels", "said"), [([1, 0], ["1", "0"]), (["True"], [True]), ([1], [True]), ([True], [1.0])])
def test_labels_of_another_type_are_an_error_and_no_bad_model(labels, said):
    with pytest.raises(DataError, match="'y' are of the type"):
        evaluate(labels, said)


def test_whole_numbers_equal_numbers():
    assert evaluate([1, 2], [1.0, 2.0]).find("accuracy").value == 1.0


def test_arrays_are_answers_too():
    class Arrays:
        def score(self, rows):
            return {"prediction": np.array(rows["said"])}

    evaluation = ClassificationEvaluator().evaluate(Arrays(), dataset(["a", "b"], ["a", "a"]))
    assert evaluation.find("accuracy").value == 0.5
    assert type(evaluation.find("accuracy").value) is float
