"""Stage: a deployer with a folder to build in; the steps of the deploy loop, one by one."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlopskit.deployer import Deployer
from mlopskit.deployment import Deploying
from mlopskit.errors import NotReadyError
from mlopskit.modelpackage import ModelPackage
from mlopskit.records import Answer, Bundle, Locator
from mlopskit.registry import Registry
from mlopskit.runtime.schema import Row
from mlopskit.testing.packages import NAME


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What checks do with a deployer. `deadline` is in seconds, for the target to answer."""

    deployer: Deployer
    folder: Path
    deadline: float
    _number: Callable[[], int] = field(default_factory=lambda: itertools.count().__next__)

    def twin(self) -> Deployer:
        """Return an equal deployer that is another object."""
        return dataclasses.replace(self.deployer)  # type: ignore[type-var]

    def new_folder(self) -> Path:
        """Return a new empty folder."""
        folder = self.folder / f"folder-{self._number()}"
        folder.mkdir()
        return folder

    def build(self, package: ModelPackage, into: Path | None = None, /) -> Bundle:
        """Return the bundle of a package, as the deploy loop builds it."""
        registry = Registry.at(self.folder / "registry")
        deploying = Deploying(package=package, deployer=self.deployer, registry=registry, endpoint="stage")
        return deploying.build(into or self.new_folder())

    def push(self, package: ModelPackage, /) -> Locator:
        """Build and push a package."""
        return self.deployer.push(self.build(package))

    def live(self) -> Locator | None:
        """Return what is live."""
        return self.deployer.live(NAME)

    def activate(self, at: Locator | None, instead_of: Locator | None, /, by: Deployer | None = None) -> None:
        """Make this live instead of that, by this deployer or another."""
        (by or self.deployer).activate(NAME, at, instead_of=instead_of, why="conformance")

    def deploy(self, package: ModelPackage, /, instead_of: Locator | None = None) -> Locator:
        """Push a package and make it live."""
        at = self.push(package)
        self.activate(at, instead_of)
        return at

    def ask(self, rows: Sequence[Row], at: Locator | None, /, of: Deployer | None = None) -> Answer:
        """Return the answer to rows, asked again until the target is ready."""
        end = time.monotonic() + self.deadline
        while True:
            try:
                return (of or self.deployer).predict(NAME, rows, at)
            except NotReadyError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def ask_golden(self, package: ModelPackage, at: Locator | None, /, of: Deployer | None = None) -> Answer:
        """Return the answer to a package's golden rows."""
        return self.ask([golden.row for golden in package.golden], at, of=of)
