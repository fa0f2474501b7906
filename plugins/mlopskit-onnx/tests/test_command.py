from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.gaussian_process import GaussianProcessClassifier
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
    assert "nothing is refused" in text
    code, text = said(str(folder), "--json")
    assert code == 0
    told = json.loads(text)
    assert told["reasons"] == []
    assert {"finite", "linear"} <= {one["kind"] for one in told["steps"]}
    assert all(one["nodes"] for one in told["steps"] if one["kind"] == "linear")


def test_what_has_no_nodes_is_named_and_the_command_fails(tmp_path, said):
    texts = [f"good {number}" if number % 2 else f"bad {number}" for number in range(60)]
    model = make_pipeline(HashingVectorizer(n_features=64), LogisticRegression())
    code, text = said(str(packaged(model, texts, np.arange(60) % 2, tmp_path)))
    assert code == 1
    assert "Refused: HashingVectorizer (the step 'hash') has no nodes" in text


def test_a_package_without_tables_says_so_in_place_of_its_steps(tmp_path, said):
    rows = np.random.default_rng(0).random((60, 3))
    code, text = said(str(packaged(GaussianProcessClassifier(), rows, np.arange(60) % 2, tmp_path)))
    assert code == 1
    first, second = text.splitlines()
    assert first == "It has no portable form."
    assert second.startswith("Refused: GaussianProcessClassifier has no portable form")


MODEL = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class Half(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.asarray(X) / 2

    def get_feature_names_out(self, names=None):
        return ["half"]


def model(text):
    parts = {"good": TfidfVectorizer(), "hashed": HashingVectorizer(n_features=32)}
    columns = [("text", parts[text], "text"), ("number", make_pipeline(StandardScaler(), KMeans(2)), ["size"])]
    return make_pipeline(ColumnTransformer([*columns, ("own", Half(), ["size"])]), LogisticRegression())


def fine(text):
    parts = {"good": TfidfVectorizer(), "hashed": HashingVectorizer(n_features=32)}
    columns = [("text", parts[text], "text"), ("number", StandardScaler(), ["size"])]
    return make_pipeline(ColumnTransformer(columns), LogisticRegression())
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return the function that makes a project of a model, and goes there."""

    def make(estimator, text):
        (tmp_path / "written.py").write_text(MODEL)
        rows = "\n".join(f"{'good' if n % 2 else 'bad'} thing {n % 7},{n},{n % 2}" for n in range(400))
        (tmp_path / "rows.csv").write_text(f"text,size,label\n{rows}\n")
        (tmp_path / "mlopskit.toml").write_text(
            'name = "written"\n[data]\nuri = "rows.csv"\ntarget = "label"\n'
            f'[train]\nestimator = "written:{estimator}"\n[train.parameters]\ntext = "{text}"\n'
        )
        monkeypatch.chdir(tmp_path)

    return make


def test_all_that_stands_in_the_way_is_told_before_a_model_is_trained_at_length(project, said):
    project("model", "good")
    code, text = said("--json", "--rows", "100")
    assert code == 1
    told = {one["part"].strip(): one for one in json.loads(text)["parts"]}
    assert "distances that are rounded" in told["KMeans"]["why it has none"]
    assert "FunctionTransformer" in told["written.Half"]["what to do"]
    assert not any(told[name]["why it has none"] for name in ("Pipeline", "ColumnTransformer", "TfidfVectorizer"))
    assert [told[name]["form"] for name in ("Pipeline", "TfidfVectorizer", "KMeans")] == ["none", "tables", "none"]
    assert len(json.loads(text)["reasons"]) == 2
    assert not [*Path().glob(".mlopskit/registry/*")]


def test_what_only_the_graph_lacks_is_told_of_its_part(project, said):
    project("fine", "hashed")
    code, text = said()
    assert code == 1
    assert "Take TfidfVectorizer." in text
    assert re.search("ColumnTransformer +none", text)
    assert "Refused: HashingVectorizer (the step 'hash') has no nodes" in text


def test_a_model_that_has_a_graph_says_so(project, said):
    project("fine", "good")
    code, text = said()
    assert code == 0
    assert "nothing is refused" in text
    assert re.search("    StandardScaler +onnx", text)


def test_a_package_that_is_not_there_is_an_error(tmp_path, said, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _ = said("nothing@production")
    assert code == 2
