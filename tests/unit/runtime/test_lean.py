"""A lean copy lacks what only other forms use, and is held to all else."""

import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.errors import PackageError
from mlopskit.runtime import canonical, load, open_package
from mlopskit.runtime.errors import IntegrityError, UnsafePathError
from mlopskit.runtime.package import files_of_others

FILES = {
    "README.md": b"a card",
    "code/words.py": b"pass",
    "evaluation.json": b"{}",
    "golden.jsonl": canonical.dumps({"expected": {"prediction": 2}, "row": {"x": 1}}),
    "model.json": b'{"factor":2}',
    "model.onnx": b"onnx",
    "model.skops": b"skops",
    "shared.bin": b"shared",
}
FORMS = {
    "portable": ["model.json", "shared.bin"],
    "onnx": ["code/words.py", "model.onnx", "shared.bin"],
    "skops": ["code/words.py", "model.skops"],
}
PLAIN = {"frame": "arrays", "preprocess": [], "requires": []}
ABSENT = {
    "portable": {"code/words.py", "model.onnx", "model.skops"},
    "onnx": {"model.json", "model.skops"},
    "skops": {"model.json", "model.onnx", "shared.bin"},
}
ABOUT = {
    "evaluation": "evaluation.json",
    "golden": {"file": "golden.jsonl", "from": "test", "rows": 1, "scale": 1.0, "tolerance": 0.0},
    "models": [{"files": files, "format": name, **PLAIN} for name, files in FORMS.items()],
}


@pytest.fixture
def whole(write_package):
    """The folder and the digest of a package of three forms."""
    return write_package(FILES, **ABOUT)


@pytest.mark.parametrize("form", FORMS)
def test_a_lean_copy_is_the_same_package(whole, form):
    folder, digest = whole
    for path in ABSENT[form]:
        (folder / path).unlink()
    if form == "portable":
        (folder / "code").rmdir()
    opened = open_package(folder, format=form)
    assert (opened.digest, opened.format) == (digest, form)
    assert opened.files.keys() == {*FILES, "manifest.json"} - ABSENT[form]
    assert files_of_others(opened.manifest, form) == ABSENT[form]


def test_each_absent_file_is_so_by_itself(whole):
    folder, _ = whole
    (folder / "model.skops").unlink()
    assert open_package(folder, format="portable").files["model.onnx"] == b"onnx"
    assert "model.skops" not in open_package(folder, format="onnx").files


@pytest.mark.parametrize("form", [None, "skops", "onnx", "joblib"])
def test_without_its_form_a_lean_copy_does_not_open(whole, form):
    folder, _ = whole
    for path in ("model.onnx", "model.skops"):
        (folder / path).unlink()
    with pytest.raises(IntegrityError, match=r"'model\.(onnx|skops)' is missing"):
        open_package(folder, format=form)


@pytest.mark.parametrize(("form", "path"), [(form, path) for form, gone in ABSENT.items() for path in {*FILES} - gone])
def test_any_other_missing_file_is_refused_by_name(whole, form, path):
    folder, _ = whole
    (folder / path).unlink()
    with pytest.raises(IntegrityError, match="is missing") as caught:
        open_package(folder, format=form)
    assert caught.value.file == path


def test_what_is_there_is_checked_also_of_other_forms(whole):
    folder, _ = whole
    (folder / "model.onnx").unlink()
    (folder / "model.skops").write_bytes(b"spoks")
    with pytest.raises(IntegrityError, match=r"'model\.skops' was changed"):
        open_package(folder, format="portable")


@pytest.mark.parametrize("extra", ["model.pkl", "code/more.py", "site/x.py", "model.onnx/x"])
def test_an_extra_file_is_refused(whole, extra):
    folder, _ = whole
    (folder / "model.onnx").unlink()
    (folder / extra).parent.mkdir(exist_ok=True)
    (folder / extra).write_bytes(b"")
    with pytest.raises(IntegrityError, match="is not listed") as caught:
        open_package(folder, format="portable")
    assert caught.value.file == extra


def test_in_the_place_of_an_absent_file_stands_nothing_else(whole, tmp_path):
    folder, _ = whole
    (folder / "model.onnx").rename(tmp_path / "elsewhere")
    (folder / "model.onnx").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafePathError, match=r"'model\.onnx'"):
        open_package(folder, format="portable")
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")
    with pytest.raises(UnsafePathError, match=r"'model\.onnx'"):
        open_package(folder, format="portable")
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").mkdir()
    with pytest.raises(IntegrityError, match=r"'model\.onnx' in .* is not listed"):
        open_package(folder, format="portable")


@pytest.mark.parametrize("path", ["golden.jsonl", "evaluation.json"])
def test_a_form_cannot_claim_what_the_package_needs(write_package, path):
    forms = [
        {"files": ["model.json"], "format": "portable", **PLAIN},
        {"files": [path, "model.onnx"], "format": "onnx", **PLAIN},
    ]
    files = {name: data for name, data in FILES.items() if not name.startswith("code/")}
    folder, _ = write_package(files, **{**ABOUT, "models": forms})
    (folder / "model.onnx").unlink()
    open_package(folder, format="portable")
    (folder / path).unlink()
    with pytest.raises(IntegrityError, match="is missing"):
        open_package(folder, format="portable")


@given(st.data())
def test_what_may_be_absent_is_what_no_other_reader_of_the_form_needs(data):
    paths = [f"f{number}" for number in range(6)]
    used = data.draw(st.dictionaries(st.sampled_from("abc"), st.lists(st.sampled_from(paths)), min_size=1))
    form = data.draw(st.sampled_from([*used, "z", None]))
    manifest = {
        "models": [{"format": name, "files": files} for name, files in used.items()],
        "evaluation": data.draw(st.sampled_from([None, *paths])),
        "golden": data.draw(st.sampled_from([None, *({"file": path} for path in paths)])),
    }
    absent = files_of_others(manifest, form)
    kept = {
        *used.get(form, itertools.chain(*used.values())),
        manifest["evaluation"],
        (manifest["golden"] or {}).get("file"),
    }
    assert not absent & kept
    assert absent | kept >= {path for files in used.values() for path in files}


class Named:
    """A loader that answers with what it was given."""

    engine = "named"

    def load(self, files, spec):
        del spec
        self.files = files
        return self

    def score(self, rows):
        return {"prediction": [len(self.files) for _ in rows["x"]]}


def test_it_is_loaded_in_the_form_that_it_was_opened_for(whole):
    folder, _ = whole
    (folder / "model.json").unlink()
    loaders = dict.fromkeys(FORMS, Named)
    opened = open_package(folder, format="onnx")
    assert load(opened, loaders={"portable": Named, "onnx": Named}, trust_code=[opened.digest]).format == "onnx"
    with pytest.raises(PackageError, match="not asked for"):
        load(opened, loaders={"portable": Named})
    with pytest.raises(IntegrityError, match=r"'model\.json' cannot be read"):
        load(opened, loaders=loaders, format="portable")
