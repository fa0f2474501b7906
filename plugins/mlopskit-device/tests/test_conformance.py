"""The target `device` keeps the contract of bundle deployers: here, and asked on the processors that it is for."""

import sys

import pytest
from mlopskit_device.platforms import PLATFORMS, is_here

from mlopskit.testing import BundleDeployerConformance

HERE = next((one.name for one in PLATFORMS.values() if is_here(one)), None)
PYTHON = ".".join(map(str, sys.version_info[:2]))


class TestHere(BundleDeployerConformance):
    @pytest.fixture
    def deployer(self, device):
        if HERE is None:
            pytest.skip("this machine is none of the platforms")
        return device(HERE, python=PYTHON)


@pytest.mark.slow
@pytest.mark.live
class TestProgram(BundleDeployerConformance):
    """Without Python, for 32-bit ARM."""

    @pytest.fixture
    def deployer(self, device, needs):
        needs("qemu-arm-static", "arm-linux-gnueabihf-gcc")
        return device("linux/armv7", python="none")


@pytest.mark.slow
@pytest.mark.live
class TestAarch64(BundleDeployerConformance):
    @pytest.fixture
    def deployer(self, device):
        return device("linux/aarch64")


@pytest.mark.slow
@pytest.mark.live
class TestArmv7(BundleDeployerConformance):
    @pytest.fixture
    def deployer(self, device):
        return device("linux/armv7")
