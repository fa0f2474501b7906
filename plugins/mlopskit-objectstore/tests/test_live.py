from __future__ import annotations

import logging
import socket
import traceback

import numpy as np
import pytest
from mlopskit_objectstore.storage import ObjectStorage
from sklearn.linear_model import LogisticRegression

import mlopskit as mk
from mlopskit.errors import StorageError
from mlopskit.steps import telling
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


def test_a_model_is_kept_deployed_and_read_in_buckets(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    points = [[number / 50.0, (number * 7 % 50) / 50.0] for number in range(100)]
    labels = ["right" if x > 1.0 else "left" for x, _ in points]
    model = LogisticRegression(C=100.0).fit(np.array(points), labels)
    package = mk.package(
        model, np.array(points), labels, name="side", gates=["accuracy >= 0.75"], registry=f"{bucket}/registry"
    )
    deployed = mk.deploy(package, mk.FileShare(to=f"{bucket}/production"), registry=f"{bucket}/registry")
    assert deployed.receipt.passed
    loaded = mk.load(f"{bucket}/production/side", alias="production")
    assert loaded.digest == package.digest
    assert loaded.predict([{"x0": 1.9, "x1": 0.5}])[0]["prediction"] == "right"
    assert mk.load("side@production", registry=f"{bucket}/production").digest == package.digest


def test_how_much_of_a_large_file_is_sent_is_told(bucket, tmp_path):
    (tmp_path / "model").write_bytes(bytes(65 << 20))
    told = []
    with telling(told.append, "push"):
        ObjectStorage(bucket).commit("x", {"model": tmp_path / "model", "last": b"1"}, last="last")
    assert told[-1] == "push: 68 of 68 MB sent"
