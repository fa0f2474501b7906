"""The target `fileshare` keeps the contract of bundle deployers."""

import pytest

from mlopskit import FileShare
from mlopskit.testing import BundleDeployerConformance


class TestFileShare(BundleDeployerConformance):
    @pytest.fixture
    def deployer(self, tmp_path):
        return FileShare(to=str(tmp_path / "share"))
