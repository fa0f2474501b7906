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

    # Each takes seconds here, and others see most of it: `make prove` runs these.

    @pytest.mark.slow
    def test_goes_back_and_forth(self, stage, package, other_package):
        super().test_goes_back_and_forth(stage, package, other_package)

    @pytest.mark.slow
    def test_something_is_live_at_every_moment(self, stage, package, other_package):
        super().test_something_is_live_at_every_moment(stage, package, other_package)

    @pytest.mark.slow
    def test_secrets_stay_secret(self, stage, package, caplog):
        super().test_secrets_stay_secret(stage, package, caplog)

    @pytest.mark.slow
    def test_locator_is_json(self, stage, package):
        super().test_locator_is_json(stage, package)

    @pytest.mark.slow
    def test_locator_is_not_shared(self, stage, package):
        super().test_locator_is_not_shared(stage, package)

    @pytest.mark.slow
    def test_names_the_package_it_answers_from(self, stage, package):
        super().test_names_the_package_it_answers_from(stage, package)
