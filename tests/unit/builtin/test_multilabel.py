from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from mlopskit.builtin.measuring import Measured, estimates
from mlopskit.builtin.multilabel import MultilabelEvaluator, columns_of


def answers(n=150, targets=3):
    generator = np.random.default_rng(0)
    true = generator.random((n, targets)) < 0.4
    return true, true ^ (generator.random((n, targets)) < 0.15)


def measured(true, said):
    columns, found = columns_of(true, said)
    return {one.metric: one for one in estimates(Measured(columns=columns, metrics=found), "", confidence=0.95)}


def test_the_figures_are_those_of_scikit_learn():
    true, said = answers()
    found = measured(true, said)
    assert found["accuracy"].value == pytest.approx(metrics.accuracy_score(true, said))
    assert found["micro_f1"].value == pytest.approx(metrics.f1_score(true, said, average="micro"))
    assert found["macro_f1"].value == pytest.approx(metrics.f1_score(true, said, average="macro"))
    assert found["hamming"].value == pytest.approx(metrics.hamming_loss(true, said))
    assert found["accuracy"].method == "clopper-pearson"
    assert all(one.lower < one.value < one.upper for one in found.values())


def test_answers_that_are_all_right_prove_what_the_rows_can():
    true, _ = answers(n=20)
    found = measured(true, true)
    assert found["micro_f1"].lower == pytest.approx(0.05 ** (1 / 20))
    assert found["hamming"].upper == pytest.approx(1 - 0.05 ** (1 / 20))


class Several:
    """A dataset of several targets, as far as the evaluator looks."""

    digest = "sha256:" + "0" * 64
    slices = ()

    def __init__(self, true):
        self.true = true

    def __len__(self):
        return len(self.true)

    def input_columns(self):
        return {"x": [0] * len(self)}

    def label_columns(self):
        return {f"t{at}": column.tolist() for at, column in enumerate(self.true.T)}


def test_each_target_has_its_output():
    true, said = answers()

    class Model:
        def score(self, rows):
            return {f"prediction.t{at}": column.tolist() for at, column in enumerate(said.T)}

    found = MultilabelEvaluator().evaluate(Model(), Several(true))
    assert found.rows == 150
    assert found.find("hamming") == measured(true, said)["hamming"]
