"""An array or series fits exactly where a list of its cells does, and is refused in the same words."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.runtime.arrays import fits, is_text
from mlopskit.runtime.errors import RowError
from mlopskit.runtime.profile import check_schema
from mlopskit.runtime.schema import check_columns

TYPES = ["string", "integer", "number", "boolean", "null"]
NUMBERS = [0, 1, -1, 2, 3, 2**53, 2**53 + 1, 2**63 - 1]
FLOATS = [0.0, -0.0, 1.0, 1.5, -3.0, math.nan, math.inf, -math.inf, 1e18, 1e19, 1e300, 2.0**63, float(2**53)]
TEXTS = ["", "a", "b", "ab", "abc", "\u00e9", "\U0001f600"]
SPECS = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(TYPES), st.lists(st.sampled_from(TYPES), min_size=1, unique=True))},
    optional={
        "enum": st.lists(st.sampled_from([*NUMBERS, *FLOATS[:5], *TEXTS, None, True]), min_size=1, max_size=4),
        "minimum": st.sampled_from([-3, 0, 0.5, 2**53]),
        "maximum": st.sampled_from([-1.5, 0, 2, 2**53, 1e18]),
        "maxLength": st.integers(0, 3),
    },
)
ARRAYS = st.one_of(
    st.builds(np.array, st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=4), st.sampled_from(["i8", ">i8"])),
    st.builds(np.array, st.lists(st.sampled_from([0, 3, 2**63]), min_size=1, max_size=4), st.just("u8")),
    st.builds(np.array, st.lists(st.integers(0, 3), min_size=1, max_size=4), st.sampled_from(["i1", "u2", "i4"])),
    st.builds(
        lambda cells, kind: np.array(cells, "f8").astype(kind),
        st.lists(st.sampled_from(FLOATS[:8]), min_size=1, max_size=4),
        st.sampled_from(["f2", "f4", "f8", ">f8", "g"]),
    ),
    st.builds(np.array, st.lists(st.sampled_from(FLOATS), min_size=1, max_size=4), st.just("f8")),
    st.builds(np.array, st.lists(st.booleans(), min_size=1, max_size=4), st.just("?")),
    st.builds(np.array, st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4), st.just("U")),
    st.builds(np.array, st.lists(st.sampled_from([*TEXTS, None, 1, 1.5, True]), min_size=1, max_size=4), st.just("O")),
    st.builds(lambda cells: np.ma.masked_invalid(np.array(cells)), st.lists(st.sampled_from(FLOATS), min_size=1)),
    st.builds(
        lambda cells, kind: kind(cells),
        st.lists(st.sampled_from([*TEXTS, None]), min_size=1, max_size=4),
        st.sampled_from([lambda cells: pl.Series(cells, dtype=pl.String), lambda cells: pd.Series(cells, dtype="str")]),
    ),
)


def said(schema, cells):
    """Return the cells that come out, NaN as None, or what is said against them."""
    try:
        found = check_columns(schema, {"a": cells})["a"]
    except RowError as error:
        return error.message, error.remedy, error.culprits
    listed = found if isinstance(found, list) else found.to_list() if hasattr(found, "to_list") else found.tolist()
    return [None if isinstance(cell, float) and math.isnan(cell) else cell for cell in listed]


@given(spec=SPECS, values=ARRAYS)
def test_an_array_fits_where_its_cells_do(spec, values):
    schema = {"type": "object", "properties": {"a": spec}, "required": ["a"], "additionalProperties": False}
    try:
        check_schema(schema)
    except Exception:  # an enum with an infinite number
        return
    listed = values.to_list() if hasattr(values, "to_list") else values.tolist()
    assert repr(said(schema, values)) == repr(said(schema, listed))


def stays(spec, values):
    types = [spec["type"]] if isinstance(spec["type"], str) else spec["type"]
    schema = {"type": "object", "properties": {"a": spec}, "required": ["a"], "additionalProperties": False}
    found = check_columns(schema, {"a": values})["a"]
    assert (found is values) == fits(values, types, spec, (-math.inf, math.inf), frozenset(spec.get("enum", ())))
    return found is values


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ({"type": "number"}, np.array([1.5, -2.0])),
        ({"type": ["number", "null"]}, np.array([1.5, math.nan])),
        ({"type": ["number", "null"]}, np.array([math.nan])),
        ({"type": "number"}, np.array([1, 2])),
        ({"type": "integer", "minimum": 0}, np.array([1, 2], "u1")),
        ({"type": ["integer", "null"]}, np.array([1.0, math.nan])),
        ({"type": "integer", "enum": [0, 1]}, np.array([1, 0, 1])),
        ({"type": "string", "enum": ["no", "yes"]}, np.array(["no", "yes"])),
        ({"type": "string", "maxLength": 3}, np.array(["no", "yes"])),
        ({"type": "boolean"}, np.array([True, False])),
        ({"type": "string"}, pl.Series(["a", "b"])),
        ({"type": ["string", "null"]}, pl.Series(["a", None])),
        ({"type": "string"}, pd.Series(["a", "b"])),
        ({"type": ["string", "null"]}, pd.Series(["a", None], dtype="str")),
    ],
)
def test_what_fits_stays_what_it_is(spec, values):
    assert stays(spec, values)


def test_arrays_of_no_rows_are_refused():
    schema = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}
    with pytest.raises(RowError, match="There are no rows"):
        check_columns(schema, {"a": np.array([], "f8")})


def test_arrays_of_several_dimensions_are_no_columns():
    schema = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}
    with pytest.raises(RowError, match=r"Row 0, column 'a': \[1.0\] is not number"):
        check_columns(schema, {"a": np.array([[1.0]])})
    with pytest.raises(RowError, match="The column 'a' is a ndarray"):
        check_columns(schema, {"a": np.array(1.0)})


def test_only_series_of_text_are_text():
    assert is_text(pl.Series(["a"]))
    assert is_text(pd.Series(["a"]))
    for other in (pl.Series([1]), pd.Series([1]), pd.Series(["a"], dtype=object), ["a"], np.array(["a"]), "a", None):
        assert not is_text(other)
