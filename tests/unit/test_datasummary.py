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
    assert (size["5 % below"], size["mean"], size["5 % above"], size["different"]) == (None, 19.5, None, 40)
    assert (round(word["missing"], 9), word["different"], word["mean"]) == (0.025, 1, "2 characters")
    assert word["most frequent"] == "ab (39)"
    assert [row[1] for row in summary(None, test).rows] == ["test"] * 3


def test_what_few_rows_hold_is_not_shown() -> None:
    rows = [{"size": 123_456.0, "word": "canary"}, *({"size": 1.0, "word": str(number)} for number in range(8))]
    shown = str(summary(None, mk.Dataset.from_frame(rows, ["n"] * 9)).rows)
    assert "canary" not in shown
    assert "123456" not in shown


def test_no_figure_is_that_of_a_few_rows() -> None:
    def described(count: int) -> dict[str, object]:
        made = summary(None, mk.Dataset.from_frame([{"size": float(at)} for at in range(count)], ["n"] * count))
        return dict(zip(made.columns, made.rows[1], strict=True))

    few, more, many = described(9), described(199), described(200)
    assert (few["mean"], few["5 % below"]) == (None, None)
    assert (more["mean"], more["5 % below"], more["5 % above"]) == (99.0, None, None)
    # Ten rows lie beyond each.
    assert (many["5 % below"], many["5 % above"]) == (10.0, 189.0)


def test_columns_without_cells_and_booleans() -> None:
    test = mk.Dataset.from_frame([{"none": None, "yes": True}] * 10, ["n", "p"] * 5)
    none, yes = summary(None, test).rows[1:]
    assert none[2:] == (1.0, 0, None, None, None, None)
    assert yes[2:] == (0.0, 1, None, None, None, "True (10)")
    assert summary(None, test.take([])).rows[0][2] is None
