"""What a notebook shows of values and errors: escaped, small, and in the colours of the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlopskit as mk
from mlopskit.errors import DataError
from mlopskit.tables import card

EVIL = "<script>alert(1)</script>&\"'"
MOST_BYTES = 50_000  # when every letter needs an escape


class Parsed(HTMLParser):
    """The tags of a piece of HTML, each of which must be closed, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert {name for name, _ in attrs} <= {"style", "title"}
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(value: Any) -> Parsed:
    html = value._repr_html_()
    assert len(html.encode()) < MOST_BYTES
    assert not re.search(r"background|#[0-9a-f]{3}|rgb|url\(|(?<!current)color:", html, re.IGNORECASE)
    found = Parsed(html)
    assert found.tags <= {"div", "b", "span", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    return found


def receipt(rows: int) -> mk.Receipt:
    wrong = tuple(mk.Mismatch(row=n, output=EVIL, expected=1, answered=None) for n in range(rows))
    return mk.Receipt(
        package=EVIL, place=EVIL, rows=rows, ties=0, mismatches=wrong, largest_difference=0.5, runtime={"engine": EVIL}
    )


def evil() -> Mapping[str, Any]:
    """Return each value that shows itself, made of names that nobody should ever run."""
    estimates = tuple(mk.Estimate(metric=EVIL, value=0.5, lower=0.1, upper=0.9, n=3, method=EVIL) for _ in range(500))
    findings = tuple(mk.Finding(gate=EVIL, passed=False, reached=None, n=0, reason=EVIL * 90) for _ in range(30))
    run = mk.Run(id=EVIL, name=EVIL, outcome=EVIL, error=EVIL * 90, metrics={EVIL: 0.5}, seconds={EVIL: 1.0})
    deployed = dict.fromkeys(("endpoint", "target", "name", "package", "bundle", "operation", "who", "why"), EVIL)
    return {
        "dataset": mk.Dataset(columns={EVIL: [EVIL * 900] * 50, "y": [None] * 50}, target="y"),
        "evaluation": mk.Evaluation(dataset=EVIL, rows=3, estimates=estimates, failures=(EVIL,) * 90),
        "verdict": mk.Verdict(name=EVIL, digest=EVIL, dataset=EVIL, findings=findings, override=EVIL),
        "receipt": receipt(500),
        "deployment": mk.Deployment(**deployed, locator={}, receipt=receipt(1), when=EVIL),
        "run": run,
        "runs": mk.Runs([run] * 90),
        "difference": mk.Difference(
            before=EVIL, after=EVIL, changes=(mk.Change(kind=EVIL, name=EVIL, before=EVIL, after=None),) * 90
        ),
        "table": mk.Table((EVIL,), [(EVIL,)] * 900, title=EVIL),
    }


@pytest.mark.parametrize("name", evil())
def test_every_value_is_escaped_and_small(name: str) -> None:
    found = parsed(evil()[name])
    assert "script" not in found.tags
    assert "<script>" in found.text


@given(st.text(), st.dictionaries(st.text(max_size=9), st.text() | st.floats() | st.none(), max_size=5))
def test_a_card_is_closed_whatever_it_says(title: str, facts: dict[str, Any]) -> None:
    table = mk.Table((title,), [(value,) for value in facts.values()])
    parsed(SimpleNamespace(_repr_html_=lambda: card("", {}, mk.Table(("a",), table.rows))))
    Parsed(card(title, facts, table))


def test_a_wide_dataset_shows_its_target_and_some_inputs() -> None:
    columns = {f"x{n}": [n] * 9 for n in range(2000)}
    found = parsed(mk.Dataset(columns={"y": ["up"] * 9, **columns}, target="y"))
    for words in ("rows 9", "target y", "inputs 2000", "x11", "up"):
        assert words in found.text
    assert "x12" not in found.text


def test_a_package_says_what_it_is_with_inputs_in_their_order(package: mk.ModelPackage) -> None:
    found = parsed(package)
    for words in (
        package.digest[:19],
        "task binary",
        "portable (",
        "skops (",
        "inputs text",
        "golden rows 60",
        "accuracy",
    ):
        assert words in found.text


def test_what_passed_is_told_from_what_did_not() -> None:
    finding = mk.Finding(gate="g", passed=True, reached=1.0, n=9, reason="")
    good = mk.Verdict(name="m", digest="d", dataset="d", findings=(finding,))
    assert "✓ passed" in parsed(good).text
    assert "✗ did not pass" in parsed(evil()["verdict"]).text
    assert "✗ did not pass" in parsed(evil()["receipt"]).text


def test_an_error_is_its_message_its_remedy_and_the_line_that_asked() -> None:
    error = DataError("Row 3 \x1b[31mis odd.", remedy="Leave it out.")
    error.add_note("The run could not be recorded.")
    cell = compile("\n\nask()", "/tmp/ipykernel_17/35.py", "exec")

    def ask() -> None:
        raise error

    with pytest.raises(DataError) as caught:
        exec(cell, {"ask": ask})
    lines = caught.value._render_traceback_()
    assert lines[:3] == ["DataError: Row 3 \\x1b[31mis odd.", "  Leave it out.", "  The run could not be recorded."]
    assert lines[3].startswith("  At line 3 of the cell:")
    assert len(DataError("a", remedy="b")._render_traceback_()) == 2
