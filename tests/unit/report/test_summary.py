"""The Markdown form: short enough for a comment, and no text of data is markup there."""

from __future__ import annotations

import dataclasses

from mlopskit.drift import TITLE
from mlopskit.report import Report, markdown
from mlopskit.report.summary import LONGEST
from mlopskit.tables import Table
from tests.unit.report.conftest import drifted


def test_the_verdict_stands_first_then_gates_and_metrics(report: Report) -> None:
    lines = markdown(report).splitlines()
    assert lines[0] == "### ✅ mood: passed"
    assert lines[2] == f"`{report.package.digest}`"
    assert lines[4] == "| gate | passed | reached | rows | reason |"
    assert "| accuracy | 1 |" in markdown(report)


def test_drift_is_folded_below_a_line_that_counts_the_alarms(report: Report) -> None:
    assert "Drift" not in markdown(report)
    text = markdown(drifted(report, ["age", "city", "size"]))
    assert "<summary>Drift of the incoming rows from the training rows: 2 columns in alarm</summary>" in text
    assert "| age | alarm | 0.5 | 0.001 | age: 1.0% before |" in text
    titled = Table(("a", "b"), [("x", None)], f"{TITLE}<b>")
    evidence = dataclasses.replace(report.evidence, tables=[titled])
    assert "Drift of &lt;b&gt;: 0 columns" in markdown(dataclasses.replace(report, evidence=evidence))


def test_texts_of_data_are_no_markup(hostile: Report) -> None:
    text = markdown(hostile)
    assert "<script" not in text
    assert "<img" not in text
    assert "\n# heading" not in text
    assert len(text) <= LONGEST + 20
