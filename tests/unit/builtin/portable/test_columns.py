from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)

from mlopskit.builtin.portable.writing import NoTablesError

ROWS = 120
COLOURS = np.array(["red", "green", "blue", "rare"])[[0, 1, 2, 0, 1, 2, 0, 1, 2, 3] * 12]
NAMES = {"age": ["number", "null"], "fare": "number", "colour": "string", "note": "string", "flag": "boolean"}
INPUTS = {name: {"type": kind} for name, kind in NAMES.items()}


@pytest.fixture(scope="module")
def frame():
    random = np.random.default_rng(2)
    age = np.round(random.normal(40, 12, ROWS), 1)
    age[::6] = np.nan
    return pd.DataFrame({
        "age": age,
        "fare": np.round(random.gamma(2, 20, ROWS), 2),
        "colour": pd.Series(COLOURS).astype("str"),
        "note": pd.Series([f"note {i % 5} of {i % 3} {'late' * (i % 2)}" for i in range(ROWS)]).astype("str"),
        "flag": np.arange(ROWS) % 3 == 0,
    })  # fmt: skip


def asked_rows():
    return {
        "age": [30.0, None, -1e9, 1e9, 0.0, 42.5, 42.5],
        "fare": [1.0, 0.0, 1e12, -5.0, 1e-300, 17.25, 17.25],
        "colour": ["red", "green", "rare", "blue", "red", "unseen", ""],
        "note": ["note 1 of 2 late", "", "late late", "NOTE", "of", "x", "note"],
        "flag": [True, False, True, False, True, False, True],
    }


ENCODERS = [
    OneHotEncoder(handle_unknown="ignore"),
    OneHotEncoder(sparse_output=False),
    OneHotEncoder(drop="first"),
    OneHotEncoder(drop="if_binary", handle_unknown="ignore", min_frequency=20),
    OneHotEncoder(min_frequency=20, handle_unknown="infrequent_if_exist"),
    OneHotEncoder(max_categories=3, handle_unknown="infrequent_if_exist", drop="first"),
    OneHotEncoder(max_categories=3, handle_unknown="warn"),
    OneHotEncoder(categories=[["blue", "green", "rare", "red"]]),
    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    TargetEncoder(),
    OrdinalEncoder(),
    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-7, min_frequency=20),
]


@pytest.mark.parametrize("encoder", ENCODERS, ids=repr)
@pytest.mark.parametrize("polars", [False, True])
def test_a_model_of_mixed_columns_answers_as_it_did(encoder, polars, frame, asked):
    filled = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    columns = ColumnTransformer([
        ("numbers", filled, ["age", "fare"]),
        ("colour", encoder, ["colour"]),
        ("note", TfidfVectorizer(), "note"),
        ("out", "drop", ["note"]),
    ], remainder="passthrough", transformer_weights={"numbers": 0.5, "note": 3})  # fmt: skip
    given = pl.DataFrame({name: frame[name].to_list() for name in frame}) if polars else frame
    model = make_pipeline(columns, LogisticRegression()).fit(given, np.arange(ROWS) % 2)
    assert asked(model, INPUTS).differences(asked_rows()) < 1e-12


def test_columns_by_place_slice_mask_and_kind(frame, asked):
    numeric = frame[["age", "fare", "flag"]].astype(float)
    for columns in (
        [0, 1],
        slice(0, 2),
        [True, True, False],
        [-2, -3],
        slice("age", "fare"),
        make_column_selector("a|f"),
    ):
        parts = ColumnTransformer([("filled", SimpleImputer(), columns)], remainder="passthrough")
        model = make_pipeline(parts, LogisticRegression()).fit(numeric, np.arange(ROWS) % 2)
        inputs = {"age": {"type": ["number", "null"]}, "fare": {"type": "number"}, "flag": {"type": "number"}}
        rows = {name: asked_rows()[name] for name in ("age", "fare")} | {"flag": [0.0, 1.0] * 3 + [1.0]}
        assert asked(model, inputs).differences(rows) < 1e-12


def test_gaps_reach_a_forest_through_dense_columns_and_are_refused_in_sparse_ones(frame, asked):
    inputs = {name: {"type": NAMES[name]} for name in ("age", "colour")}
    rows = {name: asked_rows()[name][:4] for name in inputs}
    for sparse in (False, True):
        encoder = OneHotEncoder(sparse_output=sparse, handle_unknown="ignore")
        columns = ColumnTransformer([("c", encoder, ["colour"])], remainder="passthrough", sparse_threshold=sparse)
        filled = frame[["age", "colour"]].fillna({"age": 7.0}) if sparse else frame[["age", "colour"]]
        model = make_pipeline(columns, RandomForestClassifier(5, random_state=0)).fit(filled, np.arange(ROWS) % 2)
        assert asked(model, inputs).differences(rows) == 0


@pytest.mark.parametrize(
    "imputer",
    [
        SimpleImputer(),
        SimpleImputer(missing_values=0.0, strategy="most_frequent", add_indicator=True),
        SimpleImputer(strategy="constant", fill_value=-3.5),
        SimpleImputer(keep_empty_features=True),
        make_union(SimpleImputer(), MissingIndicator(features="all")),
        make_union(SimpleImputer(), MissingIndicator()),
        make_union(SimpleImputer(), MissingIndicator(error_on_new=False)),
        FeatureUnion([("a", SimpleImputer()), ("b", SimpleImputer(strategy="median"))], transformer_weights={"b": 0.5}),
        make_pipeline(SimpleImputer(), FunctionTransformer(np.negative), FunctionTransformer(np.sin)),
        make_pipeline(SimpleImputer(), FunctionTransformer(np.cos), FunctionTransformer(np.exp2)),
        make_pipeline(
            SimpleImputer(), FunctionTransformer(np.exp), FunctionTransformer(np.log10), FunctionTransformer(np.tanh)
        ),
        make_pipeline(
            SimpleImputer(), FunctionTransformer(np.abs), FunctionTransformer(np.log1p), FunctionTransformer()
        ),
    ],
    ids=repr,
)
def test_gaps_are_filled_as_they_were(imputer, data, asked, numbers):
    features, two, *_ = data
    features = features.copy()
    features[::5, 2] = 0.0
    zeros = getattr(imputer, "missing_values", None) == 0.0
    if not zeros:
        features[::4, 1] = np.nan
    inputs, rows = numbers(np.nan_to_num(features), gaps=True)
    model = make_pipeline(imputer, LogisticRegression()).fit(features, two)
    assert asked(model, inputs).differences({name: cells[:60] + cells[-20:] for name, cells in rows.items()}) < 1e-12


def test_texts_are_filled_where_they_are_missing(frame, asked):
    gaps = frame[["colour", "fare"]].copy()
    gaps.loc[::4, "colour"] = np.nan
    fill = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    model = make_pipeline(ColumnTransformer([("c", fill, ["colour"])], remainder="passthrough"), LogisticRegression())
    inputs = {"colour": {"type": ["string", "null"]}, "fare": {"type": "number"}}
    given = asked(model.fit(gaps, np.arange(ROWS) % 2), inputs)
    assert given.frame == "pandas"
    assert given.differences({"colour": ["red", None, "unseen", ""], "fare": [1.0, 2.0, 3.0, 4.0]}) < 1e-12


def test_a_missing_category_is_one(frame, asked):
    gaps = frame[["colour", "fare"]].copy()
    gaps.loc[::4, "colour"] = np.nan
    inputs = {"colour": {"type": ["string", "null"]}, "fare": {"type": "number"}}
    rows = {"colour": ["red", None, "green", "unseen"], "fare": [1.0, 2.0, 3.0, 4.0]}
    for encoder in (OneHotEncoder(), OrdinalEncoder(encoded_missing_value=-2.0)):
        columns = ColumnTransformer([("c", encoder, ["colour"])], remainder="passthrough")
        model = make_pipeline(columns, LogisticRegression()).fit(gaps, np.arange(ROWS) % 2)
        assert asked(model, inputs).differences(rows) < 1e-12


def test_categories_become_the_means_of_three_classes(frame, asked):
    given, three = frame[["colour", "fare"]], np.arange(ROWS) % 3
    columns = ColumnTransformer([("c", TargetEncoder(), ["colour"])], remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(given, three)
    rows = {"colour": ["red", "unseen", "rare", ""], "fare": [1.0, 2.0, 3.0, 4.0]}
    assert asked(model, {"colour": {"type": "string"}, "fare": {"type": "number"}}).differences(rows) < 1e-12


def test_a_function_of_its_own_is_refused(data, asked, numbers):
    features, two, *_ = data
    model = make_pipeline(FunctionTransformer(lambda x: x * 2), LogisticRegression()).fit(features, two)
    with pytest.raises(NoTablesError, match="FunctionTransformer calls"):
        asked(model, numbers(features)[0])


def exp(x):
    return x + 1


def test_a_function_that_has_the_name_of_one_of_numpy_is_refused(data, asked, numbers):
    features, *_, target = data
    for function in (np.vectorize(exp), exp, np.frompyfunc(exp, 1, 1)):
        model = make_pipeline(FunctionTransformer(function), Ridge()).fit(features, target)
        with pytest.raises(NoTablesError, match="FunctionTransformer calls"):
            asked(model, numbers(features)[0])


def test_no_function_refuses_what_is_missing_if_it_validates(data, asked, numbers):
    features, *_, target = data
    model = make_pipeline(FunctionTransformer(validate=True), HistGradientBoostingRegressor(max_iter=2))
    inputs, rows = numbers(features, gaps=True)
    assert asked(model.fit(features, target), inputs).differences(rows) == 0.0


@pytest.mark.parametrize(
    ("column", "function", "why"), [("flag", np.exp, "booleans"), ("count", np.square, "integers")]
)
def test_functions_that_numpy_computes_in_another_precision_are_refused(column, function, why, asked):
    frame = pd.DataFrame({"flag": np.arange(40) % 3 == 0, "count": np.arange(40), "age": np.arange(40) / 7})
    kinds = {"flag": {"type": "boolean"}, "count": {"type": "integer"}, "age": {"type": "number"}}
    for others in ({"remainder": "passthrough"}, {}):
        columns = ColumnTransformer([("one", FunctionTransformer(function), [column])], **others)
        with pytest.raises(NoTablesError, match=why):
            asked(make_pipeline(columns, Ridge()).fit(frame, frame["age"]), kinds)
    alone = ColumnTransformer([("one", "passthrough", [column])])
    with pytest.raises(NoTablesError, match=why):
        asked(make_pipeline(alone, FunctionTransformer(function), Ridge()).fit(frame, frame["age"]), kinds)
    columns = ColumnTransformer([("one", FunctionTransformer(function), ["age"])])
    rows = {"flag": [True, False], "count": [2**40, -3], "age": [3.5, 1.0]}
    assert asked(make_pipeline(columns, Ridge()).fit(frame, frame["age"]), kinds).differences(rows) < 1e-12


def test_what_a_function_made_infinite_is_refused_by_an_encoder_and_passes_a_boosting(asked):
    rows = {"x0": [1.0, 2.0, 1e200, None, 0.0]}
    features = np.array([[1.0], [2.0], [np.nan], [0.0]] * 10)
    inputs = {"x0": {"type": ["number", "null"]}}
    for encoder in (
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        SimpleImputer(),
        "passthrough",
    ):
        model = make_pipeline(
            FunctionTransformer(np.square), encoder, HistGradientBoostingRegressor(min_samples_leaf=2, max_iter=3)
        )
        model.fit(features, np.where(np.isnan(features[:, 0]), 5.0, 1.0))
        assert asked(model, inputs).differences(rows) == 0.0


@pytest.mark.parametrize(
    "encoder", [OneHotEncoder(handle_unknown="ignore"), TargetEncoder(), OrdinalEncoder()], ids=repr
)
def test_infinite_categories_are_refused(encoder, data, asked):
    features, two, *_ = data
    model = make_pipeline(encoder, LogisticRegression()).fit(np.round(features[:, :2]), two)
    given = asked(model, {"x0": {"type": "number"}, "x1": {"type": "number"}})
    assert given.differences({"x0": [0.0, np.inf, 1.0], "x1": [1.0, 0.0, -np.inf]}) < 1e-12


@pytest.mark.parametrize(
    "transformer",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        TargetEncoder(),
        SimpleImputer(missing_values=3.0),
        KBinsDiscretizer(4, strategy="uniform"),
        QuantileTransformer(n_quantiles=5),
    ],
    ids=lambda one: type(one).__name__,
)
@pytest.mark.parametrize(("function", "exact"), [(np.log10, False), (np.expm1, False), (np.sqrt, True)])
def test_what_is_told_apart_by_equality_is_refused_of_what_is_rounded(transformer, function, exact, asked):
    # numpy's log10 of 1000 is 3; log(1000) / log(10) is not.
    features = (
        np.power(10.0, np.arange(60) % 5)[:, None] if exact or function is np.log10 else np.arange(60)[:, None] % 5.0
    )
    model = make_pipeline(FunctionTransformer(function), transformer, Ridge()).fit(features, np.arange(60) % 7)
    inputs = {"x0": {"type": "number"}}
    if exact:
        assert asked(model, inputs).differences({"x0": features[:, 0].tolist()}) < 1e-12
        return
    with pytest.raises(NoTablesError, match="a rounding more or less would show"):
        asked(model, inputs)
