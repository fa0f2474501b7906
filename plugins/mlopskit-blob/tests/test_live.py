from __future__ import annotations

import pytest
from mlopskit_blob.storage import BlobStorage

import mlopskit as mk
from mlopskit.errors import IntegrityError
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
[endpoint.production]
target = "blob"
to = "{place}/production"
"""


def rows(words):
    return "text\tlabel\n" + "".join(f"{word} {n}\t{label}\n" for n in range(60) for word, label in words.items())


@pytest.fixture
def project(container, tmp_path, monkeypatch):
    """Return a project whose registry, data and target are in a container."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "mlopskit.toml").write_text(SETTINGS.format(place=container))
    BlobStorage(container).hint("data/a.tsv", rows({"good": "Up", "bad": "Down"}).encode())
    return mk.Project()


def test_a_project_lives_in_a_container(project, container):
    run = project.run()
    assert run.outcome == "passed"
    assert project.changed() == []
    assert project.run().changed == ()
    deployed = project.deploy("production", why="the first")
    assert deployed.receipt.passed
    loaded = mk.load(f"{container}/production/mood", alias="production")
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
