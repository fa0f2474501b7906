"""A small table with text, HTML, Markdown and JSON forms."""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Value = str | int | float | bool | None
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")
_MARKUP = re.compile(r"([\\`*\[\]|~])")
_NARROW = 8  # below this nothing is readable
_ENDLESS = 1 << 20
# What a notebook shows: it keeps all of it in its file.
_MOST_ROWS = 20
_LONGEST_CELL = 120
_LONGEST_TITLE = 500


@dataclass(frozen=True)
class Table:
    """Rows under column titles.

    >>> print(Table(("gate", "passed"), [("accuracy >= 0.75", True)]).text(width=40))
    gate              passed
    accuracy >= 0.75  yes
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    title: str = ""

    def text(self, *, width: int | None = None) -> str:
        """Return the table as aligned text of at most `width` characters a line.

        By default these are the terminal's, or COLUMNS; in a pipe nothing is cut. Digests are shown by their beginning,
        which commands take for the whole. Where room is wanting, the last column gives way first.
        """
        cells = [[*self.columns], *[[_DIGEST.sub(r"\1", plain(cell)) for cell in row] for row in self.rows]]
        widths = _fit([max(map(len, column)) for column in zip(*cells, strict=True)], _width(width))
        lines = [
            "  ".join(_cut(cell, size).ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        return "\n".join([self.title, *lines] if self.title else lines)

    def markdown(self) -> str:
        """Return the table in GitHub's Markdown; a cell is no markup, no link, no picture and no mention there."""
        head = [_row([_escape(plain(column)) for column in self.columns]), _row(["---"] * len(self.columns))]
        lines = [*head, *[_row([_escape(plain(cell)) for cell in row]) for row in self.rows]]
        return "\n".join([f"**{_escape(plain(self.title))}**", "", *lines] if self.title else lines)

    def html(self, *, most: int | None = None) -> str:
        """Return the table as HTML, every cell escaped; of more than `most` rows, their number stands below.

        It has the colours of what it stands in, light or dark, and needs nothing from elsewhere.
        """
        shown = self.rows if most is None else self.rows[:most]
        head = "".join(f'<th style="text-align:left">{html.escape(plain(column))}</th>' for column in self.columns)
        body = "".join("<tr>" + "".join(map(_html_cell, row)) + "</tr>" for row in shown)
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        more = f"<div>… and {len(self.rows) - len(shown):,} more</div>" if len(shown) < len(self.rows) else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def csv(self) -> str:
        """Return the table as CSV (RFC 4180, lines ended by LF) that is safe to open in a spreadsheet.

        A text that a spreadsheet would run as a formula begins with an apostrophe; numbers are as they are, and what is
        missing is empty. Source: OWASP ASVS 4.0, 5.3.10. `json_lines` changes nothing.

        >>> print(Table(("text", "score"), [("=1+2", -0.5)]).csv(), end="")
        text,score
        '=1+2,-0.5
        """
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        writer.writerows([[_no_formula(cell) for cell in row] for row in (self.columns, *self.rows)])
        return written.getvalue()

    def json_lines(self) -> str:
        """Return the table as JSON Lines, an object a row, every cell as it is."""
        rows = (dict(zip(self.columns, row, strict=True)) for row in self.rows)
        return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)

    def json(self) -> str:
        """Return the table as a JSON list of objects."""
        return json.dumps([dict(zip(self.columns, row, strict=True)) for row in self.rows], ensure_ascii=False)

    def _repr_html_(self) -> str:
        return self.html(most=_MOST_ROWS)

    def __str__(self) -> str:
        return self.text()


def known(kind: type, table: Mapping[str, Any], /) -> dict[str, Any]:
    """Return of a plain table what a dataclass has fields for: those that a later release added are passed over."""
    names = {one.name for one in dataclasses.fields(kind)}
    return {name: value for name, value in table.items() if name in names}


def card(title: str, facts: Mapping[str, Value], *tables: Table) -> str:
    """Return what a notebook shows of a value, as HTML: its title, facts in one line, tables of at most 20 rows.

    All is escaped; colours and fonts are those of the page, so that it is read on light and on dark alike.
    """
    said = " · ".join(
        f"{html.escape(name)} <b>{_short(value)}</b>" for name, value in facts.items() if value not in (None, "")
    )
    shown = "".join(table.html(most=_MOST_ROWS) for table in tables if table.rows)
    edge = "border-left:3px solid currentColor;padding-left:0.8em;margin:0.3em 0"
    return f'<div style="{edge}"><div><b>{html.escape(plain(title))}</b></div><div>{said}</div>{shown}</div>'


def _html_cell(cell: Value) -> str:
    number = isinstance(cell, int | float) and not isinstance(cell, bool)
    return f'<td style="text-align:{"right" if number else "left"}">{_short(cell)}</td>'


def _short(cell: Value) -> str:
    """Return a cell as HTML: digests by their beginning, long texts cut, both in whole where the pointer rests."""
    text = plain(cell)
    cut = _cut(_DIGEST.sub(r"\1", text), _LONGEST_CELL)
    whole = _cut(text, _LONGEST_TITLE)
    return html.escape(cut) if cut == text else f'<span title="{html.escape(whole)}">{html.escape(cut)}</span>'


def plain(cell: Value) -> str:
    """Return a cell as one line of printable text."""
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(cell))


def _width(width: int | None) -> int:
    return shutil.get_terminal_size((_ENDLESS, 1)).columns if width is None else width


def _fit(widths: list[int], total: int) -> list[int]:
    """Return the widths, the last column and then the widest ones narrowed until all fit."""
    fitted = list(widths)
    while sum(fitted) + 2 * (len(fitted) - 1) > total and max(fitted) > _NARROW:
        fitted[-1 if fitted[-1] > _NARROW else fitted.index(max(fitted))] -= 1
    return fitted


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 1]}…"


def _no_formula(cell: Value) -> Value:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    # A mention would call somebody, a link or picture lead elsewhere; entities are no markup in any place.
    marked = _MARKUP.sub(r"\\\1", text)
    return html.escape(marked, quote=False).replace("@", "&#64;").replace("://", "&#58;//").replace("www.", "www&#46;")
