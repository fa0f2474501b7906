"""The report in Markdown, short enough for the comment of a pull request."""

from __future__ import annotations

from html import escape

from mlopskit.drift import ALARM
from mlopskit.report.value import Report
from mlopskit.tables import Table, plain

_MOST_ROWS = 30
LONGEST = 60_000  # what GitHub takes of one comment is 65,536 characters


def markdown(report: Report, /) -> str:
    """Return the report in GitHub's Markdown: the verdict first, then gates, metrics and slices."""
    sign = {"passed": "✅", "refused": "❌"}.get(report.outcome, "⚪")
    parts = [
        f"### {sign} {report.package.name}: {report.outcome}",
        f"`{report.package.digest}`",
        _table(report.gates()),
        _table(report.failures()),
        _escaped(report.live_note()),
        _table(report.metrics()),
        _folded("Slices", report.slices()),
        _folded("Robustness", report.robustness()),
        *(_folded(_said(table), table) for table in report.drift()),
        _folded("Lineage", report.lineage()),
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    return text if len(text) <= LONGEST else f"{text[:LONGEST].rpartition(chr(10))[0]}\n\n… cut\n"


def _said(drift: Table) -> str:
    """Return the title of a table of drift, and how many columns are in alarm."""
    alarms = sum(ALARM in row[1:2] for row in drift.rows)
    return f"{escape(plain(drift.title))}: {alarms} {'column' if alarms == 1 else 'columns'} in alarm"


def _table(table: Table) -> str:
    if not table.rows:
        return ""
    left = len(table.rows) - _MOST_ROWS
    more = f"\n\n… and {left:,} more" if left > 0 else ""
    return Table(table.columns, table.rows[:_MOST_ROWS]).markdown() + more


def _folded(title: str, table: Table) -> str:
    return f"<details><summary>{title}</summary>\n\n{_table(table)}\n\n</details>" if table.rows else ""


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;")
