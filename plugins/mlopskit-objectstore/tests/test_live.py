from __future__ import annotations

import pytest
from mlopskit_objectstore.storage import ObjectStorage

from mlopskit.testing import OutcomeConformance

pytestmark = pytest.mark.live


class Hasty(ObjectStorage):
    """Gives up soon."""

    deadline = 1.5


class TestOutcomes(OutcomeConformance):
    @pytest.fixture
    def upstream(self, s3_port):
        return s3_port

    @pytest.fixture
    def connect(self, bucket, by_way_of):
        def connect(port):
            by_way_of(port)
            storage = Hasty(bucket)
            assert storage._store  # made while the environment names this port
            return storage

        return connect
