from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from mlopskit.builtin.multilabel import MultilabelEvaluator
from mlopskit.data import Dataset
from mlopskit.errors import DataError
from mlopskit.gates import Gate

TARGETS = ("t0", "t1", "t2")


def answers(n=150):
    generator = np.random.default_rng(0)
    true = generator.random((n, 3)) < 0.4
    return true, true ^ (generator.random((n, 3)) < 0.15)


class Model:
    """Answers what it is told to, and names its classes if it is told them."""

    def __init__(self, said, *classes):
        self.said = said
        self.classes = classes

    def score(self, rows):
        outputs = {f"prediction.{name}": cells.tolist() for name, cells in zip(TARGETS, self.said.T, strict=False)}
        named = {f"probability.{name}.{one}": [0.5] * len(self.said) for name in TARGETS for one in self.classes}
        return {**outputs, **named}


def data(true):
    columns = {name: cells.tolist() for name, cells in zip(TARGETS, true.T, strict=False)}
    return Dataset(columns={"x": [0] * len(true), **columns}, target=[*columns])


def found(true, said, *classes):
    return MultilabelEvaluator().evaluate(Model(said, *classes), data(true))


@pytest.mark.parametrize("kind", [bool, int, float])
def test_the_figures_are_those_of_scikit_learn(kind):
    true, said = answers()
    evaluation = found(true.astype(kind), said.astype(kind))
    expected = {
        "accuracy": metrics.accuracy_score(true, said),
        "micro_f1": metrics.f1_score(true, said, average="micro"),
        "macro_f1": metrics.f1_score(true, said, average="macro"),
        "hamming": metrics.hamming_loss(true, said),
        "accuracy(t0)": metrics.accuracy_score(true[:, 0], said[:, 0]),
        "precision(t1)": metrics.precision_score(true[:, 1], said[:, 1]),
        "recall(t2)": metrics.recall_score(true[:, 2], said[:, 2]),
    }
    assert {name: evaluation.find(name).value for name in expected} == pytest.approx(expected)
    assert evaluation.find("accuracy").method == "clopper-pearson"
    assert all(one.lower < one.value < one.upper for one in evaluation.estimates)
    assert Gate.parse("recall(t2) >= 0.5").judge(evaluation).passed


def test_answers_that_are_all_right_prove_what_the_rows_can():
    true, _ = answers(n=20)
    evaluation = found(true, true)
    assert evaluation.find("micro_f1").lower == pytest.approx(0.05 ** (1 / 20))
    assert evaluation.find("hamming").upper == pytest.approx(1 - 0.05 ** (1 / 20))


def test_of_two_texts_the_last_in_sorted_order_is_positive():
    true, said = answers()
    texts = [np.where(cells, "wet", "dry") for cells in (true, said)]
    assert found(*texts).find("recall(t0)") == found(true, said).find("recall(t0)")
    # Where all rows are dry, only the model's classes say that dry is not the positive one.
    dry = np.full((20, 3), "dry")
    assert found(dry, dry).find("recall(t0)") is None
    assert found(dry, dry, "dry", "wet").find("recall(t0)").n == 0


def test_targets_of_more_classes_have_shares_of_right_answers_alone():
    generator = np.random.default_rng(0)
    true = generator.integers(0, 3, (60, 3))
    said = np.where(generator.random((60, 3)) < 0.3, 0, true)
    evaluation = found(true, said)
    assert {one.metric for one in evaluation.estimates} == {
        "accuracy", "accuracy(t0)", "accuracy(t1)", "accuracy(t2)", "hamming",
    }  # fmt: skip
    assert evaluation.find("accuracy").value == pytest.approx((true == said).all(axis=1).mean())


def test_no_rows_pass_no_gate():
    evaluation = found(np.empty((0, 3), int), np.empty((0, 3), int))
    assert not Gate.parse("accuracy >= 0").judge(evaluation).passed
    assert not Gate.parse("hamming <= 1").judge(evaluation).passed


def test_labels_of_another_type_are_an_error():
    true, said = answers(5)
    with pytest.raises(DataError, match="'t0' are of the type string"):
        found(np.where(true, "yes", "no"), said)


def test_two_models_are_compared_row_by_row():
    true, said = answers()
    compared = MultilabelEvaluator().compare(Model(true), Model(said), data(true), metric="accuracy", slice="")
    assert compared.method == "tango"
    assert compared.value == pytest.approx(1 - found(true, said).find("accuracy").value)
