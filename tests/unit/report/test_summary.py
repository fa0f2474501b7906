"""The Markdown form: short enough for a comment, and no text of data is markup there."""

from __future__ import annotations

from mlopskit.report import Report, markdown
from mlopskit.report.summary import LONGEST


def test_the_verdict_stands_first_then_gates_and_metrics(report: Report) -> None:
    lines = markdown(report).splitlines()
    assert lines[0] == "### ✅ mood: passed"
    assert lines[2] == f"`{report.package.digest}`"
    assert lines[4] == "| gate | passed | reached | rows | reason |"
    assert "| accuracy | 1 |" in markdown(report)


def test_texts_of_data_are_no_markup(hostile: Report) -> None:
    text = markdown(hostile)
    assert "<script" not in text
    assert "<img" not in text
    assert "\n# heading" not in text
    assert len(text) <= LONGEST + 20
