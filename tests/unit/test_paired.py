from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from mlopskit import intervals, paired

COUNTS = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60)).filter(any)


@pytest.mark.parametrize(
    ("gained", "lost", "n", "confidence", "lower", "upper"),
    [
        # Two-sided 95 % (each one-sided 97.5 %): airway hyper-responsiveness before and after a transplantation, 1 and
        # 7 discordant of 21, as given in M. W. Fagerland, S. Lydersen, P. Laake, Statistics in Medicine 33 (2014)
        # 2850-2875, tables II and V, for Tango's interval.
        (1, 7, 21, 0.975, -0.517, -0.026),
        # Two-sided 90 %: what R's package PropCIs, another implementation, says to scoreci.mp(25, 28, 618, 0.9); its
        # difference is that of the second count and the first.
        (28, 25, 618, 0.95, -0.0148, 0.0247),
    ],
)
def test_tangos_bounds_are_those_published(gained, lost, n, confidence, lower, upper):
    found = paired.tango(gained, lost, n, confidence=confidence)
    digits = len(str(lower).partition(".")[2])
    assert (round(found.lower, digits), round(found.upper, digits)) == (lower, upper)


def test_mcnemars_mid_p_is_that_published():
    """The example of Fagerland, Lydersen and Laake (2013), and their rule where both counts are equal."""
    assert round(paired.mcnemar(1, 7), 4) == 0.0391
    assert paired.mcnemar(3, 3) == pytest.approx(1 - 0.5 * math.comb(6, 3) / 2**6)
    assert paired.mcnemar(0, 0) == 1.0
    assert 0 < paired.mcnemar(400_000, 402_000) < 0.05


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemars_mid_p_counts_the_seen_half(gained, lost):
    """Summed up in whole numbers: what is less likely on either side, and half of what was seen there."""
    n, fewer = gained + lost, min(gained, lost)
    below, seen = sum(math.comb(n, k) for k in range(fewer)), math.comb(n, fewer)
    exact = Fraction(2 * below + seen, 2**n) if gained != lost else 1 - Fraction(seen, 2 * 2**n)
    assert paired.mcnemar(gained, lost) == pytest.approx(float(exact) if n else 1.0, abs=1e-12)
    assert paired.mcnemar(lost, gained) == paired.mcnemar(gained, lost)


def likelihood_score(gained, lost, rest, delta):
    """Return the score statistic with the nuisance share found by maximising the likelihood itself."""
    n = gained + lost + rest

    def unlikely(share):
        cells = [(gained, share + delta), (lost, share), (rest, 1 - 2 * share - delta)]
        return -sum(count * math.log(max(cell, 1e-300)) for count, cell in cells if count)

    low, high = max(0.0, -delta), (1 - delta) / 2
    share = optimize.minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = n * (2 * share + delta - delta**2)
    return (gained - lost - n * delta) / math.sqrt(variance)


@given(COUNTS)
def test_at_tangos_bounds_the_score_is_the_normal_quantile(counts):
    gained, lost, rest = counts
    found = paired.tango(gained, lost, gained + lost + rest)
    assert -1 <= found.lower <= found.value <= found.upper <= 1
    z = 1.6448536269514722
    if found.lower > -0.999:
        assert likelihood_score(gained, lost, rest, found.lower) == pytest.approx(z, abs=1e-3)
    if found.upper < 0.999:
        assert likelihood_score(gained, lost, rest, found.upper) == pytest.approx(-z, abs=1e-3)


@given(COUNTS)
def test_exchanged_models_have_exchanged_bounds(counts):
    gained, lost, rest = counts
    n = gained + lost + rest
    found, back = paired.tango(gained, lost, n), paired.tango(lost, gained, n)
    assert (back.lower, back.upper) == (pytest.approx(-found.upper), pytest.approx(-found.lower))


def test_without_rows_a_difference_may_be_anything():
    found = paired.tango(0, 0, 0)
    assert (found.lower, found.upper) == (-1, 1)


@pytest.mark.parametrize("seed", range(5))
def test_the_difference_of_areas_has_the_covariance_of_delong(seed):
    generator = np.random.default_rng(seed)
    positive = generator.random(60) < 0.4
    first = np.round(generator.normal(size=60) + positive, 1)
    second = np.round(first + generator.normal(size=60), 1)
    psi = [np.sign(scores[positive][:, None] - scores[~positive]) / 2 + 0.5 for scores in (first, second)]
    gap = psi[0].mean() - psi[1].mean()
    s10 = np.cov(*[one.mean(axis=1) for one in psi]) / positive.sum()
    s01 = np.cov(*[one.mean(axis=0) for one in psi]) / (~positive).sum()
    total = s10 + s01
    error = math.sqrt(total[0, 0] + total[1, 1] - 2 * total[0, 1])
    found = paired.delong(first, second, positive)
    assert found.value == pytest.approx(gap)
    assert found.lower == pytest.approx(gap - 1.6448536269514722 * error)
    assert found.upper == pytest.approx(gap + 1.6448536269514722 * error)


def test_curves_that_do_not_differ_prove_no_more_than_the_rarer_class_allows():
    scores, positive = np.arange(50.0), np.arange(50) >= 40
    found = paired.delong(scores, scores, positive)
    assert (found.value, found.lower) == (0.0, pytest.approx(intervals.cap(10) - 1))
    alone = paired.delong(scores, -scores, np.arange(50) == 49)
    assert (alone.value, alone.lower, alone.upper) == (1.0, -1.0, 1.0)
