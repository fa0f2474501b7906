from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import mlopskit as mk
from mlopskit import behaviour, packaging
from mlopskit.errors import DataError, PluginError, StoreError, UnknownNameError, UnsafeNameError
from mlopskit.packaging import evaluator_for
from mlopskit.recipe import GoldenSpec, Recipe

ROWS = [[number / 10, number % 3] for number in range(40)]
LABELS = ["high" if number > 20 else "low" for number in range(40)]
TEST = mk.Dataset.from_frame(np.array(ROWS), LABELS)
# A second form of the model, of somebody else's plugin; what it answers is off by `shift`.
ECHO = """
import json
import math
import mlopskit as mk

class Echo(mk.Format):
    name = "echo"
    loader = "mlopskit_echo_loader"

    def save(self, model, schema, frame, into, /):
        scaler, classifier = model[0], model[-1]
        numbers = [list(map(float, part)) for part in (scaler.mean_, scaler.scale_, classifier.coef_[0])]
        (into / "echo.json").write_text(json.dumps([*numbers, float(classifier.intercept_[0])]))
        return mk.StoredModel(format="echo", files=("echo.json",))

@mk.hookimpl
def mlopskit_formats():
    return [Echo]
"""
LOADER = """
import json
import math

class Scorer:
    engine = "echo"

    def __init__(self, data, shift):
        self.mean, self.scale, self.weights, self.start = json.loads(data)
        self.shift = shift

    def score(self, rows):
        low = [self.low(row) + self.shift for row in zip(rows["x0"], rows["x1"])]
        return {
            "prediction": ["low" if one > 0.5 else "high" for one in low],
            "probability.high": [1 - one for one in low],
            "probability.low": low,
        }

    def low(self, row):
        parts = zip(row, self.mean, self.scale, self.weights)
        return 1 / (1 + math.exp(-self.start - sum((x - mean) / scale * weight for x, mean, scale, weight in parts)))
"""


def fitted() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(np.array(ROWS), LABELS)


def recipe(**changed: Any) -> Recipe:
    given = {
        "name": "grade",
        "model": fitted(),
        "schema": TEST.input_schema(),
        "test": TEST,
        "golden": GoldenSpec(rows=10),
    }
    return Recipe(**{**given, **changed})


def write(recipe: Recipe, into: Path) -> mk.ModelPackage:
    return packaging.write(recipe, into).package


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> mk.ModelPackage:
    return write(recipe(), tmp_path_factory.mktemp("package"))


def test_a_package_holds_what_it_says(written: mk.ModelPackage) -> None:
    assert (written.name, written.task) == ("grade", "binary")
    assert len(written.golden) == 10
    assert written.evaluation is not None
    assert written.evaluation.rows == 40
    assert {model.format for model in written.models} >= {"skops"}
    pins = (written.folder / "requirements.txt").read_text().splitlines()
    assert {pin.split("==")[0] for pin in pins} >= {"numpy", "scikit-learn", "skops"}
    assert (written.folder / "README.md").read_text().startswith("# grade\n")
    assert written.manifest["environment"]["packages"]["numpy"] == np.__version__


def test_nothing_of_time_place_or_user_is_in_it(written: mk.ModelPackage) -> None:
    for path in written.paths().values():
        assert str(written.folder.parent).encode() not in path.read_bytes()


def test_the_same_recipe_gives_the_same_digest_and_another_another(written: mk.ModelPackage, tmp_path: Path) -> None:
    assert write(recipe(), tmp_path).digest == written.digest


def test_behavioural_tests_are_asked_of_what_ships(tmp_path: Path) -> None:
    cases = (behaviour.Case(name="low is high", row={"x0": 0.0, "x1": 0.0}, prediction="high"),)
    package = write(recipe(cases=cases), tmp_path)
    assert package.evaluation is not None
    assert package.evaluation.failures == ("low is high: expected 'high', answered 'low'.",)


def test_golden_rows_of_their_own_and_a_given_evaluator(tmp_path: Path) -> None:
    class Counting(mk.Evaluator):
        name = "counting"

        def evaluate(self, model: mk.Scorer, data: mk.Dataset, /) -> mk.Evaluation:
            # What the test rows get was computed once; anything else is asked for.
            assert model.score(data.input_columns()) is model.score(data.input_columns())
            assert len(model.score({"x0": [1.0], "x1": [1.0]})["prediction"]) == 1
            return mk.Evaluation(dataset=data.digest, rows=len(data), estimates=())

    source = mk.Dataset.from_frame(np.array([[9.0, 9.0], [8.0, 8.0]]), ["high", "low"])
    package = write(recipe(golden=GoldenSpec(source=source, tolerance=0.5), evaluator=Counting()), tmp_path)
    assert [sorted(row.row.values()) for row in package.golden] in ([[8, 8], [9, 9]], [[9, 9], [8, 8]])
    assert package.manifest["golden"] | {"scale": 1.0} == {
        "file": "golden.jsonl",
        "from": "file",
        "rows": 2,
        "scale": 1.0,
        "tolerance": 0.5,
    }
    assert package.evaluation is not None
    assert package.evaluation.estimates == ()


@pytest.mark.parametrize("name", ["../x", "a/b", "a\0b", "Ünïcode", "\u0430bc", "", "nul"])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeNameError, match="is not allowed"):
        write(recipe(name=name), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_fitted_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"Pipeline is not fitted. Call its fit\(\) first"):
        write(recipe(model=make_pipeline(StandardScaler(), LogisticRegression())), tmp_path)


@pytest.mark.parametrize("model", ["a text", object(), StandardScaler().fit(np.array(ROWS))])
def test_what_predicts_nothing_is_named(tmp_path: Path, model: object) -> None:
    with pytest.raises(StoreError, match="neither a classifier nor a regressor"):
        write(recipe(model=model), tmp_path)


def test_without_test_rows_nothing_is_packaged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There are no test rows"):
        write(recipe(test=TEST.take([])), tmp_path)


def test_a_lambda_is_refused_with_its_place(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(lambda rows: rows), LogisticRegression()).fit(np.array(ROWS), LABELS)
    with pytest.raises(StoreError, match="cannot be stored exactly and safely") as caught:
        write(recipe(model=model), tmp_path)
    assert "skops: model.steps[0][1].func is a lambda, " in caught.value.message
    assert caught.value.message.endswith("Define a function in a module.")
    assert caught.value.culprits["refusals"].keys() >= {"skops"}  # type: ignore[attr-defined]


class Own(LogisticRegression):
    """As a notebook defines one."""


def test_a_class_of_the_main_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Own, "__module__", "__main__")
    monkeypatch.setitem(vars(__import__("sys").modules["__main__"]), "Own", Own)
    with pytest.raises(StoreError, match=r"__main__\.Own"):
        write(recipe(model=Own().fit(np.array(ROWS), LABELS)), tmp_path)


def test_the_named_formats_are_exactly_those(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"There is no format 'skps'\. Did you mean 'skops'"):
        write(recipe(formats=["skps"]), tmp_path)


def install_echo(install: Callable[..., None], load: str) -> None:
    install("mlopskit-echo", ECHO, formats="echo")
    install("mlopskit-echo-loader", f"{LOADER}\ndef load(files, spec):\n    {load}\n")


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (
            "return Scorer(files['echo.json'], 0.3)",
            "outputs of the test set differ by up to 0.3, for example row 0, probability.high: ",
        ),
        ("raise ValueError('no such thing')", "was not loaded: ValueError: no such thing"),
    ],
)
def test_a_form_that_answers_otherwise_is_left_out_with_its_reason(
    install: Callable[..., None], tmp_path: Path, load: str, reason: str
) -> None:
    install_echo(install, load)
    into = tmp_path / "package"
    into.mkdir()
    package = write(recipe(), into)
    assert {model.format for model in package.models} >= {"portable", "skops"}
    assert not (into / "echo.json").exists()
    assert reason in package.manifest["provenance"]["refusals"]["echo"][0]
    again = tmp_path / "again"
    again.mkdir()
    with pytest.raises(StoreError, match="echo: "):
        write(recipe(formats=["skops", "echo"]), again)


def test_a_form_of_another_plugin_that_answers_alike_is_kept(install: Callable[..., None], tmp_path: Path) -> None:
    install_echo(install, "return Scorer(files['echo.json'], 0.0)")
    into = tmp_path / "package"
    into.mkdir()
    package = write(recipe(), into)
    assert {model.format for model in package.models} >= {"echo", "portable", "skops"}
    assert package.manifest["provenance"]["refusals"] == {}


def test_without_the_reference_form_nothing_is_packaged(install: Callable[..., None], tmp_path: Path) -> None:
    install_echo(install, "pass")
    into = tmp_path / "package"
    into.mkdir()
    with pytest.raises(StoreError, match="The skops format is left out"):
        write(recipe(formats=["echo"]), into)


def test_a_regression_has_the_scale_of_its_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing(mk.Evaluator):
        name = "nothing"

        def evaluate(self, model: mk.Scorer, data: mk.Dataset, /) -> mk.Evaluation:
            return mk.Evaluation(dataset=data.digest, rows=len(data), estimates=())

    target = [100.0 * number for number in range(40)]
    test = mk.Dataset.from_frame(np.array(ROWS), target)
    model = LinearRegression().fit(np.array(ROWS), target)
    package = write(recipe(model=model, test=test, schema=test.input_schema(), evaluator=Nothing()), tmp_path)
    assert package.task == "regression"
    assert package.scale == pytest.approx(np.std(target))


def test_no_evaluator_for_a_task_is_named() -> None:
    with pytest.raises(StoreError, match="No installed evaluator judges a clustering model"):
        evaluator_for("clustering")
    assert "binary" in evaluator_for("binary").tasks


def test_a_broken_plugin_is_named(install: Callable[..., None], tmp_path: Path) -> None:
    install("mlopskit-shaky", "1 / 0\n", formats="shaky")
    into = tmp_path / "package"
    into.mkdir()
    with pytest.raises(PluginError, match="'mlopskit-shaky' cannot be used: ZeroDivisionError"):
        write(recipe(), into)


REFUSING = """
import mlopskit as mk

class Refusing(mk.Format):
    name = "refusing"
    loader = "nothing_of_this_name"

    def save(self, model, schema, frame, into, /):
        (into / "tables").mkdir()
        (into / "tables" / "half").write_text("half")
        raise mk.errors.StoreError("It has no tables.", remedy="Give it some.")

@mk.hookimpl
def mlopskit_formats():
    return [Refusing]
"""


def test_nothing_is_left_of_a_form_that_was_refused(install: Callable[..., None], tmp_path: Path) -> None:
    install("mlopskit-refusing", REFUSING, formats="refusing")
    into = tmp_path / "package"
    into.mkdir()
    package = write(recipe(), into)
    assert package.manifest["provenance"]["refusals"] == {"refusing": ["It has no tables."]}
    assert not (into / "tables").exists()


@pytest.mark.parametrize("format", ["skops", "echo"])
def test_a_form_that_is_another_model_is_refused(
    install: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    install_echo(install, "return Scorer(files['echo.json'], 0.0)")
    into = tmp_path / "package"
    into.mkdir()
    kind = packaging.plugins.find("formats", format, mk.Format)
    monkeypatch.setattr(kind, "differences", lambda *_: ["The scale is another."])
    if format == "skops":
        with pytest.raises(StoreError, match=r"safely\. skops: The scale is another\."):
            write(recipe(), into)
        return
    assert write(recipe(), into).manifest["provenance"]["refusals"] == {"echo": ["The scale is another."]}
    assert not (into / "echo.json").exists()
