from __future__ import annotations

import json

from mlopskit.evidence import LONGEST_CELL, Evidence, Matrix, Plot, Series, shortened
from mlopskit.runtime import canonical
from mlopskit.tables import Table


def test_evidence_is_kept_as_json_and_comes_back() -> None:
    series = [Series(name="model", points=[[0.0, 0.5], [1.0, 1.0]])]
    made = Evidence(
        plots=[Plot(title="ROC", x="a", y="b", kind="line", series=series, diagonal=True, note="n")],
        matrices=[Matrix(title="m", labels=["a", "b"], counts=[[1, 2], [3, 4]])],
        tables=[Table(["row", "label"], [[1, "a"], [2, None]], "worst")],
    )
    assert Evidence.from_table(json.loads(canonical.dumps(made.as_table()))) == made
    assert Evidence.from_table(Evidence().as_table()) == Evidence(plots=[], matrices=[], tables=[])


def test_long_texts_are_shortened_and_nothing_else() -> None:
    assert shortened("a" * LONGEST_CELL) == "a" * LONGEST_CELL
    assert shortened("a" * 9999) == "a" * LONGEST_CELL + "…"
    assert [shortened(cell) for cell in (None, 1, 2.5, True)] == [None, 1, 2.5, True]
