"""The kit's folder deployer keeps the contract of bundle deployers."""

import pytest

from mlopskit.testing import BundleDeployerConformance, FolderDeployer


class TestFolderDeployer(BundleDeployerConformance):
    @pytest.fixture
    def deployer(self, tmp_path):
        return FolderDeployer(to=str(tmp_path / "place"))
