"""Stage: a deployer with a folder to build in, and the steps of the deploy loop one by one; the fixtures of it."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from mlopskit.deployer import Deployer
from mlopskit.deployment import Deploying
from mlopskit.errors import NotReadyError
from mlopskit.modelpackage import ModelPackage
from mlopskit.records import Answer, Bundle, Locator
from mlopskit.registry import Registry
from mlopskit.runtime.schema import Row
from mlopskit.testing.packages import NAME, PackageFixtures
from mlopskit.wheels import HERE, Home, at_home


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What checks do with a deployer.

    `deadline` is in seconds, for the target to answer; `home` says where the lock of the wheels stands that it needs.
    """

    deployer: Deployer
    folder: Path
    deadline: float
    home: Home = HERE

    def twin(self) -> Deployer:
        """Return an equal deployer that is another object."""
        return dataclasses.replace(self.deployer)  # type: ignore[type-var]

    def new_folder(self) -> Path:
        """Return a new empty folder."""
        return Path(tempfile.mkdtemp(prefix="folder-", dir=self.folder))

    def build(self, package: ModelPackage, into: Path | None = None, /) -> Bundle:
        """Return the bundle of a package, as the deploy loop builds it."""
        registry = Registry.at(self.folder / "registry")
        deploying = Deploying(
            package=package, deployer=self.deployer, registry=registry, endpoint="stage", home=self.home
        )
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
                with at_home(self.home):
                    return (of or self.deployer).predict(NAME, rows, at)
            except NotReadyError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def ask_golden(self, package: ModelPackage, at: Locator | None, /, of: Deployer | None = None) -> Answer:
        """Return the answer to a package's golden rows."""
        return self.ask([golden.row for golden in package.golden], at, of=of)


class DeployerFixtures(PackageFixtures):
    """What a deployer's checks are given; `deployer` and `tamper` are the author's to write."""

    deadline: ClassVar[float] = 60.0

    @pytest.fixture
    def deployer(self, tmp_path: Path) -> Deployer:
        """The deployer to test, with a target that is empty."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `deployer`; see mlopskit.testing")

    def tamper(self, deployer: Deployer, at: Locator, other: Bundle) -> None:
        """Put another bundle where this one was pushed, behind the deployer's back: by the target's own means."""
        raise NotImplementedError(f"{type(self).__name__} needs a method `tamper`; see DeployerConformance")

    def unfit(self, package: ModelPackage) -> ModelPackage | None:
        """Return a package that `check` must refuse; None if the deployer takes every package."""

    @pytest.fixture
    def stage(self, deployer: Deployer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
        """The deployer, with a folder to build in, and a place of its own for what the machine remembers."""
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        folder = tmp_path / "stage"
        folder.mkdir()
        home = Home(lock=HERE.lock.absolute())  # a check may build in another folder
        return Stage(deployer=deployer, folder=folder, deadline=self.deadline, home=home)
