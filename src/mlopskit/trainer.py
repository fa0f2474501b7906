"""Trainer: data in, fitted model out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from mlopskit.data import Dataset


class Trainer(ABC):
    """Fits a model. A trainer is a frozen, keyword-only dataclass: it is its options.

    One that mlopskit.toml names is made with the keys of its `[train]`: `estimator`, `parameters`, `seed`, `threads`,
    and with `root`, the project's folder.
    """

    name: ClassVar[str]

    @abstractmethod
    def train(self, data: Dataset, /) -> object:
        """Return a model fitted to the rows of a dataset.

        If it also takes the keyword `progress`, a run gives it a function to be told, in a few words, how far it is.

        Raises:
            TrainingError: it cannot be fitted; the data's and the estimator's fault alike.
        """
