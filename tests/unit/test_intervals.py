from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlopskit import intervals
from mlopskit.intervals import Bounds

SEEN = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def bounds(k, n, *, confidence=0.95):
    return intervals.proportion(k, n, confidence=confidence)


# --- proportions ----------------------------------------------------------------------------------------------------


def test_five_right_of_five_prove_little():
    assert bounds(5, 5) == (pytest.approx(0.05 ** (1 / 5), rel=1e-12), 1.0)


@given(SEEN)
def test_the_bounds_are_those_of_scipy(seen):
    k, n = seen
    for alternative, at, other in (("greater", 0, 1.0), ("less", 1, 0.0)):
        found = stats.binomtest(k, n, alternative=alternative).proportion_ci(method="exact")
        assert bounds(k, n)[at] == pytest.approx([found.low, found.high][at], abs=1e-9)
        assert [found.low, found.high][1 - at] == other


@pytest.mark.parametrize(
    ("k", "n", "lower", "upper"),
    # Two-sided 95 % limits (each one-sided 97.5 %) as published: 81 of 263, 15 of 148, 0 of 20, 1 of 29 in
    # R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, table I.
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_the_bounds_are_those_published(k, n, lower, upper):
    assert bounds(k, n, confidence=0.975) == (pytest.approx(lower, abs=5e-5), pytest.approx(upper, abs=5e-5))


def at_least(k: int, n: int, p: float) -> float:
    return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))


@given(SEEN, st.floats(0.6, 0.99))
def test_at_its_bound_a_proportion_is_just_as_improbable_as_said(seen, confidence):
    k, n = seen
    lower, upper = bounds(k, n, confidence=confidence)
    assert lower <= k / n <= upper
    assert lower == 0 if k == 0 else at_least(k, n, lower) == pytest.approx(1 - confidence, rel=1e-6)
    assert upper == 1 if k == n else 1 - at_least(k + 1, n, upper) == pytest.approx(1 - confidence, rel=1e-6)


@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_bounds_are_quantiles_of_beta_distributions(seen):
    k, n = seen
    lower, upper = bounds(k, n, confidence=0.95)
    assert lower == pytest.approx(stats.beta.ppf(0.05, k, n - k + 1) if k else 0, rel=1e-8)
    assert upper == pytest.approx(stats.beta.ppf(0.95, k + 1, n - k) if k < n else 1, rel=1e-8)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.75, 0.97])
def test_the_lower_bound_is_above_the_truth_in_at_most_5_percent_of_samples(p):
    n = 80
    above = [k for k in range(n + 1) if bounds(k, n, confidence=0.95)[0] > p]
    assert math.fsum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in above) <= 0.05


# --- what n rows can prove -----------------------------------------------------------------------------------------


def test_no_bound_is_nearer_to_the_end_than_the_rows_can_prove():
    perfect = intervals.capped(Bounds(value=1.0, lower=1.0, upper=1.0), 59)
    assert perfect.lower == pytest.approx(0.05 ** (1 / 59))
    nothing = intervals.capped(Bounds(value=0.0, lower=0.0, upper=0.0), 59)
    assert (nothing.lower, nothing.upper) == (0.0, pytest.approx(1 - 0.05 ** (1 / 59)))
    inside = Bounds(value=0.6, lower=0.5, upper=0.7)
    assert intervals.capped(inside, 59) == inside
    assert intervals.cap(0) == 0


def test_it_takes_more_rows_where_few_of_them_decide():
    assert intervals.rows_for(np.full(10, 0.1)) == 0
    assert intervals.rows_for(np.array([])) == 0
    values = np.array([0.0] * 99 + [1.0])
    needed = intervals.rows_for(values)
    assert needed == math.ceil((stats.skew(values) / (6 * 0.06)) ** 2)
    assert needed == intervals.rows_for(-1000 * values) > 100
    assert intervals.rows_for(np.random.default_rng(0).uniform(size=100)) < 10


# --- areas under ROC curves ----------------------------------------------------------------------------------------

SCORES = st.lists(st.integers(0, 6).map(float), min_size=2, max_size=25).map(np.array)


def kernel(positive, negative):
    """Return what DeLong, DeLong and Clarke-Pearson (1988) call psi: 1 above, 1/2 equal, 0 below."""
    return np.where(positive[:, None] > negative, 1.0, np.where(positive[:, None] == negative, 0.5, 0.0))


@given(SCORES, SCORES)
def test_placements_are_the_means_of_the_kernel(positive, negative):
    above, below = intervals.placements(positive, negative)
    assert above == pytest.approx(kernel(positive, negative).mean(axis=1))
    assert below == pytest.approx(kernel(positive, negative).mean(axis=0))


@given(SCORES, SCORES)
def test_the_area_has_the_variance_of_delong_on_the_logit_scale(positive, negative):
    psi = kernel(positive, negative)
    value, m, n = psi.mean(), *psi.shape
    found = intervals.auc(positive, negative)
    assert found.value == pytest.approx(value)
    most = 0.05 ** (1 / min(m, n))
    if not 0 < value < 1:
        assert (found.lower, found.upper) == (pytest.approx(min(value, most)), pytest.approx(max(value, 1 - most)))
        return
    s10 = sum((row.mean() - value) ** 2 for row in psi) / (m - 1)
    s01 = sum((column.mean() - value) ** 2 for column in psi.T) / (n - 1)
    half = 1.6448536269514722 * math.sqrt(s10 / m + s01 / n) / (value * (1 - value))
    lower, upper = (1 / (1 + math.exp(-(math.log(value / (1 - value)) + side * half))) for side in (-1, 1))
    assert found.lower == pytest.approx(min(lower, most))
    assert found.upper == pytest.approx(max(upper, 1 - most))


def test_one_row_of_a_class_proves_next_to_nothing():
    found = intervals.auc(np.array([2.0]), np.arange(10.0) / 10)
    assert (found.value, found.lower, found.upper) == (1.0, 0.0, 1.0)


# --- percentiles ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "fewest"), [(0.5, 5), (0.9, 29), (0.95, 59), (0.99, 299)])
def test_a_percentile_needs_enough_measurements(share, fewest):
    # The published sample sizes of one-sided 95 % nonparametric tolerance limits: 29, 59, 299 (S. S. Wilks, 1941).
    assert intervals.fewest_for(share) == fewest
    assert intervals.percentile(np.arange(fewest - 1.0), share) is None
    assert intervals.percentile(np.arange(float(fewest)), share).upper == fewest - 1


@given(st.integers(59, 500))
def test_the_bounds_of_a_percentile_are_the_innermost_that_hold(n):
    found = intervals.percentile(np.arange(1.0, n + 1), 0.95)  # the j-th smallest is j
    upper, lower = int(found.upper), found.lower
    assert stats.binom.cdf(upper - 1, n, 0.95) >= 0.95 - 1e-12
    assert stats.binom.cdf(upper - 2, n, 0.95) < 0.95
    assert stats.binom.sf(lower - 1, n, 0.95) >= 0.95 - 1e-12
    assert stats.binom.sf(lower, n, 0.95) < 0.95
    assert lower <= found.value <= upper
