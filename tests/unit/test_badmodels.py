from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.badmodels import _constant, _flipped, _hundredth, _shuffled
from mlopskit.data import Dataset

LABELS = st.lists(st.sampled_from("abc"), min_size=2, max_size=300)


def dataset(labels, **more):
    numbers = list(range(len(labels)))
    return Dataset(columns={"x": numbers, "z": numbers, "y": labels}, target="y", **more)


@given(LABELS)
def test_every_flipped_class_is_another_one_and_each_stays_as_frequent(labels):
    flipped = _flipped(dataset(labels), classes=True).labels
    if len(set(labels)) > 1:
        assert all(one != other for one, other in zip(labels, flipped, strict=True))
    assert sorted(Counter(labels).values()) == sorted(Counter(flipped).values())


def test_flipped_numbers_lie_as_far_beyond_the_mean():
    assert list(_flipped(dataset([1.0, 2.0, 6.0]), classes=False).labels) == [5.0, 4.0, 0.0]


def test_shuffled_columns_hold_the_same_cells_in_an_order_of_their_own():
    data = dataset(["a", "b"] * 50)
    shuffled = _shuffled(data)
    assert sorted(shuffled.columns["x"]) == sorted(shuffled.columns["z"]) == list(range(100))
    orders = [shuffled.columns["x"], shuffled.columns["z"], list(range(100))]
    assert len({tuple(order) for order in orders}) == 3
    assert shuffled.labels == data.labels
    assert _shuffled(data) == shuffled


@given(LABELS)
def test_a_hundredth_has_a_row_of_each_class(labels):
    rows = _hundredth(dataset(labels), classes=True)
    assert set(rows.labels) == set(labels)
    assert len(rows) == max(2, -(-len(labels) // 100), len(set(labels)))


def test_a_hundredth_of_numbers_has_no_classes():
    assert len(_hundredth(dataset([float(at) for at in range(1000)]), classes=False)) == 10


def test_the_constant_answer_is_the_most_frequent_class_with_the_shares_of_all():
    outputs = {"prediction": {"enum": ["a", "b"]}, "probability.a": {}, "probability.b": {}}
    scorer = _constant(dataset(["a", "b", "b", "b"]), outputs)
    answered = scorer.score({"x": [1, 2], "z": [1, 2]})
    assert answered == {"prediction": ["b", "b"], "probability.a": [0.25, 0.25], "probability.b": [0.75, 0.75]}


def test_the_constant_number_is_the_mean():
    scorer = _constant(dataset([1.0, 2.0, 6.0]), {"prediction": {"type": "number"}})
    assert scorer.score({"x": [1]}) == {"prediction": [pytest.approx(3.0)]}
