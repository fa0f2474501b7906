"""What a function's zip holds: its parts and no others, the same bytes each time."""

from __future__ import annotations

import zipfile

import pytest
from mlopskit_serverless import functions
from mlopskit_serverless.functions import AzureFunctions, GoogleFunctions, LambdaZip

import mlopskit as mk
from mlopskit.testing.packages import shared_packages

TARGETS = [LambdaZip, AzureFunctions, GoogleFunctions]
# What a project holds that is nobody's business.
PRIVATE = [".env", ".git/config", "id_rsa", ".ssh/id_ed25519", "notes.ipynb", "data/train.csv", "site/x.py"]


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    return mk.ModelPackage.open(shared_packages(tmp_path_factory) / "one", digest="unpinned")


def form(package, name):
    return next(one for one in package.models if one.format == name)


@pytest.mark.parametrize("target", TARGETS)
def test_it_holds_what_it_is_made_of_and_nothing_that_lies_about(target, package, tmp_path, monkeypatch):
    for name in PRIVATE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("SECRET=1")
    monkeypatch.chdir(tmp_path)
    lean, into = tmp_path / "lean", tmp_path / "bundle"
    package.write(lean, format="portable")
    into.mkdir()
    target(to="place").build(package, form(package, "portable"), into)
    held = zipfile.ZipFile(into / "function.zip").namelist()
    packaged = {f"package/{path.relative_to(lean).as_posix()}" for path in lean.rglob("*") if path.is_file()}
    runtime = {path for path in mk.runtime_files(["portable"]) if path.startswith("_mlopskit_runtime/")}
    assert sorted(held) == held
    assert {*held} == packaged | runtime | {*target.service.handlers}
    assert functions.contents.SITE not in {path.partition("/")[0] for path in held}
