"""The zoo of portable models again: what the models, written as C and compiled, answer to the same hostile rows."""

from __future__ import annotations

import ctypes
import itertools
import json
import math

import pytest

from mlopskit.builtin.portable.c.names import identifiers
from mlopskit.builtin.portable.c.program import label_text

from .portable_languages import NEAR, ZOO, ask_instead, check_all, check_one, conftest_of

C = conftest_of("c")
pytestmark = pytest.mark.live


class Text(ctypes.Structure):
    _fields_ = (("data", ctypes.c_char_p), ("size", ctypes.c_size_t))


def struct_of(kinds):
    fields = [(f"m{n}", kind) for n, kind in enumerate(kinds)]
    return type("Members", (ctypes.Structure,), {"_fields_": fields})


def cell_of(cell):
    """Return a cell as the header has it."""
    if isinstance(cell, str):
        return cell.encode(), len(cell.encode())
    return math.nan if cell is None else cell


class Scorer:
    """Scores columns by a library of one model in C, as the loader of Python does."""

    def __init__(self, folder, data):
        folder.mkdir()
        program = C.Program(folder)
        program.model(data, "model")
        self.library = ctypes.CDLL(str(program.compiled(*C.STRICT, "-O2", "-shared", "-fPIC", program="model.so")))
        document = json.loads(data)
        self.outputs = [one["name"] for one in document["outputs"]]
        self.labels = [
            one["labels"] and self.labels_of(own, one["labels"])
            for own, one in zip(identifiers(self.outputs), document["outputs"], strict=True)
        ]
        self.rows = struct_of(Text if one["type"] == "text" else ctypes.c_double for one in document["inputs"])
        self.answer = struct_of(ctypes.c_int32 if one else ctypes.c_double for one in self.labels)()
        self.library.model_work_size.restype = ctypes.c_size_t
        self.work = ctypes.create_string_buffer(self.library.model_work_size())

    def labels_of(self, own, labels):
        """Return the labels in the order of their numbers in C."""
        told = self.library[f"model_{own}_label"]
        told.restype = ctypes.c_char_p
        by_text = {label_text(one).encode(): one for one in labels}
        return [by_text[told(number)] for number in range(len(labels))]

    def row(self, cells):
        row = self.rows(*map(cell_of, cells))
        if self.library.model_predict(ctypes.byref(row), ctypes.byref(self.answer), self.work):
            return None
        found = (getattr(self.answer, name) for name, _ in self.answer._fields_)
        return [labels[cell] if labels else cell for labels, cell in zip(self.labels, found, strict=True)]

    def score(self, columns):
        found = [*map(self.row, zip(*columns.values(), strict=True))]
        if None in found:
            raise ValueError("a row is refused")
        return dict(zip(self.outputs, map(list, zip(*found, strict=True)), strict=True))


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """Let the zoo ask each model in C instead of Python."""
    C.needs("gcc")
    numbers = itertools.count()
    ask_instead(monkeypatch, lambda data: Scorer(tmp_path / str(next(numbers)), data))


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("name", ["KNeighborsRegressor", "MLPClassifier", "RandomForestClassifier", "SVC"])
def test_some_answer_in_c_as_they_did(name):
    check_one(name)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.usefixtures("compiled")
def test_none_is_silently_wrong_in_c(record_property):
    told, largest, ties = check_all(lambda name, kind: ZOO.limit_of(name, kind) if name in ZOO.EXACT else NEAR)
    record_property(
        "figure: scikit-learn's estimators in C, within 1e-10", f"{told}, largest {largest:.1e}, {ties} ties"
    )
