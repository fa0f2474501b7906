from __future__ import annotations

import importlib.util
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlopskit_onnx.format import OnnxFormat
from mlopskit_onnx.loader import load

import mlopskit as mk
from mlopskit import estimators
from mlopskit.builtin.skops.loader.scoring import EstimatorScorer

ASKED = 2000


def module_of(path):
    """Return a module of the core's tests, which are no package."""
    file = Path(__file__).parents[3] / "tests" / path
    spec = importlib.util.spec_from_file_location(f"onnx_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def answering():
    """Return what asks a scorer for the rows of a vector."""
    return module_of("vectors/answering.py")


@dataclass(frozen=True)
class Exported:
    """A fitted model, and what was written of it."""

    own: Any
    scorer: Any
    schema: mk.Schema
    stored: mk.StoredModel
    data: bytes

    def worst(self, columns) -> float:
        """Return by how much the two answer differently: labels must be equal, and refused rows refused by both."""
        count = len(next(iter(columns.values())))
        both = [_answered(one.score, columns) for one in (self.own, self.scorer)]
        if None not in both:
            return self._compared(*both)
        rows = [{name: [cells[at]] for name, cells in columns.items()} for at in range(count)]
        found = 0.0
        for row in rows:
            both = [_answered(one.score, row) for one in (self.own, self.scorer)]
            assert (both[0] is None) == (both[1] is None), (row, both)
            found = found if both[0] is None else max(found, self._compared(*both))
        return found

    def _compared(self, own, mine) -> float:
        worst = 0.0
        assert own.keys() == mine.keys()
        for name, wanted in own.items():
            assert len(wanted) == len(mine[name])
            for place, (want, got) in enumerate(zip(wanted, mine[name], strict=True)):
                if "enum" in self.schema.outputs["properties"][name]:
                    assert (type(got), got) == (type(want), want), (name, place)
                elif not (math.isnan(want) and math.isnan(got)):
                    worst = max(worst, abs(got - want) / max(1.0, abs(want)))
        return worst


def _answered(score, columns):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return score(columns)
        except Exception:
            return None


@pytest.fixture
def exported(tmp_path):
    """Return the function that writes a fitted model, and opens what it wrote."""

    def export(model, features, target):
        data = mk.Dataset.from_frame(features, target)
        schema = mk.Schema(inputs=data.input_schema(), outputs=estimators.output_schema(model, data))
        frame = estimators.frame_of(model, schema.inputs)
        stored = OnnxFormat().save(model, schema, frame, tmp_path)
        spec = {"schema": {"inputs": schema.inputs, "outputs": schema.outputs}, "frame": frame}
        written = (tmp_path / "model.onnx").read_bytes()
        return Exported(EstimatorScorer(model, spec), load({"model.onnx": written}, spec), schema, stored, written)

    return export


@pytest.fixture
def numbers():
    """Return training rows of five columns with gaps, a target of three classes, and hostile rows of the same columns.

    The hostile rows stand near and at what the training rows hold, far beyond, and at the edges of single and double
    precision; a few have gaps.
    """
    random = np.random.default_rng(0)
    features = np.round(random.normal(size=(300, 5)), 3)
    target = np.digitize(features @ [1, -2, 3, 0.5, 0], [-1, 1])
    hostile = features[random.integers(300, size=ASKED)] + 0.0
    pick = random.integers(5, size=ASKED)
    at = np.arange(ASKED)
    hostile[at[:400], pick[:400]] += 0.0005  # half way to the next value, where thresholds are
    hostile[at[400:700], pick[400:700]] = np.nextafter(hostile[at[400:700], pick[400:700]], 9)
    hostile[at[700:1000], pick[700:1000]] *= 1 + 3e-8  # less than single precision can tell
    hostile[at[1000:1200]] *= random.choice([1e-9, 0.1, 3, 50, 1e3], size=(200, 1))
    hostile[at[1200:1250], 0] = [0.0, -0.0, 5e-324, 1e-300, 1e9] * 10
    hostile[at[1250:1280]] = 1e15
    gaps = hostile[-60:]
    gaps[random.random(gaps.shape) < 0.3] = np.nan
    return features, target, hostile


@pytest.fixture
def columns():
    """Return the function from rows of numbers to columns of plain cells."""
    return lambda rows: {
        f"x{n}": [None if math.isnan(cell) else cell for cell in column] for n, column in enumerate(rows.T.tolist())
    }
