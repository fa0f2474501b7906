"""What evaluators show: curves against scikit-learn's own, counts, and rows; small, whatever comes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

import mlopskit as mk
from mlopskit.builtin import curves
from mlopskit.builtin.classification import ClassificationEvaluator
from mlopskit.builtin.regression import RegressionEvaluator
from mlopskit.evidence import MOST_CLASSES, MOST_POINTS, MOST_ROWS, Evidence

SCORED = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()), min_size=2, max_size=40)


def both(rows: list[tuple[float, bool]]) -> bool:
    return {True, False} == {positive for _, positive in rows}


@given(SCORED.filter(both))
def test_curves_are_scikit_learns(rows: list[tuple[float, bool]]) -> None:
    scores, positive = (np.array(column) for column in zip(*rows, strict=True))
    false, true, _ = metrics.roc_curve(positive, scores, drop_intermediate=False)
    assert np.allclose(curves.roc(scores, positive).series[0].points, np.c_[false, true])
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    ours = curves.precision_recall(scores, positive).series[0].points
    assert np.allclose(ours[::-1], np.c_[recall, precision][:-1])


def test_a_long_curve_is_thinned_and_stays_the_same_curve() -> None:
    generator = np.random.default_rng(0)
    positive = generator.random(100_000) < 0.1
    scores = generator.normal(size=100_000) + positive
    points = np.array(curves.roc(scores, positive).series[0].points)
    assert len(points) <= MOST_POINTS + 2
    assert points[0].tolist() == [0, 0]
    assert points[-1].tolist() == [1, 1]
    assert metrics.auc(*points.T) == pytest.approx(metrics.roc_auc_score(positive, scores), abs=1e-4)


def test_calibration_compares_what_was_said_with_what_was_seen() -> None:
    generator = np.random.default_rng(0)
    scores = generator.random(20_000)
    points = np.array(curves.calibration(scores, generator.random(20_000) < scores).series[0].points)
    assert len(points) == 10
    assert np.abs(points[:, 0] - points[:, 1]).max() < 0.04
    assert len(curves.calibration(np.array([0.2, 0.4]), np.array([True, False])).series[0].points) == 2


def test_the_confusion_matrix_is_scikit_learns() -> None:
    true, said = ["a", "b", "a", "c"], ["a", "a", "a", "b"]
    made = curves.confusion(true, said, ["a", "b", "c"])
    assert made.labels == ["a", "b", "c"]
    assert made.counts == metrics.confusion_matrix(true, said).tolist()


def test_of_many_classes_the_most_frequent_are_counted_and_the_rest_together() -> None:
    true = [f"class {number}" for number in range(100) for _ in range(number + 1)]
    said = ["class 99"] * len(true)
    made = curves.confusion(true, said, [])
    assert len(made.labels) == MOST_CLASSES
    assert made.labels[-1] == "all others"
    assert sum(map(sum, made.counts)) == len(true)
    assert "class 99" in made.labels
    assert "class 1" not in made.labels


def answering(outputs: dict[str, Any]) -> mk.Scorer:
    class Fixed:
        def score(self, rows: mk.Columns, /) -> mk.Columns:
            assert len(next(iter(rows.values()))) == len(outputs["prediction"])
            return outputs

    return Fixed()


def test_a_classifier_shows_its_curves_its_counts_and_its_surest_errors() -> None:
    data = mk.Dataset.from_frame([{"x": number} for number in range(4)], ["n", "p", "p", "n"])
    likely = [0.1, 0.2, 0.8, 0.9]
    outputs = {
        "prediction": ["n", "n", "p", "p"],
        "probability.n": [1 - one for one in likely],
        "probability.p": likely,
    }
    found = ClassificationEvaluator().evidence(answering(outputs), data)
    assert [one.title for one in found.plots] == ["ROC curve", "Precision and recall", "Calibration"]
    assert found.matrices[0].counts == [[1, 1], [1, 1]]
    assert [row[:4] for row in found.rows[0].rows] == [(3, "n", "p", 0.9), (1, "p", "n", 0.8)]
    assert Evidence.from_table(found.as_table()) == found or Evidence.from_table(found.as_table()).plots


def test_without_probabilities_or_with_one_class_there_are_no_curves() -> None:
    data = mk.Dataset.from_frame([{"x": 1}, {"x": 2}], ["n", "p"])
    assert ClassificationEvaluator().evidence(answering({"prediction": ["n", "n"]}), data).plots == []
    outputs = {"prediction": ["n", "n"], "probability.n": [0.9, 0.8], "probability.p": [0.1, 0.2]}
    one_class = mk.Dataset.from_frame([{"x": 1}, {"x": 2}], ["n", "n"])
    assert ClassificationEvaluator().evidence(answering(outputs), one_class).plots == []


def test_a_regression_shows_its_errors_and_the_largest_of_them() -> None:
    data = mk.Dataset.from_frame([{"x": number} for number in range(300)], [float(number) for number in range(300)])
    said = [number + (100.0 if number == 7 else 0.5) for number in range(300)]
    found = RegressionEvaluator().evidence(answering({"prediction": said}), data)
    assert [one.title for one in found.plots] == ["Predictions", "Errors"]
    assert found.plots[0].note == f"{MOST_POINTS} of 300 rows."
    assert sum(count for _, count in found.plots[1].series[0].points) == 300
    assert found.rows[0].rows[0] == (7, 7.0, 107.0, 100.0, 7)
    assert len(found.rows[0].rows) == MOST_ROWS


def test_no_rows_show_nothing_and_long_cells_are_shortened() -> None:
    empty = mk.Dataset.from_frame([{"x": 1.0}], [1.0]).take([])
    assert RegressionEvaluator().evidence(answering({"prediction": []}), empty) == Evidence()
    assert ClassificationEvaluator().evidence(answering({"prediction": []}), empty) == Evidence()
    data = mk.Dataset.from_frame([{"x": "a" * 5000}], ["n"])
    found = ClassificationEvaluator().evidence(answering({"prediction": ["p"]}), data)
    assert len(str(found.rows[0].rows[0][-1])) == 201
