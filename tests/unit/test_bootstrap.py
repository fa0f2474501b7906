from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlopskit import bootstrap


def mean(sums):
    return sums[..., 1] / sums[..., 0]


def rows_of(values):
    return np.column_stack([np.ones(len(values)), values])


@pytest.fixture
def values():
    return np.random.default_rng(0).lognormal(size=80)


def test_the_bounds_are_those_of_scipy_from_the_same_resamples(values):
    found = stats.bootstrap((values,), np.mean, confidence_level=0.9, method="BCa", rng=1)
    left = np.array([np.delete(values, at).mean() for at in range(len(values))])
    ours = bootstrap.bca(values.mean(), found.bootstrap_distribution, [left])
    assert ours.lower == pytest.approx(found.confidence_interval.low, rel=1e-9)
    assert ours.upper == pytest.approx(found.confidence_interval.high, rel=1e-9)


def test_with_strata_the_acceleration_is_that_of_several_samples(values):
    other = np.random.default_rng(1).exponential(size=30)

    def of(a, b, axis=-1):
        return a.mean(axis=axis) - b.mean(axis=axis)

    found = stats.bootstrap((values, other), of, confidence_level=0.9, method="BCa", rng=1)
    left = [
        np.array([of(np.delete(values, at), other) for at in range(len(values))]),
        np.array([of(values, np.delete(other, at)) for at in range(len(other))]),
    ]
    ours = bootstrap.bca(of(values, other), found.bootstrap_distribution, left)
    assert ours.lower == pytest.approx(found.confidence_interval.low, rel=1e-9)
    assert ours.upper == pytest.approx(found.confidence_interval.high, rel=1e-9)


def test_sums_give_what_rows_give(values):
    theirs = stats.bootstrap((values,), np.mean, n_resamples=9999, confidence_level=0.9, method="BCa", rng=1)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    (ours,) = bootstrap.of_sums(rows_of(values), [mean], resamples=9999)
    by_rows = bootstrap.of_rows(lambda rows: float(values[rows].mean()), len(values), resamples=9999)
    for found in (ours, by_rows):
        assert found.value == pytest.approx(values.mean())
        assert found.lower == pytest.approx(theirs.confidence_interval.low, abs=0.05 * width)
        assert found.upper == pytest.approx(theirs.confidence_interval.high, abs=0.05 * width)


def test_a_stratum_keeps_its_share():
    values = np.repeat([0.0, 1.0], 50)
    (free,) = bootstrap.of_sums(rows_of(values), [mean])
    (kept,) = bootstrap.of_sums(rows_of(values), [mean], strata=values.astype(int))
    assert free.lower < 0.45
    assert free.upper > 0.55
    assert (kept.lower, kept.upper) == (0.5, 0.5)


def test_a_single_row_of_a_stratum_has_no_spread():
    (found,) = bootstrap.of_sums(rows_of(np.arange(5.0)), [mean], strata=np.array([0, 0, 0, 0, 1]))
    assert 1 < found.lower < found.upper < 3


def test_whole_groups_are_drawn():
    values = np.repeat(np.random.default_rng(2).normal(size=20), 50)
    groups = np.repeat(np.arange(20), 50)
    (alone,) = bootstrap.of_sums(rows_of(values), [mean])
    (grouped,) = bootstrap.of_sums(rows_of(values), [mean], groups=groups)
    once = bootstrap.of_sums(rows_of(values[::50]), [mean])[0]
    assert (grouped.lower, grouped.upper) == (pytest.approx(once.lower), pytest.approx(once.upper))
    assert grouped.upper - grouped.lower > 4 * (alone.upper - alone.lower)
    named = bootstrap.of_groups(lambda rows: float(values[rows].mean()), groups)
    assert named.upper - named.lower == pytest.approx(grouped.upper - grouped.lower, rel=0.2)


def test_the_same_rows_give_the_same_bounds(values):
    assert bootstrap.of_sums(rows_of(values), [mean]) == bootstrap.of_sums(rows_of(values), [mean])
    assert bootstrap.of_sums(rows_of(values), [mean]) != bootstrap.of_sums(rows_of(values), [mean], seed=1)


def test_what_does_not_vary_has_no_spread():
    (found,) = bootstrap.of_sums(rows_of(np.full(30, 0.1)), [mean])
    assert found.value == found.lower == found.upper


@pytest.mark.parametrize("share", [0.0, 0.05])
def test_what_is_often_not_defined_has_no_bounds(share):
    marked = np.zeros(40)
    marked[: int(40 * share)] = 1.0
    rows = np.column_stack([marked, np.arange(40.0)])
    assert bootstrap.of_sums(rows, [mean]) == [None]


def test_figures_come_by_name_and_may_lack_on_some_rows(values):
    def figures(rows):
        return {"mean": float(values[rows].mean()), **({"rare": 1.0} if len(rows) == len(set(rows)) else {})}

    found = bootstrap.of_named(figures, len(values), resamples=200)
    assert found["mean"].lower < values.mean() < found["mean"].upper
    assert found["rare"] is None


def test_a_pole_of_the_formula_is_answered_with_the_outermost_resample():
    drawn = np.arange(1000.0)
    left = np.append(np.zeros(30), -1e9)  # an acceleration near its largest
    for sign in (1, -1):
        found = bootstrap.bca(990.0, drawn, [sign * left])
        assert drawn.min() <= found.lower <= found.upper <= drawn.max()


def test_careful_bounds_go_further_out_the_more_skewed_the_values_are(values):
    plain, careful = (bootstrap.of_sums(rows_of(values), [mean], careful=[one])[0] for one in (False, True))
    assert careful.lower < plain.lower < plain.upper < careful.upper
    even = np.concatenate([values, -values])
    plain, careful = (bootstrap.of_sums(rows_of(even), [mean], careful=[one])[0] for one in (False, True))
    assert careful == plain
