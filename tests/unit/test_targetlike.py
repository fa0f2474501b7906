from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mlopskit.data import Dataset
from mlopskit.datacheck import check
from mlopskit.targetlike import target_like

ROWS = 400
NOISE = np.random.default_rng(0)
CLASSES = NOISE.choice(["no", "no", "yes", "maybe"], ROWS).tolist()
TWO = NOISE.choice(["no", "no", "yes"], ROWS).tolist()
NUMBERS = NOISE.normal(size=ROWS).tolist()


def sides(labels: Sequence[Any], cells: Sequence[Any]) -> tuple[Dataset, Dataset]:
    """Return training and test rows with a column of noise and the one in question."""
    whole = Dataset(columns={"noise": NUMBERS[::-1], "leak": list(cells), "y": list(labels)}, target="y")
    return whole.take(range(0, ROWS, 2)), whole.take(range(1, ROWS, 2))


def reasons(labels: Sequence[Any], cells: Sequence[Any]) -> list[str]:
    return [one.reason for one in target_like(*sides(labels, cells))]


def wrong(cells: Sequence[Any], *, each: int) -> list[Any]:
    """Return the cells with every so many-th one as its neighbour."""
    return [cells[at - 1] if at % each == 0 else cell for at, cell in enumerate(cells)]


def halves(labels: Sequence[Any]) -> list[float]:
    """Return numbers that tell two classes apart, neither by order nor by value: far from 0 or near to it."""
    return [
        math.copysign(3 + abs(one), one) if label == "yes" else one / 2
        for one, label in zip(NUMBERS, labels, strict=True)
    ]


@pytest.mark.parametrize(
    ("labels", "cells", "reason"),
    [
        (CLASSES, [f"code of {label}" for label in CLASSES], "100.0% of 200 test rows right"),
        (TWO, [None if label == "yes" else f"on day {at}" for at, label in enumerate(TWO)], "100.0% of 200"),
        (TWO, [one / 100 + (label == "no") for one, label in zip(NUMBERS, TWO, strict=True)], "ROC curve is 1.0000"),
        (TWO, halves(TWO), "% of 200 test rows right"),
        (NUMBERS, [7 * one + 3 for one in NUMBERS], "rank correlation is 1.0000"),
        (NUMBERS, [-(one**3) for one in NUMBERS], "rank correlation is -1.0000"),
        (TWO, [label == "yes" for label in TWO], "100.0% of 200"),
    ],
)
def test_a_column_that_alone_says_the_target_is_named(labels: list[Any], cells: list[Any], reason: str) -> None:
    (found,) = reasons(labels, cells)
    assert found.startswith("'leak' alone predicts 'y': ")
    assert reason in found


@pytest.mark.parametrize(
    ("labels", "cells"),
    [
        (TWO, wrong([f"code of {label}" for label in TWO], each=7)),
        (TWO, [f"id {number}" for number in range(ROWS)]),
        (TWO, NUMBERS),
        (NUMBERS, [one + more for one, more in zip(NUMBERS, NOISE.normal(scale=0.3, size=ROWS).tolist(), strict=True)]),
        # Of these labels one in 40 is "yes": a column that never says so is right in 39 of 40 rows.
        (["yes" if at % 40 == 1 else "no" for at in range(ROWS)], ["x"] * ROWS),
        (["yes" if at % 40 == 1 else "no" for at in range(ROWS)], [at % 40 == 1 for at in range(ROWS)]),
    ],
)
def test_a_good_column_or_few_rows_are_no_reason(labels: list[Any], cells: list[Any]) -> None:
    assert reasons(labels, cells) == []


def test_the_only_column_is_what_a_model_learns_from() -> None:
    train, test = sides(TWO, TWO)
    alone = [
        Dataset(columns={name: side.columns[name] for name in ("leak", "y")}, target="y") for side in (train, test)
    ]
    assert [*target_like(*alone)] == []
    assert [*target_like(train, test.take(range(40)))] == []


def test_it_is_part_of_the_data_check_where_training_labels_are_known() -> None:
    train, test = sides(TWO, [f"code of {label}" for label in TWO])
    found = {one.check: one for one in check(train, test).findings}
    assert (found["target-like"].severity, found["target-like"].count) == ("warn", 1)
    unknown = Dataset(columns={**train.columns, "y": [None] * len(train)}, target="y")
    assert "target-like" not in {one.check for one in check(unknown, test).findings}


def test_of_large_data_a_sample_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlopskit.targetlike._MOST_CELLS", 400)
    assert "100 test rows" in reasons(CLASSES, CLASSES)[0]


@given(st.integers(0, 1000))
@hypothesis_settings(max_examples=20)
def test_what_has_nothing_to_do_with_the_target_is_not_named(seed: int) -> None:
    generator = np.random.default_rng(seed)
    for cells in (generator.normal(size=ROWS), generator.integers(0, 5, ROWS)):
        assert reasons(TWO, cells.tolist()) == []
