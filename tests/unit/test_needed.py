from __future__ import annotations

import pytest

from mlopskit.evaluation import Estimate
from mlopskit.intervals import proportion
from mlopskit.needed import rows_needed
from mlopskit.paired import tango


def of(k: int, n: int) -> Estimate:
    lower, upper = proportion(k, n)
    return Estimate(metric="accuracy", value=k / n, lower=lower, upper=upper, n=n, method="clopper-pearson")


@pytest.mark.parametrize(("k", "n", "limit"), [(5, 5, 0.75), (94, 100, 0.9), (80, 100, 0.79)])
def test_with_that_many_rows_the_gate_would_pass_and_with_fewer_not(k: int, n: int, limit: float) -> None:
    needed = rows_needed(of(k, n), limit, at_least=True)
    assert needed is not None
    assert proportion(k / n * needed, needed)[0] >= limit
    assert proportion(k / n * (needed - 1), needed - 1)[0] < limit


def test_five_right_of_five_need_eleven() -> None:
    assert rows_needed(of(5, 5), 0.75, at_least=True) == 11


def test_no_rows_help_where_the_value_is_beyond_the_limit() -> None:
    assert rows_needed(of(70, 100), 0.75, at_least=True) is None
    assert rows_needed(of(75, 100), 0.75, at_least=True) is None
    assert rows_needed(of(70, 100), 0.65, at_least=False) is None


def test_at_most_is_judged_by_the_upper_bound() -> None:
    needed = rows_needed(of(5, 100), 0.08, at_least=False)
    assert needed is not None
    assert proportion(0.05 * needed, needed)[1] <= 0.08


def test_a_difference_of_proportions_keeps_its_rates() -> None:
    bounds = tango(6, 6, 200)
    seen = Estimate(
        metric="accuracy", value=0, lower=bounds.lower, upper=bounds.upper, n=200, method="tango",
        counts={"gained": 6, "lost": 6},
    )  # fmt: skip
    needed = rows_needed(seen, -0.01, at_least=True)
    assert needed is not None
    assert tango(0.03 * needed, 0.03 * needed, needed).lower >= -0.01
    assert tango(0.03 * needed, 0.03 * needed, needed - 1).lower < -0.01


def test_other_bounds_come_nearer_with_the_root_of_the_rows() -> None:
    seen = Estimate(metric="mae", value=1.0, lower=0.8, upper=1.2, n=100, method="bca")
    assert rows_needed(seen, 1.1, at_least=False) == 400
    assert rows_needed(seen, 1.0 + 1e-9, at_least=False) is None
    few = Estimate(metric="mae", value=1.0, lower=None, upper=None, n=10, method="bca", reason="few")
    assert rows_needed(few, 1.1, at_least=False) is None
