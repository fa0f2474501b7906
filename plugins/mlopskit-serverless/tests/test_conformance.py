"""The targets keep the contract of bundle deployers, each asked in its service's own runtime."""

import sys

import pytest
from mlopskit_serverless.functions import AzureFunctions, FunctionBundle, GoogleFunctions, LambdaZip

import mlopskit as mk
from mlopskit.testing import BundleDeployerConformance

PYTHON = ".".join(map(str, sys.version_info[:2]))


class OfFunctions(BundleDeployerConformance):
    made: type[FunctionBundle]

    @pytest.fixture
    def deployer(self, home, package, tmp_path, monkeypatch):
        deployer = self.made(to=str(tmp_path / "place"), python=PYTHON)
        home.runtime(deployer, package)
        with home.entered() as folder:
            pass  # others may work there at the same time
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        monkeypatch.chdir(folder)
        return deployer

    @pytest.mark.slow
    def test_runs_the_models_own_code(self, stage, package_with_code):
        """With scikit-learn in the zip: what has no smaller form, and fits."""
        mk.fetch(package_with_code, stage.deployer)
        super().test_runs_the_models_own_code(stage, package_with_code)


@pytest.mark.live
class TestLambda(OfFunctions):
    made = LambdaZip


@pytest.mark.slow
@pytest.mark.live
class TestAzure(OfFunctions):
    made = AzureFunctions


@pytest.mark.slow
@pytest.mark.live
class TestGoogle(OfFunctions):
    made = GoogleFunctions
