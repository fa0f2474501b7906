"""What an estimator is given, and what it answers."""

import numpy as np
import pytest
from sklearn.svm import SVC

from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.loader.scoring import to_frame

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


def test_a_model_of_one_output_column_is_flattened(data, spec, load):
    from sklearn.linear_model import LinearRegression

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
