from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from mlopskit.builtin.portable.writing import NoTablesError

CLASSIFIERS = [
    DecisionTreeClassifier(random_state=0),
    DecisionTreeClassifier(max_leaf_nodes=9, random_state=0),
    RandomForestClassifier(9, random_state=0),
    ExtraTreesClassifier(9, random_state=0),
    GradientBoostingClassifier(n_estimators=9, random_state=0),
    HistGradientBoostingClassifier(max_iter=9, random_state=0),
]
REGRESSORS = [
    DecisionTreeRegressor(random_state=0),
    RandomForestRegressor(9, random_state=0),
    GradientBoostingRegressor(n_estimators=9, random_state=0),
    GradientBoostingRegressor(n_estimators=9, loss="huber", init="zero", random_state=0),
    HistGradientBoostingRegressor(max_iter=9, random_state=0),
]


def thresholds_of(model):
    """Return the numbers that rows are compared with."""
    if hasattr(model, "_predictors"):
        return [cell for stage in model._predictors for one in stage for cell in one.nodes["num_threshold"][:9]]
    parts = getattr(model, "estimators_", [model])
    return [cell for one in np.ravel(parts) for cell in one.tree_.threshold[:9]]


@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("gaps", [False, True])
def test_a_classifier_of_trees_answers_to_the_last_bit(model, classes, gaps, data, asked, numbers):
    features, *targets = data
    features = features.copy()
    if gaps and not isinstance(model, GradientBoostingClassifier):
        features[::7, 1] = np.nan
    model.fit(features, targets[classes - 2])
    inputs, rows = numbers(np.nan_to_num(features), thresholds_of(model), gaps=True)
    assert asked(model, inputs).differences(rows) <= 1e-15


@pytest.mark.parametrize("model", REGRESSORS, ids=repr)
def test_a_regressor_of_trees_answers_to_the_last_bit(model, data, asked, numbers):
    features, *_, target = data
    model.fit(features, target)
    inputs, rows = numbers(features, thresholds_of(model), gaps=True)
    assert asked(model, inputs).differences(rows) == 0


def test_counts_are_boosted_by_their_logarithms(data, asked, numbers):
    features, _, counts, _ = data
    model = HistGradientBoostingRegressor(loss="poisson", max_iter=9, random_state=0).fit(features, counts)
    inputs, rows = numbers(features, thresholds_of(model), gaps=True)
    assert asked(model, inputs).differences(rows) <= 1e-15


def test_two_classes_are_boosted_by_the_exponential_loss(data, asked, numbers):
    features, two, *_ = data
    model = GradientBoostingClassifier(loss="exponential", n_estimators=9, random_state=0).fit(features, two)
    inputs, rows = numbers(features, thresholds_of(model))
    assert asked(model, inputs).differences(rows) <= 1e-15


def test_several_targets_are_answered(data, asked, numbers):
    features, two, three, _ = data
    model = RandomForestClassifier(5, random_state=0).fit(features, np.stack([two, three], axis=1))
    inputs, rows = numbers(features, gaps=True)
    assert asked(model, inputs, targets=2).differences(rows) == 0


def test_categories_stay_categories(data, asked):
    features, two, *_ = data
    words = np.array(["red", "green", "blue", None], dtype=object)[np.arange(len(two)) % 4]
    codes = np.arange(len(two)) % 5.0
    frame = pd.DataFrame({"number": features[:, 0], "word": pd.Series(words).astype("str"), "code": codes})
    model = HistGradientBoostingClassifier(categorical_features=["word", "code"], max_iter=9).fit(frame, two)
    inputs = {
        "number": {"type": ["number", "null"]},
        "word": {"type": ["string", "null"]},
        "code": {"type": ["number", "null"]},
    }
    given = asked(model, inputs)
    assert any(
        tree["categories"] for step in given.document["steps"] if step["op"] == "trees" for tree in step["trees"]
    )
    rows = {
        "number": [0.1, -2.0, None, 1.0, 0.5, 0.5],
        "word": ["red", "never seen", "green", None, "blue", ""],
        "code": [0.0, 1.0, 7.0, None, 4.0, 2.5],
    }
    assert given.differences(rows) <= 1e-15


def test_boosting_that_starts_from_a_model_is_refused(data, asked, numbers):
    features, *_, target = data
    model = GradientBoostingRegressor(init=LinearRegression(), n_estimators=2).fit(features, target)
    with pytest.raises(NoTablesError, match="starts from LinearRegression"):
        asked(model, numbers(features)[0])


class Dummy(BaseEstimator, RegressorMixin):
    def fit(self, features, target, sample_weight=None):
        self.n_features_in_ = features.shape[1]
        return self

    def predict(self, features):
        return np.asarray(features)[:, 0] * 3


def test_boosting_that_starts_from_what_only_has_the_name_of_a_constant_is_refused(data, asked, numbers):
    features, two, _, target = data
    named = type("DummyRegressor", (Dummy,), {})
    chance = DummyClassifier(strategy="stratified")
    for model, wanted in (
        (GradientBoostingRegressor(init=named()), target),
        (GradientBoostingClassifier(init=chance), two),
    ):
        model.set_params(n_estimators=2).fit(features, wanted)
        with pytest.raises(NoTablesError, match="starts from"):
            asked(model, numbers(features)[0])
