from __future__ import annotations

import mlopskit as mk
from mlopskit.datasummary import summary


def test_each_column_is_described_by_side() -> None:
    rows = [{"size": number, "word": "ab" if number else None} for number in range(4)]
    test = mk.Dataset.from_frame(rows, ["n", "p", "p", "p"])
    train = mk.Dataset.from_frame([{"size": 2.5, "word": "abcd"}], ["n"])
    found = [dict(zip(summary(train, test).columns, row, strict=True)) for row in summary(train, test).rows]
    assert [(one["column"], one["rows of"]) for one in found] == [
        (column, side) for column in ("target", "size", "word") for side in ("train", "test")
    ]
    size, word = found[3], found[5]
    assert (size["least"], size["mean"], size["greatest"], size["different"]) == (0, 1.5, 3, 4)
    assert (word["missing"], word["different"], word["mean"], word["most frequent"]) == (
        0.25,
        1,
        "2 characters",
        "ab (3)",
    )
    assert [row[1] for row in summary(None, test).rows] == ["test"] * 3


def test_columns_without_cells_and_booleans() -> None:
    test = mk.Dataset.from_frame([{"none": None, "yes": True}, {"none": None, "yes": True}], ["n", "p"])
    none, yes = summary(None, test).rows[1:]
    assert none[2:] == (1.0, 0, None, None, None, None)
    assert yes[2:] == (0.0, 1, None, None, None, "True (2)")
    assert summary(None, test.take([])).rows[0][2] is None
