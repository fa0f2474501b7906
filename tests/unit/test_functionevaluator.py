from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from mlopskit.builtin.classification import ClassificationEvaluator
from mlopskit.data import Dataset
from mlopskit.errors import ConfigError, DataError
from mlopskit.functionevaluator import FunctionEvaluator, as_evaluator, imported
from mlopskit.gates import Gate


class Said:
    def __init__(self, column: str = "said") -> None:
        self.column = column

    def score(self, rows):
        return {"prediction": rows[self.column]}


def data(n: int = 200) -> Dataset:
    generator = np.random.default_rng(0)
    true = generator.normal(size=n)
    said, worse = true + generator.normal(size=n), true + 3 * generator.normal(size=n)
    columns = {"said": said.tolist(), "worse": worse.tolist(), "s": ["a", "b", "b", "b"] * (n // 4), "y": true.tolist()}
    return Dataset(columns=columns, target="y", slices=("s",))


def figures(y_true, y_pred):
    return {"mae": np.abs(y_true - y_pred).mean(), "worst": np.abs(y_true - y_pred).max()}


def test_a_function_s_figures_have_bounds() -> None:
    rows = data()
    found = FunctionEvaluator(function=figures).evaluate(Said(), rows)
    mae = found.find("mae")
    assert mae.value == pytest.approx(metrics.mean_absolute_error(rows.columns["y"], rows.columns["said"]))
    assert mae.lower < mae.value < mae.upper
    assert found.find("worst").value > mae.value
    assert found.find("mae", "s=b").n == 150
    assert found == FunctionEvaluator(function=figures).evaluate(Said(), rows)
    assert "at least 100 rows" in Gate.parse("mae[s=a] <= 9").judge(found).reason


def test_two_models_are_compared() -> None:
    rows = data()
    found = FunctionEvaluator(function=figures).compare(Said(), Said("worse"), rows, metric="mae", slice="")
    assert found.upper < 0
    assert found in FunctionEvaluator(function=figures).differences(Said(), Said("worse"), rows)
    assert FunctionEvaluator(function=figures).compare(Said(), Said(), rows, metric="rmse", slice="") is None
    assert FunctionEvaluator(function=figures).compare(Said(), Said(), rows, metric="mae", slice="s=c") is None


def test_of_rows_in_groups_whole_groups_are_drawn() -> None:
    alone = data(300)
    # Each row ten times, as ten of one customer: no more is known than by one of each.
    many = {name: [cell for cell in cells for _ in range(10)] for name, cells in alone.columns.items()}
    customers = [number // 10 for number in range(3000)]
    grouped = Dataset(columns={**many, "customer": customers}, target="y", group="customer", slices=("s",))
    evaluator = FunctionEvaluator(function=figures)
    once, all_of_them = evaluator.evaluate(Said(), alone), evaluator.evaluate(Said(), grouped)
    for one, other in zip(once.estimates, all_of_them.estimates, strict=True):
        assert (one.title, one.n, one.value) == (other.title, other.n, pytest.approx(other.value))
    mae, same = once.find("mae"), all_of_them.find("mae")
    assert (same.lower, same.upper) == (pytest.approx(mae.lower), pytest.approx(mae.upper))
    difference = evaluator.compare(Said(), Said("worse"), alone, metric="mae", slice="")
    assert evaluator.compare(Said(), Said("worse"), grouped, metric="mae", slice="").upper == pytest.approx(
        difference.upper
    )
    few = Dataset(columns={**alone.columns, "customer": [n % 99 for n in range(300)]}, target="y", group="customer")
    assert evaluator.evaluate(Said(), few).find("mae").reason.endswith("at least 100 rows")


def test_figures_that_are_perfect_prove_what_the_rows_can() -> None:
    rows = Dataset(columns={"said": [1] * 100, "y": [1] * 100}, target="y")
    found = FunctionEvaluator(function=lambda y, said: {"right": (y == said).mean(), "nan": float("nan")})
    evaluation = found.evaluate(Said(), rows)
    assert evaluation.find("right").lower == pytest.approx(0.05 ** (1 / 100))
    assert not Gate.parse("nan >= 0").judge(evaluation).passed


def test_what_a_function_cannot_say_of_some_rows_is_not_defined() -> None:
    def fussy(y_true, y_pred):
        if not y_true.any():
            raise ValueError("one class")
        return {"share": float(y_true.mean())}

    rows = Dataset(columns={"said": [0] * 120, "y": [1] + [0] * 119}, target="y")
    evaluation = FunctionEvaluator(function=fussy).evaluate(Said(), rows)
    assert not Gate.parse("share <= 1").judge(evaluation).passed
    none = Dataset(columns={"said": [], "y": []}, target="y")
    assert FunctionEvaluator(function=fussy).evaluate(Said(), none).estimates == ()


@pytest.mark.parametrize("function", [lambda y, said: 0.5, lambda y: {}, lambda y, said: {"a": "b"}])
def test_a_function_of_another_form_is_named(function) -> None:
    with pytest.raises(ConfigError, match="The evaluator '<lambda>' failed on 200 rows") as caught:
        FunctionEvaluator(function=function).evaluate(Said(), data())
    assert "y_true and y_pred" in caught.value.remedy


def test_functions_and_evaluators_are_evaluators_and_nothing_else() -> None:
    given = ClassificationEvaluator()
    assert as_evaluator(given) is given
    assert as_evaluator(None) is None
    assert as_evaluator(figures) == FunctionEvaluator(function=figures)
    for wrong in ("classification", ClassificationEvaluator, 5):
        with pytest.raises(ConfigError, match="is no evaluator"):
            as_evaluator(wrong)


def test_an_evaluator_is_imported_from_the_project(tmp_path: Path) -> None:
    (tmp_path / "own_figures.py").write_text("def share(y_true, y_pred):\n    return {'share': 0.5}\n")
    assert imported("own_figures:share", tmp_path)(None, None) == {"share": 0.5}
    for path in ("own_figures:absent", "absent_module:share"):
        with pytest.raises(ConfigError, match=f"The evaluator '{path}' cannot be imported"):
            imported(path, tmp_path)


def test_of_several_targets_the_arrays_have_a_column_each() -> None:
    rows = Dataset(columns={"x": [0] * 120, "a": [1] * 120, "b": [0, 1] * 60}, target=("a", "b"))

    class Model:
        def score(self, rows):
            return {"prediction.a": [1] * 120, "prediction.b": [1] * 120}

    def share(y_true, y_pred):
        assert y_true.shape == y_pred.shape == (len(y_true), 2)
        return {"share": float((y_true == y_pred).mean())}

    assert FunctionEvaluator(function=share).evaluate(Model(), rows).find("share").value == 0.75


# --- several targets ------------------------------------------------------------------------------------------------


def test_the_columns_of_several_targets_are_in_the_targets_order():
    columns = {"x": [0] * 100, "p": [1.0] * 100, "q": [2.0] * 100}
    rows = Dataset(columns=columns, target=("q", "p"))

    class Model:
        def score(self, rows):
            return {"prediction.p": rows["x"], "prediction.q": rows["x"]}

    def most(y_true, y_pred):
        return {"first": float((y_true - y_pred)[:, 0].max()), "columns": y_pred.shape[1]}

    found = FunctionEvaluator(function=most).evaluate(Model(), rows)
    assert (found.find("first").value, found.find("columns").value) == (2.0, 2.0)
    with pytest.raises(DataError, match="no output 'prediction', it has"):
        FunctionEvaluator(function=most).evaluate(Model(), Dataset(columns=columns, target="p"))
