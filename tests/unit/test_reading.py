from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.data import Dataset
from mlopskit.delimited import _plain, _quoted, read_text
from mlopskit.errors import ConfigError, DataError, UnknownNameError
from mlopskit.reading import read_columns, read_table


def read(folder: Path, text: str | bytes, name: str = "data.csv", **options):
    data = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(data)
    return read_columns(name, folder, **{"target": "y", **options})


# --- what is read ---------------------------------------------------------------------------------------------------


def test_types_are_found_by_column(tmp_path):
    text = "s,i,f,b,m,y\nx,1,1.5,true,,1\n,-20,2,False,3,0\nn a,0,.5e-3,TRUE,,1\n"
    assert read(tmp_path, text) == {
        "s": ["x", None, "n a"],
        "i": [1, -20, 0],
        "f": [1.5, 2.0, 0.0005],
        "b": [True, False, True],
        "m": [None, 3, None],
        "y": [1, 0, 1],
    }


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("007", "007"),
        ("+5", "+5"),
        ("1_000", "1_000"),
        (" 1", " 1"),
        ("-", "-"),
        ("٣", "٣"),
        ("9223372036854775807", 9223372036854775807),
        ("9223372036854775808", "9223372036854775808"),
        ("-9223372036854775808", -9223372036854775808),
        ("99999999999999999999", "99999999999999999999"),
        ("00.5", "00.5"),
        ("0.1", 0.1),
        ("0", 0),
        ("-0", 0),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("0x10", "0x10"),
        ("inf", "inf"),
        ("NULL", "NULL"),
        ("yes", "yes"),
    ],
)
def test_only_what_is_surely_a_number_becomes_one(tmp_path, cell, value):
    found = read(tmp_path, f"a,y\n{cell},1\n")["a"]
    assert found == [value]
    assert type(found[0]) is type(value)


def test_nan_among_numbers_is_missing_and_among_texts_a_text(tmp_path):
    assert read(tmp_path, "a,b,y\n1.5,nan,1\nNaN,word,2\n")["a"] == [1.5, None]
    assert read(tmp_path, "a,b,y\n1.5,nan,1\nNaN,word,2\n")["b"] == ["nan", "word"]


def test_a_type_is_found_once_over_all_files(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,1\n")
    (tmp_path / "b.csv").write_text("x,y\n2.5,0\n")
    (tmp_path / "c.tsv").write_text("y\tx\n1\t\n")
    found = read_columns(".", tmp_path, target="y")
    assert found == {"x": [1.0, 2.5, None], "y": [1, 0, 1]}
    assert type(found["x"][0]) is float


def test_files_are_read_in_the_order_of_their_paths_and_name_their_rows(tmp_path):
    for name in ("b/one.csv", "a/two.csv", "a/one.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"x,y\n{name},1\n")
    found = read_columns("*/*.csv", tmp_path, target="y", file_column="source")
    assert found["x"] == ["a/one.csv", "a/two.csv", "b/one.csv"]
    assert found["source"] == ["one", "two", "one"]


def test_the_files_name_may_be_the_target(tmp_path):
    for label in ("pos", "neg"):
        (tmp_path / f"{label}.tsv").write_text("a text\nanother\n")
    data = Dataset.read("*.tsv", target="label", columns=["text"], file_column="label", root=tmp_path)
    assert data.labels == ["neg", "neg", "pos", "pos"]


def test_quotes_and_line_separators_survive_in_tab_separated_text(tmp_path):
    text = '"He said ""no""\tp\r\n"unbalanced\tn\r\na\u2028b\x0bc\x85d\\t,e\tp\r\n'
    found = read(tmp_path, text, "data.tsv", columns=["x", "y"])
    assert found["x"] == ['"He said ""no""', '"unbalanced', "a\u2028b\x0bc\x85d\\t,e"]
    assert found["y"] == ["p", "n", "p"]


def test_quotes_hold_separators_in_comma_separated_text(tmp_path):
    found = read(tmp_path, 'x,y\r\n"a, ""b""\nc",1\r\n"",2\r\n')
    assert found == {"x": ['a, "b"\nc', None], "y": [1, 2]}


def test_a_byte_order_mark_and_blank_lines_are_skipped(tmp_path):
    for name, comma in (("data.csv", ","), ("data.tsv", "\t"), ("data.tab", "\t")):
        assert read(tmp_path, "\ufeffx,y\n\n1,2\n\n\n".replace(",", comma), name) == {"x": [1], "y": [2]}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_line_ends_of_every_system_are_read(tmp_path, end):
    assert read(tmp_path, end.join(["x,y", "a,1", "b,2"])) == {"x": ["a", "b"], "y": [1, 2]}
    assert read(tmp_path, end.join(["x,y", '"a",1', "b,2", ""])) == {"x": ["a", "b"], "y": [1, 2]}


@given(st.lists(st.lists(st.text(st.sampled_from("ab ;\t\x0b\x85\u2028")), min_size=1).map(",".join)).map("\n".join))
def test_text_without_quotes_is_read_alike_with_and_without_a_reader_of_quotes(text):
    assert _plain(text, ",") == _quoted(text, "data.csv", ",")


def test_long_cells_are_read_and_the_limit_of_csv_stays_as_it_was(tmp_path):
    before = csv.field_size_limit()
    assert read(tmp_path, f'x,y\n"{"a" * 200_000}",1\n')["x"] == ["a" * 200_000]
    assert csv.field_size_limit() == before


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r")).map(lambda text: f"x{text}")


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5))
def test_texts_written_by_the_csv_module_are_read_back(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("data") / "data.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([("x", "y"), *rows])
    assert read_columns(file.name, file.parent, target="y") == {"x": [x for x, _ in rows], "y": [y for _, y in rows]}


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5))
def test_texts_without_tabs_and_line_breaks_are_read_back_from_tsv(tmp_path_factory, rows):
    rows = [tuple(cell.replace("\t", " ").replace("\n", " ") for cell in row) for row in rows]
    file = tmp_path_factory.mktemp("data") / "data.tsv"
    file.write_bytes("".join(f"{x}\t{y}\n" for x, y in rows).encode())
    found = read_columns(file.name, file.parent, target="y", columns=["x", "y"])
    assert found == {"x": [x for x, _ in rows], "y": [y for _, y in rows]}


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_are_read_back_exactly(tmp_path_factory, numbers):
    file = tmp_path_factory.mktemp("data") / "data.csv"
    file.write_text("x,y\n" + "".join(f"{number!r},1\n" for number in numbers))
    assert [float(cell) for cell in read_columns(file.name, file.parent, target="y")["x"]] == numbers


WELL_FORMED = st.text(st.sampled_from('ab,;"\n é\t'), max_size=5).map(lambda text: f"x{text}")


@given(st.lists(st.tuples(WELL_FORMED, WELL_FORMED), min_size=1, max_size=6))
def test_well_formed_text_is_read_as_polars_reads_it(rows):
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([("x", "y"), *rows])
    data = buffer.getvalue().encode()
    names, columns, _ = read_text(data, "a.csv", suffix=".csv", columns=None, separator=None)
    other = pl.read_csv(data, infer_schema=False)
    assert dict(zip(names, columns, strict=True)) == other.to_dict(as_series=False)


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (b"", "data.csv", "'data.csv' has no rows"),
        ("x,y\n", "data.csv", "'data.csv' has no rows"),
        ("\n\n", "data.tsv", "'data.tsv' has no rows"),
        ("x,y\nü,1\n".encode("latin-1"), "data.csv", "'data.csv' is not UTF-8: line 2 has the byte 0xfc"),
        ("x,y\n1,1\n".encode("utf-16"), "data.csv", "'data.csv' is not UTF-8: line 1"),
        ("x,y\n1,1\n1\n", "data.csv", r"Line 3 of 'data.csv' has 1 columns, expected 2 \('x', 'y'\)"),
        ("x,y\n1,1,1\n", "data.csv", "Line 2 of 'data.csv' has 3 columns"),
        ("x\ty\n\n1 1\n", "data.tsv", "Line 3 of 'data.tsv' has 1 columns"),
        ('x,y\n"1\n2",1\n1\n', "data.csv", "Line 4 of 'data.csv' has 1 columns"),
        ("x,y\n1,\n", "data.csv", "Line 2 of 'data.csv' has no 'y'"),
        ('x,y\n"a"b,1\n', "data.csv", "'data.csv' is malformed at line 2"),
        ('x,y\n"a,1\n', "data.csv", "'data.csv' is malformed"),
        ("x,x,y\n1,1,1\n", "data.csv", "column 'x' twice"),
        ("x,,y\n1,1,1\n", "data.csv", "column '' without a name"),
        ("x,y\n1,1\n", "data.txt", "'data.txt' is neither .csv nor .tsv nor .tab"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_place(tmp_path, text, name, words):
    with pytest.raises(DataError, match=words) as caught:
        read(tmp_path, text, name)
    assert caught.value.remedy


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_another_separator_is_diagnosed_and_taken_as_an_option(tmp_path, mark):
    text = f"x{mark}y\n1{mark}2\n"
    for content in (text, f"x{mark}y\n1,5{mark}2\n", f'x{mark}y\n"a{mark}"{mark}2\n'):
        with pytest.raises(DataError) as caught:
            read(tmp_path, content)
        assert f"write separator = {mark!r}" in caught.value.remedy
        assert read_table("data.csv", tmp_path, target="y", separator=mark).columns["y"] == [2]
    with pytest.raises(DataError) as caught:
        read(tmp_path, text, columns=["x", "y"])
    assert f"write separator = {mark!r}" in caught.value.remedy


@pytest.mark.parametrize("mark", ["", ";;", '"', "\n"])
def test_a_separator_is_one_character(tmp_path, mark):
    (tmp_path / "data.csv").write_text("x,y\n1,2\n")
    with pytest.raises(ConfigError, match="expected one character"):
        read_table("data.csv", tmp_path, target="y", separator=mark)


def test_one_bad_line_among_a_hundred_thousand_is_named(tmp_path):
    rows = [f"{number},{number % 2}" for number in range(100_000)]
    rows[77_777] = "77777"
    with pytest.raises(DataError, match=r"Line 77779 of 'data.csv' has 1 columns"):
        read(tmp_path, "\n".join(["x,y", *rows]))


@pytest.mark.parametrize("later", ["", '"b",1\n'], ids=["never closed", "closed by a later quote"])
def test_a_quote_that_is_not_closed_is_named_where_its_row_begins(tmp_path, later):
    rows = [f"{number},{number % 2}\n" for number in range(1_000)]
    rows[500] = '"500,0\n'
    rows[900:900] = later
    with pytest.raises(DataError, match=r"malformed at line \d+ in the row that begins at line 502") as caught:
        read(tmp_path, "".join(["x,y\n", *rows]))
    assert caught.value.line == 502


@pytest.mark.parametrize("digits", [20, 400, 5_000])
def test_digits_beyond_64_bits_are_all_kept(tmp_path, digits):
    assert read(tmp_path, f"x,y\n{'9' * digits},1\n1,2\n")["x"] == ["9" * digits, "1"]


def test_two_thousand_columns_and_one_column_are_read(tmp_path):
    names = [f"c{number}" for number in range(2_000)]
    found = read(tmp_path, f"{','.join([*names, 'y'])}\n{'1,' * 2_000}1\n{'2,' * 2_000}0\n")
    assert list(found) == [*names, "y"]
    assert found["c1999"] == [1, 2]
    assert read(tmp_path, "y\n1\n0\n") == {"y": [1, 0]}


def test_a_missing_target_is_named_with_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match=r"no column 'Sentimnt'. Did you mean 'Sentiment'"):
        read(tmp_path, "x,Sentiment\n1,1\n", target="Sentimnt")


def test_a_wrong_number_of_names_is_found_in_the_first_line(tmp_path):
    with pytest.raises(DataError, match=r"Line 1 of 'data.tsv' has 2 columns, expected 3"):
        read(tmp_path, "a\tb\n", "data.tsv", columns=["x", "z", "y"])


def test_files_with_other_columns_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("text,y\na,1\n")
    (tmp_path / "b.csv").write_text("txet,y\na,1\n")
    with pytest.raises(DataError, match=r"'b.csv' has the columns 'txet', 'y'.*is 'txet' meant to be 'text'"):
        read_columns("*.csv", tmp_path, target="y")
    (tmp_path / "b.csv").write_text("y\n1\n")
    with pytest.raises(DataError, match=r"'b.csv' has the columns 'y', the first file 'text', 'y'"):
        read_columns("*.csv", tmp_path, target="y")
    (tmp_path / "b.csv").write_text("text,y,y\na,1,1\n")
    with pytest.raises(DataError, match=r"'b.csv' has the columns"):
        read_columns("*.csv", tmp_path, target="y")


def test_the_files_name_takes_no_other_columns_place(tmp_path):
    with pytest.raises(ConfigError, match="have a column 'x' already"):
        read(tmp_path, "x,y\n1,1\n", file_column="x")


@pytest.mark.parametrize("uri", ["no.csv", "no/*.csv", "data", "*.csv", "no\0pe", "x" * 300])
def test_what_is_not_there_is_named(tmp_path, uri):
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match=r"no file|has no .csv, .tsv, .*file|cannot be read"):
        read_columns(uri, tmp_path, target="y")


def test_an_unreadable_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("x,y\n1,1\n")

    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root, as which tests may run, may read everything
    with pytest.raises(DataError, match=r"'a.csv' cannot be read: Permission denied"):
        read_columns("a.csv", tmp_path, target="y")


# --- Dataset.read ---------------------------------------------------------------------------------------------------


def test_a_dataset_is_read_with_its_slices(tmp_path):
    (tmp_path / "movies.tsv").write_text("good\tPositive\nbad\tNegative\n")
    options = {"target": "Sentiment", "columns": ["Comment", "Sentiment"], "file_column": "source", "root": tmp_path}
    data = Dataset.read("*.tsv", slices=["source"], **options)
    assert (data.inputs, data.slices, data.columns["source"]) == (("Comment",), ("source",), ["movies", "movies"])
    with pytest.raises(UnknownNameError, match="Did you mean 'source'"):
        Dataset.read("*.tsv", slices=["sorce"], **options)


def test_test_rows_have_the_types_of_the_training_rows(tmp_path):
    (tmp_path / "train.csv").write_text("id,b,n,i,y\n007,true,1.5,1,p\n8,,2,2,q\n")
    (tmp_path / "test.csv").write_text("id,b,n,i,y\n9,false,3,5,p\n10,,nan,,q\n")
    train = Dataset.read("train.csv", target="y", root=tmp_path)
    test = Dataset.read("test.csv", target="y", root=tmp_path, like=train)
    assert test.input_columns() == {"id": ["9", "10"], "b": [False, None], "n": [3.0, None], "i": [5, None]}
    assert type(test.columns["n"][0]) is float
    assert train.joined(test).input_schema()["properties"]["id"] == {"type": "string"}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("9,yes,1,1,p", "test.csv:3, column 'b': 'yes' is no boolean"),
        ("9,,1 000,1,p", "test.csv:3, column 'n': '1 000' is no number"),
        ("9,,1,one,p", "test.csv:3, column 'i': 'one' is no integer"),
    ],
)
def test_a_test_cell_of_another_kind_is_named_by_its_line(tmp_path, row, words):
    (tmp_path / "train.csv").write_text("id,b,n,i,y\n007,true,1.5,1,p\n8,,2,2,q\n")
    (tmp_path / "test.csv").write_text(f"id,b,n,i,y\n9,false,3,5,p\n{row}\n")
    train = Dataset.read("train.csv", target="y", root=tmp_path)
    with pytest.raises(DataError, match=words):
        Dataset.read("test.csv", target="y", root=tmp_path, like=train, strict=False)


def test_one_class_alone_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,p\n2,p\n")
    with pytest.raises(DataError, match=r"All 2 rows of 'a.csv' have the same 'y': 'p'"):
        Dataset.read("a.csv", target="y", root=tmp_path)


def test_numbers_too_large_for_floats_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1e999,1\n2,2\n")
    with pytest.raises(DataError, match="Row 0, column 'x': inf is not finite"):
        Dataset.read("a.csv", target="y", root=tmp_path)


def test_the_same_data_elsewhere_have_the_same_digest(tmp_path):
    digests = set()
    for folder in (tmp_path / "one", tmp_path / "two" / "three"):
        folder.mkdir(parents=True)
        (folder / "b.csv").write_text("x,y\n1,1\n")
        (folder / "a.csv").write_text("x,y\n2,0\n")
        for uri in ("*.csv", ".", str(folder), str(folder / "*.csv")):
            digests |= {Dataset.read(uri, target="y", root=root).digest for root in (folder, str(folder))}
    assert len(digests) == 1
