from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from mlopskit.builtin.regression import MultioutputRegressionEvaluator, RegressionEvaluator
from mlopskit.data import Dataset
from mlopskit.errors import DataError
from mlopskit.evidence import MOST_TARGETS, Evidence
from mlopskit.gates import Gate
from mlopskit.runtime import canonical


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


# --- several targets --------------------------------------------------------------------------------------------------


class SaidOfEach:
    """Answers for each target what stands in a column of its name."""

    def __init__(self, *targets, word="said"):
        self.targets = targets
        self.word = word

    def score(self, rows):
        return {f"prediction.{name}": rows[f"{self.word} {name}"] for name in self.targets}


def several(n=200):
    generator = np.random.default_rng(0)
    columns = {}
    for name, scale in (("small", 1.0), ("squared small", 100.0)):
        true = generator.normal(size=n) * scale
        columns |= {f"said {name}": (true + scale * generator.normal(size=n) / 2).tolist(), name: true.tolist()}
        columns[f"worse {name}"] = (true + scale * generator.normal(size=n)).tolist()
    return Dataset(columns=columns, target=("small", "squared small"))


def test_several_targets_have_the_figures_of_each_and_their_means():
    rows = several()
    found = MultioutputRegressionEvaluator().evaluate(SaidOfEach(*rows.targets), rows)
    true = np.column_stack([rows.columns[name] for name in rows.targets])
    said = np.column_stack([rows.columns[f"said {name}"] for name in rows.targets])
    figures = {"mae": metrics.mean_absolute_error, "rmse": metrics.root_mean_squared_error, "r2": metrics.r2_score}
    for metric, figure in figures.items():
        assert found.find(metric).value == pytest.approx(figure(true, said))
        for name, value in zip(rows.targets, figure(true, said, multioutput="raw_values"), strict=True):
            one = found.find(f"{metric}({name})")
            assert one.value == pytest.approx(value)
            assert one.lower < one.value < one.upper
    assert Gate.parse("mae(small) <= 1").judge(found).passed


def test_two_models_of_several_targets_are_compared():
    rows = several()
    first, second = (SaidOfEach(*rows.targets, word=word) for word in ("said", "worse"))
    found = MultioutputRegressionEvaluator().compare(first, second, rows, metric="rmse", slice="")
    assert found.upper < 0
    assert MultioutputRegressionEvaluator().compare(first, second, rows, metric="rmse(other)", slice="") is None


def test_no_rows_of_several_targets_pass_no_gate():
    rows = Dataset(columns={"x": [], "a": [], "b": []}, target=("a", "b"))
    found = MultioutputRegressionEvaluator().evaluate(SaidOfEach("a", "b"), rows)
    assert not Gate.parse("mae <= 100").judge(found).passed


def test_a_model_of_other_targets_is_an_error_that_names_them():
    rows = several()
    with pytest.raises(DataError, match=r"no output 'prediction\.squared small', it has 'prediction\.small'"):
        MultioutputRegressionEvaluator().evaluate(SaidOfEach("small"), rows)
    first, second = SaidOfEach(*rows.targets), Said("said small")
    with pytest.raises(DataError, match=r"no output 'prediction\.small', it has 'prediction'"):
        MultioutputRegressionEvaluator().compare(first, second, rows, metric="mae", slice="")
    one = Dataset(columns={"said small": [0.5], "y": [1.0]}, target="y")
    with pytest.raises(DataError, match=r"no output 'prediction', it has 'prediction\.small'"):
        RegressionEvaluator().evaluate(SaidOfEach("small"), one)


def test_a_mean_that_hangs_on_a_few_rows_of_one_target_is_not_judged():
    rows = several()
    columns = dict(rows.columns)
    # Far off by the target's own spread, which is 1, and not by the units of the other.
    columns["said small"] = [*columns["small"][:-1], columns["small"][-1] + 60]
    changed = Dataset(columns=columns, target=rows.targets)
    found = MultioutputRegressionEvaluator().evaluate(SaidOfEach(*rows.targets), changed)
    for metric in ("r2", "mae(small)"):
        assert f"a few rows decide {metric}" in found.find(metric).reason
    for metric in ("mae", "mae(squared small)"):
        assert not found.find(metric).reason


def test_the_evidence_of_several_targets_shows_each_and_the_rows_of_the_largest_errors():
    rows = several()
    columns = dict(rows.columns)
    columns["said small"] = [*columns["small"][:-1], columns["small"][-1] + 60]
    rows = Dataset(columns={**columns, "x": [*range(200)]}, target=rows.targets)
    found = MultioutputRegressionEvaluator().evidence(SaidOfEach(*rows.targets), rows)
    (table,) = found.tables
    assert table.columns == ("target", "mae", "rmse", "r2", "spread of labels")
    # By the spread of each, not by the units.
    assert [row[0] for row in table.rows] == ["small", "squared small"]
    for name, mae, rmse, r2, _ in table.rows:
        true, said = rows.columns[name], rows.columns[f"said {name}"]
        assert mae == pytest.approx(metrics.mean_absolute_error(true, said))
        assert rmse == pytest.approx(metrics.root_mean_squared_error(true, said))
        assert r2 == pytest.approx(metrics.r2_score(true, said))
    (worst,) = found.rows
    assert worst.columns[:5] == ("row", "mean error", "most at", "its label", "its prediction")
    row = worst.rows[0]
    assert (row[0], row[2]) == (199, "small")
    assert row[4] - row[3] == pytest.approx(60)
    assert [one.title for one in found.plots] == [
        "Predictions: small", "Errors: small", "Predictions: squared small", "Errors: squared small",
    ]  # fmt: skip


def test_the_evidence_of_very_many_targets_is_small_and_of_no_rows_nothing():
    generator = np.random.default_rng(0)
    names = [f"y{at}" for at in range(150)]
    columns = {name: generator.normal(size=50).tolist() for name in names}
    columns |= {f"said {name}": columns[name] for name in names[1:]}
    columns |= {"said y0": [0.0] * 50, "y1": [3.0] * 50, "said y1": [3.0] * 50}
    rows = Dataset(columns=columns, target=names)
    found = MultioutputRegressionEvaluator().evidence(SaidOfEach(*names), rows)
    assert len(found.tables[0].rows) == MOST_TARGETS
    assert found.tables[0].rows[0][0] == "y0"
    assert [row[3] for row in found.tables[0].rows if row[0] == "y1"] == [None]
    assert len(found.plots) == 4
    assert len(canonical.dumps(found.as_table())) < 100_000
    assert MultioutputRegressionEvaluator().evidence(SaidOfEach(*names), rows.take([])) == Evidence()
