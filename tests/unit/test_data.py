from __future__ import annotations

import hashlib
import string
import time

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.data import Dataset, overlap
from mlopskit.errors import DataError, UnknownNameError
from mlopskit.runtime.profile import check_schema
from mlopskit.runtime.schema import check_columns

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)


def texts(rows: list[str], **columns: list) -> Dataset:
    return Dataset(
        columns={"text": rows, **columns, "y": [n % 2 for n in range(len(rows))]}, target="y", slices=tuple(columns)
    )


def spelled(columns: dict) -> list:
    """The content of columns with the types of cells, in a form that `==` compares."""
    return [(name, [(type(cell), repr(cell)) for cell in cells]) for name, cells in columns.items()]


def tables() -> st.SearchStrategy[dict]:
    def of(names: list[str], size: int):
        cells = st.lists(CELLS, min_size=size, max_size=size)
        return st.fixed_dictionaries(dict.fromkeys(names, cells))

    names = st.lists(st.text(string.ascii_letters, min_size=1, max_size=3), min_size=1, max_size=3, unique=True)
    return st.tuples(names, st.integers(0, 4)).flatmap(lambda shape: of(*shape))


# --- the value ----------------------------------------------------------------------------------------------------


def test_a_dataset_knows_its_parts():
    data = Dataset(
        columns={"b": [1, 2], "y": ["p", "n"], "a": [None, "x"], "s": ["u", "v"], "w": [1.0, 2.0]},
        target="y",
        slices=("s",),
        weight="w",
    )
    assert len(data) == 2
    assert data.inputs == ("b", "a")
    assert data.input_columns() == {"b": [1, 2], "a": [None, "x"]}
    assert data.labels == ["p", "n"]
    assert data.rows()[1] == {"b": 2, "y": "n", "a": "x", "s": "v", "w": 2.0}
    assert data.take([1, 1, 0]).columns["b"] == [2, 2, 1]
    assert (data.take([0]).target, data.take([0]).slices, data.take([0]).weight) == ("y", ("s",), "w")
    assert repr(data) == "Dataset(2 rows, target 'y', inputs 'b', 'a')"


def test_a_dataset_that_cannot_be_is_refused():
    with pytest.raises(DataError, match="different lengths"):
        Dataset(columns={"a": [1], "y": [1, 2]}, target="y")
    with pytest.raises(DataError, match="Row 0, column 'a'"):
        Dataset(columns={"a": [float("nan")], "y": [1]}, target="y")


@pytest.mark.parametrize("parts", [{"target": "lable"}, {"slices": ("lable",)}, {"weight": "lable"}])
def test_an_unknown_column_is_named_with_the_nearest(parts):
    with pytest.raises(UnknownNameError, match="Did you mean 'label'"):
        Dataset(**{"columns": {"a": [1], "label": [1]}, "target": "label", **parts})


# --- digest -------------------------------------------------------------------------------------------------------


@given(tables(), tables())
def test_digests_are_equal_exactly_where_the_content_is(one, other):
    first, second = Dataset(columns=one, target=next(iter(one))), Dataset(columns=other, target=next(iter(other)))
    assert (first.digest == second.digest) == (spelled(one) == spelled(other))


@given(tables())
def test_a_copy_has_the_same_digest(columns):
    target = next(iter(columns))
    copy = {name: [*cells] for name, cells in columns.items()}
    assert Dataset(columns=columns, target=target).digest == Dataset(columns=copy, target=target).digest


@pytest.mark.parametrize(
    "other",
    [
        {"a": [1.0, 2], "y": [1, 2]},
        {"a": [True, 2], "y": [1, 2]},
        {"a": ["1", 2], "y": [1, 2]},
        {"a": [2, 1], "y": [2, 1]},
        {"y": [1, 2], "a": [1, 2]},
        {"b": [1, 2], "y": [1, 2]},
        {"a": [1, None], "y": [1, 2]},
        {"a": [1], "y": [1]},
    ],
)
def test_the_digest_tells_types_names_and_order_apart(other):
    digest = Dataset(columns={"a": [1, 2], "y": [1, 2]}, target="y").digest
    assert digest != Dataset(columns=other, target="y").digest


def test_the_digest_of_known_content_never_changes():
    data = Dataset(columns={"a": ["é", None], "y": [1, 2.5]}, target="y")
    written = (
        b"\x92\xa1a\x92\xa2\xc3\xa9\xc0" + b"\x92\xa1y\x92\x01\xcb\x40\x04\x00\x00\x00\x00\x00\x00"
    )  # MessagePack by hand
    assert data.digest == f"sha256:{hashlib.sha256(written).hexdigest()}"


def test_the_digest_is_quick():
    data = texts([f"{'some words of a sentence ' * 4}{n}" for n in range(20_000)])
    begun = time.process_time()
    assert data.digest
    assert time.process_time() - begun < 0.1


# --- schema and joining -------------------------------------------------------------------------------------------


def test_the_schema_holds_the_inputs_in_order():
    columns = {
        "b": ["x", None],
        "a": [1, 2],
        "f": [1, 2.5],
        "t": [True, False],
        "n": [None, 1],
        "s": ["u", "v"],
        "y": [0, 1],
    }
    schema = Dataset(columns=columns, target="y", slices=("s",)).input_schema()
    assert schema == {
        "type": "object",
        "properties": {
            "b": {"type": ["string", "null"]},
            "a": {"type": "integer"},
            "f": {"type": "number"},
            "t": {"type": "boolean"},
            "n": {"type": ["integer", "null"]},
        },
        "required": ["b", "a", "f", "t", "n"],
        "additionalProperties": False,
    }


@given(
    st.lists(
        st.sampled_from([st.text(), st.booleans(), st.integers(-9, 9), st.floats(-9, 9)]).flatmap(
            lambda cells: st.lists(st.none() | cells, min_size=3, max_size=3).filter(any_present)
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_data_fit_the_schema_inferred_from_them(columns):
    data = Dataset(columns={**{f"c{n}": cells for n, cells in enumerate(columns)}, "y": [0, 1, 0]}, target="y")
    schema = data.input_schema()
    check_schema(schema)
    assert check_columns(schema, data.input_columns()) == data.input_columns()


def any_present(cells: list) -> bool:
    return any(cell is not None for cell in cells)


def test_columns_without_a_type_have_no_schema():
    with pytest.raises(DataError, match="'a' has cells of several types: integer, string"):
        Dataset(columns={"a": ["x", 1], "y": [0, 1]}, target="y").input_schema()
    with pytest.raises(DataError, match="no input columns"):
        Dataset(columns={"s": ["x"], "y": [0]}, target="y", slices=("s",)).input_schema()


def test_joined_rows_have_the_schema_of_both():
    one = Dataset(columns={"a": [1], "s": ["u"], "y": ["p"]}, target="y", slices=("s",))
    other = Dataset(columns={"label": ["n"], "a": [None]}, target="label")
    both = one.joined(other)
    assert both == Dataset(columns={"a": [1, None], "y": ["p", "n"]}, target="y")
    assert both.input_schema()["properties"] == {"a": {"type": ["integer", "null"]}}
    assert one.joined(one).slices == ("s",)
    weighted = Dataset(columns={"a": [1], "w": [2.0], "y": [1]}, target="y", weight="w")
    assert weighted.joined(weighted).columns["w"] == [2.0, 2.0]


def test_rows_with_other_inputs_cannot_be_joined():
    one = Dataset(columns={"amount": [1], "y": [1]}, target="y")
    other = Dataset(columns={"amuont": [1], "y": [1]}, target="y")
    for first, second in ((one, other), (other, one)):
        with pytest.raises(UnknownNameError, match="Did you mean 'am"):
            first.joined(second)


# --- in hand ------------------------------------------------------------------------------------------------------


def test_rows_in_hand_become_a_dataset():
    data = Dataset.from_frame(
        pd.DataFrame({"a": [1.0, np.nan], "s": ["u", "v"]}), pd.Series([0, 1], name="y"), slices=["s"]
    )
    assert data == Dataset(columns={"a": [1.0, None], "s": ["u", "v"], "y": [0, 1]}, target="y", slices=("s",))
    assert Dataset.from_frame(["a", "b"], [True, False]).columns == {"text": ["a", "b"], "target": [True, False]}
    assert Dataset.from_frame(["a"], [1], target="label").target == "label"


def test_rows_in_hand_may_have_no_labels():
    data = Dataset.from_frame(["a", "b"])
    assert (len(data), data.labels) == (2, [None, None])
    assert len(Dataset.from_frame([])) == 0


def test_rows_in_hand_that_do_not_fit_together_are_refused():
    with pytest.raises(DataError, match="different lengths"):
        Dataset.from_frame(["a", "b"], [1])
    with pytest.raises(DataError, match="Row 1 has no 'target'"):
        Dataset.from_frame(["a", "b"], [1, None])
    with pytest.raises(DataError, match="have a column 'y', which is the target's name"):
        Dataset.from_frame(pd.DataFrame({"y": [1]}), [1], target="y")


def test_several_targets_keep_their_order_and_are_no_inputs():
    data = Dataset(columns={"p": [1, 2], "a": [1.5, None], "q": ["x", "y"]}, target=["q", "p"])
    assert (data.target, data.targets, data.inputs) == (("q", "p"), ("q", "p"), ("a",))
    assert data.label_columns() == {"q": ["x", "y"], "p": [1, 2]}
    assert repr(data) == "Dataset(2 rows, targets 'q', 'p', inputs 'a')"
    assert len(data.take([1])) == 1
    assert data.take([1]).label_columns() == {"q": ["y"], "p": [2]}
    with pytest.raises(DataError, match="There are 2 targets: 'q', 'p'"):
        _ = data.labels
    assert "q, p" in data._repr_html_()


def test_one_name_in_a_list_is_one_target():
    data = Dataset(columns={"a": [1], "y": [2]}, target=["y"])
    assert data == Dataset(columns={"a": [1], "y": [2]}, target="y")
    assert (data.targets, data.labels, data.label_columns()) == (("y",), [2], {"y": [2]})


@pytest.mark.parametrize("target", [[], ["y", "y"]])
def test_targets_are_named_once_and_there_is_one(target):
    with pytest.raises(DataError, match=r"The targets are 'y', 'y'\.|No target is named"):
        Dataset(columns={"a": [1], "y": [2]}, target=target)
    with pytest.raises(UnknownNameError, match="'z'"):
        Dataset(columns={"a": [1], "y": [2]}, target=["y", "z"])


@pytest.mark.parametrize(
    ("labels", "target", "names"),
    [
        (np.array([[0, 1], [1, 0]]), None, ("y0", "y1")),
        ([[0, 1], [1, 0]], None, ("y0", "y1")),
        (np.array([[0, 1], [1, 0]]), ["p", "q"], ("p", "q")),
        (pd.DataFrame({"p": [0, 1], "q": [1, 0]}), None, ("p", "q")),
        (pd.DataFrame([[0, 1], [1, 0]]), None, ("y0", "y1")),
        (pl.DataFrame({"p": [0, 1], "q": [1, 0]}), None, ("p", "q")),
        ([{"p": 0, "q": 1}, {"p": 1, "q": 0}], None, ("p", "q")),
        (np.array([[0], [1]]), None, ("y0",)),
        (pd.DataFrame({"p": [0, 1]}), "z", ("z",)),
    ],
)
def test_labels_in_rows_and_columns_are_several_targets(labels, target, names):
    data = Dataset.from_frame(["a", "b"], labels, target=target)
    assert data.targets == names
    assert [*data.label_columns().values()] == [[0, 1], [1, 0]][: len(names)]


def test_labels_of_several_targets_fit_their_names_and_rows():
    with pytest.raises(DataError, match="3 targets are named, and the labels have 2 columns"):
        Dataset.from_frame(["a"], [[0, 1]], target=["p", "q", "r"])
    with pytest.raises(DataError, match="2 targets are named, and the labels have 1 columns"):
        Dataset.from_frame(["a"], [0], target=["p", "q"])
    with pytest.raises(DataError, match="Row 1 has no 'y1'"):
        Dataset.from_frame(["a", "b"], [[0, 1], [1, None]])
    with pytest.raises(DataError, match="different lengths"):
        Dataset.from_frame(["a", "b"], [[0, 1]])
    with pytest.raises(DataError, match="ndarray of the shape"):
        Dataset.from_frame(["a", "b"], np.zeros((2, 2, 2)))
    assert Dataset.from_frame(["a", "b"], target=["p", "q"]).label_columns() == {"p": [None] * 2, "q": [None] * 2}


def test_rows_of_several_targets_are_joined_as_the_first_names_them():
    one = Dataset(columns={"a": [1], "p": [1], "q": [2]}, target=("p", "q"))
    other = Dataset(columns={"a": [3], "u": [4], "v": [5]}, target=("u", "v"))
    assert one.joined(other) == Dataset(columns={"a": [1, 3], "p": [1, 4], "q": [2, 5]}, target=("p", "q"))
    with pytest.raises(DataError, match="The targets are 'p', 'q' in one, 'p' in the other"):
        one.joined(Dataset(columns={"a": [1], "p": [1]}, target="p"))


def test_files_are_read_with_several_targets(tmp_path):
    (tmp_path / "rows.csv").write_text("a,p,q\n1,0,x\n2,1,y\n")
    data = Dataset.read("rows.csv", target=["q", "p"], root=tmp_path)
    assert (data.targets, data.inputs) == (("q", "p"), ("a",))
    (tmp_path / "rows.csv").write_text("a,p,q\n1,0,x\n2,1,\n")
    with pytest.raises(DataError, match=r"Line 3 of 'rows.csv' has no 'q'"):
        Dataset.read("rows.csv", target=["p", "q"], root=tmp_path)
    (tmp_path / "rows.csv").write_text("a,p,q\n1,0,x\n2,1,x\n")
    with pytest.raises(DataError, match="have the same 'q': 'x'"):
        Dataset.read("rows.csv", target=["p", "q"], root=tmp_path)


# --- overlap ------------------------------------------------------------------------------------------------------


def test_test_rows_that_stand_in_the_training_rows_are_found_by_their_inputs():
    train = Dataset(columns={"a": [1, None, 3], "b": ["x", "x", "z"], "y": [0, 1, 0]}, target="y")
    test = Dataset(columns={"b": ["x", "x", "x", "z"], "a": [1.0, 2, None, 1], "label": [1, 1, 1, 1]}, target="label")
    assert overlap(train, test) == [0, 2]


def test_overlap_needs_the_same_inputs():
    with pytest.raises(UnknownNameError, match="Did you mean 'texts'"):
        overlap(texts(["a"]), Dataset(columns={"texts": ["a"], "y": [1]}, target="y"))


@given(st.lists(st.integers(0, 20)), st.lists(st.integers(0, 20)))
def test_overlap_is_what_comparing_each_with_each_finds(train, test):
    def of(cells):
        return Dataset(columns={"a": cells, "y": cells}, target="y")

    assert overlap(of(train), of(test)) == [n for n, cell in enumerate(test) if any(cell == other for other in train)]
