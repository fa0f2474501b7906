from __future__ import annotations

import mlopskit as mk
from mlopskit.datasummary import summary


def test_each_column_is_described_by_side() -> None:
    rows = [{"size": number, "word": "ab" if number else None} for number in range(40)]
    test = mk.Dataset.from_frame(rows, ["n", *["p"] * 39])
    train = mk.Dataset.from_frame([{"size": 2.5, "word": "abcd"}], ["n"])
    made = summary(train, test)
    found = [dict(zip(made.columns, row, strict=True)) for row in made.rows]
    assert [(one["column"], one["rows of"]) for one in found] == [
        (column, side) for column in ("target", "size", "word") for side in ("train", "test")
    ]
    size, word = found[3], found[5]
    assert (size["5 % below"], size["mean"], size["5 % above"], size["different"]) == (2, 19.5, 37, 40)
    assert (round(word["missing"], 9), word["different"], word["mean"]) == (0.025, 1, "2 characters")
    assert word["most frequent"] == "ab (39)"
    assert [row[1] for row in summary(None, test).rows] == ["test"] * 3


def test_what_few_rows_hold_is_not_shown() -> None:
    rows = [{"size": 123_456.0, "word": "canary"}, *({"size": 1.0, "word": str(number)} for number in range(8))]
    shown = str(summary(None, mk.Dataset.from_frame(rows, ["n"] * 9)).rows)
    assert "canary" not in shown
    assert "123456" not in shown


def test_columns_without_cells_and_booleans() -> None:
    test = mk.Dataset.from_frame([{"none": None, "yes": True}] * 10, ["n", "p"] * 5)
    none, yes = summary(None, test).rows[1:]
    assert none[2:] == (1.0, 0, None, None, None, None)
    assert yes[2:] == (0.0, 1, None, None, None, "True (10)")
    assert summary(None, test.take([])).rows[0][2] is None
