"""Deployments to real servers: two at once, to one that is away, to one that cannot load what it is given."""

import concurrent.futures
import contextlib
import threading

import pytest
from mlopskit_webapi.deployer import WebApi

import mlopskit as mk
from mlopskit.deployment import Deploying
from mlopskit.errors import MlopskitError, NotReadyError
from mlopskit.testing.packages import PackageFixtures


def deployed(package, deployer, registry, **options):
    return Deploying(
        package=package, deployer=deployer, registry=registry, endpoint="web", override="a test", **options
    ).run()


@pytest.fixture
def registry(tmp_path):
    return mk.Registry.at(tmp_path / "registry")


class TestDeployments(PackageFixtures):
    def test_two_at_once_end_with_one_of_them_live_everywhere(
        self, package, other_package, registry, tmp_path, serving_here
    ):
        place, both = tmp_path / "place", (package, other_package)
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(serving_here(place, every=0.3)) for _ in range(2)]
            target = WebApi(to=str(place), servers=[address for _, address in servers])
            meet = threading.Barrier(2)

            def deploy(one):
                meet.wait()
                return deployed(one, target, registry, deadline=30)

            with concurrent.futures.ThreadPoolExecutor() as pool:
                ends = [pool.submit(deploy, one) for one in both]
            failed = [end.exception() for end in ends if end.exception()]
            assert len(failed) < 2, failed
            assert all(isinstance(one, MlopskitError) for one in failed), failed
            live = target.live(package.name)["bundle"]
            assert registry.deployments(package.name, "web")[-1].package == live
            assert {source.model.look().digest for source, _ in servers} == {live}

    def test_a_server_that_is_down_is_named_and_nothing_changes(
        self, package, other_package, registry, tmp_path, serving_here
    ):
        with serving_here(tmp_path / "place") as (source, address):
            target = WebApi(to=str(tmp_path / "place"), servers=[address])
            first = deployed(package, target, registry)
            down = WebApi(to=str(tmp_path / "place"), servers=[address, "http://127.0.0.1:1"])
            with pytest.raises(NotReadyError, match=r"127\.0\.0\.1:1 cannot be asked: .*refused"):
                deployed(other_package, down, registry, deadline=1)
            assert target.live(package.name) == first.locator
            assert source.model.look().digest == package.digest

    def test_a_server_that_never_loads_it_says_why(self, package_with_code, package, registry, tmp_path, serving_here):
        with serving_here(tmp_path / "place") as (source, address):
            target = WebApi(to=str(tmp_path / "place"), servers=[address])
            deployed(package, target, registry)
            with pytest.raises(NotReadyError, match="holds code of its own"):
                deployed(package_with_code, target, registry, deadline=2, trust_code=[package_with_code.digest])
            assert source.model.look().digest == package.digest
