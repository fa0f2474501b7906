"""Storage in an S3 bucket keeps the contract of storages, against moto's server."""

import pytest
from mlopskit_objectstore.storage import ObjectStorage

from mlopskit.testing import StorageConformance

pytestmark = pytest.mark.live


class TestObjectStorage(StorageConformance):
    @pytest.fixture
    def storage(self, bucket):
        return ObjectStorage(f"{bucket}/some/prefix")


class TestObjectStorageWithoutPrefix(StorageConformance):
    @pytest.fixture
    def storage(self, bucket):
        return ObjectStorage(bucket)
