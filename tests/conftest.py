from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

import mlopskit as mk
from mlopskit.runtime import canonical
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


Once = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Return what has a folder filled once for all workers of a test run; it is copied then, never changed."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def filled(name: str, fill: Callable[[Path], None]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # another worker's, which failed
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return filled


@pytest.fixture(scope="session")
def made(once: Once) -> tuple[Path, str, str]:
    """Return a registry that is never changed, and the digests of its two packages with passing verdicts."""

    def fill(folder: Path) -> None:
        digests = [pack(folder / "registry", C=C).digest for C in (1.0, 10.0)]
        (folder / "digests").write_text("\n".join(digests))

    folder = once("made-registry", fill)
    first, second = (folder / "digests").read_text().split()
    return folder / "registry", first, second


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


def tiny_package(folder: Path, number: int) -> mk.ModelPackage:
    """Write a package of a few hundred bytes, one of its own for each number; nothing can score with it."""
    answer = {"expected": {"prediction": float(number)}, "row": {"x": 1.0}}
    files = {"model.skops": b"%d" % number * 100, "golden.jsonl": canonical.dumps(answer) + b"\n", "code.txt": b"x"}
    sizes = {path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in files.items()}
    model = {"files": ["model.skops"], "format": "skops", "frame": "arrays", "preprocess": [], "requires": []}
    plain = {"additionalProperties": False, "type": "object"}
    inputs, outputs = (
        {**plain, "required": [name], "properties": {name: {"type": "number"}}} for name in ("x", "prediction")
    )
    manifest = {
        "environment": {},
        "evaluation": None,
        "files": sizes,
        "format_version": 1,
        "golden": {"file": "golden.jsonl", "from": "file", "rows": 1, "scale": 1.0, "tolerance": 0.0},
        "models": [model],
        "name": "mood",
        "provenance": {},
        "schema": {"inputs": inputs, "outputs": outputs},
        "task": "regression",
    }
    data = canonical.dumps(manifest)
    here = folder / canonical.digest_of(data).removeprefix("sha256:")
    for path, content in {**files, "manifest.json": data}.items():
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_bytes(content)
    return mk.ModelPackage.open(here)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], mk.ModelPackage]:
    """Return what makes a small package for each number, once."""
    folder = tmp_path_factory.mktemp("small")
    return functools.cache(lambda number: tiny_package(folder, number))


@pytest.fixture(scope="session")
def verdict_on() -> Callable[..., mk.Verdict]:
    """Return what makes a verdict on a package."""

    def make(package: mk.ModelPackage, *, passed: bool = True) -> mk.Verdict:
        finding = mk.Finding(gate="accuracy >= 0.75", passed=passed, reached=0.9, n=100, reason="")
        return mk.Verdict(name=package.name, digest=package.digest, dataset="sha256:" + "d" * 64, findings=(finding,))

    return make


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


def run_twice(folder: Path) -> None:
    begin(folder / "project")
    settings = folder / "project" / "mlopskit.toml"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        for C in ("1.0", "10.0"):  # noqa: N806  # scikit-learn's name for it
            settings.write_text(SETTINGS.replace("C = 1.0", f"C = {C}"))
            project = mk.Project(settings)
            project.run()
            project.deploy("production", why=f"C = {C}")
        project.promote(project.package().digest, to="candidate")


@pytest.fixture(scope="session")
def project_made(once: Once) -> Path:
    """Return the folder of a project with two runs, both deployed to production, the second promoted too."""
    return once("made-project", run_twice) / "project"


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
