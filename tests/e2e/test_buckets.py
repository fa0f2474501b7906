"""The way of a model with everything in buckets: data, registry, validation and production, each in one of its own."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import logging
import random
import sys
import urllib.parse
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit.cli import run
from mlopskit.storage import storage_at

# Each deployment starts two fresh processes with all of scikit-learn: on a busy machine that takes its time.
pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]
PLUGINS = Path(__file__).parents[2] / "plugins"


def _fixtures(plugin):
    name = f"fixtures_of_{plugin}"
    spec = importlib.util.spec_from_file_location(name, PLUGINS / f"mlopskit-{plugin}" / "tests" / "conftest.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


blob, objectstore = _fixtures("blob"), _fixtures("objectstore")
azurite_installed, azurite, container = blob.azurite_installed, blob.azurite, blob.container
free_port = blob.free_port
s3_port, bucket = objectstore.s3_port, objectstore.bucket

MODEL = """
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def pipeline(C=1.0):
    return make_pipeline(TfidfVectorizer(), LogisticRegression(C=C, class_weight="balanced"))
"""
SETTINGS = """
name = "sentiment"
registry = "{registry}/registry"
[data]
uri = "{data}/reviews/*.tsv"
columns = ["Comment", "Sentiment"]
file_column = "source"
target = "Sentiment"
test = {{ share = 0.3, by = "row" }}
[train]
estimator = "model:pipeline"
[train.parameters]
C = 4.0
[evaluate]
slices = ["source"]
gates = ["accuracy >= 0.75", "accuracy[source=movies] >= 0.6"]
[package]
golden = {{ rows = 20, from = "test" }}
[endpoint.validation]
target = "{target}"
to = "{validation}/models"
[endpoint.production]
target = "{target}"
to = "{production}/models"
"""
WORDS = {"Positive": ("good", "fine", "lovely", "great"), "Negative": ("bad", "awful", "dull", "poor")}


def sentences(seed):
    """Return 120 sentences with their sentiment, as a file without a header."""
    chance = random.Random(seed)
    labels = [*WORDS] * 60
    return "".join(
        f"{chance.choice(WORDS[label])} {chance.choice(WORDS[label])} thing {seed} {number}\t{label}\n"
        for number, label in enumerate(labels)
    ).encode()


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Write a project of these places; it is the working directory."""

    def make(**places):
        (tmp_path / "project").mkdir()
        monkeypatch.chdir(tmp_path / "project")
        Path("model.py").write_text(MODEL)
        Path("mlopskit.toml").write_text(SETTINGS.format(**places))
        for source in ("movies", "tweets"):
            storage_at(places["data"]).hint(f"reviews/{source}.tsv", sentences(source))

    return make


@pytest.fixture
def cli(capsys):
    """Run a command; return its exit code, and what it printed as JSON and as errors."""

    def do(*words):
        capsys.readouterr()
        code = run([*words, "--json"])
        said = capsys.readouterr()
        do.told += said
        return code, json.loads(said.out) if said.out.strip() else None, said.err

    do.told = []
    return do


def everything(*places):
    """Return all keys with the tags of their contents."""
    found = {}
    for place in places:
        storage = storage_at(place)
        found |= {f"{place}/{key}": storage.stat(key).etag for key, _ in storage.list("")}
    return found


def nothing_tells(secrets, told, *places):
    """Check that no secret stands in what was told, in a file of the project, or in an object of a place."""
    for file in Path().rglob("*"):
        if file.is_file():
            told = [*told, file.read_bytes().decode(errors="replace")]
    for storage in map(storage_at, places):
        told = [*told, *(storage.read(key, limit=size + 1).decode(errors="replace") for key, size in storage.list(""))]
    assert len(told) > 100, "this looks at nothing"
    for secret in secrets:
        assert not any(secret in one for one in told)


def live(place, below="/models"):
    head = mk.Registry.at(f"{place}{below}").alias("sentiment", "production").head()
    return None if head is None else head.digest


def first_run(cli, places):
    """Run, and deploy to validation; return the digest."""
    code, said, errors = cli("run")
    assert (code, said["outcome"]) == (0, "passed"), errors
    assert cli("changed", "--exit-code")[:2] == (0, {"changed": []})
    code, deployed, errors = cli("deploy", "validation", "--why", "look at it")
    assert code == 0, errors
    assert deployed["package"] == said["digest"] == live(places["validation"])
    return said["digest"]


def change_the_data(cli, places):
    """Change an object: it is named, and a run starts from it; return the new digest."""
    key = f"{places['data']}/reviews/tweets.tsv"
    storage_at(places["data"]).hint("reviews/tweets.tsv", sentences("posts"))
    assert cli("changed", "--exit-code")[:2] == (1, {"changed": [f"changed: data {key}"]})
    code, said, errors = cli("run")
    assert (code, said["outcome"], said["changed"]) == (0, "passed", [f"changed: data {key}"]), errors
    assert cli("changed", "--exit-code")[0] == 0
    return said["digest"]


def variable(place):
    """Return the name of the variable that holds the signature of one container."""
    return f"AZURE_STORAGE_SAS_TOKEN_{place.removeprefix('az://').replace('/', '_').replace('-', '_').upper()}"


def grant(azurite, monkeypatch, **places):
    """Put a signature for each container, and for nothing else, into the environment; yield what is secret of each."""
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    monkeypatch.setenv(
        f"AZURE_STORAGE_BLOB_ENDPOINT_{azurite.account.upper()}", f"http://127.0.0.1:{azurite.port}/{azurite.account}"
    )
    for place in places.values():
        signature = generate_container_sas(
            azurite.account, place.rpartition("/")[2], account_key=azurite.key, version="2025-11-05",
            permission=ContainerSasPermissions(read=True, write=True, create=True, list=True, delete=True),
            expiry=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1),
        )  # fmt: skip
        monkeypatch.setenv(variable(place), signature)
        secret = signature.rsplit("sig=", 1)[1]
        yield from (secret, urllib.parse.unquote(secret))


def test_from_data_to_production_and_back_in_containers_of_their_own(
    azurite, container, begin, cli, monkeypatch, caplog
):
    caplog.set_level(logging.DEBUG)
    places = {name: azurite.new_container() for name in ("data", "registry", "validation", "production")}
    first_places = {name: places[name] for name in ("data", "registry", "validation")}
    secrets = [*grant(azurite, monkeypatch, **first_places), "d3JvbmctY2FuYXJ5"]
    begin(**places, target="blob")
    first = first_run(cli, places)

    before = everything(places["registry"], places["validation"])
    for secret in (None, "sv=2025-11-05&sp=rwdl&sig=d3JvbmctY2FuYXJ5&se=2099-01-01T00:00:00Z&sr=c"):
        if secret:
            monkeypatch.setenv(variable(places["production"]), secret)
        code, said, errors = cli("deploy", "production")
        assert (code, said["step"]) == (3, "push"), said
        assert said["error"].startswith(f"'{places['production']}/models' failed: ")
        assert ("no credentials were found" if secret is None else "403") in said["error"]
        assert said["remedy"]
        assert everything(places["registry"], places["validation"]) == before
    secrets += grant(azurite, monkeypatch, production=places["production"])
    assert everything(places["production"]) == {}

    code, deployed, errors = cli("deploy", "production", first, "--why", "validated")
    assert code == 0, errors
    assert deployed["package"] == first == live(places["production"])
    assert cli("promote", first, "--to", "production", "--why", "the first")[0] == 0
    second = change_the_data(cli, places)
    assert second != first
    assert cli("deploy", "production", "--why", "newer")[0] == 0
    assert live(places["production"]) == second
    assert live(places["validation"]) == live(f"{places['registry']}/registry", "") == first
    assert cli("rollback", "production", "--why", "worse")[1]["package"] == first == live(places["production"])
    code, history, _ = cli("history", "production")
    assert [(one["package"], one["why"]) for one in history] == [
        (first, "validated"),
        (second, "newer"),
        (first, "worse"),
    ]
    assert cli("verify", "production")[0] == 0
    for place in (f"{places['registry']}/registry", f"{places['production']}/models"):
        code, audit, errors = cli("verify", "--registry", place)
        assert (code, audit["sound"]) == (0, True), (audit, errors)
    nothing_tells(
        secrets, [*cli.told, *(f"{one.getMessage()} {vars(one)}" for one in caplog.records)], *places.values()
    )


def test_from_data_to_production_in_a_bucket_of_s3(bucket, begin, cli):
    places = {name: f"{bucket}/{name}" for name in ("data", "registry", "validation", "production")}
    begin(**places, target="fileshare")
    first = first_run(cli, places)
    assert cli("deploy", "production")[1]["package"] == first == live(places["production"])
    assert cli("history", "production")[1][0]["package"] == first
    assert change_the_data(cli, places) != first
    for place in (f"{places['registry']}/registry", f"{places['production']}/models"):
        code, audit, errors = cli("verify", "--registry", place)
        assert (code, audit["sound"]) == (0, True), (audit, errors)


@pytest.mark.parametrize("command", ["run", "changed", "status", "history production", "deploy production", "gc"])
def test_without_a_network_each_command_says_so_and_ends_with_3(
    azurite, container, begin, cli, monkeypatch, free_port, command
):
    from mlopskit_blob.storage import BlobStorage

    begin(**dict.fromkeys(("data", "registry", "validation", "production"), container), target="blob")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection(free_port))
    monkeypatch.setattr(BlobStorage, "deadline", 0.5)
    code, said, _ = cli(*command.split())
    assert (code, said["kind"]) == (3, "StorageError"), said
    assert f"'{container}/" in said["error"]
    assert "cannot be reached" in said["error"]
    assert "Connect to it" in said["remedy"]
    assert azurite.key not in str(said)
