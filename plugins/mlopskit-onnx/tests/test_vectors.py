"""The vectors that every scorer of tables is held to: a graph made of their tables answers as they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlopskit_onnx.compiled import STEPS, compiled
from mlopskit_onnx.graph import NoGraphError
from mlopskit_onnx.loader import load

VECTORS = Path(__file__).parents[3] / "tests" / "vectors" / "portable"
FILES = sorted(path for path in VECTORS.iterdir() if path.name != "refused.json")
REFUSED = {"text-hashed": "HashingVectorizer"}


def schema_of(document):
    kinds = {one["name"]: {"type": "string" if one["type"] == "text" else "number"} for one in document["inputs"]}
    names = [one["name"] for one in document["outputs"]]
    return {"inputs": {"properties": kinds, "required": [*kinds]}, "outputs": {"properties": {}, "required": names}}


def _without_mixed_labels(vector):
    """Leave out outputs whose labels are of several types, which no tensor holds: they are refused."""
    outputs = vector["document"]["outputs"]
    kept = [at for at, one in enumerate(outputs) if one["labels"] is None or len({*map(type, one["labels"])}) == 1]
    if len(kept) < len(outputs):
        with pytest.raises(NoGraphError, match="labels are of several types"):
            compiled(vector["document"])
    vector["document"]["outputs"] = [outputs[at] for at in kept]
    vector["expected"] = [answer and [answer[at] for at in kept] for answer in vector["expected"]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_vector_is_answered_as_it_says(answering, path):
    vector = json.loads(path.read_text("ascii"))
    if path.stem in REFUSED:
        with pytest.raises(NoGraphError, match=REFUSED[path.stem]):
            compiled(vector["document"])
        return
    _without_mixed_labels(vector)
    schema = schema_of(vector["document"])
    scorer = load({"model.onnx": compiled(vector["document"])[0]}, {"schema": schema})
    names, outputs = schema["inputs"]["required"], schema["outputs"]["required"]
    answering.check(scorer, names, outputs, vector)


def test_every_step_but_these_has_nodes():
    steps = {step["op"] for path in FILES for step in json.loads(path.read_text("ascii"))["document"]["steps"]}
    assert steps - STEPS.keys() == {"hash"}
