from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

from mlopskit.errors import DataError
from mlopskit.frames import columns_of, series_of

ROWS = {"a": [1, 2], "b": ["x", None], "c": [1.5, None], "d": [True, False]}


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame(ROWS),
        pd.DataFrame(ROWS),
        [{"a": 1, "b": "x", "c": 1.5, "d": True}, {"d": False, "a": 2, "b": None, "c": float("nan")}],
    ],
    ids=["polars", "pandas", "tables"],
)
def test_frames_and_tables_of_one_content_are_the_same_columns(frame):
    found = columns_of(frame)
    assert found == ROWS
    assert list(found) == list(ROWS)
    assert [type(cell) for cell in found["a"]] == [int, int]
    assert [type(cell) for cell in found["d"]] == [bool, bool]


@pytest.mark.parametrize(
    "array",
    [np.array([[1.0, 2.0], [3.0, np.nan]]), [[1.0, 2.0], (3.0, None)], pd.DataFrame([[1.0, 2.0], [3.0, None]])],
    ids=["numpy", "lists", "pandas without names"],
)
def test_the_columns_of_an_array_are_numbered(array):
    assert columns_of(array) == {"x0": [1.0, 3.0], "x1": [2.0, None]}


@pytest.mark.parametrize(
    "texts", [["a", "b"], ("a", "b"), np.array(["a", "b"]), pd.Series(["a", "b"]), pl.Series(["a", "b"])]
)
def test_texts_are_one_column(texts):
    assert columns_of(texts) == {"text": ["a", "b"]}


def test_a_named_series_names_its_column():
    assert columns_of(pd.Series(["a"], name="Comment")) == {"Comment": ["a"]}
    assert columns_of(pl.Series("Comment", ["a"])) == {"Comment": ["a"]}
    assert series_of(pd.Series([1], name="y"), name=None, default="target") == ("y", [1])
    assert series_of(pd.Series([1], name="y"), name="z", default="target") == ("z", [1])
    assert series_of(pd.Series([1], name=3), name=None, default="target") == ("target", [1])


@pytest.mark.parametrize(
    "frame",
    [
        "text",
        b"bytes",
        3,
        None,
        {"a": [1]},
        np.zeros((2, 2, 2)),
        np.array(3),
        scipy.sparse.csr_matrix(np.eye(2)),
        pl.DataFrame({"a": [1]}).lazy(),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_what_is_no_table_is_refused_with_what_to_give(frame):
    with pytest.raises(DataError, match="pandas or polars frame"):
        columns_of(frame)


def test_labels_of_two_columns_are_refused_with_their_shape():
    with pytest.raises(DataError, match=r"\(2, 2\)"):
        series_of(np.eye(2), name=None, default="target")


def test_rows_with_other_columns_are_refused_by_number():
    with pytest.raises(DataError, match="Row 1 has the columns 'b'"):
        columns_of([{"a": 1}, {"b": 1}])
    with pytest.raises(DataError, match="different lengths"):
        columns_of([[1], [1, 2]])


@pytest.mark.parametrize(
    "frame",
    [pd.DataFrame([[1, 2]], columns=["a", "a"]), pd.DataFrame([[1, 2]], columns=["a", 0])],
    ids=["twice", "mixed"],
)
def test_columns_must_have_names_of_their_own(frame):
    with pytest.raises(DataError, match="The columns are named"):
        columns_of(frame)


NANOSECOND = 1_704_067_200_000_000_001
DAY = np.array(["2024-01-01", "NaT"], dtype="datetime64[ns]")


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (pd.DataFrame({"a": pd.to_datetime(["2024-01-01", None])}), ["2024-01-01T00:00:00", None]),
        (pd.DataFrame({"a": pd.to_datetime([NANOSECOND])}), ["2024-01-01T00:00:00.000000001"]),
        (pd.DataFrame({"a": pd.to_datetime(["2024-01-01T01:00+01:00"])}), ["2024-01-01T01:00:00+01:00"]),
        (pl.DataFrame({"a": [dt.date(2024, 1, 1), None]}), ["2024-01-01", None]),
        (pl.DataFrame({"a": [dt.time(3, 4)]}), ["03:04:00"]),
        (pl.DataFrame({"a": pl.Series([NANOSECOND]).cast(pl.Datetime("ns"))}), ["2024-01-01T00:00:00.000000001"]),
        (pl.DataFrame({"a": pl.Series([NANOSECOND - 1]).cast(pl.Datetime("ns"))}), ["2024-01-01T00:00:00"]),
        ([{"a": dt.datetime(2024, 1, 1, tzinfo=dt.UTC)}], ["2024-01-01T00:00:00+00:00"]),
        ([{"a": np.datetime64("2024-01-01")}], ["2024-01-01"]),
        (pl.DataFrame({"a": [Decimal("1.10"), None]}), [1.1, None]),
    ],
)
def test_dates_and_times_become_text_as_iso_8601_writes_it(frame, expected):
    assert columns_of(frame) == {"a": expected}


def test_times_of_arrays_are_no_numbers():
    assert series_of(DAY, name=None, default="a")[1] == ["2024-01-01T00:00:00", None]
    assert columns_of(DAY.reshape(2, 1)) == {"x0": ["2024-01-01T00:00:00", None]}
    assert series_of(DAY + np.timedelta64(1, "ns"), name=None, default="a")[1] == [
        "2024-01-01T00:00:00.000000001",
        None,
    ]


def test_a_duration_is_refused_by_row_and_column():
    with pytest.raises(DataError, match=r"Row 0, column 'when'.*Timedelta"):
        columns_of(pd.DataFrame({"when": pd.to_timedelta(["1 day"])}))


def test_categories_become_text():
    assert columns_of(pd.DataFrame({"a": pd.Categorical(["x", None])})) == {"a": ["x", None]}
    assert columns_of(pl.DataFrame({"a": pl.Series(["x"], dtype=pl.Categorical)})) == {"a": ["x"]}
