"""Zips that are written: the same bytes whoever does it, never over the limit, and whole after what was left out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from mlopskit_serverless import building, stripping
from mlopskit_serverless.contents import contents as contents_of
from mlopskit_serverless.functions import AzureFunctions, GoogleFunctions, LambdaZip
from mlopskit_serverless.options import FunctionOptions
from mlopskit_serverless.services import AWS
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import mlopskit as mk
from mlopskit.errors import DeployError, LimitError, StorageError
from mlopskit.testing.packages import shared_packages
from mlopskit.wheels import Home, at_home

PYTHON = ".".join(map(str, sys.version_info[:2]))
MIB = 1 << 20
_BUILD = """
import sys
for character in sys.argv[4:]:
    sys.intern(character)  # as any code does that uses it as a name
from pathlib import Path
from mlopskit import ModelPackage
from mlopskit_serverless.functions import LambdaZip
package = ModelPackage.open(sys.argv[1], digest="unpinned")
model = next(one for one in package.models if one.format == "portable")
LambdaZip(to="place", python=sys.argv[3]).build(package, model, Path(sys.argv[2]))
"""


def form(package, name):
    return next(one for one in package.models if one.format == name)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.skipif(os.name != "posix", reason="umask is POSIX's")
def test_another_user_day_folder_umask_language_and_order_of_sets_change_no_byte(package, tmp_path):
    """What is compiled, too: another process has interned other strings."""
    surroundings = [
        (0o077, {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C", "USER": "one"}),
        (0o002, {"PYTHONHASHSEED": "2", "TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONOPTIMIZE": "1", "HOME": "/nowhere"}),
    ]
    built = []
    for number, (umask, there) in enumerate(surroundings):
        here = tmp_path / f"one folder {number}"
        into = here / "into"
        into.mkdir(parents=True)
        shutil.copytree(package.folder, here / "package")
        for file in here.rglob("*"):
            os.utime(file, (10**9 * number, 10**9 * number))
        env = {**os.environ, **there, "TMPDIR": str(here)}
        if number:
            env["PYTHONPYCACHEPREFIX"] = str(here / "bytecode")
        interned = map(chr, range(1, 128 * number))
        command = [sys.executable, "-c", _BUILD, here / "package", into, PYTHON, *interned]
        subprocess.run(command, env=env, cwd=here, check=True, capture_output=True, umask=umask)
        built.append(contents(into))
    assert built[0].keys() == built[1].keys()
    assert [path for path in built[0] if built[0][path] != built[1][path]] == []


def test_bytecode_is_that_of_the_source_and_names_no_place_of_this_machine(package, tmp_path):
    LambdaZip(to="place", python=PYTHON).build(package, form(package, "portable"), tmp_path)
    with zipfile.ZipFile(tmp_path / "function.zip") as archive:
        archive.extractall(tmp_path / "function")
    compiled = [*(tmp_path / "function").rglob("*.pyc")]
    assert compiled
    assert not [file for file in compiled if str(Path(mk.__file__).parent).encode() in file.read_bytes()]
    asked = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from _mlopskit_runtime import canonical\n"
        "print(canonical.__cached__, canonical.dumps.__code__.co_filename)"
    )
    command = [sys.executable, "-I", "-c", asked, tmp_path / "function"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    folder = tmp_path / "function/_mlopskit_runtime"
    assert done.stdout.split()[1] == str(folder / "canonical.py")
    (folder / "canonical.py").write_text("dumps = print")  # which is not looked at, as README.md says
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == done.stdout


def test_a_zip_over_the_limit_is_refused_with_its_sizes_and_what_would_help(package, tmp_path):
    small = dataclasses.replace(AWS, zip_limit=10_000)
    file = tmp_path / "function.zip"
    with pytest.raises(LimitError) as caught:
        building.write(small, FunctionOptions(python=PYTHON), package, form(package, "portable"), file)
    said = str(caught.value)
    assert re.search(r"The zip has 0\.\d MiB, 0\.\d MiB unzipped; AWS Lambda takes 0\.0 MiB, 250\.0 MiB", said)
    assert re.search(r"runtime 0\.\d MiB .*package 0\.0 MiB", said)
    assert "container" in caught.value.remedy
    assert not file.exists()


def test_bytecode_is_left_out_where_it_alone_is_too_much(package, tmp_path):
    options, model = FunctionOptions(python=PYTHON), form(package, "portable")
    with_it, _ = building.write(AWS, options, package, model, tmp_path / "with")
    by_zip = dataclasses.replace(AWS, zip_limit=with_it.zipped - 1)
    by_bytes = dataclasses.replace(AWS, unzipped_limit=with_it.unzipped - 1)
    for service in (by_zip, by_bytes):
        found, facts = building.write(service, options, package, model, tmp_path / "without")
        assert "bytecode" not in {part.name for part in found.parts}
        assert facts["bytecode"] == "none: with it the zip is larger than the service takes"
    assert building.write(AWS, options, package, model, tmp_path / "with")[0] == with_it


def test_the_code_of_a_package_has_no_bytecode(tmp_path_factory):
    """It is listed to the last file, and runs from what was checked."""
    own = mk.ModelPackage.open(shared_packages(tmp_path_factory) / "own", digest="unpinned")
    model = dataclasses.replace(form(own, "skops"), requires=())  # no wheel is looked at
    with contents_of(AWS, FunctionOptions(python=PYTHON), own, model) as held:
        assert [path for path in held.files if path.startswith("package/code/")]
        assert held.bytecode
        assert not [path for path in held.bytecode if path.startswith("package/")]


@pytest.mark.live
def test_what_google_installs_is_pinned_to_the_wheels_that_it_was_asked_with(package, home):
    """H2: every line has a version and a hash."""
    deployer = GoogleFunctions(to="place", python=PYTHON, form="portable")
    folder = home.unzipped(deployer, package)
    assert {one.name for one in folder.iterdir()} == {"_mlopskit_runtime", "main.py", "package", "requirements.txt"}
    lines = (folder / "requirements.txt").read_text().splitlines()
    pinned = [re.fullmatch(r"([a-z0-9-]+)==([A-Za-z0-9.+!]+) --hash=sha256:([0-9a-f]{64})", line) for line in lines]
    assert all(pinned)
    with home.entered():
        wheels = deployer.service.wheels(deployer.platform, deployer.python).cached()
    assert {one[3] for one in pinned} == {hashlib.sha256(file.read_bytes()).hexdigest() for file in wheels}
    assert "functions-framework" in {one[1] for one in pinned}


@pytest.fixture(scope="module")
def loans(tmp_path_factory):
    """A model over text and numbers, in three forms."""
    draw = np.random.default_rng(0)
    ages, incomes = draw.integers(18, 80, 300).astype(float), draw.normal(3000, 900, 300).round(2)
    table = pl.DataFrame({"age": ages, "income": incomes, "city": draw.choice(["Oslo", "Bern", "Rome"], 300)})
    labels = np.where((ages > 40) & (incomes > 2800), "yes", "no")
    numbers = (StandardScaler(), ["age", "income"])
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"]), numbers)
    model = make_pipeline(columns, GradientBoostingClassifier(n_estimators=10, random_state=0)).fit(table, labels)
    registry = tmp_path_factory.mktemp("loans")
    return mk.package(model, table, labels, name="loans", gates=["accuracy >= 0.5"], registry=registry)


def size_of_onnx(bundle):
    """Return a zip's size without the package; its parts are those that are expected."""
    said = json.loads((bundle / "sizes.json").read_bytes())
    parts = {one["name"]: one["zipped"] for one in said["parts"]}
    assert parts.keys() - {"bytecode"} == {"handler", "numpy", "onnxruntime", "package", "runtime"}
    return (said["zipped"] - parts["package"]) / MIB


@pytest.mark.live
def test_what_was_stripped_is_small_and_answers_all_golden_rows(loans, home, tmp_path, monkeypatch, record_property):
    """In the service's own runtime, which sees nothing but the zip and its own wheels."""
    deployer = LambdaZip(to=str(tmp_path / "place"), python=PYTHON, form="onnx", memory=256)
    home.runtime(deployer, loans)
    with home.entered() as folder:
        pass
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.chdir(folder)
    mk.fetch(loans, deployer)
    receipt = mk.deploy(loans, deployer, why="test", registry=loans.folder.parents[2]).receipt
    assert receipt.passed
    assert (receipt.rows, receipt.runtime["engine"].split()[0]) == (len(loans.golden), "onnxruntime")
    (bundle,) = (tmp_path / "place/loans/lambda-zip/bundles").iterdir()
    size = size_of_onnx(bundle)
    assert receipt.measurements["bundle_mb"] == pytest.approx(size, rel=0.01)
    record_property("figure: zip of ONNX Runtime for x86_64, without model, MiB", round(size, 1))
    assert size <= 40


@pytest.mark.slow
@pytest.mark.live
def test_the_zip_for_arm_is_small(loans, home, record_property):
    deployer = LambdaZip(to="place", python=PYTHON, platform="linux/aarch64", form="onnx")
    size = size_of_onnx(home.unzipped(deployer, loans).parent)
    record_property("figure: zip of ONNX Runtime for aarch64, without model, MiB", round(size, 1))
    assert size <= 36


@pytest.mark.live
def test_a_dependency_without_a_wheel_for_the_target_is_named(package, tmp_path, monkeypatch):
    """Before anything is built, and again when nobody has fetched it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    model = dataclasses.replace(form(package, "skops"), requires=("onnxruntime==1.0.0",))
    there = dataclasses.replace(package)
    object.__setattr__(there, "models", (model,))
    deployer = AzureFunctions(to="place", python=PYTHON, form="skops")
    with pytest.raises(StorageError, match=r"onnxruntime==1\.0\.0"):
        mk.fetch(there, deployer)
    with at_home(Home(tmp_path / "mlopskit.lock")), pytest.raises(DeployError, match=r"onnxruntime==1\.0\.0"):
        deployer.build(there, model, tmp_path)


@pytest.mark.parametrize(
    ("path", "goes"),
    [
        ("numpy/_core/_simd.cpython-311-x86_64-linux-gnu.so", True),
        ("numpy/_core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so", False),
        ("onnxruntime/capi/libonnxruntime.so.1.32.0", True),
        ("onnxruntime/capi/onnxruntime_pybind11_state.cpython-311-x86_64-linux-gnu.so", False),
        ("numpy/__init__.pyi", True),
        ("numpy-2.4.6.dist-info/licenses/LICENSE.txt", False),
        ("onnxruntime/ThirdPartyNotices.txt", False),
    ],
)
def test_only_what_a_rule_names_is_left_out(path, goes):
    assert (stripping.rule_of(path, stripping.rules_for("onnx")) is not None) == goes


def test_a_format_of_somebody_else_loses_nothing_but_what_nobody_needs():
    assert stripping.rules_for("theirs") == stripping.ALWAYS
    assert all(rule.reason for rules in stripping.BY_FORMAT.values() for rule in rules)
