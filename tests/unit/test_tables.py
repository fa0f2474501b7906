from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.tables import Table, plain

TABLE = Table(("name", "value"), [("a|b", 0.123456), ("<script>", None), ("yes?", True)], title="T & t")
CELLS = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=50)


def test_the_forms_of_a_table() -> None:
    assert TABLE.text(width=80).splitlines() == [
        "T & t",
        "name      value",
        "a|b       0.1235",
        "<script>  -",
        "yes?      yes",
    ]
    assert "| a\\|b | 0.1235 |" in TABLE.markdown()
    assert "<script>" not in TABLE.html()
    assert "&lt;script&gt;" in TABLE.html()
    assert "<script>" not in TABLE.markdown()
    assert json.loads(TABLE.json())[0] == {"name": "a|b", "value": 0.123456}
    assert TABLE._repr_html_() == TABLE.html()
    assert str(TABLE) == TABLE.text()


def test_a_table_without_rows_or_title_is_its_head() -> None:
    assert Table(("a", "b"), []).text(width=20) == "a  b"
    assert Table(("a",), []).markdown() == "| a |\n| --- |"
    assert "caption" not in Table(("a",), []).html()


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5), st.integers(20, 120))
def test_text_fits_its_width_and_holds_a_line_a_row(rows: list, width: int) -> None:
    lines = Table(("first", "second"), rows).text(width=width).split("\n")
    assert len(lines) == len(rows) + 1
    assert all(len(line) <= width for line in lines)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("a\nb", "a\N{REPLACEMENT CHARACTER}b"),
        ("\x1b[31m", "\N{REPLACEMENT CHARACTER}[31m"),
        ("\u202ex", "\N{REPLACEMENT CHARACTER}x"),
    ],
)
def test_what_cannot_be_printed_is_not(cell: str, text: str) -> None:
    assert plain(cell) == text


def test_the_last_column_gives_way_first_and_numbers_never() -> None:
    table = Table(
        ("gate", "reached", "rows", "reason"), [("accuracy[source=products] >= 0.75", 0.12345, 12345, "x" * 90)]
    )
    assert table.text(width=70).splitlines()[1] == f"accuracy[source=products] >= 0.75  0.1235   12345  {'x' * 18}…"
    assert table.text(width=50).splitlines()[1] == "accuracy[source=product…  0.1235   12345  xxxxxxx…"


def test_in_a_pipe_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.__stdout__", None)
    assert "x" * 500 in Table(("a",), [("x" * 500,)]).text()
    monkeypatch.setenv("COLUMNS", "20")
    assert max(map(len, Table(("a",), [("x" * 500,)]).text().splitlines())) == 20


def test_a_digest_is_shown_by_its_beginning() -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    table = Table(("package",), [(digest,)])
    assert table.text(width=200).splitlines()[1] == digest[:19]
    assert digest in table.json()
