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
    it travels to targets where mlopskit is not installed. `engine` names the modules that the loader imports and that
    take long: a fresh process imports them before there is a model to load.
    """

    name: ClassVar[str]
    loader: ClassVar[str]
    engine: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def save(self, model: object, schema: Schema, frame: str, into: Path, /) -> StoredModel:
        """Write the model's files into a folder: the same bytes in every process.

        Raises:
            StoreError: it cannot be stored exactly; its message says why, or its `reasons` do, a list of sentences.
        """

    def differences(self, model: object, schema: Schema, stored: StoredModel, folder: Path, /) -> Sequence[str]:  # noqa: ARG002  # of the interface
        """Return in which ways the files that `save` wrote into a folder are not the model; nothing if they are.

        It is asked while a fresh process opens the package. What the model answers is compared in any case: there is
        nothing to write here if that says enough.
        """
        return ()
