from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

import mlopskit as mk
from mlopskit import ejecting
from mlopskit.disk import Disk
from mlopskit.errors import ConfigError, MlopskitError, PackageError, StorageError, UnknownNameError, UsageError
from mlopskit.runtime import canonical

ODD = """
import mlopskit as mk

class Odd(mk.Format):
    name = "odd"
    loader = "json"
    languages = ("runes",)
    def save(self, model, schema, frame, into, /): raise NotImplementedError

@mk.hookimpl
def mlopskit_formats():
    return [Odd]
"""


RUNES = """
import mlopskit as mk

class Runes(mk.Format):
    name = "runes"
    loader = "mlopskit.builtin.portable.loader"
    languages = ("futhark",)

    def save(self, model, schema, frame, into, /):
        from mlopskit.builtin.portable.format import PortableFormat
        PortableFormat().save(model, schema, frame, into)
        return mk.StoredModel(format="runes", files=("model.json",), frame=frame)

    def eject(self, language, package, files, rows, /):
        return {"stones/" + path: data for path, data in files.items()} | {"count.txt": str(len(rows)).encode()}

@mk.hookimpl
def mlopskit_formats():
    return [Runes]
"""


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def changed(package, into, *, golden):
    """Return a copy of a package with other golden rows, sealed anew."""
    shutil.copytree(package.folder, into)
    (into / "golden.jsonl").write_bytes(golden)
    entry = {"sha256": hashlib.sha256(golden).hexdigest(), "size": len(golden)}
    manifest = {**package.manifest, "files": {**package.manifest["files"], "golden.jsonl": entry}}
    (into / "manifest.json").write_bytes(canonical.dumps(manifest))
    return mk.ModelPackage.open(into, digest=canonical.digest_of(canonical.dumps(manifest)))


def test_files_are_written_and_nothing_beside(package, tmp_path):
    made = mk.eject(package, tmp_path / "new" / "out", language="python")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"out"}
    assert contents(tmp_path / "new" / "out").keys() == set(made.files)
    assert (made.package, made.format, made.language) == (package.digest, "portable", "python")
    assert made.as_table()["folder"] == str(tmp_path / "new" / "out")


def test_the_same_package_gives_the_same_bytes(package, tmp_path):
    (tmp_path / "two").mkdir()  # an empty folder is taken
    for name in ("one", "two"):
        mk.eject(package, tmp_path / name, language="python")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_golden_rows_of_the_test_data_go_along_only_where_that_is_said(package, tmp_path):
    rows = {str(one.row["text"]) for one in package.golden}
    assert not mk.eject(package, tmp_path / "kept", language="python").golden
    assert mk.eject(package, tmp_path / "shown", language="python", publish_rows=True).golden
    kept, shown = ((tmp_path / name / "golden.jsonl").read_text("utf-8") for name in ("kept", "shown"))
    # Some rows of two words come about by chance.
    assert sum(f'"{text}"' in kept for text in rows) < len(rows) / 4
    assert all(f'"{text}"' in shown for text in rows)


def test_golden_rows_of_a_file_go_along(registry, tmp_path):
    data = mk.Dataset(columns={"x0": [0.5 * n for n in range(20)], "y": [0, 1] * 10}, target="y")
    model = GaussianNB().fit(np.array(data.columns["x0"])[:, None], data.labels)
    spec = mk.GoldenSpec(source=data)
    package = mk.package(model, np.array([[1.0], [2.0]]), [0, 1], name="rows", golden=spec, registry=registry)
    assert mk.eject(package, tmp_path / "out", language="python").golden


def test_an_unknown_language_is_named_with_those_there_are(package, tmp_path):
    with pytest.raises(UnknownNameError, match=r"There is no language 'pyton'. Did you mean 'python'"):
        mk.eject(package, tmp_path / "out", language="pyton")
    assert not [*tmp_path.glob("out*")]


def test_a_language_of_a_plugin_is_known_and_the_form_that_lacks_is_named(package, install, tmp_path):
    install("mlopskit-odd", ODD, formats="odd")
    with pytest.raises(PackageError, match=r"as runes from its form odd; the package .* holds .*portable and skops"):
        mk.eject(package, tmp_path / "out", language="runes")


def test_a_format_of_a_plugin_is_ejected_as_it_says(install, registry, tmp_path):
    install("mlopskit-runes", RUNES, formats="runes")
    x = np.arange(20.0)[:, None]
    model = GaussianNB().fit(x, x[:, 0] > 9)
    package = mk.package(model, x, x[:, 0] > 9, name="half", formats=["skops", "runes"], registry=registry)
    made = mk.eject(package, tmp_path / "out", language="futhark", publish_rows=True)
    assert made.format == "runes"
    model_json = (package.folder / "model.json").read_bytes()
    assert contents(tmp_path / "out") == {"count.txt": b"20", "stones/model.json": model_json}


def test_a_format_without_languages_says_so(package):
    from mlopskit.builtin.skops.format import SkopsFormat

    with pytest.raises(UnknownNameError, match=r"'skops' is not ejected as 'python'. Take one .* it has none"):
        SkopsFormat().eject("python", package, {}, [])


def test_a_package_without_the_form_says_why_it_lacks(registry, tmp_path, monkeypatch):
    monkeypatch.setattr("mlopskit.builtin.portable.format.KNOWN", ("0.1",))
    x = np.arange(20.0)[:, None]
    package = mk.package(GaussianNB().fit(x, x[:, 0] > 9), x, x[:, 0] > 9, name="half", registry=registry)
    with pytest.raises(
        PackageError, match=r"holds skops \(portable: scikit-learn .* is not one of those read: 0\.1"
    ) as caught:
        mk.eject(package, tmp_path / "out", language="python")
    assert caught.value.remedy
    assert not [*tmp_path.glob("out*")]


def test_a_form_that_answers_otherwise_here_is_not_ejected(package, tmp_path):
    first, *others = (package.folder / "golden.jsonl").read_bytes().splitlines(keepends=True)
    row = json.loads(first)
    row["expected"]["probability.Positive"] += 1e-3
    golden = b"".join([canonical.dumps(row) + b"\n", *others])
    broken = changed(package, tmp_path / "broken", golden=golden)
    with pytest.raises(PackageError, match=r"golden rows otherwise here"):
        mk.eject(broken, tmp_path / "out", language="python")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("what", ["full", "file", "below", "here", "zero", "long"])
def test_a_place_that_is_no_new_folder_is_refused(package, tmp_path, monkeypatch, what):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    places = {"below": "file/out", "here": ".", "zero": "a\0b", "long": "x" * 5000}
    before = contents(tmp_path)
    with pytest.raises((UsageError, StorageError)) as caught:
        mk.eject(
            package,
            Path("..") / places[what] if what in ("below", "long") else places.get(what, tmp_path / what),
            language="python",
        )
    assert caught.value.remedy
    assert contents(tmp_path) == before


def test_a_place_where_nothing_can_be_written_is_an_error_and_stays_as_it_was(package, tmp_path, monkeypatch):
    class Full(Disk):
        def write(self, file, source, /):
            super().write(file, source)
            if file.name == "predict.py":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(ejecting, "DISK", Full())
    (tmp_path / "new").mkdir()
    with pytest.raises(StorageError, match=r"no space left"):
        mk.eject(package, tmp_path / "new" / "out", language="python")
    assert not [*(tmp_path / "new").iterdir()]


def test_an_interruption_leaves_nothing(package, tmp_path, monkeypatch):
    class Stopped(Disk):
        def write(self, file, source, /):
            raise KeyboardInterrupt

    monkeypatch.setattr(ejecting, "DISK", Stopped())
    (tmp_path / "new").mkdir()
    with pytest.raises(KeyboardInterrupt):
        mk.eject(package, tmp_path / "new" / "out", language="python")
    assert not [*(tmp_path / "new").iterdir()]


def test_who_was_faster_keeps_what_is_there(package, tmp_path, monkeypatch):
    class Late(Disk):
        def rename(self, before, after, /):
            after.mkdir()
            (after / "mine.txt").write_text("mine")
            super().rename(before, after)

    monkeypatch.setattr(ejecting, "DISK", Late())
    with pytest.raises(ConfigError, match=r"filled meanwhile"):
        mk.eject(package, tmp_path / "new" / "out", language="python")
    assert contents(tmp_path / "new") == {"out/mine.txt": b"mine"}


def test_a_damaged_package_is_not_ejected(package, tmp_path):
    (package.folder / "model.json").write_bytes(b"{}")
    with pytest.raises(MlopskitError, match=r"model.json"):
        mk.eject(package, tmp_path / "out", language="python")
    assert not (tmp_path / "out").exists()
