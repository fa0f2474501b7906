from __future__ import annotations

import importlib.util
import json
import math
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlopskit import estimators
from mlopskit.builtin.portable.format import document_of
from mlopskit.builtin.portable.loader import load
from mlopskit.modelpackage import Schema


@dataclass
class Asked:
    """A document of a model, its scorer, and what the model itself says."""

    model: Any
    schema: Schema
    frame: str

    def __post_init__(self):
        self.document = document_of(self.model, self.schema, self.frame)
        spec = {"schema": {"inputs": self.schema.inputs, "outputs": self.schema.outputs}}
        self.scorer = load({"model.json": json.dumps(self.document).encode()}, spec)

    def own(self, columns):
        """Return what the fitted model answers, as the columns of the schema."""
        from mlopskit.builtin.skops.loader.scoring import EstimatorScorer

        schema = {"inputs": self.schema.inputs, "outputs": self.schema.outputs}
        return EstimatorScorer(self.model, {"schema": schema, "frame": self.frame}).score(columns)

    def differences(self, columns):
        """Return by how much the answers differ at most; the refused rows must be the same."""
        rows = [*zip(*columns.values(), strict=True)]
        whole = [row for row in rows if None not in row]
        worst = 0.0
        # scikit-learn takes as long for one row as for many: those that it refuses are asked alone.
        parts = [whole, *([row] for row in rows if None in row)]
        if answered(self.own, dict(zip(columns, map(list, zip(*whole, strict=True)), strict=True))) is None:
            parts = [[row] for row in rows]
        for part in parts:
            worst = max(worst, self._worst(dict(zip(columns, map(list, zip(*part, strict=True)), strict=True))))
        return worst

    def _worst(self, columns):
        worst = 0.0
        all_own = answered(self.own, columns)
        for place, row in enumerate(zip(*columns.values(), strict=True)):
            one = {name: [cell] for name, cell in zip(columns, row, strict=True)}
            mine = answered(self.scorer.score, one)
            own = all_own and {name: [cells[place]] for name, cells in all_own.items()}
            assert (mine is None) == (own is None), (row, mine, own)
            for name, (cell,) in (mine or {}).items():
                (wanted,) = own[name]
                if isinstance(wanted, float) and isinstance(cell, float):
                    if not (math.isnan(wanted) and math.isnan(cell)):
                        worst = max(worst, abs(cell - wanted) / max(1.0, abs(wanted)))
                else:
                    assert (type(cell), cell) == (type(wanted), wanted), (row, name)
        return worst


def answered(score, columns):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return score(columns)
    except (ValueError, TypeError, AttributeError, IndexError):
        return None


def schema_of(model, inputs, targets=1):
    properties = {}
    names = [""] if targets == 1 else [f".y{number}" for number in range(targets)]
    classes = getattr(model, "classes_", None)
    if classes is not None and targets == 1 and estimators.is_classifier(model):
        classes = [classes]
    for number, name in enumerate(names):
        properties[f"prediction{name}"] = {"type": "number"}
        if estimators.is_classifier(model):
            kind = "string" if classes[number].dtype.kind in "UO" else "integer"
            properties[f"prediction{name}"] = {"type": kind, "enum": classes[number].tolist()}
    if estimators.is_classifier(model) and hasattr(model, "predict_proba"):
        properties |= {
            f"probability{name}.{label}": {"type": "number"}
            for name, labels in zip(names, classes, strict=True)
            for label in labels
        }
    outputs = {"type": "object", "properties": properties, "required": [*properties]}
    return Schema(inputs={"properties": inputs, "required": [*inputs]}, outputs=outputs)


def module_of(name):
    """Return a module of tests/vectors, which is no package."""
    path = Path(__file__).parents[3] / "vectors" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"portable_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def stranger():
    """Return the second scorer, written from the page alone."""
    return module_of("stranger")


@pytest.fixture(scope="session")
def answering():
    """Return what asks a scorer for the rows of a vector."""
    return module_of("answering")


@pytest.fixture(scope="session")
def documents():
    """Return what makes random documents, rows, and documents that are broken."""
    return module_of("documents")


@pytest.fixture(scope="session")
def asked():
    """Return what makes a fitted model portable and asks both."""

    def make(model, inputs, targets=1):
        schema = schema_of(model, inputs, targets)
        return Asked(model, schema, estimators.frame_of(model, schema.inputs))

    return make


def hostile(features, thresholds=(), *, gaps=False):
    """Return rows at the ends, far beyond, at and next to thresholds, and with gaps."""
    random = np.random.default_rng(1)
    most, least = features.max(axis=0), features.min(axis=0)
    rows = [*features[:60], least, most, -most, most * 1e3, np.zeros_like(most), np.full_like(most, -0.0)]
    rows += [np.full_like(most, value) for value in (1e-300, 5e-324, 1e15, -1e15, 2.0**53 + 2)]
    for threshold in thresholds:
        for near in (threshold, np.nextafter(threshold, 9e9), np.nextafter(threshold, -9e9)):
            row = features[random.integers(len(features))].copy()
            row[random.integers(row.size)] = near
            rows.append(row)
    if gaps:
        for row in features[:20]:
            broken = row.copy()
            broken[random.random(row.size) < 0.4] = np.nan
            rows.append(broken)
    found = np.array(rows)
    return {f"x{n}": [None if math.isnan(cell) else cell for cell in found[:, n].tolist()] for n in range(len(most))}


@pytest.fixture(scope="session")
def numbers():
    """Return the inputs of columns of numbers, and rows that are hard to get right."""

    def make(features, thresholds=(), *, gaps=False):
        inputs = {f"x{n}": {"type": ["number", "null"]} for n in range(features.shape[1])}
        return inputs, hostile(features, thresholds, gaps=gaps)

    return make


@pytest.fixture(scope="session")
def data():
    """Return features, and as targets two classes, three classes and numbers."""
    random = np.random.default_rng(0)
    features = np.round(random.normal(size=(240, 5)), 3)
    score = features[:, 0] + features[:, 1] ** 2 + random.normal(size=240)
    return features, (score > 1).astype(int), np.digitize(score, [0, 2]), score


@pytest.fixture(scope="session")
def known():
    """Return what draws one of the vectors' documents."""
    paths = sorted((Path(__file__).parents[3] / "vectors" / "portable").glob("*.json"))
    documents = [json.loads(path.read_text("ascii")).get("document") for path in paths if path.stem != "corners"]
    # A function: hypothesis shows what a test is given, and would take long over all documents.
    return lambda draw: draw.choice([one for one in documents if one])
