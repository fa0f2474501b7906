from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from mlopskit.builtin.classification import ClassificationEvaluator
from mlopskit.data import Dataset
from mlopskit.errors import ConfigError, DataError, UnknownNameError
from mlopskit.evaluation import Evaluation
from mlopskit.gates import Gate
from mlopskit.intervals import proportion


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
        ("f1", ""): (4 / 7, 5),
        ("f1", "source="): (0.0, 1),
        ("f1", "source=a"): (2 / 3, 4),
        ("f1", "source=b"): (0.0, 0),
    }
    assert model.asked == 1
    assert (evaluation.dataset, evaluation.rows) == (data.digest, 8)
    recall = evaluation.find("recall")
    assert (recall.lower, recall.upper) == proportion(2, 4)
    assert {one.method for one in evaluation.estimates} == {"clopper-pearson", "bca"}
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


def test_five_right_of_five_prove_little():
    evaluation = evaluate(["p"] * 4 + ["n"], ["p"] * 4 + ["n"])
    for metric, most in (("accuracy", 0.05 ** (1 / 5)), ("f1", 0.05 ** (1 / 4))):
        finding = Gate.parse(f"{metric} >= 0.75").judge(evaluation)
        assert not finding.passed
        assert finding.reached == pytest.approx(most)


def test_more_classes_have_each_their_precision_and_recall():
    evaluation = evaluate(["a", "b", "c", "c"], ["a", "b", "b", "c"])
    found = {one.metric: (one.value, one.n) for one in evaluation.estimates}
    assert found == {
        "accuracy": (0.75, 4),
        "precision(a)": (1.0, 1),
        "recall(a)": (1.0, 1),
        "precision(b)": (0.5, 2),
        "recall(b)": (1.0, 1),
        "precision(c)": (1.0, 1),
        "recall(c)": (0.5, 2),
        "macro_f1": (pytest.approx(7 / 9), 4),
    }
    assert Gate.parse("recall(c).value >= 0.5").judge(evaluation).passed


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


# --- against scikit-learn ------------------------------------------------------------------------------------------


class Scored:
    """Answers with given probabilities, and the likeliest class."""

    def __init__(self, classes, probabilities):
        self.classes, self.probabilities = classes, probabilities

    def score(self, rows):
        chosen = [self.classes[at] for at in self.probabilities.argmax(axis=1)]
        named = {f"probability.{name}": column.tolist() for name, column in zip(self.classes, self.probabilities.T)}  # noqa: B905
        return {"prediction": chosen, **named}


def scored(classes, n=200, seed=0):
    generator = np.random.default_rng(seed)
    labels = [classes[at] for at in generator.integers(0, len(classes), n)]
    raw = generator.random((n, len(classes))) + 0.5 * np.array([[label == one for one in classes] for label in labels])
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    data = Dataset(columns={"x": [0] * n, "y": labels}, target="y")
    return data, Scored(classes, probabilities), labels, probabilities


def test_two_classes_are_measured_as_scikit_learn_measures_them():
    data, model, labels, probabilities = scored(["no", "yes"])
    said = model.score({})["prediction"]
    found = {one.metric: one for one in ClassificationEvaluator().evaluate(model, data).estimates}
    positive = probabilities[:, 1]
    assert found["f1"].value == pytest.approx(metrics.f1_score(labels, said, pos_label="yes"))
    assert found["roc_auc"].value == pytest.approx(metrics.roc_auc_score(labels, positive))
    assert found["log_loss"].value == pytest.approx(metrics.log_loss(labels, probabilities))
    assert found["brier"].value == pytest.approx(metrics.brier_score_loss(labels, positive, pos_label="yes"))
    assert found["roc_auc"].method == "delong"
    assert found["roc_auc"].n == min(labels.count("yes"), labels.count("no"))
    assert all(one.lower < one.value < one.upper for one in found.values())


def test_more_classes_are_measured_as_scikit_learn_measures_them():
    data, model, labels, probabilities = scored(["a", "b", "c"])
    said = model.score({})["prediction"]
    found = {one.metric: one for one in ClassificationEvaluator().evaluate(model, data).estimates}
    assert found["macro_f1"].value == pytest.approx(metrics.f1_score(labels, said, average="macro"))
    assert found["log_loss"].value == pytest.approx(metrics.log_loss(labels, probabilities))
    assert found["brier"].value == pytest.approx(metrics.brier_score_loss(labels, probabilities) / 2)
    assert found["recall(b)"].value == pytest.approx(metrics.recall_score(labels, said, average=None)[1])
    assert "roc_auc" not in found


def test_a_label_the_model_does_not_know_has_the_probability_0():
    data = Dataset(columns={"x": [0] * 2, "y": ["a", "new"]}, target="y")
    model = Scored(["a", "b"], np.array([[1.0, 0.0], [1.0, 0.0]]))
    found = ClassificationEvaluator().evaluate(model, data)
    assert found.find("brier").value == pytest.approx((0 + (1 + 0 + 1) / 2) / 2)
    assert found.find("log_loss").value == pytest.approx(-np.log(np.finfo(float).eps) / 2)


def test_log_loss_is_not_judged_on_few_rows():
    data, model, _, _ = scored(["no", "yes"], n=99)
    evaluation = ClassificationEvaluator().evaluate(model, data)
    finding = Gate.parse("log_loss <= 100").judge(evaluation)
    assert not finding.passed
    assert finding.reason == "not judged: the bounds of log_loss need at least 100 rows, there are 99"
    assert Gate.parse("log_loss.value <= 100").judge(evaluation).passed
    assert Gate.parse("brier <= 0.9").judge(evaluation).passed


def test_rows_of_one_group_are_no_proof_of_each_other():
    data, model, _, _ = scored(["no", "yes"])
    grouped = Dataset(columns={**data.columns, "customer": [at // 10 for at in range(200)]}, target="y")
    alone = {one.metric: one for one in ClassificationEvaluator().evaluate(model, data).estimates}
    found = {one.metric: one for one in ClassificationEvaluator(group="customer").evaluate(model, grouped).estimates}
    assert {one.method for one in found.values()} == {"bca"}
    assert found["accuracy"].n == 20
    assert alone["accuracy"].n == 200
    assert found["roc_auc"].value == pytest.approx(alone["roc_auc"].value)
    assert found["roc_auc"].lower < found["roc_auc"].value < found["roc_auc"].upper
    with pytest.raises(UnknownNameError, match="no column 'custmer'"):
        ClassificationEvaluator(group="custmer").evaluate(model, grouped)


# --- two models on the same rows -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "method"),
    [
        ("accuracy", "tango"),
        ("recall", "tango"),
        ("roc_auc", "paired delong"),
        *[(metric, "paired bca") for metric in ("precision", "f1", "log_loss", "brier")],
    ],
)
def test_the_difference_is_that_of_the_values(metric, method):
    data, better, _, _ = scored(["no", "yes"], n=300)
    _, worse, _, _ = scored(["no", "yes"], n=300)
    generator = np.random.default_rng(3)
    worse.probabilities = generator.permutation(worse.probabilities)
    evaluator = ClassificationEvaluator()
    found = evaluator.compare(better, worse, data, metric=metric, slice="")
    values = [evaluator.evaluate(one, data).find(metric).value for one in (better, worse)]
    assert found.value == pytest.approx(values[0] - values[1])
    assert found.method == method
    assert found.lower < found.value < found.upper
    back = evaluator.compare(worse, better, data, metric=metric, slice="")
    assert back.lower == pytest.approx(-found.upper, abs=0.02)
    assert found in evaluator.differences(better, worse, data)


def test_what_was_not_measured_is_not_compared():
    data, model, _, _ = scored(["no", "yes"])
    assert ClassificationEvaluator().compare(model, model, data, metric="mae", slice="") is None
    assert ClassificationEvaluator().compare(model, model, data, metric="accuracy", slice="x=1") is None


def test_equal_models_differ_by_no_more_than_the_rows_can_rule_out():
    data, model, _, _ = scored(["no", "yes"])
    for metric in ("f1", "roc_auc", "brier"):
        found = ClassificationEvaluator().compare(model, model, data, metric=metric, slice="")
        assert found.value == 0
        assert found.lower == pytest.approx(0.05 ** (1 / found.n) - 1)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_slice_of_one_class_only_is_measured_where_it_can_be(classes):
    names = ["n", "p", "q"][:classes]
    labels = [names[at % classes] for at in range(90)] + ["n"] * 60
    columns = {"x": [*range(150)], "source": ["all"] * 90 + ["one"] * 60, "y": labels}
    outputs = {f"probability.{name}": [0.8 if name == label else 0.1 for label in labels] for name in names}
    outputs = {"prediction": labels, **outputs}

    class Right:
        def score(self, rows):
            return outputs

    data = Dataset(columns=columns, target="y", slices=("source",))
    found = ClassificationEvaluator().evaluate(Right(), data)
    assert Gate.parse("accuracy[source=one] >= 0.9").judge(found).passed
    undefined = ["roc_auc", "recall", "precision", "f1"] if classes == 2 else ["recall(p)", "precision(q)"]
    for metric in undefined:
        finding = Gate.parse(f"{metric}[source=one] >= 0").judge(found)
        assert not finding.passed
        assert finding.reason == f"{metric} is not defined on 0 rows"
        every = Gate.parse(f"{metric}[source=*] >= 0", smallest_slice=10).findings(found)
        assert [one.passed for one in every] == [True, True]
        assert every[-1].reason.startswith("not judged: 1 slice has fewer than 10 rows for it: source=one (0)")
    assert found.find("log_loss", "source=one").n == 60
