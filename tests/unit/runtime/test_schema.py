import copy
import enum
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mlopskit.runtime.errors import ManifestError, RowError
from mlopskit.runtime.profile import check_schema, types_of
from mlopskit.runtime.schema import Checker, check_columns, to_columns

TYPES = ["string", "integer", "number", "boolean", "null"]
# Integers of 64 bits and finite numbers: beyond them the profile is narrower than JSON Schema, and tested by itself.
CELLS = st.one_of(
    st.sampled_from([None, True, False, 0, 1, -1, 2, 0.0, -0.0, 1.0, 1.5, 1e300, "", "a", "b", "ab", "1", "true"]),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(-1e18, 1e18),
    st.text(max_size=4),
)
SPECS = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(TYPES), st.lists(st.sampled_from(TYPES), min_size=1, unique=True))},
    optional={
        "enum": st.lists(CELLS, min_size=1, max_size=4),
        "minimum": st.integers(-3, 3) | st.floats(-3, 3),
        "maximum": st.integers(-3, 3) | st.floats(-3, 3),
        "maxLength": st.integers(0, 3),
    },
)


def fits(check, *arguments):
    try:
        check(*arguments)
    except RowError:
        return False
    return True


@given(spec=SPECS, cells=st.lists(CELLS, min_size=1, max_size=5))
def test_a_full_validator_agrees(spec, cells):
    schema = {"type": "object", "properties": {"a": spec}, "required": ["a"], "additionalProperties": False}
    check_schema(schema)
    Draft202012Validator.check_schema(schema)
    rows = [{"a": cell} for cell in cells]
    wide = "integer" in types_of(spec) and "number" not in types_of(spec)
    if wide and 1e300 in cells:  # an integer to JSON Schema, but not one of 64 bits
        return
    agreed = [Draft202012Validator(schema).is_valid(row) for row in rows]
    assert [fits(to_columns, schema, [row]) for row in rows] == agreed
    assert fits(to_columns, schema, rows) == all(agreed)
    assert fits(check_columns, schema, {"a": cells}) == all(agreed)
    # What the short way takes is taken by the long one, as the same row.
    for row in rows:
        short = Checker.of(schema).one_row({"a": [row["a"]]})
        assert short in (None, row)
        assert short is None or (fits(to_columns, schema, [row]) and type(short["a"]) is type(row["a"]))


def test_one_row_is_taken_in_the_schemas_order_where_it_surely_fits(columns_schema):
    checker = Checker.of(columns_schema(a={"type": ["number", "null"]}, b={"type": "string", "enum": ["x", "y"]}))
    assert list(checker.one_row({"b": ["x"], "a": [1.0]}).items()) == [("a", 1.0), ("b", "x")]
    assert checker.one_row({"a": [None], "b": ["y"]}) == {"a": None, "b": "y"}
    for columns in (
        {"a": [math.nan], "b": ["x"]},
        {"a": [1.0], "b": ["z"]},
        {"a": [1.0, 2.0], "b": ["x", "y"]},
        {"a": np.array([1.0]), "b": ["x"]},
        {"a": [1.0]},
        [1.0],
        None,
    ):
        assert checker.one_row(columns) is None


@given(
    names=st.lists(st.text(max_size=3), min_size=1, unique=True), given_names=st.lists(st.text(max_size=3), unique=True)
)
def test_a_full_validator_agrees_on_names(names, given_names):
    schema = {"type": "object", "properties": {name: {"type": "null"} for name in names}, "required": names}
    schema["additionalProperties"] = False
    row = dict.fromkeys(given_names)
    assert fits(to_columns, schema, [row]) == Draft202012Validator(schema).is_valid(row)


# --- columns ----------------------------------------------------------------------------------------------------------


def test_rows_become_columns_in_the_schemas_order(columns_schema):
    schema = columns_schema(b={"type": "string"}, a={"type": ["number", "null"]})
    found = to_columns(schema, [{"a": 1, "b": "x"}, {"b": "y", "a": math.nan}])
    assert [*found.items()] == [("b", ["x", "y"]), ("a", [1, None])]


def test_nan_counts_as_missing(columns_schema):
    assert check_columns(columns_schema(a={"type": ["number", "null"]}), {"a": [math.nan, 1.5]}) == {"a": [None, 1.5]}
    with pytest.raises(RowError, match="Row 1, column 'a': None is not number"):
        check_columns(columns_schema(a={"type": "number"}), {"a": [1.5, math.nan]})


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame, dict], ids=lambda kind: kind.__module__)
def test_columns_of_any_kind_are_checked_and_texts_stay_series(columns_schema, table):
    schema = columns_schema(a={"type": "integer"}, b={"type": ["number", "null"]}, c={"type": "string"})
    data = table({"a": [1, 2], "b": [1.5, math.nan], "c": ["x", "y"]})
    columns = data if table is not pl.DataFrame else {name: data[name] for name in data.columns}
    found = check_columns(schema, columns)
    assert {name: list(cells) for name, cells in found.items()} == {"a": [1, 2], "b": [1.5, None], "c": ["x", "y"]}
    assert type(found["c"]) is (list if table is dict else type(columns["c"]))


def test_numpys_own_scalars_are_plain_cells(columns_schema):
    schema = columns_schema(a={"type": "integer"}, b={"type": "boolean"}, c={"type": "string"}, d={"type": "number"})
    row = {"a": np.int64(3), "b": np.bool_(True), "c": np.str_("x"), "d": np.float32(0.5)}
    found = to_columns(schema, [row])
    assert found == {"a": [3], "b": [True], "c": ["x"], "d": [0.5]}
    assert [type(cells[0]) for cells in found.values()] == [int, bool, str, float]


def test_a_subclass_of_str_is_a_string(columns_schema):
    kind = enum.StrEnum("kind", ["a"])
    assert to_columns(columns_schema(a={"type": "string"}), [{"a": kind.a}]) == {"a": ["a"]}


@pytest.mark.parametrize(
    ("spec", "cell", "reason", "expected"),
    [
        ({"type": "string"}, 1, "1 is not string", "a string"),
        ({"type": "integer"}, 1.5, "1.5 is not integer", "an integer"),
        ({"type": "integer"}, True, "True is not integer", "an integer"),
        ({"type": "integer"}, 2**63, "9223372036854775808 is not integer", "an integer"),
        ({"type": "integer"}, 1e300, "1e+300 is not integer", "an integer"),
        ({"type": "number"}, 10**400, "000... is not number", "a number"),
        ({"type": "number"}, math.inf, "inf is not number", "a number"),
        ({"type": "number"}, "1", "'1' is not number", "a number"),
        ({"type": "boolean"}, 1, "1 is not boolean", "true or false"),
        ({"type": ["null", "string"]}, b"x", "b'x' is not null or string", "nothing (null) or a string"),
        ({"type": "string"}, ["x"], "['x'] is not string", "a string"),
        ({"type": "string", "maxLength": 2}, "abc", "'abc' is too long", "a string, of a length of at most 2"),
        ({"type": "number", "minimum": 0}, -0.5, "-0.5 is too small", "a number, at least 0"),
        ({"type": "integer", "maximum": 9}, 10, "10 is too large", "an integer, at most 9"),
        ({"type": "string", "enum": ["a", "b"]}, "c", "'c' is not one of the known", "a string, one of ['a', 'b']"),
        ({"type": ["boolean", "integer"], "enum": [1]}, True, "True is not one of the known", "one of [1]"),
        ({"type": ["boolean", "integer"], "enum": [True, 2]}, 1, "1 is not one of the known", "one of [True, 2]"),
        ({"type": "string"}, "\ud800", None, None),
    ],
)
def test_a_wrong_cell_is_named_with_its_row_and_what_was_expected(columns_schema, spec, cell, reason, expected):
    schema = columns_schema(**{"the column": spec, "other": {"type": "null"}})
    good = {"string": "a", "integer": 1, "number": 1, "boolean": True, "null": None}[types_of(spec)[-1]]
    good = spec.get("enum", [good])[-1]
    rows = [{"the column": good, "other": None}, {"the column": cell, "other": None}]
    check_schema(schema)
    if reason is None:
        assert to_columns(schema, rows)
        return
    with pytest.raises(RowError) as caught:
        to_columns(schema, rows)
    assert "Row 1, column 'the column': " in caught.value.message
    assert reason in caught.value.message
    assert expected in caught.value.remedy
    assert (caught.value.row, caught.value.column, caught.value.value) == (1, "the column", cell)


def test_a_long_cell_is_shortened_in_the_message(columns_schema):
    schema = columns_schema(a={"type": "string", "maxLength": 5})
    with pytest.raises(RowError) as caught:
        to_columns(schema, [{"a": "secret \x1b[31m" * 100_000}])
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


def test_wrong_names_are_told_with_the_nearest(columns_schema):
    schema = columns_schema(Comment={"type": "string"}, Age={"type": "number"})
    with pytest.raises(
        RowError, match=r"Row 1 lacks the column 'Comment' and has the unknown column 'comment' \(did you"
    ):
        to_columns(schema, [{"Comment": "x", "Age": 1}, {"comment": "x", "Age": 1}])
    with pytest.raises(RowError, match=r"The data has the unknown column 'Sentiment'") as caught:
        check_columns(schema, {"Comment": ["x"], "Age": [1], "Sentiment": ["y"]})
    assert caught.value.extra == ["Sentiment"]
    assert "Give exactly these columns: 'Comment', 'Age'." in str(caught.value)


def test_a_message_does_not_grow_with_the_names(columns_schema):
    schema = columns_schema(**{f"column {number}": {"type": "null"} for number in range(1000)})
    with pytest.raises(RowError, match="and 980 more") as caught:
        to_columns(schema, [{f"x{number}" * 50: None for number in range(1000)}])
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"a": []}, "There are no rows"),
        ({"a": 5}, "column 'a' is a int"),
        ({"a": "text"}, "column 'a' is a str"),
        ({"a": b"text"}, "column 'a' is a bytes"),
        ({"a": np.array(5.0)}, "column 'a' is a ndarray"),
        ({"a": np.zeros((2, 2))}, r"Row 0, column 'a': \[0.0, 0.0\] is not number"),
        ([1], "The data is a list"),
        (None, "The data is a NoneType"),
        ({}, "lacks the column 'a'"),
    ],
)
def test_what_is_no_columns_is_refused(columns_schema, columns, reason):
    with pytest.raises(RowError, match=reason):
        check_columns(columns_schema(a={"type": "number"}), columns)


def test_columns_of_different_lengths_are_refused(columns_schema):
    schema = columns_schema(a={"type": "number"}, b={"type": "number"})
    with pytest.raises(RowError, match=r"different lengths: \[1, 2\]"):
        check_columns(schema, {"a": [1], "b": [1, 2]})


@pytest.mark.parametrize(("rows", "reason"), [([], "There are no rows"), ([{"a": 1}, [1]], "Row 1 is a list")])
def test_what_is_no_rows_is_refused(columns_schema, rows, reason):
    with pytest.raises(RowError, match=reason):
        to_columns(columns_schema(a={"type": "number"}), rows)


def test_missing_beside_other_cells_is_found_by_column(columns_schema):
    schema = columns_schema(
        a={"type": ["number", "null"], "minimum": 0},
        b={"type": ["string", "null"], "maxLength": 1},
        c={"type": ["string", "null"], "enum": ["x", None]},
    )
    columns = {"a": [None, 1, 2.5], "b": [None, "x", ""], "c": ["x", None, "x"]}
    assert check_columns(schema, columns) == columns
    assert check_columns(schema, {name: [None] for name in columns}) == {name: [None] for name in columns}
    for name, wrong in {"a": -1, "b": "xx", "c": "y"}.items():
        with pytest.raises(RowError, match=f"Row 1, column '{name}'"):
            check_columns(schema, columns | {name: [None, wrong, None]})


# --- the schema itself ------------------------------------------------------------------------------------------------

GOOD = {
    "type": "object",
    "properties": {"a": {"type": "string", "maxLength": 3}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"type": "array"}, "object schema"),
        ({"$ref": "http://169.254.169.254/"}, "object schema"),
        ({"additionalProperties": True}, "additionalProperties"),
        ({"properties": []}, "properties"),
        ({"properties": {}, "required": []}, "properties"),
        ({"required": []}, "required"),
        ({"required": ["a", "a"]}, "required"),
        ({"required": [1]}, "required"),
        ({"required": "a"}, "required"),
        ({"properties": {"a": None}}, "column 'a'"),
        ({"properties": {"a": {}}}, "column 'a'"),
        ({"properties": {"a": {"type": "string", "pattern": "(a+)+$"}}}, "column 'a'"),
        ({"properties": {"a": {"type": "object"}}}, "the type 'object'"),
        ({"properties": {"a": {"type": []}}}, r"the type \[\]"),
        ({"properties": {"a": {"type": [["string"]]}}}, "the type"),
        ({"properties": {"a": {"type": ["string", "string"]}}}, "the type"),
        ({"properties": {"a": {"type": {"string": 1}}}}, "the type"),
        ({"properties": {"a": {"type": "number", "minimum": "0"}}}, "the minimum '0'"),
        ({"properties": {"a": {"type": "number", "maximum": True}}}, "the maximum True"),
        ({"properties": {"a": {"type": "number", "maximum": 10**400}}}, "the maximum"),
        ({"properties": {"a": {"type": "string", "maxLength": 1.5}}}, "the maxLength 1.5"),
        ({"properties": {"a": {"type": "string", "maxLength": -1}}}, "the maxLength -1"),
        ({"properties": {"a": {"type": "string", "enum": []}}}, "the enum"),
        ({"properties": {"a": {"type": "string", "enum": "ab"}}}, "the enum"),
        ({"properties": {"a": {"type": "string", "enum": [["a"]]}}}, "the enum"),
    ],
)
def test_a_schema_outside_of_the_profile_is_refused(changes, named):
    check_schema(copy.deepcopy(GOOD))
    with pytest.raises(ManifestError, match=named) as caught:
        check_schema(GOOD | changes, what="schema.inputs")
    assert caught.value.message.startswith("The schema.inputs")
    assert caught.value.field == "schema"


@pytest.mark.parametrize("schema", [None, [], "object", True])
def test_a_schema_that_is_no_table_is_refused(schema):
    with pytest.raises(ManifestError, match="object schema"):
        check_schema(schema)
