"""A package's tables answer where there is nothing but Python: no site-packages, no scikit-learn, no numpy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import mlopskit as mk
from mlopskit import vendoring
from mlopskit.runtime.package import write_files

TEXTS = [f"{'good fine' if n % 2 else 'bad awful'} film {n % 9}" for n in range(80)]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=9)).fit(TEXTS, [n % 2 for n in range(80)])
    labels = [n % 2 for n in range(40, 80)]
    registry = tmp_path_factory.mktemp("registry")
    return mk.package(model, TEXTS[40:], labels, name="film", gates=[], registry=registry, X_train=None)


def test_a_package_answers_without_any_package_installed(package, tmp_path):
    write_files(vendoring.runtime_files(["portable"]), tmp_path)
    golden = [*package.golden] * 4  # so many that numpy would be asked
    rows = [dict(one.row) for one in golden]
    assert len(rows) >= 64
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(tmp_path), str(package.folder), "--digest", package.digest],
        input=json.dumps({"rows": rows}),
        capture_output=True,
        check=True,
        text=True,
    )
    answer = json.loads(ran.stdout)
    assert answer["runtime"]["engine"].startswith("portable")
    assert answer["digest"] == package.digest
    for found, one in zip(answer["rows"], golden, strict=True):
        assert found["prediction"] == one.expected["prediction"]
        assert abs(found["probability.1"] - one.expected["probability.1"]) < 1e-15


# Each takes a millisecond or more to load, or a part of a megabyte, and nothing in one answer needs it.
IDLE = {"dataclasses", "difflib", "inspect", "logging", "pathlib", "shutil", "tempfile", "threading", "urllib"}


def test_a_process_for_one_answer_loads_no_more_than_it_needs(package, tmp_path):
    write_files(vendoring.runtime_files(["portable", "skops"]), tmp_path)
    row = json.dumps({"rows": [dict(package.golden[0].row)]})
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", str(tmp_path), str(package.folder)],
        input=row,
        capture_output=True,
        check=True,
        text=True,
    )
    assert json.loads(ran.stdout)["runtime"]["engine"].startswith("portable")
    loaded = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")}
    assert "_mlopskit_runtime.loaders.portable.scorer" in loaded
    idle = IDLE | {f"_mlopskit_runtime.{name}" for name in ("alias", "golden", "places", "watching", "loaders.skops")}
    idle |= {f"_mlopskit_runtime.loaders.portable.{name}" for name in ("trees", "encode", "tables")}
    assert not loaded & idle


def test_it_is_the_form_that_is_taken_first(package):
    assert {model.format for model in package.models} >= {"portable", "skops"}
    assert repr(mk.load(package.folder)).endswith("portable)")
