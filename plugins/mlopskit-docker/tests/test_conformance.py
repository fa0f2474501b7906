"""The target `docker` keeps the contract of deployers, in a real engine."""

import pytest
from mlopskit_docker import loading

import mlopskit as mk
from mlopskit.testing import DeployerConformance


@pytest.mark.live
class TestDocker(DeployerConformance):
    @pytest.fixture
    def deployer(self, docker):
        return docker()

    def tamper(self, deployer, at, other):
        """Run the other image under the name and the labels of this one."""
        with deployer._at(other.name) as (containers, _):
            image = loading.loaded(containers.client, deployer, other)
            containers.remove(containers.of(at))
            containers.run({**at, "image": image})

    @pytest.mark.slow
    def test_runs_the_models_own_code(self, stage, package_with_code):
        """With scikit-learn and all that it needs in the image."""
        mk.fetch(package_with_code, stage.deployer)
        super().test_runs_the_models_own_code(stage, package_with_code)
