"""The conformance suite of trainers."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from mlopskit.data import Dataset
from mlopskit.errors import TrainingError
from mlopskit.runtime.names import check_name
from mlopskit.testing.claims import has_frozen_options, no_error, refused
from mlopskit.testing.packages import dataset
from mlopskit.trainer import Trainer


class TrainerConformance:
    """What every trainer must do. Inherit it and write the fixtures `trainer` and `failing`.

    The data are 35 rows of two columns of numbers with one of two labels. A trainer for other data overrides `data`
    and `other_data`; one whose models are not asked by `predict` of an array overrides `answers`.
    """

    @pytest.fixture
    def trainer(self) -> Trainer:
        """The trainer to test."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `trainer`; see mlopskit.testing")

    @pytest.fixture
    def failing(self) -> Trainer:
        """The same kind of trainer, with options with which it cannot fit these data."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `failing`; see TrainerConformance")

    @pytest.fixture
    def data(self) -> Dataset:
        """What to learn from."""
        return dataset()

    @pytest.fixture
    def other_data(self) -> Dataset:
        """Data of the same columns, to which another model fits."""
        return dataset(slope=-1)

    def answers(self, model: Any, data: Dataset, /) -> list[Any]:
        """Return what a trained model answers to the rows of a dataset: probabilities, if it has any."""
        import numpy as np

        rows = np.array(list(data.input_columns().values()), dtype=float).T
        asked = model.predict_proba if hasattr(model, "predict_proba") else model.predict
        answered: list[Any] = asked(rows).tolist()
        return answered

    def test_is_a_frozen_dataclass(self, trainer: Trainer) -> None:
        """A trainer is its options: nobody changes them, and none is given by position."""
        has_frozen_options(trainer, kind="trainer")
        with no_error(fault='The class has no usable name. Name it: name: ClassVar[str] = "…".'):
            check_name(type(trainer).name, kind="trainer")

    def test_returns_a_fitted_model(self, trainer: Trainer, data: Dataset) -> None:
        """The model answers every row."""
        model = trainer.train(data)
        with no_error(fault="train returned a model that cannot answer. Return what was fitted."):
            answered = self.answers(model, data)
        assert len(answered) == len(data), (
            f"The model answered {len(answered)} rows, {len(data)} were asked. Return one that answers each row."
        )

    def test_is_deterministic(self, trainer: Trainer, data: Dataset) -> None:
        """Two trainings on the same data give models of the same answers, to the last bit."""
        first, second = (self.answers(trainer.train(data), data) for _ in range(2))
        differing = sum(one != other for one, other in zip(first, second, strict=True))
        assert not differing, (
            f"Two trainings on the same data gave models that answer {differing} of {len(first)} rows otherwise. "
            "Seed every source of chance."
        )

    def test_learns_from_the_data(self, trainer: Trainer, data: Dataset, other_data: Dataset) -> None:
        """Other labels give another model, and an earlier model is not changed by a later training."""
        model = trainer.train(data)
        before = self.answers(model, data)
        other = self.answers(trainer.train(other_data), data)
        assert self.answers(model, data) == before, "A second training changed the first model. Fit a copy each time."
        assert other != before, (
            "Two trainings on different labels gave models of the same answers. Fit to what is given."
        )

    def test_leaves_the_data_alone(self, trainer: Trainer, data: Dataset) -> None:
        """`train` changes nothing of the dataset."""
        before = copy.deepcopy({name: list(cells) for name, cells in data.columns.items()})
        trainer.train(data)
        after = {name: list(cells) for name, cells in data.columns.items()}
        changed = [name for name in before.keys() | after.keys() if not _same(before.get(name), after.get(name))]
        assert not changed, f"train changed the columns {changed} of the dataset. Work on a copy."

    def test_failure_is_a_training_error(self, failing: Trainer, data: Dataset) -> None:
        """What goes wrong in training is a TrainingError, whatever was raised below."""
        fault = "A training that failed did not end with TrainingError. Raise it from whatever was raised below."
        with refused(TrainingError, fault=fault):
            failing.train(data)


def _same(one: Any, other: Any) -> bool:
    """Say whether two columns are equal, and of the same types."""
    if one is None or other is None or len(one) != len(other):
        return False
    return all(type(a) is type(b) and (a == b or _both_nan(a, b)) for a, b in zip(one, other, strict=True))


def _both_nan(one: Any, other: Any) -> bool:
    return isinstance(one, float) and math.isnan(one) and math.isnan(other)
