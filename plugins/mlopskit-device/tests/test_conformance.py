"""The target `device` keeps the contract of bundle deployers."""

import pytest
from mlopskit_device.deployer import Device

from mlopskit.testing import BundleDeployerConformance


class TestDevice(BundleDeployerConformance):
    @pytest.fixture
    def deployer(self, tmp_path):
        return Device(to=str(tmp_path / "place"), platform="linux/x86_64")
