from __future__ import annotations

import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

TREE = DecisionTreeClassifier(max_depth=3, random_state=0)
PARTS = [("one", LogisticRegression()), ("two", GaussianNB()), ("tree", TREE)]
CLASSIFIERS = [
    VotingClassifier(PARTS),
    VotingClassifier(PARTS, voting="soft", weights=[1, 2, 0.5]),
    VotingClassifier([*PARTS, ("out", "drop")], weights=[2, 1, 1, 9]),
    StackingClassifier(PARTS, cv=3),
    StackingClassifier([("line", LinearSVC(random_state=0)), ("two", GaussianNB())], cv=3, passthrough=True),
    BaggingClassifier(TREE, 5, max_features=3, random_state=0),
    BaggingClassifier(RidgeClassifier(), 5, random_state=0),
    AdaBoostClassifier(n_estimators=7, random_state=0),
]
REGRESSORS = [
    VotingRegressor([("one", Ridge()), ("two", DecisionTreeRegressor(max_depth=3, random_state=0))], weights=[1, 3]),
    StackingRegressor([("one", Ridge()), ("two", DecisionTreeRegressor(max_depth=3, random_state=0))], cv=3),
    BaggingRegressor(n_estimators=5, max_features=0.5, random_state=0),
    AdaBoostRegressor(n_estimators=7, random_state=0),
]


@pytest.mark.parametrize("model", CLASSIFIERS, ids=str)
@pytest.mark.parametrize("classes", [2, 3])
def test_several_classifiers_answer_as_they_did(model, classes, data, asked, numbers):
    features, *targets = data
    inputs, rows = numbers(features, gaps=True)
    assert asked(model.fit(features, targets[classes - 2]), inputs).differences(rows) < 1e-12


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
def test_several_regressors_answer_as_they_did(model, data, asked, numbers):
    features, *_, target = data
    inputs, rows = numbers(features, gaps=True)
    assert asked(model.fit(features, target), inputs).differences(rows) < 1e-12
