"""The report as one HTML file: no script, nothing from elsewhere; what is from data is escaped, and kept apart."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from mlopskit.drift import LEAST, SIGNIFICANCE, TITLE
from mlopskit.evidence import Plot
from mlopskit.report import svg
from mlopskit.report.svg import bidi, named
from mlopskit.report.value import Report
from mlopskit.robustness import is_change
from mlopskit.tables import Table, Value, plain

_TEMPLATES = Path(__file__).with_name("templates")
_MOST_ROWS = 200
_MOST_SLICES = 12


def html(report: Report, /) -> str:
    """Return the report as a page that a browser shows by itself: light and dark, on paper, on a phone."""
    body = "\n".join(part for part in _parts(report) if part)
    page = string.Template((_TEMPLATES / "page.html").read_text(encoding="utf-8"))
    style = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    return page.substitute(title=escape(f"{report.package.name}: {report.outcome}"), style=style, body=body)


def _parts(report: Report) -> Iterable[str]:
    yield f"<h1>{bidi(report.package.name)}</h1>"
    yield _verdict(report)
    yield _facts(report.facts())
    yield _section("Gates", _table(report.gates(), "What was asked, and what was found"))
    yield _section("Failed behavioural tests", _table(report.failures(), ""))
    yield _section("Metrics", _note(report.live_note()) + _table(report.metrics(), "Bounds are one-sided, at 95 %"))
    yield _section("Slices", _slices(report))
    yield _section("Robustness", _table(report.robustness(), "The test rows once more, changed on purpose"))
    yield _section("Plots", _plots(report.evidence.plots))
    yield _section("Counts", "".join(_scroll(svg.matrix(one), one.title) for one in report.evidence.matrices))
    for table in (*report.evidence.rows, *report.evidence.tables):
        if not table.title.startswith(TITLE):
            yield _section(table.title, _table(Table(table.columns, table.rows), ""))
    yield _section("Drift", _drift(report.drift()))
    yield _section("Inputs and outputs", _table(report.schema(), ""))
    yield _section("Lineage", _table(report.lineage(), ""))
    yield _section("Environment", _table(report.environment(), ""))


def _verdict(report: Report) -> str:
    kind = {"passed": "good", "refused": "bad"}.get(report.outcome, "note")
    signs = {"passed": "✓", "refused": "✗"}
    override = report.verdict.override if report.verdict else None
    why = [*report.failed, *([f"Overridden: {override}"] if override else [])]
    reasons = "".join(f"<p>{bidi(reason)}</p>" for reason in why)
    return f'<div class="verdict {kind}">{signs.get(report.outcome, "")} {report.outcome}{reasons}</div>'


def _facts(facts: dict[str, Value]) -> str:
    lines = [f"<dt>{escape(name)}</dt><dd>{bidi(value)}</dd>" for name, value in facts.items() if value is not None]
    return f"<dl>{''.join(lines)}</dl>"


def _section(title: str, inner: str) -> str:
    return f"<section><h2>{named(title)}</h2>{inner}</section>" if inner else ""


def _drift(tables: Sequence[Table]) -> str:
    note = f"An alarm takes both: {LEAST:.0%} of the rows moved, and p, by Holm's method, below {SIGNIFICANCE}."
    return (_note(note) if tables else "") + "".join(_table(table, table.title) for table in tables)


def _note(text: str) -> str:
    return f'<p class="note">{bidi(text)}</p>'


def _table(table: Table, caption: str) -> str:
    if not table.rows:
        return ""
    head = "".join(f'<th scope="col">{named(name)}</th>' for name in table.columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows[:_MOST_ROWS])
    left = len(table.rows) - _MOST_ROWS
    more = _note(f"… and {left:,} more") if left > 0 else ""
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    made = f"<table>{told}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return _scroll(made, caption or " ".join(table.columns)) + more


def _scroll(inner: str, label: str) -> str:
    """Return what may be wider than a phone, so that it scrolls by itself and by keyboard."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(plain(label))}">{inner}</div>'


def _cell(cell: Value) -> str:
    if isinstance(cell, bool):
        return f'<td class="{"good" if cell else "bad"}">{"✓ yes" if cell else "✗ no"}</td>'
    kind = ' class="n"' if isinstance(cell, int | float) else ""
    return f"<td{kind}>{bidi(plain(cell))}</td>"


def _slices(report: Report) -> str:
    table = report.slices()
    if not table.rows:
        return ""
    found = report.package.evaluation
    kept = [one for one in (found.estimates if found else ()) if not is_change(one.slice)]
    first = next((one.metric for one in kept if one.slice), "")
    shown = [one for one in kept if one.metric == first][:_MOST_SLICES]
    rows = [(one.slice or "all rows", one.lower, one.value, one.upper) for one in shown]
    picture = svg.intervals(rows, title=f"{first} by slice", id="slices")
    return f"<figure><figcaption>{named(first)} by slice</figcaption>{picture}</figure>{_table(table, '')}"


def _plots(plots: Iterable[Plot]) -> str:
    figures = [
        f"<figure><figcaption>{named(one.title)}</figcaption>{svg.plot(one, id=f'plot{number}')}"
        f"{_note(one.note) if one.note else ''}</figure>"
        for number, one in enumerate(plots)
    ]
    return f'<div class="plots">{"".join(figures)}</div>' if figures else ""
