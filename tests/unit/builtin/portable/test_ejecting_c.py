"""What is ejected for C compiles without a warning, and is one file for one package."""

from __future__ import annotations

import os
import shutil
import subprocess

import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import mlopskit as mk

NAMES = ["int", "*/ #error", "a\\\n??/", '"%s"']


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    frame = pd.DataFrame({name: [0.5 * ((i * (k + 3)) % 7) for i in range(40)] for k, name in enumerate(NAMES)})
    frame["text"] = pd.Series([f'{"good" if i % 2 else "bad"} "film" {i % 5}' for i in range(40)]).astype("str")
    labels = pd.Series(['no"; */', "yes??/"] * 20, name="label").astype("str")
    parts = [("text", CountVectorizer(), "text"), ("numbers", "passthrough", NAMES)]
    model = make_pipeline(ColumnTransformer(parts), LogisticRegression()).fit(frame, labels)
    return mk.package(model, frame, labels, name="hostile", registry=tmp_path_factory.mktemp("registry"))


def make(folder, *arguments):
    lacking = [name for name in ("make", "cc") if not shutil.which(name)]
    if lacking and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    return subprocess.run(
        ["make", *arguments], cwd=folder, env={"PATH": os.environ["PATH"]}, capture_output=True, check=False, text=True
    )


def test_the_files_are_the_same_each_time_and_name_the_package(package, tmp_path):
    for name in ("one", "two"):
        mk.eject(package, tmp_path / name, language="c")
    found = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert found[0] == found[1]
    assert found[0].keys() == {"README.md", "Makefile", "model.c", "model.h", "predict.c", "selftest.c"}
    assert package.digest.encode() in found[0]["README.md"]
    assert b"rows that were made up" in found[0]["README.md"]


@pytest.mark.live
def test_made_up_rows_are_answered(package, tmp_path):
    mk.eject(package, tmp_path / "out", language="c")
    done = make(tmp_path / "out", "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "100 golden rows, 0 mismatches" in done.stdout


@pytest.mark.live
def test_the_self_test_fails_where_the_model_is_another(package, tmp_path):
    mk.eject(package, tmp_path / "out", language="c", publish_rows=True)
    folder = tmp_path / "out"
    assert make(folder, "check").returncode == 0
    source = (folder / "selftest.c").read_text()
    (folder / "selftest.c").write_text(source.replace("&rows[i], &got", "&rows[0], &got"))
    done = make(folder, "check")
    assert done.returncode != 0
    assert "row " in done.stdout


@pytest.mark.live
def test_it_is_a_library_too(package, tmp_path):
    mk.eject(package, tmp_path / "out", language="c")
    assert make(tmp_path / "out", "libmodel.so", "CFLAGS=-O0").returncode == 0
    assert "-O1" in make(tmp_path / "out", "libmodel.so", "CFLAGS=-O1").stdout  # not up to date
    assert (tmp_path / "out" / "libmodel.so").is_file()


def test_a_row_that_c_cannot_be_asked_for_is_one_that_it_refuses(package):
    from mlopskit.builtin.portable.ejecting import files_of

    files = {"model.json": (package.folder / "model.json").read_bytes()}
    first = package.golden[0]
    broken = mk.GoldenRow(row={**first.row, "text": "good \ud800"}, expected=first.expected)
    texts = [files_of("c", package, files, [row])["selftest.c"].decode() for row in (first, broken)]
    assert ["refused[] = {\n0};" in text for text in texts] == [True, False]
    assert ["refused[] = {\n1};" in text for text in texts] == [False, True]
