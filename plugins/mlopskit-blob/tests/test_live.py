from __future__ import annotations

import pytest
from mlopskit_blob.storage import BlobStorage

from mlopskit.testing import OutcomeConformance

pytestmark = pytest.mark.live


class Hasty(BlobStorage):
    """Gives up soon."""

    deadline = 1.5


class TestOutcomes(OutcomeConformance):
    @pytest.fixture
    def upstream(self, azurite):
        return azurite.port

    @pytest.fixture
    def connect(self, azurite, container, monkeypatch):
        def connect(port):
            monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection(port))
            return Hasty(container)

        return connect
