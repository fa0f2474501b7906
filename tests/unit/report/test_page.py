"""The page: what it says, in which order, and that nothing in it runs or is asked for, whatever the texts."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mlopskit as mk
from mlopskit.builtin.classification import ClassificationEvaluator
from mlopskit.report import Report, html
from tests.unit.report.conftest import HOSTILE, drifted, evidence_of, judged

ELEMENTS = """
html head meta title style body main section h1 h2 p dl dt dd bdi div figure figcaption table caption thead tbody tr th
td svg desc g path line polyline circle rect text
"""
ATTRIBUTES = """
lang charset name content http-equiv class tabindex role aria-label aria-labelledby scope id viewbox d x y x1 x2 y1 y2
cx cy r width height points transform text-anchor
"""


class Reading(HTMLParser):
    """Collects tags, attributes and texts; void elements need no end."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [str(value) for name, value in attrs if name == "id"]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(page: str) -> Reading:
    reading = Reading()
    reading.feed(page)
    reading.close()
    assert reading.open == []
    return reading


def test_the_verdict_stands_first(report: Report) -> None:
    said = read(html(report)).texts
    texts = [text.strip() for text in said if text.strip() and not text.strip().startswith(":root")]
    assert texts[:3] == ["mood: passed", "mood", "✓ passed"]
    headings = [text for text in texts if text in ("Gates", "Metrics", "Plots", "Counts", "Lineage", "Environment")]
    assert headings == ["Gates", "Metrics", "Plots", "Counts", "Lineage", "Environment"]


def test_a_refusal_says_why(report: Report) -> None:
    assert report.verdict is not None
    failed = dataclasses.replace(report.verdict.findings[0], passed=False, reason="five rows prove nothing")
    refused = dataclasses.replace(report, verdict=dataclasses.replace(report.verdict, findings=(failed,)))
    texts = read(html(refused)).texts
    assert "✗ refused" in texts
    assert "accuracy >= 0.75: five rows prove nothing" in texts


def test_nothing_but_known_elements_whatever_the_texts(hostile: Report) -> None:
    reading = read(html(hostile))
    assert set(reading.tags) <= set(ELEMENTS.split())
    assert reading.attributes <= set(ATTRIBUTES.split())
    assert len(reading.ids) == len(set(reading.ids))
    assert HOSTILE[0] in reading.texts
    assert not any("\u202e" in text or "\0" in text or "\x1b" in text for text in reading.texts)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(texts=st.lists(st.text(), min_size=1, max_size=4))
def test_any_texts_at_all(report: Report, texts: list[str]) -> None:
    reading = read(html(dataclasses.replace(report, evidence=evidence_of(texts))))
    assert set(reading.tags) <= set(ELEMENTS.split())
    assert reading.attributes <= set(ATTRIBUTES.split())


def test_the_page_forbids_scripts_and_requests(report: Report) -> None:
    page = html(report)
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert "http://" not in page
    assert "https://" not in page


@pytest.mark.parametrize("without", ["verdict", "live"])
def test_what_is_not_known_is_left_out(report: Report, without: str) -> None:
    page = html(dataclasses.replace(report, **{without: None}))
    if without == "verdict":
        assert "not judged" in page
        assert "<h2><bdi>Gates</bdi></h2>" not in page
    else:
        assert "Nothing is live under &#x27;production&#x27; yet" in page


def test_drift_is_a_section_of_its_own_and_only_where_there_is_any(report: Report) -> None:
    assert "Drift" not in read(html(report)).texts
    texts = read(html(drifted(report, ["age", "city", "size"]))).texts
    at = texts.index("Drift")
    assert texts[at + 1].startswith("An alarm takes both: 10% of the rows moved")
    assert texts.index("Drift of the training rows from those of production") > at
    assert texts.count("alarm") == 2 * (1 + 2)  # the column's title, and two of three columns
    assert "Drift of the incoming rows from the training rows" in texts


def test_many_rows_and_slices_are_cut(report: Report) -> None:
    assert report.package.evaluation is not None
    one = report.package.evaluation.estimates[0]
    many = tuple(dataclasses.replace(one, slice=f"id={number}") for number in range(5000))
    evaluation = dataclasses.replace(report.package.evaluation, estimates=(one, *many))
    page = html(dataclasses.replace(report, package=judged(report.package, evaluation)))
    assert "… and 4,800 more" in page
    assert len(page) < 200_000


def test_a_hundred_classes_stay_readable(report: Report) -> None:
    labels = [f"class {at % 100} {'long ' * 50}" for at in range(1000)]
    said = [labels[at if at % 10 else (at + 1) % 1000] for at in range(1000)]
    outputs = {"prediction": said, **{f"probability.{name}": [0.01] * 1000 for name in dict.fromkeys(labels)}}

    class Said:
        def score(self, rows: mk.Columns, /) -> mk.Columns:
            return outputs

    data = mk.Dataset(columns={"x": [*range(1000)], "y": labels}, target="y")
    evaluator = ClassificationEvaluator()
    found = evaluator.evaluate(Said(), data)
    sliced = [
        dataclasses.replace(one, slice=f"source={at}") for one in found.estimates for at in range(1000) if not one.slice
    ]
    evaluation = dataclasses.replace(found, estimates=(*found.estimates, *sliced))
    evidence = evaluator.evidence(Said(), data)
    page = html(dataclasses.replace(report, package=judged(report.package, evaluation), evidence=evidence))
    assert len(page) < 500_000
    reading = read(page)
    assert f"… and {len(sliced) - 200:,} more" in reading.texts
    # Of the classes nineteen, and the others together.
    assert sum("all others" in text for text in reading.texts) == 2
    assert len(evidence.matrices[0].labels) == 20
