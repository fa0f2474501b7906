"""Functions answer their golden rows in their services' own runtimes, on each processor: here, and under qemu."""

from __future__ import annotations

import zipfile

import numpy as np
import pandas as pd
import pytest
from mlopskit_serverless.functions import AzureFunctions, GoogleFunctions, LambdaZip
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import mlopskit as mk
from mlopskit import sysroot
from mlopskit.comparison import compare
from mlopskit.deployment import Deploying

pytestmark = pytest.mark.live
TARGETS = (LambdaZip, AzureFunctions, GoogleFunctions)
MACHINES = {"linux/aarch64": "aarch64", "linux/x86_64": "x86_64"}
ENGINES = {"portable": "portable 1", "onnx": "onnxruntime", "skops": "scikit-learn"}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A package of a model of numbers, some of them missing, of words and of truths."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 90, 200),
            "income": np.where(random.random(200) < 0.1, np.nan, random.normal(3e4, 1e4, 200)),
            "plan": pd.Series(random.choice(["basic", "plus", "pro"], 200), dtype="str"),
            "member": random.random(200) > 0.5,
        }
    )
    labels = np.where(frame["age"] + frame["plan"].str.len() * 5 > 70, "stays", "leaves")
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["plan"]),
            ("truths", "passthrough", ["member"]),
        ]
    )
    model = make_pipeline(columns, RandomForestClassifier(20, max_depth=5, random_state=0)).fit(frame, labels)
    registry = tmp_path_factory.mktemp("registry")
    gates = ["accuracy.value >= 0"]
    return mk.package(model, frame, labels, name="churn", gates=gates, registry=registry, X_train=None)


@pytest.fixture
def function(home, sysroots, tmp_path, monkeypatch):
    """Return what makes a deployer, with all that it needs here fetched, and lets it be found in this test."""

    def made(target, package, form, platform):
        deployer = target(to=str(tmp_path / "place"), platform=platform, form=form)
        made = sysroots(platform)
        with home.entered() as folder:
            mk.fetch(package, deployer)
            python = sysroot.default_folder(platform, deployer.python)
            if made is not None and not python.exists():
                python.parent.mkdir(parents=True, exist_ok=True)
                python.symlink_to(made)
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        monkeypatch.chdir(folder)
        return deployer

    return made


@pytest.mark.parametrize("target", TARGETS)
def test_a_function_for_aarch64_answers_on_aarch64(target, function, sentiment, tmp_path):
    deployer = function(target, sentiment, "portable", "linux/aarch64")
    registry = mk.Registry.at(tmp_path / "registry")
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    Deploying(package=sentiment, deployer=deployer, registry=registry, endpoint="test").build(bundle)
    answer = deployer.ask(bundle, [one.row for one in sentiment.golden])
    receipt = compare(sentiment, answer)
    assert receipt.passed
    assert (receipt.place, receipt.runtime["machine"], receipt.package) == ("emulated", "aarch64", sentiment.digest)
    # An emulator's time is not the processor's.
    assert "cold_start_ms" not in receipt.measurements


@pytest.mark.slow
@pytest.mark.timeout(900)  # four starts under an emulator, of an engine that is unpacked each time
@pytest.mark.parametrize("platform", MACHINES)
@pytest.mark.parametrize("form", ["portable", "onnx"])
@pytest.mark.parametrize("target", TARGETS)
def test_the_receipts_are_of_both_processors(
    target, form, platform, function, sentiment, mixed, tmp_path, record_property
):
    for package in (sentiment, mixed):
        deployer = function(target, package, form, platform)
        receipt = mk.deploy(package, deployer, registry=package.folder.parents[2], why="test").receipt
        assert receipt.passed
        assert receipt.runtime["machine"] == MACHINES[platform]
        assert receipt.runtime["engine"].startswith(ENGINES[form])
        what = f"{target.service.name}, {form}, {receipt.runtime['machine']}, {receipt.place}"
        said = f"{receipt.rows} golden rows equal, by {receipt.largest_difference:.1e} at most"
        record_property(f"figure: answers of {package.name}, {what}", said)
        (zipped,) = (tmp_path / "place" / package.name).rglob("function.zip")
        record_property(f"figure: zip of {package.name}, {what}", f"{zipped.stat().st_size / 2**20:.2f} MiB")
        with zipfile.ZipFile(zipped) as archive:
            assert any(one.filename.startswith("site/") for one in archive.infolist()) == (form != "portable")
