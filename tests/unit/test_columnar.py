from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from mlopskit.data import Dataset
from mlopskit.errors import ConfigError, DataError
from mlopskit.reading import read_columns, read_table

WRITERS = {
    "a.parquet": pl.DataFrame.write_parquet,
    "a.arrow": pl.DataFrame.write_ipc,
    "a.feather": pl.DataFrame.write_ipc,
    "stream.arrow": pl.DataFrame.write_ipc_stream,
}
FRAME = pl.DataFrame(
    {
        "text": ["a", None],
        "int": [2**53 + 1, -(2**63)],
        "small": pl.Series([1, None], dtype=pl.Int8),
        "huge": pl.Series([2**64 - 1, 1], dtype=pl.UInt64),
        "float": [0.1, float("nan")],
        "bool": [True, None],
        "day": [dt.date(2024, 2, 29), None],
        "at": pl.Series([1_709_168_523_000_004, None]).cast(pl.Datetime("us")),
        "clock": [dt.time(1, 2), None],
        "price": [Decimal("1.10"), None],
        "kind": pl.Series(["x", None], dtype=pl.Categorical),
        "y": [1, 0],
    }
)
CELLS = {
    "text": ["a", None],
    "int": [2**53 + 1, -(2**63)],
    "small": [1, None],
    "huge": ["18446744073709551615", "1"],
    "float": [0.1, None],
    "bool": [True, None],
    "day": ["2024-02-29", None],
    "at": ["2024-02-29T01:02:03.000004", None],
    "clock": ["01:02:00", None],
    "price": [1.1, None],
    "kind": ["x", None],
    "y": [1, 0],
}


def lines(folder, *rows, name="a.jsonl"):
    (folder / name).write_bytes(b"\n".join(row if isinstance(row, bytes) else row.encode() for row in rows))
    return read_columns(name, folder, target="y")


@pytest.mark.parametrize("name", WRITERS)
def test_a_columnar_file_becomes_plain_cells(tmp_path, name):
    WRITERS[name](FRAME, tmp_path / name)
    assert read_columns(name, tmp_path, target="y") == CELLS


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_is_something_else_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"<html>Not found</html>")
    with pytest.raises(DataError, match=f"'{name}' cannot be read as"):
        read_columns(name, tmp_path, target="y")
    WRITERS[name](FRAME, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=f"'{name}' cannot be read as"):
        read_columns(name, tmp_path, target="y")


@pytest.mark.parametrize("cell", [[1], {"a": 1}, b"a", dt.timedelta(1)])
def test_a_column_that_is_no_text_number_boolean_or_date_is_named(tmp_path, cell):
    pl.DataFrame({"x": [cell], "y": [1]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"The column 'x' of 'a.parquet' holds"):
        read_columns("a.parquet", tmp_path, target="y")


def test_a_file_without_rows_is_refused(tmp_path):
    FRAME.clear().write_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"'a.parquet' has no rows"):
        read_columns("a.parquet", tmp_path, target="y")
    with pytest.raises(DataError, match=r"'a.jsonl' has no rows"):
        lines(tmp_path, "", " ")


def test_json_lines_are_objects_whose_types_are_their_own(tmp_path):
    found = lines(
        tmp_path,
        b'\xef\xbb\xbf{"y": 1, "s": "007", "i": 9007199254740993, "big": 18446744073709551616, "b": true}\r',
        "",
        '{"y": 0, "f": 1.5, "t": "a: b", "s": "a\u2028\\ud83d\\ude00", "i": -9223372036854775808, "big": 1}',
    )
    assert found == {
        "y": [1, 0],
        "s": ["007", "a\u2028\U0001f600"],
        "i": [9007199254740993, -(2**63)],
        "big": ["18446744073709551616", "1"],
        "b": [True, None],
        "f": [None, 1.5],
        "t": [None, "a: b"],
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"y": 1', "malformed at line 3: Input data was truncated"),
        ("not json", "malformed at line 3"),
        ('{"y": NaN}', "malformed at line 3: it holds NaN"),
        ('{"y": 1e999}', "malformed at line 3: it holds NaN, a number without bounds"),
        ('{"y": "\\ud800"}', "malformed at line 3: it holds .* half of a character"),
        ("[" * 100_000, "malformed at line 3"),
        ("[1, 2]", r"Line 3 of 'a.jsonl' is \[1, 2\], no object"),
        ('{"y": 1, "x": {"z": 1}}', "Line 3 of 'a.jsonl', column 'x': .* is no single value"),
        ('{"y": 1, "x": "a:", "y": 2}', "Line 3 of 'a.jsonl' has the name 'y' twice"),
        ('{"x": 1}', "Line 3 of 'a.jsonl' has no 'y'"),
        ('{"y": null}', "Line 3 of 'a.jsonl' has no 'y'"),
        (b'{"y": "\xed\xa0\x80"}', "'a.jsonl' is not UTF-8: line 3"),
    ],
    ids=str,
)
def test_a_bad_line_of_json_lines_is_named_by_its_number(tmp_path, line, words):
    with pytest.raises(DataError, match=words) as caught:
        lines(tmp_path, '{"y": 1}', "", line, '{"y": 2}')
    assert caught.value.remedy


def test_kinds_of_files_are_not_mixed_and_names_in_a_file_are_not_given_again(tmp_path):
    FRAME.write_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("y\n1\n")
    with pytest.raises(DataError, match=r"'b.csv'.*'a.parquet'.* are mixed"):
        read_columns(".", tmp_path, target="y")
    for option in ({"columns": ["y"]}, {"separator": ";"}):
        with pytest.raises(ConfigError, match=f"needs no {next(iter(option))}"):
            read_table("a.parquet", tmp_path, target="y", **option)


def test_rows_know_where_they_stand(tmp_path):
    FRAME.write_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text('x,y\n\n"1\n",1\n2,0\n')
    (tmp_path / "b.csv").write_text("x,y\n3,1\n")
    assert read_table("a.parquet", tmp_path, target="y").places[1] == "a.parquet row 2"
    data = Dataset.read("*.csv", target="y", root=tmp_path)
    assert [data.places[row] for row in range(3)] == ["a.csv:4", "a.csv:5", "b.csv:2"]
    assert [data.take([2, 0]).places[row] for row in range(2)] == ["b.csv:2", "a.csv:4"]
