"""Format: how a fitted model is stored; its loader half travels to the target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mlopskit.errors import UnknownNameError
from mlopskit.modelpackage import ModelPackage, Schema, StoredModel
from mlopskit.runtime.golden import GoldenRow


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a model as a format sees it: its class, and within how many others it stands.

    `steps` are the numbers of the steps that it takes, in the format's own measure; `why` says why it has no such form,
    and is empty if it has.
    """

    kind: str
    depth: int
    steps: range = range(0)
    why: str = ""


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
    languages: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def save(self, model: object, schema: Schema, frame: str, into: Path, /) -> StoredModel:
        """Write the model's files into a folder: the same bytes in every process.

        Raises:
            StoreError: it cannot be stored exactly; its message says why, or its `reasons` do, a list of sentences.
        """

    def explain(self, model: object, schema: Schema, frame: str, /) -> Sequence[Part]:  # noqa: ARG002  # of the interface
        """Return the parts of a fitted model, each with the reason if it has no such form; nothing if that is not told.

        Parts stand in the order in which rows go through them, one within another behind it.
        """
        return ()

    def differences(self, model: object, schema: Schema, stored: StoredModel, folder: Path, /) -> Sequence[str]:  # noqa: ARG002  # of the interface
        """Return in which ways the files that `save` wrote into a folder are not the model; nothing if they are.

        It is asked while a fresh process opens the package. What the model answers is compared in any case: there is
        nothing to write here if that says enough.
        """
        return ()

    def eject(
        self, language: str, package: ModelPackage, files: Mapping[str, bytes], rows: Sequence[GoldenRow], /
    ) -> Mapping[str, bytes]:
        """Return plain files by path, in one of `languages`: a scorer, the model and a self-test, without mlopskit.

        `files` are the checked bytes of this form of the package's model. The self-test asks for `rows`; if there are
        none, the package's golden rows may not be shown, and it asks for rows that are made up. The same bytes each
        time.
        """
        del package, files, rows
        raise UnknownNameError(
            f"The format {self.name!r} is not ejected as {ascii(language)}.",
            remedy=f"Take one of its languages: {', '.join(self.languages) or 'it has none'}.",
        )
