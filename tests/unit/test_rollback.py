from __future__ import annotations

import pytest

import mlopskit as mk
from mlopskit.errors import UnknownNameError
from mlopskit.records import Receipt
from mlopskit.rollback import earlier


def record(bundle: str, *, rollback: bool = False) -> mk.Deployment:
    receipt = Receipt(package="p", place="target", rows=1, ties=0, mismatches=(), largest_difference=0, runtime={})
    return mk.Deployment(
        endpoint="e", target="t", name="m", package=bundle, bundle=bundle, locator={}, receipt=receipt,
        operation="o", who="w", why="", when="", rollback=rollback,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("history", "live", "expected"),
    [
        ("AB", "B", "A"),
        ("ABC", "C", "B"),
        ("ABCb", "B", "A"),
        ("ABB", "B", "A"),
        ("ABAB", "B", "A"),
        ("ABa", "Z", "B"),
        ("ABCbD", "D", "C"),
    ],
)
def test_rolling_back_goes_one_deployment_further_back_each_time(history: str, live: str, expected: str) -> None:
    records = [record(letter.upper(), rollback=letter.islower()) for letter in history]
    assert earlier(records, live).bundle == expected


@pytest.mark.parametrize(("history", "live"), [("", "A"), ("A", "A"), ("AA", "A"), ("ABa", "A")])
def test_there_may_be_nothing_to_go_back_to(history: str, live: str) -> None:
    with pytest.raises(UnknownNameError, match="no earlier deployment"):
        earlier([record(letter.upper(), rollback=letter.islower()) for letter in history], live)
