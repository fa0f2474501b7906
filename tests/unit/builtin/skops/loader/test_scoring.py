"""What an estimator is given, and what it answers."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, RegressorChain
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.loader.scoring import to_frame
from mlopskit.data import Dataset
from mlopskit.estimators import output_schema

COLUMNS = {"n": [1, None], "t": ["a", None], "i": [1, 2], "b": [True, False], "m": [True, None]}
INPUTS = {
    "required": list(COLUMNS),
    "properties": {
        "n": {"type": ["number", "null"]},
        "t": {"type": ["string", "null"]},
        "i": {"type": "integer"},
        "b": {"type": "boolean"},
        "m": {"type": ["boolean", "null"]},
    },
}


def test_frames_have_the_types_of_the_schema():
    pandas = to_frame(COLUMNS, INPUTS, "pandas")
    assert list(pandas) == list(COLUMNS)
    assert [str(kind) for kind in pandas.dtypes] == ["float64", "str", "int64", "bool", "object"]
    assert pandas.isna().to_numpy().tolist() == [[False] * 5, [True, True, False, False, True]]
    polars = to_frame(COLUMNS, INPUTS, "polars")
    assert [str(kind) for kind in polars.dtypes] == ["Float64", "String", "Int64", "Boolean", "Boolean"]
    assert polars.null_count().row(0) == (1, 1, 0, 0, 1)
    rows = to_frame(COLUMNS, INPUTS, "arrays")
    assert rows.dtype == object
    assert rows.tolist() == [[1, "a", 1, True, True], [None, None, 2, False, None]]
    numbers = {**INPUTS, "required": ["n", "i", "b"]}
    assert np.array_equal(to_frame(COLUMNS, numbers, "arrays"), [[1, 1, 1], [np.nan, 2, 0]], equal_nan=True)
    column = to_frame({"t": ["a", "b"]}, {**INPUTS, "required": ["t"]}, "column")
    assert (column.dtype, column.tolist()) == (object, ["a", "b"])
    with pytest.raises(ValueError, match="the frame 'sheet' is not known"):
        to_frame(COLUMNS, INPUTS, "sheet")


def same(one, other):
    """Say whether two frames or arrays have the same types and cells."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype != object)
    return list(one.dtypes) == list(other.dtypes) and one.equals(other)


ARRAYS = {
    "n": [np.array([1.0, np.nan]), np.array([1.0, np.nan], "f4")],
    "t": [pl.Series(["a", None]), pd.Series(["a", None], dtype="str", index=[7, 8])],
    "i": [np.array([1, 2]), np.array([1, 2], "u1")],
    "b": [np.array([True, False])],
    "w": [np.array([1.0, np.nan])],
}


@pytest.mark.parametrize("frame", ["arrays", "pandas", "polars"])
@pytest.mark.parametrize(("name", "values"), [(name, values) for name in ARRAYS for values in ARRAYS[name]])
def test_an_array_makes_the_frame_that_its_cells_make(frame, name, values):
    inputs = {**INPUTS, "properties": {**INPUTS["properties"], "w": {"type": ["integer", "null"]}}}
    inputs["required"] = list(inputs["properties"])
    columns = {**COLUMNS, "w": [1, None]}
    assert same(to_frame({**columns, name: values}, inputs, frame), to_frame(columns, inputs, frame))
    alone = {**inputs, "required": [name]}
    assert same(to_frame({name: values}, alone, frame), to_frame({name: columns[name]}, alone, frame))


def test_a_column_of_text_is_an_array_of_objects():
    inputs = {"required": ["t"], "properties": {"t": {"type": "string"}}}
    for values in (["a", "b"], pl.Series(["a", "b"]), pd.Series(["a", "b"]), np.array(["a", "b"])):
        found = to_frame({"t": values}, inputs, "column")
        assert (found.dtype, found.tolist()) == (object, ["a", "b"])


@pytest.mark.parametrize(
    ("other", "library"),
    [
        ({"type": ["number", "null"]}, "pandas"),
        ({"type": "boolean"}, "pandas"),
        ({"type": ["boolean", "null"]}, "polars"),
    ],
)
def test_pandas_texts_stay_in_pandas_where_polars_would_hold_the_same(other, library):
    inputs = {"required": ["t", "o"], "properties": {"t": {"type": "string"}, "o": other}}
    columns = {"t": pd.Series(["a", "b"]), "o": [True, False]}
    assert type(to_frame(columns, inputs, "polars")).__module__.partition(".")[0] == library
    assert isinstance(to_frame({**columns, "t": ["a", "b"]}, inputs, "polars"), pl.DataFrame)


def test_integers_written_as_numbers_are_integers():
    inputs = {"required": ["i"], "properties": {"i": {"type": ["integer", "null"]}}}
    for values in ([1.0, None, 2], np.array([1.0, np.nan, 2.0])):
        assert to_frame({"i": values}, inputs, "polars")["i"].to_list() == [1, None, 2]


def test_arrays_are_answered_by_arrays(data, spec, load):
    features, labels = data
    model = RandomForestClassifier(3, random_state=0).fit(features, np.array(["no", "yes"])[labels])
    scorer = load(canonical(model), spec(model))
    lists = scorer.score({f"x{n}": features[:, n].tolist() for n in range(4)})
    arrays = scorer.score({f"x{n}": features[:, n] for n in range(4)})
    assert all(type(cells) is list for cells in lists.values())
    assert all(type(cells) is np.ndarray for cells in arrays.values())
    assert {name: cells.tolist() for name, cells in arrays.items()} == lists


def test_a_model_of_one_output_column_is_flattened(data, spec, load):
    features, labels = data
    model = LinearRegression().fit(features, labels.reshape(-1, 1))
    scorer = load(canonical(model), spec(model))
    answers = scorer.score({f"x{number}": features[:3, number].tolist() for number in range(4)})
    assert answers["prediction"] == model.predict(features[:3]).ravel().tolist()


def test_text_labels_and_their_order_are_the_schemas(data, spec, load):
    features, labels = data
    model = SVC().fit(features, np.array(["no", "yes"])[labels])
    described = spec(model)
    assert described["schema"]["outputs"]["required"] == ["prediction"]
    assert set(load(canonical(model), described).score({f"x{n}": [0.9] for n in range(4)})["prediction"]) == {"yes"}


# --- several targets --------------------------------------------------------------------------------------------------


def described(model, labels):
    """Return what the loader is told of a model that was fitted to such labels."""
    outputs = output_schema(model, Dataset.from_frame([[0]] * len(labels), labels))
    names = [f"x{number}" for number in range(4)]
    inputs = {"required": names, "properties": {name: {"type": "number"} for name in names}}
    return {"schema": {"inputs": inputs, "outputs": outputs}, "frame": "arrays"}


@pytest.fixture(scope="module")
def flags(data):
    """Three targets of zeros and ones, each of another share."""
    return (data[0][:, :3] > [0.3, 0.5, 0.7]).astype(int)


MODELS = [
    MultiOutputClassifier(LogisticRegression()),
    ClassifierChain(LogisticRegression(), order=[2, 0, 1]),
    OneVsRestClassifier(LogisticRegression()),
    MLPClassifier(max_iter=5, random_state=0),
    DecisionTreeClassifier(random_state=0),
    RandomForestClassifier(3, random_state=0),
    KNeighborsClassifier(3),
    RidgeClassifier(),
]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("kind", [int, bool])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_several_targets_are_answered_each_by_its_columns(model, kind, data, flags, load):
    features, labels = data[0], flags.astype(kind)
    model.fit(features, labels)
    scorer = load(canonical(model), described(model, labels))
    answers = scorer.score({f"x{n}": features[:, n].tolist() for n in range(4)})
    predicted = model.predict(features).astype(kind)
    for at in range(3):
        assert answers[f"prediction.y{at}"] == predicted[:, at].tolist()
        assert {type(cell) for cell in answers[f"prediction.y{at}"]} == {kind}
    if hasattr(model, "predict_proba"):
        found = model.predict_proba(features)
        positive = np.column_stack([one[:, 1] for one in found]) if isinstance(found, list) else found
        for at in range(3):
            yes, no = (np.array(answers[f"probability.y{at}.{kind(cell)}"]) for cell in (1, 0))
            assert yes == pytest.approx(positive[:, at])
            assert yes + no == pytest.approx(1)
    arrays = scorer.score({f"x{n}": features[:, n] for n in range(4)})
    assert {name: cells.tolist() for name, cells in arrays.items()} == answers


def test_targets_of_texts_have_classes_of_their_own(data, load):
    features = data[0]
    labels = np.stack([np.array(["cold", "hot"])[data[1]], np.array(["a", "b", "c"])[np.arange(len(features)) % 3]], 1)
    model = DecisionTreeClassifier(max_depth=2).fit(features, labels)
    answers = load(canonical(model), described(model, labels)).score({f"x{n}": [0.9, 0.1] for n in range(4)})
    assert list(answers) == [
        "prediction.y0", "prediction.y1", "probability.y0.cold", "probability.y0.hot",
        "probability.y1.a", "probability.y1.b", "probability.y1.c",
    ]  # fmt: skip
    assert answers["prediction.y0"] == model.predict([[0.9] * 4, [0.1] * 4])[:, 0].tolist()


def test_numbers_of_several_targets_are_answered(data, load):
    features = data[0]
    model = RegressorChain(LinearRegression()).fit(features, features[:, :2] * 3)
    answers = load(canonical(model), described(model, features[:, :2])).score({f"x{n}": [0.5] for n in range(4)})
    assert answers == {"prediction.y0": [pytest.approx(1.5)], "prediction.y1": [pytest.approx(1.5)]}


def test_another_number_of_targets_than_the_schema_has_is_an_error(data, flags, load):
    features = data[0]
    one = LinearRegression().fit(features, data[1])
    two = LinearRegression().fit(features, flags[:, :2])
    rows = {f"x{n}": [0.5] for n in range(4)}
    for model, labels in ((one, flags[:, :2] * 1.5), (two, flags * 1.5), (two, data[1] * 1.5)):
        with pytest.raises(ValueError, match=r"the model predicts \d targets, the schema has \d"):
            load(canonical(model), described(model, labels)).score(rows)
    classes = MultiOutputClassifier(LogisticRegression()).fit(features, flags)
    told = described(classes, flags)
    fewer = DecisionTreeClassifier().fit(features, flags[:, :2])
    with pytest.raises(ValueError, match="the model has 2 targets, the schema has 3"):
        load(canonical(fewer), told)
