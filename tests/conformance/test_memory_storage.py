"""The kit's storage in memory keeps the contract of storages."""

import pytest

from mlopskit.testing import MemoryStorage, StorageConformance


class TestMemoryStorage(StorageConformance):
    @pytest.fixture
    def storage(self):
        return MemoryStorage()
