"""The target `aws-lambda` keeps the contract of deployers, against the stand-in of AWS."""

from __future__ import annotations

import base64

import pytest

import mlopskit as mk
from mlopskit.testing import DeployerConformance


class TestAwsLambda(DeployerConformance):
    @pytest.fixture
    def deployer(self, made, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)  # for the lock of the wheels that one check fetches
        return made()

    @pytest.fixture(autouse=True)
    def _cloud(self, cloud):
        self.cloud = cloud

    def tamper(self, deployer, at, other):
        """Put the other zip where this version was published, which nobody can do in AWS."""
        data = base64.b64encode((other.folder / "function.zip").read_bytes()).decode()
        self.cloud.say("tamper", **at, zip=data)

    @pytest.mark.slow
    def test_runs_the_models_own_code(self, stage, package_with_code):
        """With scikit-learn in the zip."""
        mk.fetch(package_with_code, stage.deployer)
        super().test_runs_the_models_own_code(stage, package_with_code)

    # Each takes seconds, and others see most of it: `make prove` runs these.

    @pytest.mark.slow
    def test_goes_back_and_forth(self, stage, package, other_package):
        super().test_goes_back_and_forth(stage, package, other_package)

    @pytest.mark.slow
    def test_something_is_live_at_every_moment(self, stage, package, other_package):
        super().test_something_is_live_at_every_moment(stage, package, other_package)
