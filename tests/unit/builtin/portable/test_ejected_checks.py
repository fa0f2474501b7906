"""What is ejected takes the cells that the package takes, and no others, in Python and in JavaScript."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlopskit
from mlopskit.builtin.portable import loader
from mlopskit.runtime.profile import misfit

TEMPLATES = Path(str(mlopskit.__file__)).parent / "builtin" / "portable" / "templates"
SCORER = TEMPLATES.parents[2] / "scorers" / "portable.mjs"
KINDS = ["string", "integer", "number", "boolean", "null"]
TYPES = [*KINDS, *([one, "null"] for one in KINDS[:-1]), ["integer", "string"], ["boolean", "number"]]
CELLS = [None, True, False, 0, 1, -1, 1.0, 1.5, -0.0, 3, 1e300, 2.0**53, 2.0**63, -(2.0**63), "", "a", "1", "abcd"]
CELLS += ["\U0001f600\U0001f600\U0001f600", "é\u0301", [], {}, [1], {"a": 1}]
OPTIONS = [{}, {"enum": [1, "a", None]}, {"enum": [True]}, {"enum": [0.0]}, {"minimum": 0}, {"maximum": 1.25}]
OPTIONS += [{"minimum": -1, "maximum": -1}, {"maxLength": 3}, {"maxLength": 0}]
CASES = [({"type": kind, **more}, cell) for kind, more, cell in itertools.product(TYPES, OPTIONS, CELLS)]
ASK = """
import { misfit } from "./model.mjs";
import { readFileSync } from "node:fs";
const cases = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map(([spec, cell]) => misfit(cell, spec) === null)));
"""


@pytest.fixture(scope="module")
def predict():
    """Return the module that is ejected for Python, here in this process."""
    before = [*sys.path]
    sys.modules["portable_scorer"] = loader
    spec = spec_from_file_location("ejected_predict", TEMPLATES / "python" / "predict.py")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules["portable_scorer"]
        sys.path[:] = before


def test_python_agrees_with_the_package(predict):
    assert len(CASES) > 2000
    assert [predict.misfit(cell, spec) == "" for spec, cell in CASES] == [misfit(c, s) is None for s, c in CASES]


@given(
    kind=st.sampled_from(TYPES),
    cell=st.integers() | st.floats() | st.text(max_size=3) | st.booleans(),
    more=st.fixed_dictionaries(
        {},
        optional={
            "enum": st.lists(st.integers() | st.booleans() | st.text(max_size=2), min_size=1, max_size=3),
            "minimum": st.floats(-9, 9),
            "maximum": st.integers(-9, 9),
        },
    ),
)
def test_python_agrees_with_the_package_on_any_cell(kind, cell, more, predict):
    spec = {"type": kind, **more}
    assert (predict.misfit(cell, spec) == "") == (misfit(cell, spec) is None)


@pytest.mark.live
def test_javascript_agrees_with_the_package(tmp_path):
    if not shutil.which("node") and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip("not installed: node")
    for file in (TEMPLATES / "javascript" / "model.mjs", SCORER):
        shutil.copy(file, tmp_path)
    (tmp_path / "ask.mjs").write_text(ASK)
    done = subprocess.run(
        ["node", str(tmp_path / "ask.mjs")], input=json.dumps(CASES), capture_output=True, check=True, text=True
    )
    wrong = [
        (spec, cell)
        for (spec, cell), fits in zip(CASES, json.loads(done.stdout), strict=True)
        if fits != (misfit(cell, spec) is None)
    ]
    assert not wrong
