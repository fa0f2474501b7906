"""Models of several targets: from a project's data to a share that answers as the package says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor

import mlopskit as mk
from mlopskit.cli import run
from mlopskit.errors import DataError, MlopskitError, StoreError

MODEL = """
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier


def weather():
    return MultiOutputClassifier(LogisticRegression(C=100.0))
"""
SETTINGS = """
name = "weather"
[data]
uri = "days.csv"
target = ["wet", "wind"]
[train]
estimator = "model:weather"
[evaluate]
slices = ["place"]
gates = ["accuracy >= 0.5", "accuracy(wind) >= 0.7", "recall(wet)[place=b] >= 0.2", "micro_f1 >= production - 0.05"]
[package]
golden = { rows = 20 }
[endpoint.production]
target = "fileshare"
to = "share"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mk.Project:
    random = np.random.default_rng(0)
    cells = random.random((400, 2)).round(3)
    lines = ["warm,high,place,wet,wind"]
    for number, (warm, high) in enumerate(cells):
        wet, wind = ("yes" if warm < 0.4 else "no"), ("calm" if high < 0.5 else "storm")
        lines.append(f"{warm},{high},{'ab'[number % 2]},{wet},{wind}")
    (tmp_path / "days.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "mlopskit.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    return mk.Project()


def test_a_project_of_several_targets_reaches_its_share_and_runs_again(project, capsys):
    assert run(["data", "check"]) == 0
    assert run(["run"]) == 0
    package = project.package()
    assert package.task == "multilabel"
    assert [*package.schema.outputs["required"]] == [
        "prediction.wet", "prediction.wind",
        "probability.wet.no", "probability.wet.yes", "probability.wind.calm", "probability.wind.storm",
    ]  # fmt: skip
    assert len(package.golden) == 20
    assert {row.expected["prediction.wind"] for row in package.golden} == {"calm", "storm"}
    receipt = project.deploy("production").receipt
    assert (receipt.passed, receipt.rows) == (True, 20)
    served = mk.load("share/weather", alias="production").predict([{"warm": 0.05, "high": 0.95}])
    assert (served[0]["prediction.wet"], served[0]["prediction.wind"]) == ("yes", "storm")
    assert project.run().changed == ()
    Path("mlopskit.toml").write_text(SETTINGS.replace('["wet", "wind"]', '["wind", "wet"]'))
    second = mk.Project().run()
    assert second.digest != package.digest
    assert second.verdict["failed"] == {}
    capsys.readouterr()
    assert run(["verify", "production"]) == 0


def test_a_share_that_answers_one_target_otherwise_is_refused(project):
    project.run()
    package = project.package()
    answered = [dict(row.expected) for row in package.golden]
    from mlopskit.comparison import compare

    assert compare(package, mk.Answer(rows=answered, digest=package.digest, runtime={})).passed
    other = {"calm": "storm", "storm": "calm"}
    answered[3]["prediction.wind"] = other[answered[3]["prediction.wind"]]
    receipt = compare(package, mk.Answer(rows=answered, digest=package.digest, runtime={}))
    assert [(one.row, one.output) for one in receipt.mismatches] == [(3, "prediction.wind")]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ('["wet", "wnid"]', "wnid"),
        ("[]", "No target is named"),
        ('["wet", "wet"]', "'wet', 'wet'"),
        ("[1]", "expected"),
    ],
)
def test_targets_that_cannot_be_are_named(project, capsys, target, words):
    Path("mlopskit.toml").write_text(SETTINGS.replace('["wet", "wind"]', target))
    assert run(["run"]) != 0
    assert words in capsys.readouterr().err


def test_a_row_without_one_of_its_targets_is_found(project, capsys):
    text = Path("days.csv").read_text().splitlines()
    text[7] = text[7].rpartition(",")[0] + ","
    Path("days.csv").write_text("\n".join(text) + "\n")
    assert run(["data", "check", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["findings"][0]
    assert (found["check"], found["rows"]) == ("target", ["days.csv:8"])
    with pytest.raises(DataError, match=r"Line 8 of 'days.csv' has no 'wind'"):
        mk.Project().run()


def rows(n=300):
    random = np.random.default_rng(0)
    features = random.random((n, 3))
    return features, features[:, :2] * [1, 1000] + random.normal(size=(n, 2)) * [0.01, 10]


def test_numbers_of_several_targets_have_each_their_scale(tmp_path):
    features, numbers = rows()
    model = LinearRegression().fit(features[:150], numbers[:150])
    gates = ["mae <= 20", "mae(y0) <= 0.1", "r2(y1) >= 0.9"]
    package = mk.package(
        model, features[150:], numbers[150:], name="sums", gates=gates, X_train=features[:150], registry=tmp_path
    )
    assert mk.Registry.at(tmp_path).verdict("sums", package.digest).passed
    scale = package.manifest["golden"]["scale"]
    assert scale == {"prediction.y0": pytest.approx(0.29, abs=0.05), "prediction.y1": pytest.approx(290, abs=50)}
    assert package.scale == scale
    deployment = mk.deploy(package, mk.FileShare(to=str(tmp_path / "share")), registry=tmp_path)
    assert deployment.receipt.passed


def test_labels_of_another_number_than_the_model_predicts_are_refused(tmp_path):
    features, numbers = rows(60)
    model = MLPRegressor(hidden_layer_sizes=(), max_iter=1)
    with pytest.warns(UserWarning, match="Stochastic Optimizer"):
        model.fit(features, numbers)
    for labels in (numbers[:, 0], numbers[:, [0, 1, 0]]):
        with pytest.raises(MlopskitError, match=r"predicts 2 targets, the schema has \d"):
            mk.package(model, features, labels, name="sums", registry=tmp_path)
    with pytest.raises(StoreError, match=r"'y0' and 'y0\.1' cannot be told apart"):
        mk.package(
            model, features, [{"y0": one, "y0.1": other} for one, other in numbers], name="sums", registry=tmp_path
        )
