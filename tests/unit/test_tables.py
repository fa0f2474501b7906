from __future__ import annotations

import csv
import html
import io
import json
import re

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


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\0"])
def test_a_text_that_a_spreadsheet_would_run_is_led_by_an_apostrophe_in_csv(begin: str) -> None:
    bad = f'{begin}HYPERLINK("http://example.com","a")'
    table = Table((bad, "number"), [(bad, -1.5), ("plain - text", None), ("two\nlines", 3)])
    assert list(csv.reader(io.StringIO(table.csv(), newline=""))) == [
        [f"'{bad}", "number"],
        [f"'{bad}", "-1.5"],
        ["plain - text", ""],
        ["two\nlines", "3"],
    ]


def test_json_lines_hold_every_cell_as_it_is() -> None:
    rows = [("=1", -1.5), ("two\nlines\u2028", None)]
    lines = Table(("a", "b"), rows).json_lines().removesuffix("\n").split("\n")
    assert [tuple(json.loads(line).values()) for line in lines] == rows


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


PAYLOADS = [
    "[x](javascript:alert(1))",
    "[x](https://example.invalid)",
    "![x](https://example.invalid/beacon.png)",
    "[x][ref]",
    "<https://example.invalid>",
    "https://example.invalid/?q=1",
    "www.example.invalid",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "`code` and ``code``",
    "**bold** *thin* ~~gone~~",
    "a | b | c",
    "back\\slash \\| and \\[x](y)",
    "ends with \\",
    "# heading\n\n- item",
    "&lt;script&gt; &amp; &#60;",
    "@somebody and #1",
    "[x]: https://example.invalid",
    "a\u202eb\0c",
    "$x$ and $$y$$",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_in_markdown_a_cell_is_text_and_nothing_else(payload: str) -> None:
    from markdown_it import MarkdownIt

    rendered = (
        MarkdownIt("commonmark")
        .enable(["table", "strikethrough"])
        .render(Table((payload, "b"), [(payload, 1)], title=payload).markdown())
    )
    tags = set(re.findall(r"<(/?[a-z0-9]+)", rendered)) - {"p", "/p", "strong", "/strong"}
    assert {tag.strip("/") for tag in tags} == {"table", "thead", "tbody", "tr", "th", "td"}
    assert rendered.count("<td") == rendered.count("<th>") + rendered.count("<th ") == 2
    cell = re.findall(r"<td[^>]*>(.*?)</td>", rendered, re.DOTALL)[0]
    assert html.unescape(cell).strip() == plain(payload).strip()


def test_in_markdown_nobody_is_mentioned_and_no_address_is_a_link() -> None:
    text = Table(("a",), [("@somebody https://example.invalid www.example.invalid",)]).markdown()
    assert "@" not in text
    assert "://" not in text
    assert "www." not in text
