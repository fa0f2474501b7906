from __future__ import annotations

import logging
import socket
import traceback

import pytest
from mlopskit_objectstore.storage import ObjectStorage

from mlopskit.errors import StorageError
from mlopskit.testing import OutcomeConformance

pytestmark = pytest.mark.live


class Hasty(ObjectStorage):
    """Gives up soon."""

    deadline = 1.8
    silence = 0.6


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


@pytest.mark.parametrize(
    ("break_it", "says", "remedy"),
    [("bucket", "NoSuchBucket", "Create the bucket 'missing'"), ("port", "failed", "can be reached")],
)
def test_what_is_wrong_is_said_with_what_to_do_and_without_the_key(
    break_it, says, remedy, bucket, by_way_of, monkeypatch, caplog
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_MISSING", "another-canary")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID_MISSING", "test")
    if break_it == "port":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            by_way_of(free.getsockname()[1])
    address = "s3://missing" if break_it == "bucket" else bucket
    for act in (
        lambda: Hasty(address).commit("x", {"y": b"1"}, last="y"),
        lambda: list(Hasty(address).list("")),
        lambda: Hasty(address).hint("x", b"1"),
    ):
        with pytest.raises(StorageError, match=says) as caught:
            act()
        assert remedy in caught.value.remedy
        text = "".join(traceback.format_exception(caught.value))
        for said in (text, repr(caught.value), str(vars(caught.value)), caplog.text, repr(vars(Hasty(address)))):
            assert "canary" not in said


def test_a_large_file_is_sent_in_parts_and_comes_back_whole(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr("mlopskit_objectstore.storage._WHOLE", 6 << 20)
    file = tmp_path / "large"
    file.write_bytes(bytes(range(256)) * (80 << 10))
    storage = ObjectStorage(bucket)
    assert storage.commit("x", {"large": file, "last": b"1"}, last="last")
    with storage.open("x/large") as opened:
        assert opened.read(3) == file.read_bytes()[:3]
        assert opened.read() == file.read_bytes()[3:]
    assert storage.store("x/large", file, {}, over=None) is False
    assert storage.store("x/large", file, {}, over=storage.find("x/large").etag) is True
    assert not storage.commit("x", {"large": file, "last": b"1"}, last="last")
