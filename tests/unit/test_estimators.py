from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from mlopskit.builtin.scikit_learn import ScikitLearnTrainer
from mlopskit.builtin.skops.loader import to_frame
from mlopskit.data import Dataset
from mlopskit.errors import DataError, StoreError
from mlopskit.estimators import classes_of, frame_of, output_schema, spread, task_of
from mlopskit.runtime.profile import check_schema

TEXT = make_pipeline(TfidfVectorizer(), LogisticRegression())


def schema(**types):
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in types.items()},
        "required": [*types],
    }


@pytest.mark.parametrize(
    "estimator",
    [
        TEXT,
        make_pipeline(HashingVectorizer(), LogisticRegression()),
        Pipeline([("none", "passthrough"), ("words", CountVectorizer()), ("model", LogisticRegression())]),
        make_pipeline(FeatureUnion([("words", CountVectorizer()), ("parts", TfidfVectorizer())]), LogisticRegression()),
        GridSearchCV(TEXT, {"logisticregression__C": [1, 2]}),
        CalibratedClassifierCV(TEXT),
        VotingClassifier([("one", TEXT), ("other", TEXT)]),
        StackingClassifier([("one", TEXT)]),
        TransformedTargetRegressor(make_pipeline(TfidfVectorizer(), Ridge())),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_a_text_vectorizer_in_front_takes_one_column_of_texts(estimator):
    assert frame_of(estimator, schema(text="string")) == "column"
    for inputs in (schema(text="string", more="string"), schema(text="integer"), schema(text=["string", "null"])):
        with pytest.raises(DataError, match="reads one column of texts, the data have 'text'"):
            frame_of(estimator, inputs)


def columns(selector, step=None):
    return make_pipeline(ColumnTransformer([("step", step or OneHotEncoder(), selector)]), LogisticRegression())


@pytest.mark.parametrize(
    ("estimator", "inputs", "frame"),
    [
        (LogisticRegression(), schema(a="number", b=["integer", "null"], c="boolean"), "arrays"),
        (make_pipeline(StandardScaler(), LogisticRegression()), schema(a="number"), "arrays"),
        (columns([0, 1]), schema(a="number", b="number"), "arrays"),
        (columns(slice(0, 1)), schema(a="number", b="number"), "arrays"),
        (columns(["a"]), schema(a="number", b="number"), "polars"),
        (columns("a"), schema(a="string", b="number"), "polars"),
        (columns(["a"]), schema(a="string"), "polars"),
        (columns(["a"]), schema(a=["string", "null"]), "pandas"),
        (columns("a", TfidfVectorizer()), schema(a="string", b="number"), "polars"),
        (columns(make_column_selector(dtype_include="number")), schema(a="number"), "pandas"),
        (GridSearchCV(columns(["a"]), {}), schema(a="number"), "polars"),
        (make_pipeline(OneHotEncoder(), LogisticRegression()), schema(a="string"), "polars"),
        (make_pipeline(FunctionTransformer(), LogisticRegression()), schema(a="string"), "polars"),
        (object(), schema(a="number"), "arrays"),
    ],
)
def test_other_estimators_are_fed_as_they_select_their_columns(estimator, inputs, frame):
    assert frame_of(estimator, inputs) == frame


def test_a_fitted_model_is_fed_as_it_was_fitted():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    named = LogisticRegression().fit(frame[["a"]], [0, 1])
    assert frame_of(named, schema(a="number")) == "polars"
    encoded = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(frame[["b"]].to_numpy(dtype=object), [0, 1])
    assert frame_of(encoded, schema(b="string")) == "arrays"
    assert frame_of(LogisticRegression().fit([[1], [2]], [0, 1]), schema(x0="integer")) == "arrays"


def test_a_missing_text_is_found_by_an_imputer_in_the_chosen_frame():
    # In a polars frame it would silently become a category of its own.
    data = Dataset(columns={"a": ["p", None, "q", "p"], "n": [1, 2, None, 4], "y": [0, 1, 1, 0]}, target="y")
    text = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    chosen = ColumnTransformer([("text", text, ["a"]), ("number", SimpleImputer(), ["n"])])
    model = ScikitLearnTrainer(estimator=make_pipeline(chosen, LogisticRegression())).train(data)
    encoder = model[0].named_transformers_["text"][-1]
    assert encoder.categories_[0].tolist() == ["p", "q"]
    inputs = data.input_schema()
    answers = model.predict(to_frame(data.input_columns(), inputs, frame_of(model, inputs)))
    assert answers.shape == (4,)


@pytest.mark.parametrize("frame", ["polars", "pandas"])
def test_column_transformers_answer_alike_on_both_frames(frame):
    cells = {
        "c": ["a", "b", "a", "c"],
        "t": ["xx yy", "yy zz", "zz", "xx"],
        "i": [1, None, 3, 4],
        "f": [0.1, None, 0.3, 0.4],
    }
    data = Dataset(columns={**cells, "y": ["n", "p", "n", "p"]}, target="y")
    steps = [
        ("c", OneHotEncoder(handle_unknown="ignore"), ["c"]),
        ("t", TfidfVectorizer(), "t"),
        ("n", make_pipeline(SimpleImputer(), StandardScaler()), ["i", "f"]),
    ]
    inputs = data.input_schema()
    model = make_pipeline(ColumnTransformer(steps), LogisticRegression())
    model.fit(to_frame(data.input_columns(), inputs, frame), data.labels)
    same = model.predict_proba(to_frame(data.input_columns(), inputs, "pandas"))
    assert np.array_equal(model.predict_proba(to_frame(data.input_columns(), inputs, frame)), same)
    reference = pd.DataFrame({**cells, "i": [1.0, np.nan, 3.0, 4.0], "f": [0.1, np.nan, 0.3, 0.4]})
    again = make_pipeline(ColumnTransformer(steps), LogisticRegression()).fit(reference, data.labels)
    assert np.array_equal(same, again.predict_proba(reference))


# --- task, classes, outputs -----------------------------------------------------------------------------------------

X = [[0.0], [1.0], [2.0], [3.0]]


def labelled(labels):
    return Dataset(columns={"a": [0.0] * len(labels), "y": labels}, target="y")


def test_the_task_follows_from_the_model():
    assert task_of(LogisticRegression().fit(X, [0, 1, 0, 1]), labelled([0])) == "binary"
    assert task_of(LogisticRegression().fit(X, [0, 1, 2, 1]), labelled([0])) == "multiclass"
    assert task_of(LinearRegression(), labelled([0])) == "regression"
    assert task_of(LogisticRegression(), labelled(["a", "b", "c"])) == "multiclass"
    assert task_of(LogisticRegression(), labelled(["a", "b", "b"])) == "binary"


@pytest.mark.parametrize("model", [KMeans(), StandardScaler(), object()], ids=lambda model: type(model).__name__)
def test_what_is_neither_classifier_nor_regressor_is_refused(model):
    with pytest.raises(StoreError, match=f"{type(model).__name__} is neither"):
        task_of(model, labelled([0]))


@pytest.mark.parametrize(
    ("labels", "kind", "classes"),
    [
        (np.array(["n", "p", "n", "p"]), "string", ["n", "p"]),
        (np.array([3, 1, 3, 1]), "integer", [1, 3]),
        (np.array([True, False, True, False]), "boolean", [False, True]),
        (np.array([1.0, 2.0, 1.0, 2.0]), "number", [1.0, 2.0]),
    ],
)
def test_the_outputs_are_the_prediction_then_the_probabilities_in_class_order(labels, kind, classes):
    found = output_schema(LogisticRegression().fit(X, labels), labelled(labels.tolist()))
    check_schema(found)
    assert found["required"] == ["prediction", *(f"probability.{label}" for label in classes)]
    assert found["properties"]["prediction"] == {"type": kind, "enum": classes}
    assert [type(label) for label in found["properties"]["prediction"]["enum"]] == [type(label) for label in classes]


def test_models_without_probabilities_or_classes_predict_alone():
    assert output_schema(LinearSVC().fit(X, [0, 1, 0, 1]), labelled([0]))["properties"] == {
        "prediction": {"type": "integer", "enum": [0, 1]}
    }
    regression = output_schema(LinearRegression().fit(X, [0, 1, 0, 1]), labelled([0]))
    assert regression["properties"] == {"prediction": {"type": "number"}}


FLAGS = [[0, 1], [1, 0], [0, 0], [1, 1]]


def several(*names, labels=((0, 1), (1, 0), (0, 0), (1, 1))):
    columns = dict(zip(names, map(list, zip(*labels, strict=True)), strict=True))
    return Dataset(columns={"a": [0.0] * len(labels), **columns}, target=names)


def test_the_task_of_several_targets_is_one_of_classes_or_of_numbers():
    assert task_of(KNeighborsClassifier(), several("p", "q")) == "multilabel"
    assert task_of(LinearRegression(), several("p", "q")) == "multioutput-regression"


def test_the_outputs_of_several_targets_carry_their_names_in_order():
    found = output_schema(MultiOutputClassifier(LogisticRegression()).fit(X, FLAGS), several("q", "p"))
    check_schema(found)
    assert found["required"] == [
        "prediction.q", "prediction.p", "probability.q.0", "probability.q.1", "probability.p.0", "probability.p.1",
    ]  # fmt: skip
    numbers = output_schema(LinearRegression().fit(X, FLAGS), several("q", "p"))
    assert numbers["properties"] == {"prediction.q": {"type": "number"}, "prediction.p": {"type": "number"}}


def test_flags_have_the_kind_of_their_labels():
    model = make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression())).fit(X, FLAGS)
    search = GridSearchCV(RidgeClassifier(), {"alpha": [1.0]}, cv=2).fit(X, FLAGS)
    for found in (model, search):
        assert classes_of(found, several("p", "q")) == [[0, 1], [0, 1]]
        said = several("p", "q", labels=[[False, True], [True, False]])
        assert classes_of(found, said) == [[False, True], [False, True]]


def test_probabilities_that_a_model_cannot_give_for_several_targets_are_left_out():
    three = [[0, 1], [1, 0], [2, 0], [1, 1]]
    chain = ClassifierChain(LogisticRegression()).fit(X, three)
    assert output_schema(chain, several("p", "q"))["required"] == ["prediction.p", "prediction.q"]
    assert len(output_schema(chain.fit(X, FLAGS), several("p", "q"))["required"]) == 6
    stack = StackingClassifier([("one", DecisionTreeClassifier())], DecisionTreeClassifier(), cv=KFold(2))
    stack.fit(X, np.array(FLAGS))
    assert output_schema(stack, several("p", "q"))["required"] == ["prediction.p", "prediction.q"]


@pytest.mark.parametrize("model", [KNeighborsClassifier(1), MultiOutputClassifier(LogisticRegression())])
def test_another_number_of_targets_than_the_data_have_is_refused(model):
    model.fit(X, FLAGS)
    with pytest.raises(StoreError, match="are 2, those of the data 1: 'y'"):
        output_schema(model, labelled([0]))
    with pytest.raises(StoreError, match="are 1, those of the data 2: 'p', 'q'"):
        output_schema(LogisticRegression().fit(X, [0, 1, 0, 1]), several("p", "q"))


def test_targets_whose_outputs_would_have_one_name_are_refused():
    with pytest.raises(StoreError, match=r"'p' and 'p\.q' cannot be told apart") as caught:
        output_schema(LinearRegression().fit(X, FLAGS), several("p", "p.q"))
    assert "p_q" in caught.value.remedy


def test_the_spread_of_a_target_scales_its_tolerance():
    assert spread([1, 3]) == 1.0
    assert spread([10.0, 30.0]) == 10.0
    assert spread([5.0, 5.0]) == 1.0
