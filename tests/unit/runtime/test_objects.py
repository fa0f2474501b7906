import sys

import pytest

from mlopskit.runtime.errors import StorageError
from mlopskit.runtime.objects import BucketPlace

# What a bucket of S3 answers is asked of one, in plugins/mlopskit-serverless/tests/test_following.py.


def test_where_there_is_no_boto3_a_bucket_is_away(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    place = BucketPlace("bucket", "models/mood", "mood", 1 << 20)
    with pytest.raises(StorageError, match="read by boto3, which is not here"):
        place.get("aliases/production.json", limit=10)
    assert place.address == "s3://bucket/models/mood"
