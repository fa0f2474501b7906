"""Checks of what a deployer is before it does anything: its options, its secrets, and its `check`."""

from __future__ import annotations

import dataclasses
import logging

import pytest

from mlopskit.deployer import Deployer
from mlopskit.errors import MlopskitError
from mlopskit.modelpackage import ModelPackage
from mlopskit.testing.claims import has_frozen_options, no_error, refused
from mlopskit.testing.packages import NAME
from mlopskit.testing.stage import DeployerFixtures, Stage
from mlopskit.testing.surroundings import contents


class OptionChecks(DeployerFixtures):
    """What a deployer is."""

    def test_is_a_frozen_dataclass(self, deployer: Deployer) -> None:
        """A deployer is its options: nobody changes them, and none is given by position."""
        has_frozen_options(deployer, kind="deployer")
        target = getattr(type(deployer), "target", None)
        assert isinstance(target, str), f'The class\'s target is {target!r}. Name it: target: ClassVar[str] = "…".'

    def test_check_changes_nothing(self, stage: Stage, package: ModelPackage, other_package: ModelPackage) -> None:
        """`check` takes a usable package, and only looks at it."""
        at = None
        for checked in (package, other_package):
            with no_error(fault="check refused a usable package. Let it raise for what cannot be deployed here only."):
                stage.deployer.check(checked)
            live = stage.live()
            assert live == at, f"check switched from {at} to {live}. Let it look at the package, and do nothing else."
            at = at or stage.deploy(package)

    def test_check_refuses_an_unfit_package(self, stage: Stage, package: ModelPackage) -> None:
        """`check` refuses what cannot be deployed there, before anything is built."""
        unfit = self.unfit(package)
        if unfit is None:
            pytest.skip("this deployer takes every package; override `unfit` if it does not")
        fault = "check let a package through that cannot be deployed here. Raise DeployError and say why."
        with refused(MlopskitError, fault=fault):
            stage.deployer.check(unfit)

    def test_secrets_stay_secret(self, stage: Stage, package: ModelPackage, caplog: pytest.LogCaptureFixture) -> None:
        """The value of an option with `metadata={"secret": True}` is shown, recorded, built in and logged nowhere."""
        caplog.set_level(logging.DEBUG)
        deployer, bundle = stage.deployer, stage.build(package)
        at = deployer.push(bundle)
        said = {"repr()": repr(deployer), "str()": str(deployer), "the locator": str(at)}
        try:
            stage.activate(at, at)
        except MlopskitError as error:
            said |= {"an error": f"{error} {vars(error)}"}
        said |= {"the log": caplog.text, "logs()": deployer.logs(NAME, at)}
        built = b"".join(contents(bundle.folder).values())
        for option in dataclasses.fields(deployer):  # type: ignore[arg-type]
            secret = getattr(deployer, option.name)
            if option.metadata.get("secret") and secret:
                found = [where for where, text in said.items() if str(secret) in text]
                found += ["the bundle"] if str(secret).encode() in built else []
                assert not found, (
                    f"The secret option {option.name!r} is shown in {', '.join(found)}. "
                    "Write field(repr=False), and give it to nothing but the target's own client."
                )
