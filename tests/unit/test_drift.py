from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlopskit.data import Dataset
from mlopskit.drift import ColumnCounts, Drift, counted, drift, holm

NOISE = np.random.default_rng(0)
CITIES = ["Oslo", "Rome", "Lima"]


def rows(n: int, seed: int, **changed: Any) -> dict[str, list[Any]]:
    """Return columns of each kind; `changed` ones in place of those that are drawn."""
    generator = np.random.default_rng(seed)
    drawn = {
        "size": generator.normal(size=n).tolist(),
        "rooms": generator.integers(1, 6, n).tolist(),
        "city": generator.choice(CITIES, n).tolist(),
        "text": [f"{number:04x} " * length for number, length in enumerate(generator.integers(3, 40, n))],
        "y": generator.choice(["no", "yes"], n).tolist(),
    }
    return {**drawn, **{name: make(generator, cells) for name, make in changed.items() for cells in [drawn[name]]}}


REFERENCE = counted(Dataset(columns=rows(3000, 1), target="y"))


def only_alarm(found: Drift) -> Any:
    assert [one.column for one in found.columns] == ["size", "rooms", "city", "text", "y"]
    (alarm,) = [one for one in found.columns if one.alarm]
    assert found.alarm
    return alarm


def test_a_column_is_counted_by_what_it_holds() -> None:
    kinds = {one.column: one.kind for one in REFERENCE}
    assert kinds == {"size": "number", "rooms": "value", "city": "value", "text": "length", "y": "value"}
    size, _, city, *_ = REFERENCE
    assert (len(size.edges), size.counts) == (9, [300] * 10 + [0, 0])
    assert (city.names, sum(city.counts)) == (sorted(CITIES, key=repr), 3000)


@pytest.mark.parametrize(
    ("column", "make", "most"),
    [
        ("size", lambda generator, cells: (generator.normal(1, 1, len(cells))).tolist(), "from "),
        ("rooms", lambda _, cells: [min(cell + 1, 5) for cell in cells], "5: "),
        ("city", lambda _, cells: ["Bonn" if cell == "Rome" else cell for cell in cells], "other values: 0.0% before"),
        ("city", lambda _, cells: [None if cell == "Rome" else cell for cell in cells], "missing: 0.0% before"),
        ("text", lambda _, cells: [cell[:20] for cell in cells], "characters: "),
        ("size", lambda _, cells: [f"{cell:.3f}," for cell in cells], "of another type: 0.0% before, 100.0% now"),
        ("y", lambda _, cells: ["yes"] * len(cells), "'yes': "),
    ],
)
def test_what_has_changed_is_named_and_where(column: str, make: Any, most: str) -> None:
    found = only_alarm(drift(REFERENCE, rows(500, 2, **{column: make})))
    assert found.column == column
    assert most in found.most
    assert found.moved >= 0.1
    assert found.p < 0.001


@pytest.mark.parametrize("n", [20, 100, 1000])
def test_rows_of_the_same_kind_are_an_alarm_in_one_of_twenty_cases_at_most(n: int) -> None:
    alarms = sum(drift(REFERENCE, rows(n, seed), least=0.0).alarm for seed in range(100, 300))
    # Of 200 cases 10 are expected to be one by chance; more than 18 would come with a probability of 0.8 %.
    assert alarms <= stats.binom.ppf(0.99, 200, 0.05)


def test_of_very_many_rows_a_small_difference_is_more_than_chance_and_no_alarm() -> None:
    whole = counted(Dataset(columns={"a": NOISE.normal(size=100_000).tolist(), "y": ["n", "m"] * 50_000}, target="y"))
    (found, _) = drift(whole, {"a": NOISE.normal(0.1, 1, 100_000).tolist(), "y": ["n", "m"] * 50_000}).columns
    assert found.p < 1e-9
    assert found.moved < 0.1
    assert not found.alarm
    assert drift(whole, {"a": NOISE.normal(0.1, 1, 100_000).tolist()}, least=0.01).alarm


def test_a_few_rows_prove_nothing() -> None:
    found = drift(REFERENCE, {name: cells[:4] for name, cells in rows(10, 3, city=lambda _, c: ["Oslo"] * 10).items()})
    assert not found.alarm
    none = drift(REFERENCE, {name: [] for name in ("size", "city")})
    assert [(one.p, one.moved) for one in none.columns] == [(1.0, 0.0)] * 2


def test_an_absent_input_is_an_alarm_and_an_absent_target_is_not() -> None:
    columns = rows(500, 4)
    del columns["y"], columns["size"]
    found = drift(REFERENCE, columns, needed=["size", "city"])
    assert (found.alarm, found.absent) == (True, ("size",))
    assert found.table().rows[0] == ("size", True, None, None, "absent")
    assert not drift(REFERENCE, columns).alarm
    assert found.as_table()["absent"] == ["size"]


def test_p_is_that_of_the_chi_square_test() -> None:
    before, after = [400, 300, 300, 0, 0], [40, 60, 20, 0, 0]
    counts = ColumnCounts(column="a", kind="value", edges=[], names=["x", "y", "z"], counts=before)
    (found,) = drift([counts], {"a": ["x"] * 40 + ["y"] * 60 + ["z"] * 20}).columns
    expected = stats.chi2_contingency([before[:3], after[:3]], correction=False).pvalue
    assert found.p == pytest.approx(expected)
    assert found.moved == pytest.approx((abs(0.4 - 1 / 3) + abs(0.3 - 0.5) + abs(0.3 - 1 / 6)) / 2)
    assert found.most == "'y': 30.0% before, 50.0% now"


def test_rare_places_are_pooled() -> None:
    """Ten values of one or two rows each would make the test of chi-square say anything."""
    names = list(range(10))
    counts = ColumnCounts(column="a", kind="value", edges=[], names=["x", *names], counts=[900, *[10] * 10, 0, 0])
    (found,) = drift([counts], {"a": ["x"] * 90 + names}).columns
    assert found.p == pytest.approx(1.0)
    (found,) = drift([counts], {"a": ["x"] * 80 + names * 2}).columns
    expected = stats.chi2_contingency([[900, 100], [80, 20]], correction=False).pvalue
    assert found.p == pytest.approx(expected)


def test_no_cell_of_few_rows_is_kept() -> None:
    cells = ["canary", *["common"] * 50, *[f"rare {number}" for number in range(9)]]
    (found, _) = counted(Dataset(columns={"a": cells, "y": [1, 2] * 30}, target="y"))
    assert (found.names, found.counts) == (["common"], [50, 10, 0])


def test_columns_without_cells_and_booleans_are_counted() -> None:
    data = Dataset(
        columns={"a": [None] * 40, "b": [True, False] * 20, "c": [f"{n}" for n in range(40)], "y": [0, 1] * 20},
        target="y",
    )
    b, c, _ = counted(data)
    assert (b.names, b.counts) == ([False, True], [20, 20, 0, 0])
    assert c.kind == "length"
    assert ColumnCounts(**c.as_table()) == c
    assert len(c.labels()) == len(c.counts)
    few = counted(Dataset(columns={"a": [n / 3 for n in range(25)][:25], "y": ["n"] * 25}, target="y"))[0]
    assert len(few.labels()) == len(few.counts)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holms_correction_is_that_of_its_definition(p_values: list[float]) -> None:
    corrected = holm(p_values)
    ordered = sorted(p_values)
    for p, one in zip(p_values, corrected, strict=True):
        steps = [min(1.0, (len(ordered) - at) * value) for at, value in enumerate(ordered) if value <= p]
        assert one == max(steps)
        assert one >= p
