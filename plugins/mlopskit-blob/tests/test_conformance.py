"""Blob storage keeps the contract of storages, and the target `blob` that of bundle deployers, against an emulator."""

import pytest
from mlopskit_blob.deployer import Blob
from mlopskit_blob.storage import BlobStorage

from mlopskit.testing import BundleDeployerConformance, StorageConformance

pytestmark = pytest.mark.live


class TestBlobStorage(StorageConformance):
    @pytest.fixture
    def storage(self, container):
        return BlobStorage(f"{container}/some/prefix")


class TestBlobStorageWithoutPrefix(StorageConformance):
    @pytest.fixture
    def storage(self, container):
        return BlobStorage(container)


class TestBlob(BundleDeployerConformance):
    @pytest.fixture
    def deployer(self, container):
        return Blob(to=f"{container}/registry")
