from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import settings

import mlopskit as mk
from mlopskit.testing.memory import MemoryStorage

# A busy machine is no failure; a test that never ends has pytest's own limit.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

TEXTS = [f"{word} {number}" for number in range(30) for word in ("good", "bad")]
LABELS = ["Positive", "Negative"] * 30
NAME = "mood"


@pytest.fixture(autouse=True)
def _surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what mlopskit remembers apart from anybody's home, and tables independent of anybody's terminal."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    monkeypatch.setenv("COLUMNS", "1000")


def pack(registry: Path, *, C: float) -> mk.ModelPackage:  # noqa: N803  # scikit-learn's name for it
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=C)).fit(TEXTS, LABELS)
    return mk.package(model, TEXTS, LABELS, name=NAME, gates=["accuracy >= 0.75"], registry=registry)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Return a registry that is never changed, and the digests of its two packages with passing verdicts."""
    registry = tmp_path_factory.mktemp("made") / "registry"
    return registry, pack(registry, C=1.0).digest, pack(registry, C=10.0).digest


@pytest.fixture
def registry(made: tuple[Path, str, str], tmp_path: Path) -> mk.Registry:
    """Return a registry with two packages, to be changed at will."""
    shutil.copytree(made[0], tmp_path / "registry")
    return mk.Registry.at(tmp_path / "registry")


@pytest.fixture
def bucket(registry: mk.Registry) -> mk.Registry:
    """Return a copy of that registry where there are no real paths, as in a bucket."""
    storage = MemoryStorage()
    for key, size in registry.storage.list(""):
        storage.hint(key, registry.storage.read(key, limit=size) or b"")
    return mk.Registry(storage)


@pytest.fixture(params=["registry", "bucket"])
def anywhere(request: pytest.FixtureRequest) -> mk.Registry:
    """Return that registry on each kind of storage."""
    found: mk.Registry = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def package(made: tuple[Path, str, str], registry: mk.Registry) -> mk.ModelPackage:
    """Return the first package."""
    return registry.package(NAME, made[1])


@pytest.fixture
def other(made: tuple[Path, str, str], registry: mk.Registry) -> mk.ModelPackage:
    """Return the second package."""
    return registry.package(NAME, made[2])


MODEL = """
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def pipeline(C=1.0):
    return make_pipeline(TfidfVectorizer(), LogisticRegression(C=C))
"""
SETTINGS = """
name = "mood"
[data]
uri = "data/*.csv"
target = "label"
file_column = "source"
[train]
estimator = "model:pipeline"
[train.parameters]
C = 1.0
[evaluate]
slices = ["source"]
gates = ["accuracy >= 0.75", "accuracy[source=b] >= 0.5"]
[endpoint.production]
target = "fileshare"
to = "shares/production"
[endpoint.validation]
target = "fileshare"
to = "shares/validation"
"""


def begin(folder: Path) -> None:
    """Write a project of 120 rows in two files, which nothing was done with yet."""
    (folder / "data").mkdir(parents=True)
    for source in ("a", "b"):
        rows = [f"{word} {n} {source},{mood}\n" for n in range(30) for word, mood in (("good", "Up"), ("bad", "Down"))]
        (folder / "data" / f"{source}.csv").write_text("text,label\n" + "".join(rows))
    (folder / "model.py").write_text(MODEL)
    (folder / "mlopskit.toml").write_text(SETTINGS)


@pytest.fixture
def fresh_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a project that nothing was done with yet; it is the working directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    begin(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture(scope="session")
def project_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a project with two runs, both deployed to production, the second promoted too."""
    folder = tmp_path_factory.mktemp("made") / "project"
    begin(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder.parent / "state"))
        for C in ("1.0", "10.0"):  # noqa: N806  # scikit-learn's name for it
            (folder / "mlopskit.toml").write_text(SETTINGS.replace("C = 1.0", f"C = {C}"))
            project = mk.Project(folder / "mlopskit.toml")
            project.run()
            project.deploy("production", why=f"C = {C}")
        project.promote(project.package().digest, to="candidate")
    return folder


@pytest.fixture
def project(project_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mk.Project:
    """Return a copy of that project, to be changed at will; its folder is the working directory."""
    # What this machine remembers of an alias must not be shared: all copies begin with the same record.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    shutil.copytree(project_made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return mk.Project()


# What would end a line, or move the cursor, colour, ring, or turn around what stands behind it on a terminal.
HOSTILE = "\r\nINFO run mood: all is well\x1b[2J\x1b]0;x\x07\u2028\u2029\x85\x9b31m\u202e\u2066"


@pytest.fixture
def hostile() -> str:
    """Return a text that a log and a terminal must not obey."""
    return HOSTILE


@pytest.fixture
def hostile_project(fresh_project: Path) -> Path:
    """Return the folder of a project whose files, columns, labels and slices hold such texts."""
    for file in (fresh_project / "data").iterdir():
        text = file.read_text().replace("text,label", f'"text{HOSTILE}",label').replace("Up", f'"Up{HOSTILE}"')
        file.write_text(text, newline="")
        file.rename(file.with_name(f"{file.stem}{HOSTILE}.csv"))
    settings = fresh_project / "mlopskit.toml"
    settings.write_text(settings.read_text().replace("source=b", "source=*"))
    return fresh_project
