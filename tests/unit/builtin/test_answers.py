from __future__ import annotations

import math
from typing import Any

import pytest

import mlopskit as mk
from mlopskit.builtin.classification import ClassificationEvaluator
from mlopskit.builtin.multilabel import MultilabelEvaluator
from mlopskit.builtin.regression import MultioutputRegressionEvaluator, RegressionEvaluator
from mlopskit.errors import DataError


class Fixed:
    """Answers what it is told to."""

    def __init__(self, outputs: mk.Columns) -> None:
        self.outputs = outputs

    def score(self, rows: mk.Columns, /) -> mk.Columns:
        return self.outputs


@pytest.mark.parametrize("cell", [math.nan, math.inf, None])
def test_a_prediction_that_is_none_is_an_error_that_names_the_row(cell: Any) -> None:
    data = mk.Dataset(columns={"x": [1, 2, 3], "y": [0.5, 1.5, 2.5]}, target="y")
    with pytest.raises(DataError, match=f"The model's prediction of 'y' is {cell} for row 1") as caught:
        RegressionEvaluator().evaluate(Fixed({"prediction": [0.5, cell, 2.5]}), data)
    assert caught.value.culprits["row"] == 1
    several = mk.Dataset(columns={"x": [1, 2, 3], "y": [0.5] * 3, "z": [1.5] * 3}, target=("y", "z"))
    outputs = {"prediction.y": [0.5] * 3, "prediction.z": [1.5, cell, 1.5]}
    with pytest.raises(DataError, match=f"prediction of 'z' is {cell} for row 1"):
        MultioutputRegressionEvaluator().evaluate(Fixed(outputs), several)


def test_a_probability_that_is_none_is_an_error_that_names_the_row() -> None:
    data = mk.Dataset(columns={"x": [1, 2], "y": ["n", "p"]}, target="y")
    outputs = {"prediction": ["n", "p"], "probability.n": [0.5, math.nan], "probability.p": [0.5, 0.5]}
    with pytest.raises(DataError, match=r"The model's probability\.n is nan for row 1"):
        ClassificationEvaluator().evaluate(Fixed(outputs), data)
    several = mk.Dataset(columns={"x": [1, 2], "y": [True, False], "z": [True, False]}, target=("y", "z"))
    outputs = {f"prediction.{name}": [True, False] for name in "yz"}
    outputs |= {f"probability.{name}.{flag}": [0.5, math.inf] for name in "yz" for flag in (True, False)}
    with pytest.raises(DataError, match=r"The model's probability\.y\.True is inf for row 1"):
        MultilabelEvaluator().evidence(Fixed(outputs), several)
