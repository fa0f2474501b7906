"""Evaluator: a model and data in, estimates out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from mlopskit.data import Dataset
from mlopskit.evaluation import Evaluation
from mlopskit.runtime.scoring import Scorer


class Evaluator(ABC):
    """Measures a model. An evaluator is a frozen, keyword-only dataclass: it is its options."""

    name: ClassVar[str]
    tasks: ClassVar[tuple[str, ...]]

    @abstractmethod
    def evaluate(self, model: Scorer, data: Dataset, /) -> Evaluation:
        """Return the estimates of a model on the rows of a dataset: the same for the same model and rows."""
