"""What common exports to ONNX get wrong without a word, each on 2,000 hostile rows: here it is exact, or refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, RandomizedSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from mlopskit.errors import StoreError

LIMIT = 1e-12


def gapped(features):
    random = np.random.default_rng(1)
    return np.where(random.random(features.shape) < 0.2, np.nan, features)


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(10, random_state=0),
        ExtraTreesClassifier(10, random_state=0),
        DecisionTreeClassifier(random_state=0),
        HistGradientBoostingClassifier(max_iter=10),
        make_pipeline(SimpleImputer(add_indicator=True), LogisticRegression()),
        make_pipeline(SimpleImputer(), CalibratedClassifierCV(RandomForestClassifier(5, random_state=0), cv=2,
                                                              method="isotonic")),
    ],
    ids=lambda model: "-".join(type(one).__name__ for _, one in getattr(model, "steps", [("", model)])),
)  # fmt: skip
def test_models_trained_with_gaps(model, numbers, columns, exported):
    features, target, hostile = numbers
    features = gapped(features)
    assert exported(model.fit(features, target), features, target).worst(columns(hostile)) <= LIMIT


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=10)),
        make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0)),
        VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(random_state=0))]),
        DummyClassifier(strategy="prior"),
    ],
    ids=repr,
)
def test_models_of_numbers(model, numbers, columns, exported):
    features, target, hostile = numbers
    assert exported(model.fit(features, target), features, target).worst(columns(hostile)) <= LIMIT


@pytest.mark.parametrize(
    "model",
    [
        FixedThresholdClassifier(LogisticRegression(), threshold=0.8, response_method="predict_proba"),
        TunedThresholdClassifierCV(LogisticRegression(), cv=3),
        RandomizedSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_of_two_classes(model, numbers, columns, exported):
    features, target, hostile = numbers
    target = np.minimum(target, 1)
    assert exported(model.fit(features, target), features, target).worst(columns(hostile)) <= LIMIT


@pytest.mark.parametrize("kind", [LGBMClassifier, LGBMRegressor])
def test_models_of_lightgbm(kind, numbers, columns, exported):
    features, target, hostile = numbers
    features = gapped(features)
    model = kind(n_estimators=12, num_leaves=12, n_jobs=1, verbose=-1).fit(features, target)
    assert exported(model, features, target).worst(columns(hostile)) <= LIMIT


def test_models_of_xgboost_are_refused_by_name(numbers, exported):
    class XGBClassifier(LogisticRegression):  # what is read is the name, and where it comes from
        __module__ = "xgboost.sklearn"

    features, target, _ = numbers
    with pytest.raises(StoreError, match="XGBClassifier has no portable form: it computes in single precision"):
        exported(XGBClassifier().fit(features, target), features, target)


def test_a_transformed_target(numbers, columns, exported):
    features, target, hostile = numbers
    model = TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1)
    assert exported(model.fit(features, target + 0.5), features, target + 0.5).worst(columns(hostile)) <= LIMIT


def mixed(count, seed, *, unseen):
    random = np.random.default_rng(seed)
    colours = np.array(
        ["red", "grün", "", "שלום", "a b", *(["?", "Red", "gru\u0308n"] if unseen else [])], dtype=object
    )
    frame = pd.DataFrame({
        "colour": colours[random.integers(len(colours), size=count)],
        "size": np.round(random.normal(size=count), 2),
        "number": random.integers(6 if unseen else 4, size=count).astype(float),
    })  # fmt: skip
    frame.loc[random.random(count) < 0.1, "size"] = np.nan
    frame.loc[random.random(count) < 0.1, "colour"] = None
    return frame


def cells_of(frame):
    return {key: [None if pd.isna(cell) else cell for cell in frame[key].tolist()] for key in frame}


ENCODERS = {
    "ignore": OneHotEncoder(handle_unknown="ignore"),
    "rare": OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=60),
    "refuse": OneHotEncoder(),
    "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_mixed_columns(name, exported):
    frame, random = mixed(300, 0, unseen=False), np.random.default_rng(2)
    parts = ColumnTransformer([
        ("text", ENCODERS[name], ["colour", "number"]),
        ("number", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["size"]),
    ])  # fmt: skip
    target = random.integers(2, size=300)
    made = exported(make_pipeline(parts, LogisticRegression()).fit(frame, target), frame, target)
    asked = mixed(2000, 3, unseen=True)
    rows = cells_of(asked)
    assert made.worst(rows if name != "refuse" else {key: cells[:400] for key, cells in rows.items()}) <= LIMIT


@pytest.mark.parametrize("kind", [HistGradientBoostingClassifier, HistGradientBoostingRegressor])
def test_boosting_with_categories(kind, exported):
    frame, random = mixed(600, 0, unseen=False), np.random.default_rng(2)
    frame["colour"] = frame["colour"].fillna("none")
    target = (random.random(600) + (frame["colour"] == "red") > 0.7).to_numpy().astype(int)
    encoded = ColumnTransformer(
        [("text", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), ["colour", "number"])],
        remainder="passthrough",
    )
    model = make_pipeline(encoded, kind(max_iter=10, categorical_features=[0, 1], min_samples_leaf=5))
    made = exported(model.fit(frame, target), frame, target)
    assert b"membership_values" in made.data
    asked = mixed(2000, 3, unseen=True)
    rows = cells_of(asked)
    rows["colour"] = ["none" if cell is None else cell for cell in rows["colour"]]
    assert made.worst(rows) <= LIMIT
