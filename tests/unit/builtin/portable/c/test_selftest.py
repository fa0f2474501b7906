from __future__ import annotations

import subprocess

import pytest

from .conftest import STRICT, needs

pytestmark = pytest.mark.live
OUTPUTS = [
    {"name": "prediction", "from": 1, "at": 0, "labels": ["no", '*/ "??/\\ yes']},
    {"name": "probability.no", "from": 0, "at": 0, "labels": None},
]  # fmt: skip
DOCUMENT = {
    "format_version": 1,
    "inputs": [{"name": "int */ x", "type": "number"}],
    "steps": [{"op": "above", "from": [0], "threshold": 0.5, "equal": False}],
    "outputs": OUTPUTS,
}
NO, YES = OUTPUTS[0]["labels"]


def asked(program, golden, tolerance=1e-9):
    needs("gcc")
    rows = [
        ({"int */ x": cell}, answer and dict(zip(["prediction", "probability.no"], answer, strict=True)))
        for cell, answer in golden
    ]
    program.selftest("model", DOCUMENT, rows, tolerance)
    done = subprocess.run([program.compiled(*STRICT)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()[1:]


def test_right_answers_pass_and_say_how_near(program):
    code, said = asked(program, [(0.25, [NO, 0.25]), (True, [YES, 1.0 + 1e-10]), (None, [NO, None])])
    assert (code, said) == (0, ["3 golden rows, 0 mismatches, 0 ties, largest difference 1e-10"])


def test_other_answers_are_told_and_fail(program):
    code, said = asked(program, [(0.25, [YES, 0.25]), (0.75, [YES, 0.5]), (0.5, None), (0.5, ["gone", 0.5])])
    assert code != 0
    assert said == [
        "row 0: prediction is label 0, expected label 1",
        "row 1: probability.no is 0.75, expected 0.5",
        "row 2: is answered, expected to be refused",
        "row 3: prediction is label 0, expected label -1",
        "4 golden rows, 4 mismatches, 0 ties, largest difference 0",
    ]


def test_no_rows_prove_nothing(program):
    with pytest.raises(ValueError, match="no golden rows"):
        asked(program, [])
