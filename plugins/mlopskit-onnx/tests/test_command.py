from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import mlopskit as mk
from mlopskit.cli import run


def packaged(model, rows, labels, tmp_path):
    model.fit(rows, labels)
    return mk.package(model, rows, labels, name="asked", gates=[], registry=tmp_path / "registry").folder


@pytest.fixture
def said(capsys):
    def call(*arguments):
        capsys.readouterr()
        return run(["onnx", "check", *arguments]), capsys.readouterr().out

    return call


def test_each_step_of_a_model_has_its_nodes(tmp_path, said):
    rows = np.random.default_rng(0).random((60, 3))
    folder = packaged(LogisticRegression(), rows, np.arange(60) % 2, tmp_path)
    code, text = said(str(folder))
    assert code == 0
    assert "linear" in text
    assert "none is refused" in text
    code, text = said(str(folder), "--json")
    assert code == 0
    told = json.loads(text)
    assert told["reasons"] == []
    assert {"finite", "linear"} <= {one["kind"] for one in told["steps"]}


def test_what_has_no_nodes_is_named_and_the_command_fails(tmp_path, said):
    texts = [f"good {number}" if number % 2 else f"bad {number}" for number in range(60)]
    model = make_pipeline(HashingVectorizer(n_features=64), LogisticRegression())
    code, text = said(str(packaged(model, texts, np.arange(60) % 2, tmp_path)))
    assert code == 1
    assert "Refused: HashingVectorizer (the step 'hash') has no nodes" in text


def test_a_package_that_is_not_there_is_an_error(tmp_path, said, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _ = said("nothing@production")
    assert code == 2
