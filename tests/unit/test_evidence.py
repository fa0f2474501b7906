from __future__ import annotations

import json

import pytest

from mlopskit.errors import ConfigError
from mlopskit.evidence import LONGEST_CELL, Evidence, Matrix, Plot, Series, check_worst_rows, shortened
from mlopskit.runtime import canonical
from mlopskit.tables import Table


def test_evidence_is_kept_as_json_and_comes_back() -> None:
    series = [Series(name="model", points=[[0.0, 0.5], [1.0, 1.0]])]
    made = Evidence(
        plots=[Plot(title="ROC", x="a", y="b", kind="line", series=series, diagonal=True, note="n")],
        matrices=[Matrix(title="m", labels=["a", "b"], counts=[[1, 2], [3, 4]])],
        tables=[Table(["column", "mean"], [["x", 0.5]], "Data")],
        rows=[Table(["row", "label"], [[1, "a"], [2, None]], "worst")],
    )
    assert Evidence.from_table(json.loads(canonical.dumps(made.as_table()))) == made
    assert Evidence.from_table(Evidence().as_table()) == Evidence(plots=[], matrices=[], tables=[], rows=[])
    older = {name: cells for name, cells in made.as_table().items() if name != "rows"}
    assert Evidence.from_table(older).rows == []


def test_rows_of_the_data_are_kept_out_where_they_are_not_wanted() -> None:
    made = Evidence(
        plots=[Plot(title=kind, x="", y="", kind=kind, series=[]) for kind in ("line", "points", "bars")],
        tables=[Table(["column"], [["x"]])],
        rows=[Table(["row"], [(1,), (2,), (3,)])],
    )
    assert [one.rows for one in made.limited(2).rows] == [[(1,), (2,)]]
    assert made.limited(2).plots == made.plots
    none = made.limited(0)
    assert none.rows == []
    assert [one.kind for one in none.plots] == ["line", "bars"]
    assert none.tables == made.tables


@pytest.mark.parametrize("most", [-1, 21])
def test_how_many_rows_may_be_shown_has_limits(most: int) -> None:
    assert check_worst_rows(0) == 0
    with pytest.raises(ConfigError, match=f"worst_rows is {most}, expected 0 to 20"):
        check_worst_rows(most)


def test_long_texts_are_shortened_and_nothing_else() -> None:
    assert shortened("a" * LONGEST_CELL) == "a" * LONGEST_CELL
    assert shortened("a" * 9999) == "a" * LONGEST_CELL + "…"
    assert [shortened(cell) for cell in (None, 1, 2.5, True)] == [None, 1, 2.5, True]
