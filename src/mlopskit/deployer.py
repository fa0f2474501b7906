"""Deployer: one kind of place where a model is used. The core owns the loop, a deployer fills the small holes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:  # a plugin that has a deployer is loaded for its commands, too
    from mlopskit.modelpackage import ModelPackage, StoredModel
    from mlopskit.records import Answer, Bundle, Locator
    from mlopskit.runtime.schema import Row
    from mlopskit.wheels import Wheels


class Deployer(ABC):
    """Brings a package to a target and asks the deployed thing.

    A subclass is a frozen, keyword-only dataclass: a deployer is its options. `name` below is the model's name. The
    core calls the methods in this order: check, build, push, predict(at), live, activate, predict(None), retire.
    Waiting, retries, deadlines, comparing, recording and undoing are the core's.
    """

    target: ClassVar[str]
    #: The forms of the model it can use, in order of preference; none if it needs no model.
    formats: ClassVar[tuple[str, ...]] = ("portable", "onnx", "skops")
    #: A public target refuses golden rows that were sampled from data.
    public: ClassVar[bool] = False
    #: The file of a bundle that lists the others; the core writes it if `build` did not.
    listing: ClassVar[str] = "bundle.json"

    def check(self, package: ModelPackage, /) -> None:  # noqa: B027  # most targets take every package
        """Raise if this package cannot be deployed here; called before anything is done."""

    def needs(self, package: ModelPackage, model: StoredModel | None, /) -> Sequence[Wheels]:
        """Return the wheels that `build` and `predict` unpack: the same ones each time, without the network."""
        del package, model
        return ()

    @abstractmethod
    def build(self, package: ModelPackage, model: StoredModel | None, into: Path, /) -> None:
        """Write the bundle into an empty folder: pure, offline, the same bytes each time."""

    @abstractmethod
    def push(self, bundle: Bundle, /) -> Locator:
        """Bring a bundle to the target, beside what is live; doing it again changes nothing."""

    @abstractmethod
    def predict(self, name: str, rows: Sequence[Row], at: Locator | None, /) -> Answer:
        """Ask what was pushed, or with None what users get now, the way users ask.

        Raises:
            NotReadyError: it does not answer yet.
        """

    @abstractmethod
    def live(self, name: str, /) -> Locator | None:
        """Return what is live, asked of the target and not of our records; None if nothing is."""

    @abstractmethod
    def activate(self, name: str, at: Locator | None, /, *, instead_of: Locator | None, why: str) -> None:
        """Make this live in one step, or nothing at all with None; what is live already stays so, without a trace.

        Raises:
            ConflictError: what is live is not `instead_of`; nothing was changed.
        """

    @abstractmethod
    def remove(self, name: str, at: Locator, /) -> None:
        """Remove what this deployment alone made; what others may use stays. Doing it again is no error."""

    def retire(self, name: str, at: Locator, /) -> None:  # noqa: B027  # a folder takes no memory
        """Stop what runs and is not live; what is live stays so, and another push starts again what was stopped.

        Called for what was live before, once its successor was asked again; and for what was pushed in vain.
        """

    def fault(self, name: str, at: Locator, /) -> str | None:
        """Return what is plainly wrong with what is live, seen without asking the model; None if nothing is."""
        del name, at
        return None

    def logs(self, name: str, at: Locator, /, *, lines: int = 100) -> str:
        """Return the last lines that the deployed thing logged, where there are any."""
        del name, at, lines
        return ""
