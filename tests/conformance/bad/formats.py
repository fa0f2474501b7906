"""Formats that are bad on purpose, each in one way; `test_bad_implementations.py` says which check finds it."""

import json
import math
import uuid
from dataclasses import replace
from typing import ClassVar

import pytest

from mlopskit.errors import StoreError
from mlopskit.format import Format
from mlopskit.modelpackage import Schema, StoredModel
from mlopskit.testing import FormatConformance, Sample
from mlopskit.testing.packages import dataset


class Line:
    """A model to be stored: a logistic regression, made here, for each process would take a second to import one."""

    def __init__(self):
        self.weights = [-1.1722199, 1.74995642]
        self.intercept = 0.58787061
        self.classes = ["above", "below"]

    def answers(self, columns):
        totals = [
            self.intercept + math.fsum(a * b for a, b in zip(self.weights, row, strict=True))
            for row in zip(*columns.values(), strict=True)
        ]
        seconds = [1 / (1 + math.exp(-total)) for total in totals]
        return {
            "prediction": [self.classes[total > 0] for total in totals],
            "probability.above": [1 - chance for chance in seconds],
            "probability.below": seconds,
        }


def sample_of(model):
    data = dataset()
    outputs = {
        "type": "object",
        "properties": {
            "prediction": {"type": "string", "enum": model.classes},
            "probability.above": {"type": "number"},
            "probability.below": {"type": "number"},
        },
        "required": ["prediction", "probability.above", "probability.below"],
        "additionalProperties": False,
    }
    return Sample(
        model=model,
        schema=Schema(inputs=data.input_schema(), outputs=outputs),
        frame="arrays",
        task="binary",
        columns=data.input_columns(),
        expected=model.answers(data.input_columns()),
    )


class Table(Format):
    """A good one, to be made bad: the weights of a logistic regression as JSON."""

    name: ClassVar[str] = "table"
    loader: ClassVar[str] = "table_loader"
    languages: ClassVar[tuple[str, ...]] = ("prose",)

    def save(self, model, schema, frame, into):
        if not hasattr(model, "weights"):
            raise StoreError(f"{type(model).__name__} has no weights.", remedy="Give a linear model.")
        (into / "model.json").write_text(json.dumps(self.table(model)))
        return StoredModel(format=self.name, files=("model.json",), frame=frame)

    def table(self, model):
        return {"weights": model.weights, "intercept": model.intercept, "classes": model.classes}

    def eject(self, language, package, files, rows):
        return {**files, "README.txt": f"{package.name}, asked for {len(rows)} rows.".encode()}


def suite(kind):
    class Suite(FormatConformance):
        @pytest.fixture
        def format(self):
            return kind()

        @pytest.fixture
        def sample(self):
            return sample_of(Line())

    Suite.__name__ = Suite.__qualname__ = f"Test{kind.__name__}"
    return Suite


class SavesRandomNames(Table):
    def save(self, model, schema, frame, into):
        stored = super().save(model, schema, frame, into)
        name = f"{uuid.uuid4().hex}.json"
        (into / "model.json").rename(into / name)
        return replace(stored, files=(name,))


class SavesHashes(Table):
    def save(self, model, schema, frame, into):
        stored = super().save(model, schema, frame, into)
        # Blanks mean nothing in JSON; these say the hash of a text, of which each process has its own.
        blanks = "".join(" \n"[hash("model") >> bit & 1] for bit in range(64))
        (into / "model.json").write_text(blanks + (into / "model.json").read_text())
        return stored


class ForgetsAFile(Table):
    def save(self, model, schema, frame, into):
        (into / "notes.txt").write_text("stored")
        return super().save(model, schema, frame, into)


class RoundsItsNumbers(Table):
    def table(self, model):
        table = super().table(model)
        return {**table, "weights": [round(weight, 3) for weight in table["weights"]]}


class MarksTheModel(Table):
    def save(self, model, schema, frame, into):
        stored = super().save(model, schema, frame, into)
        model.stored_ = True
        return stored


class FindsADifference(Table):
    def differences(self, model, schema, stored, folder):
        return ["The name of the variable."]


class StoresAnything(Table):
    def save(self, model, schema, frame, into):
        if not hasattr(model, "weights"):
            (into / "model.json").write_text("{}")
            return StoredModel(format=self.name, files=("model.json",), frame=frame)
        return super().save(model, schema, frame, into)


class NeedsAnyVersion(Table):
    def save(self, model, schema, frame, into):
        return replace(super().save(model, schema, frame, into), requires=("numpy",))


class HasABadName(Table):
    name: ClassVar[str] = "A table"


class EjectsANumber(Table):
    def eject(self, language, package, files, rows):
        return {**super().eject(language, package, files, rows), "SERIAL.txt": uuid.uuid4().hex.encode()}


class EjectsElsewhere(Table):
    def eject(self, language, package, files, rows):
        return {f"../{path}": data for path, data in super().eject(language, package, files, rows).items()}


class LoaderIsHomesick(Table):
    loader: ClassVar[str] = "homesick_loader"


class LoaderTrusts(Table):
    loader: ClassVar[str] = "trusting_loader"


class LoaderShuffles(Table):
    loader: ClassVar[str] = "shuffling_loader"


TestTable = suite(Table)
TestSavesRandomNames = suite(SavesRandomNames)
TestSavesHashes = suite(SavesHashes)
TestForgetsAFile = suite(ForgetsAFile)
TestRoundsItsNumbers = suite(RoundsItsNumbers)
TestMarksTheModel = suite(MarksTheModel)
TestStoresAnything = suite(StoresAnything)
TestFindsADifference = suite(FindsADifference)
TestNeedsAnyVersion = suite(NeedsAnyVersion)
TestHasABadName = suite(HasABadName)
TestEjectsANumber = suite(EjectsANumber)
TestEjectsElsewhere = suite(EjectsElsewhere)
TestLoaderIsHomesick = suite(LoaderIsHomesick)
TestLoaderTrusts = suite(LoaderTrusts)
TestLoaderShuffles = suite(LoaderShuffles)
