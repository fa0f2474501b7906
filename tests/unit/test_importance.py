from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.inspection import permutation_importance

import mlopskit as mk
from mlopskit import importance as module
from mlopskit.importance import importance

CELLS = np.random.default_rng(0).normal(size=(600, 3))
INPUTS = {name: CELLS[:, at].tolist() for at, name in enumerate("abc")}


class Sum:
    """Answers 4 a + b, or of classes whether it is positive."""

    def __init__(self, *, labels: bool) -> None:
        self.labels = labels

    def score(self, rows: mk.Columns, /) -> mk.Columns:
        sums = [4 * a + b for a, b in zip(rows["a"], rows["b"], strict=True)]
        return {"prediction": [str(one > 0) for one in sums] if self.labels else sums}

    # What scikit-learn asks of an estimator.
    def fit(self) -> None:
        raise NotImplementedError

    def loss(self, _: object, X: np.ndarray, y: list[object]) -> float:  # noqa: N803
        said = self.score({name: X[:, at].tolist() for at, name in enumerate("abc")})["prediction"]
        if self.labels:
            return float(np.mean([one == other for one, other in zip(said, y, strict=True)]))
        return -float(np.mean(np.abs(np.asarray(said) - np.asarray(y))))


@pytest.mark.parametrize("labels", [True, False])
def test_an_input_is_worth_what_scikit_learn_says(labels: bool) -> None:  # noqa: FBT001
    model = Sum(labels=labels)
    said = model.score(INPUTS)["prediction"]
    # The model is not always right: what it lost already counts for no input.
    truth = [said[at - 1] if at % 5 == 0 else one for at, one in enumerate(said)]
    made = importance(model, mk.Dataset(columns={**INPUTS, "y": truth}, target="y"), labels=labels)
    found = {name: (mean, least, most) for name, mean, least, most in made.rows}
    assert [*found] == ["a", "b", "c"]
    assert found["c"] == (0.0, 0.0, 0.0)
    other = permutation_importance(model, CELLS, truth, scoring=model.loss, n_repeats=20, random_state=0)
    for at, name in enumerate("ab"):
        mean, least, most = found[name]
        assert least <= mean <= most
        assert mean == pytest.approx(other.importances_mean[at], rel=0.1)
    again = importance(model, mk.Dataset(columns={**INPUTS, "y": truth}, target="y"), labels=labels)
    assert again == made


def test_of_several_targets_a_row_is_right_if_all_are() -> None:
    class Both:
        def score(self, rows: mk.Columns, /) -> mk.Columns:
            return {"prediction.p": [*rows["a"]], "prediction.q": [*rows["b"]]}

    cells = {"a": [1, 2] * 30, "b": [3, 4, 5] * 20}
    data = mk.Dataset(columns={**cells, "p": cells["a"], "q": cells["b"]}, target=["p", "q"])
    found = {row[0]: row[1] for row in importance(Both(), data, labels=True).rows}
    assert found["a"] == pytest.approx(1 / 2, abs=0.15)
    assert found["b"] == pytest.approx(2 / 3, abs=0.15)


def test_of_many_rows_a_sample_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 100)
    data = mk.Dataset(columns={**INPUTS, "y": ["True"] * 600}, target="y")
    assert importance(Sum(labels=True), data, labels=True).title == "Importance of inputs, of 100 rows"


def test_a_report_has_it_where_it_was_asked_for(fresh_project: Path) -> None:
    settings = fresh_project / "mlopskit.toml"
    settings.write_text(settings.read_text().replace("[evaluate]", "[evaluate]\nimportance = true"))
    project = mk.Project()
    project.run()
    (made,) = [one for one in project.report().evidence.tables if one.title.startswith("Importance of inputs")]
    assert made.rows[0][0] == "text"
    assert made.rows[0][1] > 0.2
