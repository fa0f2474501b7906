"""The vectors that every scorer is held to, whatever its language: this one here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlopskit.builtin.portable.loader import load
from mlopskit.builtin.portable.loader.document import OPS, parse

VECTORS = Path(__file__).parents[3] / "vectors" / "portable"
FILES = sorted(path for path in VECTORS.iterdir() if path.name != "refused.json")


def scorer_of(document):
    names = [one["name"] for one in document["inputs"]]
    kinds = {one["name"]: {"type": "string" if one["type"] == "text" else "number"} for one in document["inputs"]}
    outputs = {one["name"]: {"enum": one["labels"]} for one in document["outputs"]}
    schema = {
        "inputs": {"properties": kinds, "required": names},
        "outputs": {"properties": outputs, "required": [*outputs]},
    }
    return load({"model.json": json.dumps(document).encode()}, {"schema": schema}), names, [*outputs]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_vector_is_answered_as_it_says(answering, path):
    vector = json.loads(path.read_text("ascii"))
    scorer, names, outputs = scorer_of(vector["document"])
    assert any(vector["expected"])
    answering.check(scorer, names, outputs, vector)


def test_every_step_stands_in_some_vector():
    found = {step["op"] for path in FILES for step in json.loads(path.read_text("ascii"))["document"]["steps"]}
    assert OPS.keys() - found == set()


def test_every_broken_document_is_refused():
    for document in json.loads((VECTORS / "refused.json").read_text("ascii")).values():
        with pytest.raises(ValueError, match=r"model\.json"):
            parse(json.dumps(document).encode())
