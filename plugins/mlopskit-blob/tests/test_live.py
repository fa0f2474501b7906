from __future__ import annotations

import datetime as dt
import email.utils
import hashlib
import logging
import os
import time
import traceback
import urllib.parse

import pytest
from mlopskit_blob import client
from mlopskit_blob.storage import BlobStorage

import mlopskit as mk
from mlopskit.errors import IntegrityError, StorageError
from mlopskit.steps import telling
from mlopskit.testing import FaultProxy, NetworkFault, OutcomeConformance

pytestmark = pytest.mark.live


class Hasty(BlobStorage):
    """Gives up soon."""

    deadline = 3.0
    silence = 1.0


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


def signature(azurite, container, *, may="rwdl", hours=1):
    """Return a signature for a container."""
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    return generate_container_sas(
        azurite.account,
        container.rsplit("/", 1)[1],
        account_key=azurite.key,
        permission=ContainerSasPermissions.from_string(may),
        expiry=dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours),
        protocol="https,http",
    )


@pytest.fixture
def signed(azurite, container, monkeypatch):
    """Return what lets a container be opened by a signature alone, and returns it."""

    def sign(address=container, **options):
        monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
        suffix = address.removeprefix("az://").replace("/", "_").replace("-", "_").upper()
        monkeypatch.setenv(
            f"AZURE_STORAGE_BLOB_ENDPOINT_{suffix}", f"http://127.0.0.1:{azurite.port}/{azurite.account}"
        )
        sas = signature(azurite, address, **options)
        monkeypatch.setenv(f"AZURE_STORAGE_SAS_TOKEN_{suffix}", sas)
        return sas

    return sign


MODEL = """
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def pipeline(C=1.0):
    return make_pipeline(TfidfVectorizer(), LogisticRegression(C=C))
"""
SETTINGS = """
name = "mood"
registry = "{place}/registry"
[data]
uri = "{place}/data/*.tsv"
target = "label"
[train]
estimator = "model:pipeline"
[evaluate]
gates = ["accuracy >= 0.75"]
[endpoint.validation]
target = "blob"
to = "{validation}/models"
[endpoint.production]
target = "blob"
to = "{production}/models"
"""


def rows(words):
    return "text\tlabel\n" + "".join(f"{word} {n}\t{label}\n" for n in range(60) for word, label in words.items())


@pytest.fixture
def project(azurite, container, signed, tmp_path, monkeypatch):
    """Return a project with registry and data in one container and targets in two others, each with its signature."""
    places = {"place": container, "validation": azurite.new_container(), "production": azurite.new_container()}
    for address in places.values():
        signed(address)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "mlopskit.toml").write_text(SETTINGS.format(**places))
    BlobStorage(container).hint("data/a.tsv", rows({"good": "Up", "bad": "Down"}).encode())
    return mk.Project()


def test_a_project_lives_in_a_container(project, container):
    run = project.run()
    assert run.outcome == "passed"
    assert project.changed() == []
    assert project.run().changed == ()
    for endpoint in ("validation", "production"):
        deployed = project.deploy(endpoint, why="the first")
        assert deployed.receipt.passed
        assert deployed.package == run.digest
        loaded = mk.load(f"{project.config.endpoint[endpoint]['to']}/mood", alias="production")
        assert loaded.digest == run.digest
    assert loaded.predict([{"text": "good 1"}])[0]["prediction"] == "Up"

    BlobStorage(container).hint("data/b.tsv", rows({"fine": "Up", "awful": "Down"}).encode())
    assert project.changed() == [f"new: data {container}/data/b.tsv"]
    second = mk.Project().run()
    assert second.digest != run.digest
    BlobStorage(container).hint("data/b.tsv", rows({"fine": "Up", "dreadful": "Down"}).encode())
    assert mk.Project().changed() == [f"changed: data {container}/data/b.tsv"]
    mk.Project().deploy("production", why="the second")
    assert mk.Project().rollback("production").package == run.digest
    assert mk.Project().registry.names() == ["mood"]


def test_a_package_that_was_changed_in_the_container_is_refused(project, container):
    project.run()
    digest = project.package().digest
    storage = BlobStorage(f"{container}/registry")
    key = next(key for key, _ in storage.list("mood/packages") if key.endswith("golden.jsonl"))
    storage.hint(key, b"changed\n")
    with pytest.raises(IntegrityError, match="golden"):
        project.registry.package("mood", digest)
    storage.store(key, b"x" * 5, {"sha256": "0" * 64}, over="*")
    with pytest.raises(IntegrityError, match="not what was written"):
        project.registry.package("mood", digest)


def test_two_containers_are_opened_with_signatures_of_their_own(azurite, container, signed):
    production = azurite.new_container()
    signed(container)
    signed(production, may="rl")
    assert Hasty(container).commit("x", {"y": b"1"}, last="y")
    with pytest.raises(StorageError, match=f"'{production}' failed: it answered 403") as caught:
        Hasty(production).commit("x", {"y": b"1"}, last="y")
    assert "read, write, list and delete" in caught.value.remedy
    assert list(Hasty(production).list("")) == []


def test_a_signature_is_in_no_error_log_repr_or_cause(azurite, container, signed, caplog, monkeypatch, free_port):
    caplog.set_level(logging.DEBUG)
    said = []
    for options, port in (({}, azurite.port), ({"hours": -1}, azurite.port), ({}, free_port)):
        sas = signed(container, **options)
        for name in [name for name in os.environ if name.startswith("AZURE_STORAGE_BLOB_ENDPOINT_")]:
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}/{azurite.account}")
        storage = Hasty(container)
        try:
            storage.commit("x", {"y": b"1"}, last="y")
            storage.read("x/y", limit=10)
        except StorageError as error:
            said += ["".join(traceback.format_exception(error)), repr(error), str(vars(error)), repr(error.__context__)]
        said += [repr(storage), str(vars(storage)), repr(storage._access)]
        secret = sas.rsplit("sig=", 1)[1]
        everything = "\n".join([*said, caplog.text])
        assert secret not in everything
        assert urllib.parse.unquote(secret) not in everything
    assert sum("failed" in one for one in said) >= 4, "two of three were to fail"


@pytest.mark.parametrize(
    ("break_it", "says", "remedy"),
    [
        ("key", "it answered 403 AuthorizationFailure", "AZURE_STORAGE_CONNECTION_STRING"),
        ("container", "it answered 404 ContainerNotFound", "az storage container create"),
        ("port", "it cannot be reached", "Connect to it"),
        ("version", "it answered 400 InvalidHeaderValue", "MLOPSKIT_BLOB_API_VERSION"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(break_it, says, remedy, azurite, container, monkeypatch, free_port):
    text, address = azurite.connection(), container
    if break_it == "key":
        text = text.replace(azurite.key, "d3JvbmcgY2FuYXJ5")
    elif break_it == "container":
        address = f"az://{azurite.account}/missing"
    elif break_it == "port":
        text = azurite.connection(free_port)
    elif break_it == "version":
        monkeypatch.setenv("MLOPSKIT_BLOB_API_VERSION", "2026-10-06")
        client.container_client.cache_clear()
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    for act in (
        lambda: Hasty(address).commit("x", {"y": b"1"}, last="y"),
        lambda: list(Hasty(address).list("")),
        lambda: Hasty(address).read("x/y", limit=10),
        lambda: Hasty(address).hint("x", b"1"),
        lambda: Hasty(address).delete("x"),
    ):
        with pytest.raises(StorageError, match=says) as caught:
            act()
        assert remedy in caught.value.remedy
        assert "canary" not in f"{caught.value} {vars(caught.value)}"
    client.container_client.cache_clear()


def test_retry_after_is_waited_for_and_a_longer_one_than_the_deadline_is_not(azurite, container, monkeypatch):
    with FaultProxy(upstream=azurite.port).running() as proxy:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection(proxy.port))
        storage = BlobStorage(container)
        for as_date in (False, True):
            # A date is cut to whole seconds.
            later = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2), usegmt=True)
            proxy.set(NetworkFault(kind="status", status=429, retry_after=later if as_date else "1"))
            storage.hint("x", b"1")
            (first, *_), (second, *_) = (one for one in proxy.seen if one[1] == "PUT")
            assert second - first >= 0.5
        proxy.set(NetworkFault(kind="status", retry_after="3600", times=1000))
        with pytest.raises(StorageError, match="it answered 503"):
            storage.hint("x", b"1")
        assert proxy.happened == 1


def test_blocks_that_a_dead_writer_left_hinder_nobody(azurite, container):
    storage = BlobStorage(container)
    storage._blob("x/y").stage_block("AAAA", b"half of what was to be")
    assert storage.stat("x/y") is None
    assert storage.commit("x", {"y": b"whole"}, last="y") is True
    assert storage.read("x/y", limit=10) == b"whole"
    assert storage.commit("x", {"y": b"whole"}, last="y") is False


def test_a_large_file_is_sent_in_blocks_and_comes_back_whole(container, tmp_path):
    file = tmp_path / "large"
    file.write_bytes(os.urandom((20 << 20) + 1))
    storage = BlobStorage(container)
    assert storage.commit("x", {"large": file, "last": b"1"}, last="last")
    with storage.open("x/large") as opened:
        assert hashlib.file_digest(opened, "sha256").digest() == hashlib.sha256(file.read_bytes()).digest()
    with storage.open("x/large") as opened:
        assert opened.read(3) == file.read_bytes()[:3]


def test_an_emulator_that_is_killed_and_started_again_is_found_again(start_azurite, tmp_path, monkeypatch):
    emulator, running = start_azurite(tmp_path / "log", tmp_path / "kept")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", emulator.connection())
    storage = Hasty(emulator.new_container())
    assert storage.commit("x", {"y": b"1"}, last="y")
    time.sleep(6)  # it writes what it knows now and then
    running.kill()
    running.wait()
    with pytest.raises(StorageError, match="cannot be reached"):
        storage.commit("z", {"y": b"1"}, last="y")
    _, running = start_azurite(tmp_path / "log", tmp_path / "kept")
    try:
        assert storage.read("x/y", limit=10) == b"1"
        assert storage.commit("z", {"y": b"1"}, last="y")
    finally:
        running.terminate()
        running.wait()


def test_how_much_of_a_large_file_is_sent_is_told(container, tmp_path):
    (tmp_path / "model").write_bytes(bytes(20 << 20))
    told = []
    with telling(told.append, "push"):
        BlobStorage(container).commit("x", {"model": tmp_path / "model", "last": b"1"}, last="last")
    assert told[-1] == "push: 21 of 21 MB sent"
