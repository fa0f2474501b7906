"""The kit's storages in memory keep the contract of storages."""

import pytest

from mlopskit.testing import MemoryBucket, MemoryStorage, StorageConformance


class TestMemoryStorage(StorageConformance):
    @pytest.fixture
    def storage(self):
        return MemoryStorage()


class TestMemoryBucket(StorageConformance):
    @pytest.fixture(params=[True, False], ids=["facts listed", "facts not listed"])
    def storage(self, request):
        return MemoryBucket(tells=request.param)
