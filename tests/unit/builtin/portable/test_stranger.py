"""A scorer that was written from docs/reference/portable-format.md alone, held to the same vectors as ours."""

from __future__ import annotations

import ast
import json
import math
import sys
from pathlib import Path

import pytest

VECTORS = Path(__file__).parents[3] / "vectors" / "portable"
FILES = sorted(path for path in VECTORS.iterdir() if path.name != "refused.json")


def near(got, want, tolerance):
    if isinstance(want, float):
        return abs(got - want) <= tolerance * max(1.0, abs(want))
    return math.isnan(got) if want is None else (type(got), got) == (type(want), want)


def test_it_knows_nothing_but_the_standard_library(stranger):
    tree = ast.parse(Path(stranger.__file__).read_text("utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    }
    assert imported <= sys.stdlib_module_names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_page_is_enough_to_answer_a_vector(path, stranger):
    vector = json.loads(path.read_text("ascii"))
    model = stranger.Model(json.dumps(vector["document"]).encode())
    for row, expected in zip(vector["rows"], vector["expected"], strict=True):
        found = stranger.answer_or_none(model, row)
        assert (found is None) == (expected is None), row
        pairs = zip(found or (), expected or (), strict=True)
        assert all(near(got, want, vector["tolerance"]) for got, want in pairs), (row, found, expected)


def test_the_page_is_enough_to_refuse_what_is_broken(stranger):
    for name, document in json.loads((VECTORS / "refused.json").read_text("ascii")).items():
        with pytest.raises(stranger.Refused):
            pytest.fail(f"{name}: {stranger.Model(json.dumps(document).encode()).outputs}")
