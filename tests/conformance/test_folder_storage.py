"""Folder storage keeps the contract of storages."""

import pytest

from mlopskit.builtin.folder import FolderStorage
from mlopskit.testing import StorageConformance


class TestFolderStorage(StorageConformance):
    @pytest.fixture
    def storage(self, tmp_path):
        return FolderStorage(str(tmp_path / "place"))
