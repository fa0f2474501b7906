"""Trainers that are bad on purpose, each in one way; `test_bad_implementations.py` says which check finds it."""

import random
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mlopskit.errors import TrainingError
from mlopskit.testing import TrainerConformance
from mlopskit.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class Line(Trainer):
    """A good one, to be made bad: a logistic regression."""

    name: ClassVar[str] = "line"

    strength: float = 1.0

    def train(self, data):
        try:
            return self.fit(self.rows(data), data.labels)
        except Exception as error:
            raise TrainingError(f"It could not be fitted: {error}", remedy="Give another strength.") from error

    def fit(self, rows, labels):
        return LogisticRegression(C=self.strength).fit(rows, labels)

    def rows(self, data):
        return np.array(list(data.input_columns().values()), dtype=float).T


def suite(kind):
    class Suite(TrainerConformance):
        @pytest.fixture
        def trainer(self):
            return kind()

        @pytest.fixture
        def failing(self):
            return kind(strength=-1.0)

    Suite.__name__ = Suite.__qualname__ = f"Test{kind.__name__}"
    return Suite


class TrainsByChance(Line):
    def fit(self, rows, labels):
        noise = [random.random() for _ in labels]
        return LogisticRegression(C=self.strength).fit(rows, labels, sample_weight=noise)


class ReturnsNothingFitted(Line):
    def fit(self, rows, labels):
        super().fit(rows, labels)
        return LogisticRegression()


class FitsTheSameModel(Line):
    model: ClassVar[LogisticRegression] = LogisticRegression()

    def fit(self, rows, labels):
        return self.model.set_params(C=self.strength).fit(rows, labels)


class ChangesTheData(Line):
    def train(self, data):
        model = super().train(data)
        data.columns["height"][0] = 0.0
        return model


class LetsErrorsThrough(Line):
    def train(self, data):
        return self.fit(self.rows(data), data.labels)


@dataclass(frozen=True)
class TakesPositions(Line):
    note: str = ""


class ForgetsTheDecorator(Line):
    note: str = ""


class IsNoDataclass(Trainer):
    name: ClassVar[str] = "line"
    train, fit, rows = Line.train, Line.fit, Line.rows

    def __init__(self, *, strength=1.0):
        self.strength = strength


@dataclass(kw_only=True)
class CanBeChanged(Trainer):
    name: ClassVar[str] = "line"
    train, fit, rows = Line.train, Line.fit, Line.rows

    strength: float = 1.0


class HasABadName(Line):
    name: ClassVar[str] = "A line"


TestLine = suite(Line)
TestTrainsByChance = suite(TrainsByChance)
TestReturnsNothingFitted = suite(ReturnsNothingFitted)
TestFitsTheSameModel = suite(FitsTheSameModel)
TestChangesTheData = suite(ChangesTheData)
TestLetsErrorsThrough = suite(LetsErrorsThrough)
TestTakesPositions = suite(TakesPositions)
TestForgetsTheDecorator = suite(ForgetsTheDecorator)
TestIsNoDataclass = suite(IsNoDataclass)
TestCanBeChanged = suite(CanBeChanged)
TestHasABadName = suite(HasABadName)
