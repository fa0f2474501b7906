from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from mlopskit.builtin.portable.loader.document import make
from mlopskit.builtin.portable.loader.values import Value

ROW = Value(1, list)


@given(
    gaps=st.lists(st.floats(0.01, 3), min_size=8, max_size=14),
    degree=st.integers(0, 3),
    share=st.floats(0, 1),
)
def test_splines_are_those_of_scipy(gaps, degree, share):
    knots = np.cumsum(gaps)
    x = knots[degree] + share * (knots[-degree - 1] - knots[degree])
    count = len(knots) - degree - 1
    wanted = BSpline(knots, np.eye(count), degree, extrapolate=True)(x)
    got = make("spline", {"knots": [knots.tolist()], "degree": degree}, [ROW]).run([float(x)])
    assert len(got) == count
    assert np.allclose(got, wanted, rtol=0, atol=1e-12)
    assert make("spline", {"knots": [knots.tolist()], "degree": degree}, [ROW]).run([math.nan]) == [0.0] * count


def nearest(x, **fields):
    given = {"count": None, "radius": None, "weights": "equal", "empty": None} | fields
    points = [[0.0], [1.0], [-1.0], [5.0]]
    return make("nearest", {"points": points, "values": [[10.0], [20.0], [40.0], [80.0]], **given}, [ROW]).run([x])


def test_of_equally_near_points_those_that_come_first_are_taken():
    assert nearest(0.0, count=2) == [15.0]
    assert nearest(3.0, count=1) == [20.0]


def test_a_point_at_the_radius_is_within():
    assert nearest(0.0, radius=1.0) == [70.0 / 3]
    assert nearest(9.0, radius=4.0) == [80.0]


def test_where_no_point_is_near_the_row_is_refused_or_has_the_answer_for_it():
    assert nearest(99.0, radius=1.0, empty=[7.0]) == [7.0]
    assert math.isnan(nearest(99.0, radius=1.0, empty=[None])[0])
    with pytest.raises(ValueError, match="no point near enough"):
        nearest(99.0, radius=1.0)


def test_a_point_that_is_the_row_counts_alone_among_weights():
    assert nearest(1.0, count=3, weights="distance") == [20.0]
    assert nearest(0.5, count=4, weights="distance")[0] == pytest.approx(
        (20 + 40 + 40 / 1.5 + 80 / 4.5) / (4 + 1 / 1.5 + 1 / 4.5)
    )
