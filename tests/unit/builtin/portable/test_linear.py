from __future__ import annotations

import pytest
from sklearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    MultiTaskLasso,
    Perceptron,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.svm import LinearSVC, LinearSVR

CLASSIFIERS = [
    LogisticRegression(),
    LogisticRegression(fit_intercept=False),
    RidgeClassifier(),
    SGDClassifier(loss="log_loss", random_state=0),
    SGDClassifier(random_state=0),
    SGDClassifier(loss="modified_huber", random_state=0),
    Perceptron(random_state=0),
    LinearSVC(random_state=0),
]
GENERALIZED = [PoissonRegressor(), TweedieRegressor(power=0), TweedieRegressor(power=1.5)]
REGRESSORS = [LinearRegression(), Ridge(), ElasticNet(), HuberRegressor(), LinearSVR(random_state=0)]


@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_linear_classifier_answers_as_it_did(model, classes, data, asked, numbers):
    features, *targets = data
    inputs, rows = numbers(features, gaps=True)
    assert asked(model.fit(features, targets[classes - 2]), inputs).differences(rows) < 1e-12


@pytest.mark.parametrize("model", REGRESSORS, ids=repr)
def test_a_linear_regressor_answers_as_it_did(model, data, asked, numbers):
    features, *_, target = data
    inputs, rows = numbers(features, gaps=True)
    assert asked(model.fit(features, target), inputs).differences(rows) < 1e-12


@pytest.mark.parametrize("model", GENERALIZED, ids=repr)
def test_a_generalized_one_answers_as_it_did(model, data, asked, numbers):
    features, _, counts, _ = data
    inputs, rows = numbers(features)
    few = {name: cells[:60] for name, cells in rows.items()}  # exp of 1e15 is infinite, here and there
    assert asked(model.fit(features, counts), inputs).differences(few) < 1e-12


def test_several_targets_are_answered(data, asked, numbers):
    features, *_ = data
    inputs, rows = numbers(features)
    model = MultiTaskLasso(alpha=0.01).fit(features, features[:, :2] * 3 + 1)
    assert asked(model, inputs, targets=2).differences(rows) < 1e-12
