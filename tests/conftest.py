from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import settings

import mlopskit as mk

# A busy machine is no failure; a test that never ends has pytest's own limit.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

TEXTS = [f"{word} {number}" for number in range(30) for word in ("good", "bad")]
LABELS = ["Positive", "Negative"] * 30
NAME = "mood"


@pytest.fixture(autouse=True)
def _state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what mlopskit remembers apart from anybody's home."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


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
def package(made: tuple[Path, str, str], registry: mk.Registry) -> mk.ModelPackage:
    """Return the first package."""
    return registry.package(NAME, made[1])


@pytest.fixture
def other(made: tuple[Path, str, str], registry: mk.Registry) -> mk.ModelPackage:
    """Return the second package."""
    return registry.package(NAME, made[2])
