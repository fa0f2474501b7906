"""A small table with text, HTML, Markdown and JSON forms."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

Value = str | int | float | bool | None
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
_NARROW = 8  # below this nothing is readable
_ENDLESS = 1 << 20


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
        """Return the table in GitHub's Markdown."""
        head = [_row(self.columns), _row(["---"] * len(self.columns))]
        lines = [*head, *[_row([_escape(plain(cell)) for cell in row]) for row in self.rows]]
        return "\n".join([f"**{_escape(self.title)}**", "", *lines] if self.title else lines)

    def html(self) -> str:
        """Return the table as HTML, every cell escaped."""
        head = "".join(f"<th>{html.escape(column)}</th>" for column in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(plain(cell))}</td>" for cell in row) + "</tr>" for row in self.rows
        )
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def json(self) -> str:
        """Return the table as a JSON list of objects."""
        return json.dumps([dict(zip(self.columns, row, strict=True)) for row in self.rows], ensure_ascii=False)

    def _repr_html_(self) -> str:
        return self.html()

    def __str__(self) -> str:
        return self.text()


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


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    return html.escape(text, quote=False).replace("|", "\\|")
