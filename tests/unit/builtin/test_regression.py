from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from mlopskit.builtin.regression import RegressionEvaluator
from mlopskit.data import Dataset
from mlopskit.errors import DataError
from mlopskit.gates import Gate


class Said:
    def __init__(self, column="said"):
        self.column = column

    def score(self, rows):
        return {"prediction": rows[self.column]}


def data(n=200, offset=0.0):
    generator = np.random.default_rng(0)
    true = generator.normal(size=n) * 3 + offset
    said, worse = true + generator.normal(size=n), true + 2 * generator.normal(size=n)
    side = ["left" if at % 4 else "right" for at in range(n)]
    columns = {"said": said.tolist(), "worse": worse.tolist(), "side": side, "y": true.tolist()}
    return Dataset(columns=columns, target="y", slices=("side",))


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_the_figures_are_those_of_scikit_learn(offset):
    rows = data(offset=offset)
    found = RegressionEvaluator().evaluate(Said(), rows)
    true, said = rows.columns["y"], rows.columns["said"]
    assert found.find("mae").value == pytest.approx(metrics.mean_absolute_error(true, said))
    assert found.find("rmse").value == pytest.approx(metrics.root_mean_squared_error(true, said))
    assert found.find("r2").value == pytest.approx(metrics.r2_score(true, said))
    for metric in ("mae", "rmse", "r2"):
        one = found.find(metric, "side=left")
        assert one.lower < one.value < one.upper
        assert (one.n, one.method) == (150, "bca")


def test_few_rows_are_not_judged_and_the_reason_says_how_many_it_takes():
    found = RegressionEvaluator().evaluate(Said(), data())
    finding = Gate.parse("mae[side=right] <= 100").judge(found)
    assert not finding.passed
    assert finding.reason == "not judged: the bounds of mae need at least 100 rows, there are 50"
    assert Gate.parse("mae.value[side=right] <= 100").judge(found).passed
    assert Gate.parse("mae <= 1").judge(found).passed is (found.find("mae").upper <= 1)


def test_labels_that_are_all_equal_have_no_variance_to_explain():
    rows = Dataset(columns={"said": [0.0] * 150, "y": [0.1] * 150}, target="y")
    found = RegressionEvaluator().evaluate(Said(), rows)
    assert found.find("mae").value == pytest.approx(0.1)
    assert not Gate.parse("r2 >= -100").judge(found).passed


def test_no_rows_pass_no_gate():
    rows = Dataset(columns={"said": [], "y": []}, target="y")
    found = RegressionEvaluator().evaluate(Said(), rows)
    assert not Gate.parse("mae <= 100").judge(found).passed


def test_labels_of_another_type_are_an_error():
    with pytest.raises(DataError, match="'y' are of the type string"):
        RegressionEvaluator().evaluate(Said(), Dataset(columns={"said": [1.0], "y": ["a"]}, target="y"))


def test_two_models_are_compared_row_by_row():
    rows = data()
    found = RegressionEvaluator().compare(Said(), Said("worse"), rows, metric="mae", slice="")
    alone = [RegressionEvaluator().evaluate(Said(name), rows).find("mae") for name in ("said", "worse")]
    assert found.value == pytest.approx(alone[0].value - alone[1].value)
    assert found.upper < 0
    assert found.method == "paired bca"
    few = RegressionEvaluator().compare(Said(), Said("worse"), rows, metric="mae", slice="side=right")
    assert few.upper is None
    assert "at least 100 rows" in few.reason


def test_what_hangs_on_a_few_rows_is_not_judged():
    true = np.zeros(200)
    said = np.append(np.tile([1.0, -1.0], 99), [50.0, 50.0])
    rows = Dataset(columns={"said": said.tolist(), "near": (said / 2).tolist(), "y": true.tolist()}, target="y")
    found = RegressionEvaluator().evaluate(Said(), rows)
    finding = Gate.parse("rmse <= 1000").judge(found)
    assert not finding.passed
    assert "a few rows decide rmse, its bounds need about" in finding.reason
    assert Gate.parse("rmse.value <= 1000").judge(found).passed
    compared = RegressionEvaluator().compare(Said("near"), Said(), rows, metric="rmse", slice="")
    assert compared.upper is None
    assert "a few rows decide rmse" in compared.reason
