import importlib
import math
import sys
import types

import pytest

from mlopskit.runtime import Package, load, open_package
from mlopskit.runtime.errors import ManifestError, PackageError, RowError, UnsafeModelError
from mlopskit.runtime.scoring import FORMATS, own_loaders, rows_of

FORMS = {"model.json": b"2", "model.onnx": b"3", "model.skops": b"4"}


def stored(format, file, requires=("engine==1.2",)):
    return {"files": [file], "format": format, "frame": "arrays", "preprocess": [], "requires": [*requires]}


MODELS = [stored("skops", "model.skops"), stored("onnx", "model.onnx"), stored("portable", "model.json")]


class Times:
    """A loader whose model multiplies by the number in its file."""

    def load(self, files, spec):
        (data,) = files.values()
        assert spec.keys() == {"schema", "task", "frame"}
        return types.SimpleNamespace(
            engine="times 1.0", score=lambda rows: {"prediction": [float(data) * x for x in rows["x"]]}
        )


class Fails:
    def __init__(self, error):
        self.error = error

    def load(self, files, spec):
        del files, spec
        raise self.error


class Answers:
    """A loader whose model answers one thing."""

    def __init__(self, outputs):
        self.outputs = outputs

    def load(self, files, spec):
        del files, spec
        return self

    def score(self, rows):
        del rows
        if isinstance(self.outputs, Exception):
            raise self.outputs
        return self.outputs


@pytest.fixture
def opened(write_package):
    return open_package(write_package(FORMS, models=MODELS)[0])


def test_the_preferred_form_whose_loader_is_here_is_taken(opened):
    everything = dict.fromkeys(FORMATS, Times)
    assert load(opened, loaders=everything).predict([{"x": 1.5}]) == [{"prediction": 3.0}]
    assert load(opened, loaders={"skops": Times, "onnx": Times}).format == "onnx"
    assert load(opened, loaders=everything, format="skops").predict([{"x": 1}]) == [{"prediction": 4.0}]


def test_a_format_of_somebody_elses_comes_last(write_package):
    models = [stored("mine", "model.json"), stored("skops", "model.skops")]
    package = open_package(write_package({"model.json": b"2", "model.skops": b"4"}, models=models)[0])
    assert load(package, loaders={"mine": Times, "skops": Times}).format == "skops"
    assert load(package, loaders={"mine": Times}).format == "mine"


def test_a_model_says_what_it_is(opened):
    model = load(opened, loaders={"skops": Times})
    assert (model.name, model.digest) == ("sentiment", opened.digest)
    assert model.runtime()["engine"] == "times 1.0"
    assert model.predict_columns({"x": [1, 2]}) == model.score({"x": [1, 2]}) == {"prediction": [4.0, 8.0]}


@pytest.mark.parametrize("format", ["this", "antigravity", "os", "mlopskit.errors", "evil"])
def test_a_name_in_a_package_is_never_imported(write_package, monkeypatch, tmp_path, format):
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    monkeypatch.setattr(importlib, "import_module", lambda *name: pytest.fail(f"imported {name}"))
    package = open_package(write_package(FORMS, models=[stored(format, "model.json")])[0])
    with pytest.raises(PackageError, match="has no loader here"):
        load(package)
    assert not {name for name in set(sys.modules) - before if name.split(".")[0] in ("evil", "this", "antigravity")}


def test_own_loaders_are_those_beside_the_runtime(monkeypatch, tmp_path):
    for name in ("skops", "somebody-elses"):
        (tmp_path / f"{name}.py").write_text("raise ImportError")
    monkeypatch.setattr("mlopskit.runtime.loaders.__path__", [str(tmp_path)])
    monkeypatch.setattr(importlib, "import_module", lambda name, package: (name, package))
    loaders = own_loaders()
    assert loaders.keys() == {"skops", "somebody-elses"}
    assert loaders["skops"]() == (".loaders.skops", "mlopskit.runtime")


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError("x"), RecursionError("x"), MemoryError("x"), EOFError("x"), AssertionError("x")]
)
def test_whatever_a_loader_raises_the_model_is_unsafe(opened, error):
    with pytest.raises(
        UnsafeModelError, match=f"The skops model of 'sentiment' was not loaded: {type(error).__name__}"
    ):
        load(opened, loaders={"skops": lambda: Fails(error)})


def test_an_absent_engine_leads_to_the_next_form(opened):
    def absent():
        raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")

    late = lambda: Fails(ImportError("cannot import name 'x'"))  # noqa: E731
    assert load(opened, loaders={"portable": late, "onnx": absent, "skops": Times}).format == "skops"


def test_a_broken_engine_leads_to_the_next_form(opened):
    def broken():
        raise OSError("libonnxruntime.so: cannot open shared object file")

    assert load(opened, loaders={"onnx": broken, "skops": Times}).format == "skops"


def test_without_any_engine_the_error_says_what_to_install(opened):
    def absent():
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")

    with pytest.raises(PackageError, match="No form of the model 'sentiment' can be loaded here: ") as caught:
        load(opened, loaders={"skops": absent, "onnx": lambda: Fails(ImportError())})
    assert "skops needs engine==1.2 (ModuleNotFoundError: No module named 'sklearn')" in caught.value.message
    assert "portable has no loader here" in caught.value.message
    assert "requirements.txt" in caught.value.remedy
    assert not isinstance(caught.value, UnsafeModelError)


def test_a_form_that_was_not_asked_for_is_not_taken(opened, write_package):
    with pytest.raises(PackageError, match=r"can be loaded here as 'onnx': .*skops was not asked for"):
        load(opened, loaders={"skops": Times}, format="onnx")
    empty = open_package(write_package({}, models=[])[0])
    with pytest.raises(PackageError, match="it holds none"):
        load(empty, loaders={})


def test_a_loader_gets_its_own_files_alone(opened):
    seen = []

    class Looks(Times):
        def load(self, files, spec):
            seen.append(dict(files))
            return super().load(files, spec)

    load(opened, loaders={"skops": Looks})
    assert seen == [{"model.skops": b"4"}]


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ({"prediction": [math.nan]}, "None is not number"),
        ({"prediction": [math.inf]}, "inf is not number"),
        ({"prediction": ["x"]}, "'x' is not number"),
        ({"prediction": [None]}, "None is not number"),
        ({"prediction": []}, "There are no rows"),
        ({"prediction": 1.0}, "is a float"),
        ({"predictions": [1.0]}, r"unknown column 'predictions' \(did you mean 'prediction'\?\)"),
        ({"prediction": [1.0], "more": [1.0]}, "unknown column 'more'"),
        ({}, "lacks the column 'prediction'"),
        ([1.0], "The data is a list"),
        (None, "The data is a NoneType"),
    ],
)
def test_a_wrong_answer_is_no_answer(opened, outputs, reason):
    model = load(opened, loaders={"skops": lambda: Answers(outputs)})
    with pytest.raises(PackageError, match=rf"answered something else than its schema says: .*{reason}"):
        model.predict([{"x": 1.0}])


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_rows_is_no_answer(opened, count):
    model = load(opened, loaders={"skops": lambda: Answers({"prediction": [1.0] * count})})
    for ask in (lambda: model.predict([{"x": 1}, {"x": 2}]), lambda: model.predict_columns({"x": [1, 2]})):
        with pytest.raises(PackageError, match="another number of rows than the 2"):
            ask()


def test_a_model_that_fails_is_a_package_error(opened):
    model = load(opened, loaders={"skops": lambda: Answers(ZeroDivisionError("division by zero"))})
    with pytest.raises(PackageError, match="The model 'sentiment' failed: ZeroDivisionError: division by zero"):
        model.predict([{"x": 1.0}])


def test_a_wrong_row_is_the_askers_error(opened):
    model = load(opened, loaders={"skops": Times})
    with pytest.raises(RowError, match="Row 1, column 'x'"):
        model.predict([{"x": 1.0}, {"x": "1"}])
    with pytest.raises(RowError, match="no rows"):
        model.predict([])


def test_a_schema_outside_of_the_profile_does_not_open(write_package):
    outside = {"inputs": {"type": "object"}, "outputs": {}}
    with pytest.raises(ManifestError, match=r"schema\.inputs"):
        open_package(write_package(schema=outside)[0])


def test_columns_are_rows_again():
    assert [*rows_of({"a": [1, 2], "b": [3, 4]})] == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]
    with pytest.raises(ValueError, match="zip"):
        [*rows_of({"a": [1], "b": [3, 4]})]


def test_a_package_is_a_value():
    assert Package(digest="d", manifest={}, files={}) == Package(digest="d", manifest={}, files={})
