from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB

from mlopskit.builtin.portable.writing import NoTablesError

ANY = [
    GaussianNB(),
    BernoulliNB(binarize=0.1),
    LinearDiscriminantAnalysis(),
    LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    QuadraticDiscriminantAnalysis(),
    DummyClassifier(),
    DummyClassifier(strategy="most_frequent"),
    DummyClassifier(strategy="constant", constant=1),
]


@pytest.mark.parametrize("model", ANY, ids=repr)
@pytest.mark.parametrize("classes", [2, 3])
def test_any_numbers_are_judged_as_they_were(model, classes, data, asked, numbers):
    features, *targets = data
    inputs, rows = numbers(features, gaps=True)
    assert asked(model.fit(features, targets[classes - 2]), inputs).differences(rows) < 1e-12


@pytest.mark.parametrize("model", [MultinomialNB(), ComplementNB(), ComplementNB(norm=True)], ids=repr)
def test_counts_are_judged_as_they_were(model, data, asked, numbers):
    features, _, three, _ = data
    inputs, rows = numbers(np.abs(features))
    few = {name: cells[:62] for name, cells in rows.items()}
    assert asked(model.fit(np.abs(features), three), inputs).differences(few) < 1e-12


def test_categories_are_judged_as_they_were(data, asked, numbers):
    features, _, three, _ = data
    codes = np.floor(np.abs(features))
    model = CategoricalNB().fit(codes, three)
    inputs, _ = numbers(codes)
    rows = {name: [0.0, 1.0, 1.7, 2.0, 0.0, 99.0, -1.0, None] for name in inputs}
    assert asked(model, inputs).differences(rows) < 1e-12


def test_constant_numbers_stay_constant(data, asked, numbers):
    features, *_, target = data
    inputs, rows = numbers(features, gaps=True)
    assert asked(DummyRegressor(strategy="median").fit(features, target), inputs).differences(rows) == 0


def test_answers_by_chance_are_refused(data, asked, numbers):
    features, two, *_ = data
    with pytest.raises(NoTablesError, match="by chance"):
        asked(DummyClassifier(strategy="stratified").fit(features, two), numbers(features)[0])


@pytest.mark.parametrize("columns", [7, 8, 13, 136, 300])
def test_a_column_that_was_always_the_same_leaves_no_rounding(columns, asked, numbers):
    random = np.random.default_rng(4)
    features = random.normal(size=(60, columns))
    features[:, 2] = 0.1
    model = GaussianNB().fit(features, np.arange(60) % 3)
    rows = features[:30].copy()
    rows[:, 2] = random.normal(size=30) * 9
    inputs = {f"x{n}": {"type": "number"} for n in range(columns)}
    assert asked(model, inputs).differences({f"x{n}": rows[:, n].tolist() for n in range(columns)}) < 1e-15
