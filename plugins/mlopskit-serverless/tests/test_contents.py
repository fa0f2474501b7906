"""What a function's zip holds: its parts and no others."""

from __future__ import annotations

import json
import sys
import zipfile
from importlib.util import cache_from_source

import pytest
from mlopskit_serverless.functions import AzureFunctions, GoogleFunctions, LambdaZip

import mlopskit as mk
from mlopskit.errors import ConfigError

HERE = ".".join(map(str, sys.version_info[:2]))
OTHER = "3.13" if HERE != "3.13" else "3.12"
BESIDE = {"README.md", "SIZES.md", "function.zip", "sizes.json"}
MANIFESTS = {LambdaZip: "template.yaml", AzureFunctions: "settings.json"}
# What a project holds that is nobody's business.
PRIVATE = [".env", ".git/config", "id_rsa", ".ssh/id_ed25519", "notes.ipynb", "data/train.csv", "site/x.py"]


def build(target, package, into, **options):
    into.mkdir()
    model = next(one for one in package.models if one.format == "portable")
    target(to="place", **{"python": HERE, **options}).build(package, model, into)
    return zipfile.ZipFile(into / "function.zip").namelist()


@pytest.mark.parametrize("target", MANIFESTS)
def test_it_holds_what_it_is_made_of_and_nothing_that_lies_about(target, package, tmp_path, monkeypatch):
    """G1: the list is equal to the expected one."""
    for name in PRIVATE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("SECRET=1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.pycache_prefix", None)
    lean = tmp_path / "lean"
    package.write(lean, format="portable")
    held = build(target, package, tmp_path / "bundle")
    packaged = {f"package/{path.relative_to(lean).as_posix()}" for path in lean.rglob("*") if path.is_file()}
    runtime = {path for path in mk.runtime_files(["portable"]) if path.startswith("_mlopskit_runtime/")}
    compiled = {cache_from_source(path, optimization="") for path in runtime}
    assert held == sorted(packaged | runtime | compiled | {*target.service.handlers})
    assert {one.name for one in (tmp_path / "bundle").iterdir()} == {*BESIDE, MANIFESTS[target]}


def test_another_version_of_python_gets_no_bytecode_and_is_told_so(package, tmp_path):
    held = build(LambdaZip, package, tmp_path / "bundle", python=OTHER)
    assert not [path for path in held if "__pycache__" in path]
    said = json.loads((tmp_path / "bundle/sizes.json").read_bytes())["facts"]["bytecode"]
    assert said == f"none: it is made by Python {OTHER} alone, and another one has built this"
    assert f"- bytecode: {said}\n" in (tmp_path / "bundle/SIZES.md").read_text()


def test_the_report_has_the_sizes_that_are(package, tmp_path):
    build(LambdaZip, package, tmp_path / "bundle")
    said = json.loads((tmp_path / "bundle/sizes.json").read_bytes())
    with zipfile.ZipFile(tmp_path / "bundle/function.zip") as archive:
        members = archive.infolist()
    assert said["zipped"] == (tmp_path / "bundle/function.zip").stat().st_size
    assert said["unzipped"] == sum(one.file_size for one in members) == sum(one["unzipped"] for one in said["parts"])
    assert sum(one["files"] for one in said["parts"]) == len(members)
    assert {one["name"] for one in said["parts"]} == {"bytecode", "handler", "package", "runtime"}
    assert said["stripped"] == []


def test_a_package_without_a_form_is_refused(package, tmp_path):
    with pytest.raises(ConfigError, match="needs a form"):
        LambdaZip(to="place").build(package, None, tmp_path)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("platform", "linux/armv7"),
        ("python", "3.11\n"),
        ("python", "3.1"),
        ("memory", 64),
        ("memory", True),
        ("memory", "512"),
        ("form", "pickle"),
        ("model_uri", "s3://bucket/loans"),
        ("model_uri", "s3://bucket/*/loans@production"),
        ("model_uri", "s3://bucket/../loans@production"),
        ("model_uri", "https://user:secret@host/loans@production"),
        ("model_uri", "https://host/loans@production?sig=secret"),
        ("model_uri", "file:///etc/loans@production"),
        ("model_uri", 's3://b/loans@production"\n'),
        ("model_uri", "s3://b/${AWS::AccountId}/loans@production"),
        ("model_uri", "loans@production"),
        ("model_uri", "s3://bucket/models/loans@production"),
        ("model_uri", "models/conformance@production"),
        ("model_uri", "az://account/conformance@production"),
        ("model_uri", "s3://Bucket/conformance@production"),
        ("model_uri", "gs://bucket/Conformance@production"),
        ("model_uri", "s3://bucket/models/con@production"),
        ("model_uri", f"s3://b/{'x/' * 600}loans@production"),
    ],
)
@pytest.mark.parametrize("target", [LambdaZip, AzureFunctions, GoogleFunctions])
def test_options_that_mean_nothing_are_refused(target, option, value, package):
    with pytest.raises(ConfigError, match=f"^{option} is ") as caught:
        target(to="place", **{option: value}).check(package)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "https://host/models/conformance@production",
        "http://127.0.0.1:10000/account/models/conformance@production",
        "az://account/models/conformance@production",
        "s3://bucket/conformance@production",
        "gs://bucket/a/b.c/conformance@production",
        "/mnt/models/conformance@production",
    ],
)
def test_a_place_of_a_model_is_taken(uri, package):
    LambdaZip(to="place", model_uri=uri).check(package)
