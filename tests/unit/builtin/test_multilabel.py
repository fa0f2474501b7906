from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from mlopskit.builtin import curves
from mlopskit.builtin.multilabel import MultilabelEvaluator
from mlopskit.data import Dataset
from mlopskit.errors import DataError
from mlopskit.evidence import MOST_ROWS, MOST_TARGETS, Evidence
from mlopskit.gates import Gate
from mlopskit.runtime import canonical

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


class Scored:
    """Answers flags, and how likely each was called."""

    def __init__(self, said, scores):
        self.said, self.scores = said, scores

    def score(self, rows):
        names = [f"t{at}" for at in range(self.said.shape[1])]
        outputs = {f"prediction.{name}": self.said[:, at].tolist() for at, name in enumerate(names)}
        for at, name in enumerate(names):
            outputs |= {f"probability.{name}.False": (1 - self.scores[:, at]).tolist()}
            outputs |= {f"probability.{name}.True": self.scores[:, at].tolist()}
        return outputs


def many(targets, rows=60):
    generator = np.random.default_rng(0)
    scores = generator.random((rows, targets))
    columns = {f"t{at}": (scores[:, at] + generator.normal(0, 0.2, rows) > 0.5).tolist() for at in range(targets)}
    return Scored(scores > 0.5, scores), Dataset(columns={"x": [*range(rows)], **columns}, target=[*columns])


def test_the_evidence_shows_each_target_the_worst_rows_and_the_curves_of_all_together():
    model, rows = many(3)
    found = MultilabelEvaluator().evidence(model, rows)
    true = np.column_stack([rows.columns[name] for name in rows.targets])
    (table,) = found.tables
    assert table.columns == ("target", "share right", "labelled yes", "predicted yes", "precision", "recall")
    expected = {
        name: (
            metrics.accuracy_score(true[:, at], model.said[:, at]),
            true[:, at].sum(),
            model.said[:, at].sum(),
            metrics.precision_score(true[:, at], model.said[:, at]),
            metrics.recall_score(true[:, at], model.said[:, at]),
        )
        for at, name in enumerate(rows.targets)
    }
    assert {row[0]: row[1:] for row in table.rows} == {name: pytest.approx(row) for name, row in expected.items()}
    assert [row[1] for row in table.rows] == sorted(row[1] for row in table.rows)
    wrong = (true != model.said).sum(axis=1)
    first = found.rows[0].rows[0]
    assert found.rows[0].columns == ("row", "wrong", "which", "input x")
    assert first[1] == wrong.max() == wrong[first[0]]
    assert first[2].count(" instead of ") == first[1]
    roc = found.plots[0]
    assert roc.title == "ROC curve, all targets together"
    area = metrics.roc_auc_score(true, model.scores, average="micro")
    assert metrics.auc(*np.array(roc.series[0].points).T) == pytest.approx(area, abs=1e-3)
    assert Evidence.from_table(canonical.loads(canonical.dumps(found.as_table()), what="it", limit=10**6)).plots


def test_the_evidence_of_a_hundred_and_fifty_targets_is_small():
    model, rows = many(150)
    found = MultilabelEvaluator().evidence(model, rows)
    assert len(found.tables[0].rows) == MOST_TARGETS
    assert found.tables[0].title == "Targets, those most often wrong first, 100 of 150"
    assert len(found.rows[0].rows) == MOST_ROWS
    assert len(canonical.dumps(found.as_table())) < 100_000


def test_of_many_answers_some_rows_make_the_curves(monkeypatch):
    monkeypatch.setattr(curves, "_MOST_ANSWERS", 30)
    model, rows = many(3)
    found = MultilabelEvaluator().evidence(model, rows)
    assert len(found.plots) == 3


def test_without_rows_wrong_answers_or_two_classes_the_evidence_says_less():
    true, _ = answers(20)
    assert MultilabelEvaluator().evidence(Model(true), data(true).take([])) == Evidence()
    right = MultilabelEvaluator().evidence(Model(true), data(true))
    assert right.rows[0].rows == []
    assert right.plots == []
    classes = np.arange(60).reshape(20, 3) % 4
    assert MultilabelEvaluator().evidence(Model(classes), data(classes)).tables[0].columns == ("target", "share right")
    never = np.zeros((20, 3), bool)
    assert MultilabelEvaluator().evidence(Model(never), data(never)).tables[0].rows[0] == ("t0", 1.0, 0, 0, None, None)
