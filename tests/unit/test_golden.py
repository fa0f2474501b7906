from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from mlopskit import golden
from mlopskit.modelpackage import GoldenRow


def data(count: int) -> tuple[list[dict], list[dict], list[str]]:
    generator = random.Random(0)
    rows = [{"x": generator.random(), "text": "word " * generator.randrange(9)} for _ in range(count)]
    outputs = [{"prediction": "a", "probability.a": row["x"], "probability.b": 1 - row["x"]} for row in rows]
    labels = ["rare" if number % 100 == 0 else "often" for number in range(count)]
    rows[5]["text"] = None
    return rows, outputs, labels


def chosen(rows: list[dict], outputs: list[dict], labels: list[str], count: int) -> list[dict]:
    return [rows[number] for number in golden.choose(rows, outputs, {"y": labels}, count=count)]


def test_the_choice_does_not_depend_on_the_order_of_the_rows() -> None:
    rows, outputs, labels = data(500)
    order = list(range(500))
    random.Random(1).shuffle(order)
    shuffled = [[values[number] for number in order] for values in (rows, outputs, labels)]
    assert chosen(rows, outputs, labels, 60) == chosen(*shuffled, 60)


def test_missing_extreme_and_rare_rows_are_among_them() -> None:
    rows, outputs, labels = data(500)
    numbers = golden.choose(rows, outputs, {"y": labels}, count=60)
    assert len(numbers) == 60
    picked = [rows[number] for number in numbers]
    assert any(row["text"] is None for row in picked)
    assert min(row["x"] for row in rows) in [row["x"] for row in picked]
    assert max(row["x"] for row in rows) in [row["x"] for row in picked]
    assert {labels[number] for number in numbers} == {"rare", "often"}


def test_a_quarter_is_nearest_to_the_boundary() -> None:
    rows, outputs, labels = data(500)
    picked = set(golden.choose(rows, outputs, {"y": labels}, count=60))
    nearest = sorted(range(500), key=lambda number: abs(rows[number]["x"] - 0.5))[:15]
    assert set(nearest) <= picked


def test_of_several_targets_each_has_its_classes_and_its_boundary() -> None:
    rows, _, labels = data(500)
    outputs = [
        {"prediction.p": "a", "prediction.q": "a", "probability.p.a": row["x"], "probability.p.b": 1 - row["x"]}
        | {"probability.q.a": (row["x"] + 0.4) % 1, "probability.q.b": 1 - (row["x"] + 0.4) % 1}
        for row in rows
    ]
    columns = {"p": ["same"] * 500, "q": labels}
    numbers = golden.choose(rows, outputs, columns, count=60)
    assert {labels[number] for number in numbers} == {"rare", "often"}
    margins = [min(abs(row["x"] - 0.5), abs((row["x"] + 0.4) % 1 - 0.5)) for row in rows]
    assert set(sorted(range(500), key=margins.__getitem__)[:15]) <= set(numbers)


def test_few_rows_are_all_taken_once() -> None:
    row = {"x": 1.0}
    assert golden.choose([row, row], [{"prediction": 1.0}] * 2, {"y": [1.0, 1.0]}, count=10) == [0]


@given(st.integers(1, 30), st.integers(1, 40))
def test_never_more_than_asked_never_twice(rows: int, count: int) -> None:
    values = [{"x": number} for number in range(rows)]
    numbers = golden.choose(values, [{"prediction": 0.0}] * rows, {"y": [0.0] * rows}, count=count)
    assert len(numbers) == len(set(numbers)) == min(rows, count)


def test_golden_rows_are_written_a_line_each() -> None:
    lines = golden.dump([GoldenRow(row={"x": 0.1}, expected={"prediction": "é"})]).decode().splitlines()
    assert lines == ['{"expected":{"prediction":"é"},"row":{"x":0.1}}']


def test_a_row_is_read_back_in_its_own_order() -> None:
    assert list(golden.read_back({"z": 1, "a": 0.1 + 0.2}).items()) == [("z", 1), ("a", 0.1 + 0.2)]
