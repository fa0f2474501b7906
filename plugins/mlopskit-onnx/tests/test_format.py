from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from mlopskit_onnx import proof, vectors
from mlopskit_onnx.compiled import STEPS, compiled
from mlopskit_onnx.format import OnnxFormat
from mlopskit_onnx.graph import NoGraphError
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import mlopskit as mk
from mlopskit.errors import StoreError

VECTORS = Path(__file__).parents[3] / "tests" / "vectors" / "portable"


def document(stem):
    return json.loads((VECTORS / f"{stem}.json").read_text("ascii"))["document"]


def test_a_model_without_tables_is_refused_with_the_reason_of_those(numbers, exported):
    features, target, _ = numbers
    model = make_pipeline(KMeans(3, n_init=1), LogisticRegression()).fit(features, target)
    with pytest.raises(StoreError, match="Pipeline has no ONNX form: KMeans has no portable form") as caught:
        exported(model, features, target)
    assert caught.value.remedy
    assert "distances" in caught.value.culprits["reasons"][0]


def test_a_step_that_is_not_known_is_refused_and_one_that_means_more():
    found = document("forest-numbers")
    with pytest.raises(NoGraphError, match="'fly'"):
        compiled({**found, "steps": [{"op": "fly", "from": [0]}]})
    with pytest.raises(NoGraphError, match="the step 'float32' has the fields"):
        compiled({**found, "steps": [{"op": "float32", "from": [0], "twice": True}]})
    with pytest.raises(NoGraphError, match="version 2"):
        compiled({**found, "format_version": 2})
    with pytest.raises(NoGraphError, match="'sinh', which is none of"):
        compiled({**found, "steps": [{"op": "apply", "from": [0], "function": "sinh"}]})


@pytest.mark.parametrize("stem", ["forest-gaps", "columns", "text", "histograms-categories", "process"])
def test_hostile_rows_find_no_difference(stem, tmp_path):
    from mlopskit_onnx.loader import load

    from mlopskit.builtin.portable.loader import load as load_tables

    found = document(stem)
    kinds = {one["name"]: {"type": "string" if one["type"] == "text" else "number"} for one in found["inputs"]}
    outputs = {one["name"]: {"enum": one["labels"]} for one in found["outputs"]}
    schema = {
        "inputs": {"properties": kinds, "required": [*kinds]},
        "outputs": {"properties": outputs, "required": [*outputs]},
    }
    graph = load({"model.onnx": compiled(found)[0]}, {"schema": schema})
    tables = load_tables({"model.json": json.dumps(found).encode()}, {"schema": schema})
    assert proof.differences(graph, tables, found) == []


def test_hostile_rows_are_many_alike_each_time_and_hostile():
    asked = proof.rows(document("columns"))
    assert asked == proof.rows(document("columns"))
    assert len(asked) == proof.ASKED
    cells = [cell for row in asked for (cell,) in row.values()]
    assert None in cells
    assert any(isinstance(cell, float) and abs(cell) > 3.5e37 for cell in cells)
    assert any(isinstance(cell, float) and math.copysign(1, cell) < 0 and cell == 0 for cell in cells)


def test_a_wrong_graph_is_found_out(numbers, exported, monkeypatch, tmp_path):
    features, target, _ = numbers
    model = RandomForestClassifier(5, random_state=0).fit(features, target)

    def not_rounded(g, f, x):
        return vectors.Vector(x.width, g.dense(x))

    monkeypatch.setitem(STEPS, "float32", (not_rounded, ""))
    made = exported(model, features, target)
    found = OnnxFormat().differences(model, made.schema, made.stored, tmp_path)
    assert found
    assert "the graph answers otherwise than the model: " in found[0]


def test_a_file_that_no_reader_takes_is_not_written(monkeypatch):
    monkeypatch.setattr("mlopskit_onnx.compiled.LARGEST", 100)
    with pytest.raises(NoGraphError, match="bytes, at most 100 are read"):
        compiled(document("tree"))


def test_an_engine_that_is_too_old_is_told_which_is_needed(numbers, exported, monkeypatch):
    features, target, _ = numbers
    monkeypatch.setattr(onnxruntime, "__version__", "1.9.2")
    with pytest.raises(ValueError, match=r"need onnxruntime 1\.23 or later, here is 1\.9\.2"):
        exported(RandomForestClassifier(2, random_state=0).fit(features, target), features, target)


def test_a_package_holds_the_graph_and_answers_from_it(numbers, tmp_path):
    features, target, _ = numbers
    model = RandomForestClassifier(5, random_state=0).fit(features, target)
    package = mk.package(
        model, features, target, name="wood", gates=[], registry=tmp_path / "registry", formats=["onnx", "skops"]
    )
    (stored,) = [one for one in package.models if one.format == "onnx"]
    assert stored.files == ("model.onnx",)
    assert [one.partition("==")[0] for one in stored.requires] == ["numpy", "onnxruntime"]
    loaded = mk.load(package.folder)
    assert loaded.model.format == "onnx"
    rows = [dict(one.row) for one in package.golden]
    assert loaded.predict(rows) == [dict(one.expected) for one in package.golden]
    whole = loaded.model.predict_columns({name: np.array([row[name] for row in rows]) for name in rows[0]})
    assert whole["prediction"].tolist() == [row["prediction"] for row in loaded.predict(rows)]
