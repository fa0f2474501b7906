"""Plots: points where they belong, ticks that are round, and odd figures that break nothing."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.evidence import Matrix, Plot, Series
from mlopskit.report import svg

NUMBERS = st.floats(-1e9, 1e9) | st.sampled_from([0.0, 1.0, math.nan, math.inf])


def made(points: list[tuple[float, float]], kind: str = "line", *, diagonal: bool = False) -> Plot:
    return Plot(title="t", x="x", y="y", kind=kind, series=[Series(name="s", points=points)], diagonal=diagonal)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=20), st.sampled_from(["line", "bars", "points"]), st.booleans())
def test_every_mark_is_within_the_picture(points: list[tuple[float, float]], kind: str, diagonal: bool) -> None:  # noqa: FBT001  # Hypothesis gives it
    root = ET.fromstring(svg.plot(made(points, kind, diagonal=diagonal), id="p"))  # our own
    for circle in root.iter("circle"):
        assert -1 <= float(circle.attrib["cx"]) <= svg.WIDTH + 1
        assert -1 <= float(circle.attrib["cy"]) <= svg.HEIGHT + 1
    for line in root.iter("polyline"):
        numbers = [float(number) for number in re.split("[ ,]", line.attrib["points"]) if number]
        assert all(-1 <= number <= svg.WIDTH + 1 for number in numbers)


def test_a_picture_has_a_title_and_a_description_of_its_own() -> None:
    drawn = svg.plot(made([(0.0, 0.0), (1.0, 0.5)]), id="roc")
    assert 'role="img" aria-labelledby="roc-title roc-desc"' in drawn
    assert '<title id="roc-title">t</title>' in drawn
    assert "y over x, 2 line: (0, 0) to (1, 0.5)." in drawn


def test_shares_have_the_axes_of_shares() -> None:
    texts = re.findall(r">([^<>]+)</text>", svg.plot(made([(0.2, 0.3), (0.8, 0.9)]), id="p"))
    assert texts[:6] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-3, 17, [0, 5, 10, 15]), (0.651, 0.664, [0.655, 0.66]), (0, 1e9, 6)],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float] | int) -> None:
    found = svg._ticks(low, high)
    assert (len(found) if isinstance(ticks, int) else found) == ticks


def test_intervals_have_a_dot_for_the_value_and_a_line_where_there_are_bounds() -> None:
    rows = [("all", 0.7, 0.8, 0.9), ("source=movies", None, 0.5, None), ("odd", None, math.nan, None)]
    drawn = svg.intervals(rows, title="accuracy", id="s")
    assert drawn.count("<circle") == 2
    assert drawn.count('<line class="s0"') == 1
    assert "source=movies: 0.5" in drawn
    assert svg.intervals([], title="nothing", id="s")


def test_counts_are_shaded_by_their_share_of_the_label() -> None:
    drawn = svg.matrix(Matrix(title="m", labels=["a", "b"], counts=[[9, 1], [0, 0]]))
    assert [int(number) for number in re.findall(r"heat(\d)", drawn)] == [8, 1, 0, 0]
