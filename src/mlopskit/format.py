"""Format: how a fitted model is stored; its loader half travels to the target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from mlopskit.modelpackage import Schema, StoredModel


class Format(ABC):
    """Stores a fitted model as files.

    `loader` names a module, or a package of modules, with `load(files, spec) -> Scorer` (see
    `mlopskit.runtime.Loader`). It imports the standard library, its engine and its own modules (relatively) alone, for
    it travels to targets where mlopskit is not installed.
    """

    name: ClassVar[str]
    loader: ClassVar[str]

    @abstractmethod
    def refusals(self, model: object, schema: Schema, /) -> Sequence[str]:
        """Return why this model cannot be stored exactly; nothing if it can."""

    @abstractmethod
    def save(self, model: object, schema: Schema, frame: str, into: Path, /) -> StoredModel:
        """Write the model's files into a folder: the same bytes in every process.

        Raises:
            StoreError: it cannot be stored.
        """
