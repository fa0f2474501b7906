"""Every classifier and regressor of scikit-learn: packaged, opened in a fresh process, and equal on hostile rows.

The long run writes docs/reference/zoo.md, so that the page says what was seen.
"""

from __future__ import annotations

import inspect
import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import all_estimators

import mlopskit as mk
from mlopskit.errors import MlopskitError, StoreError
from mlopskit.isolated import isolated_model

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "zoo.md"
LEAST = 88
# Each takes three processes with all of scikit-learn. The skops format's own tests store and ask the usual ones.
FEW = (
    "HistGradientBoostingClassifier", "IsotonicRegression", "KNeighborsClassifier", "SVC", "StackingRegressor",
    "RadiusNeighborsRegressor", "ClassifierChain", "MultiTaskLasso",
)  # fmt: skip
# What some need beside their defaults: to fit these few rows, to answer each row, or to be told their parts.
SETTINGS = {
    "CCA": {"n_components": 1},
    "IsotonicRegression": {"out_of_bounds": "clip"},
    "PLSCanonical": {"n_components": 1},
    "PLSRegression": {"n_components": 1},
    "RadiusNeighborsClassifier": {"radius": 0.4, "outlier_label": "most_frequent"},
    "RadiusNeighborsRegressor": {"radius": 0.4},
    "SelfTrainingClassifier": {"estimator": LogisticRegression()},
}
ROWS = 150


class Unjudged(mk.Evaluator):
    """An evaluator of any task, which measures nothing: the zoo is about answers."""

    name = "unjudged"
    tasks = ("binary", "multiclass", "multilabel", "multioutput-regression", "regression")

    def evaluate(self, model, data, /):
        model.score(data.input_columns())
        return mk.Evaluation(dataset=data.digest, rows=len(data), estimates=())


def kinds():
    return [(kind, name, found) for kind in ("classifier", "regressor") for name, found in all_estimators(kind)]


def made(kind, name, found):
    inner, grid = (LogisticRegression, {"C": [0.1, 1]}) if kind == "classifier" else (Ridge, {"alpha": [0.1, 1]})
    parts = {
        "estimator": inner(),
        "estimators": [("one", inner()), ("other", inner())],
        "param_grid": grid,
        "param_distributions": grid,
    }
    needed = [
        one.name for one in inspect.signature(found).parameters.values() if one.default is inspect.Parameter.empty
    ]
    settings = {one: parts[one] for one in needed} | SETTINGS.get(name, {})
    if "param_distributions" in needed:
        settings["n_iter"] = 2
    if "random_state" in inspect.signature(found).parameters:
        settings["random_state"] = 0
    return found(**settings)


def rows_for(kind, name, tags):
    """Return inputs and a target that an estimator by its tags can learn."""
    random = np.random.default_rng(0)
    features = np.round(random.random((ROWS, 4)), 6)
    target = np.arange(ROWS) % 3 if kind == "classifier" else features @ [1, 2, 3, 4] + 0.1
    if name == "IsotonicRegression":
        features = features[:, :1]
    if name == "CategoricalNB":
        features = np.floor(features * 3)
    if tags.classifier_tags and not tags.classifier_tags.multi_class:
        target = np.minimum(target, 1)
    if name.endswith("Chain") or not tags.target_tags.single_output:
        target = np.stack([target, target[::-1]], axis=1)
    return features, target


def hostile_rows(features, *, lowest, categories):
    """Return rows at the ends of what the training rows have, and far beyond."""
    least, most = features.min(axis=0), features.max(axis=0)
    if categories:  # what was never seen has no place in the tables
        return [least, most, np.zeros_like(most)]
    far = [most * 1e3, np.full_like(most, 1e-300), np.full_like(most, 1e15), np.nextafter(most, 9)]
    below = [] if lowest == 0 else [-most, least - 1e6, np.full_like(most, -0.0)]
    one = [np.where(np.arange(len(most)) == number, most * 50, least) for number in range(len(most))]
    return [least, most, np.zeros_like(most), *far, *below, *one]


def answer(ask, row):
    """Return what is answered to one row, or what is said against it."""
    try:
        return ask([row])[0]
    except MlopskitError as error:
        return error.message


def check(kind, name, found, registry):
    """Package an estimator; return how many rows it was asked, or raise StoreError."""
    model = made(kind, name, found)
    tags = model.__sklearn_tags__()
    features, target = rows_for(kind, name, tags)
    model.fit(features[50:], target[50:])
    package = mk.package(
        model, features[:50], target[:50], name="zoo", gates=[], evaluator=Unjudged(), registry=registry,
        golden=mk.GoldenSpec(rows=20),
    )  # fmt: skip
    loaded = mk.load(package.folder)
    hostile = hostile_rows(
        features, lowest=0 if tags.input_tags.positive_only else None, categories=name == "CategoricalNB"
    )
    if "Neighbors" in name:  # so far away that all training rows are equally near, any of them are the nearest
        hostile = [row for row in hostile if np.abs(row).max() < 1e15]
    rows = [dict(one.row) for one in package.golden]
    rows += [{f"x{n}": float(cell) for n, cell in enumerate(row)} for row in hostile]
    plain = np.array([[*row.values()] for row in rows])
    with isolated_model(package.folder, digest=package.digest, formats=["skops"]) as alone:
        seen = [
            (answer(loaded.predict, row), answer(lambda one: alone.ask(one)["rows"], row), expected(model, array))
            for row, array in zip(rows, plain, strict=True)
        ]
    for here, there, own in seen:
        assert same(here, there), f"{name}: {here} here, {there} in a process of its own"
        assert own is None or near({output: here[output] for output in own}, own), f"{name}: {here}, fitted {own}"
    batch = loaded.predict(rows[: len(package.golden)])
    for one, each in zip(batch, seen, strict=False):
        assert near(one, each[0]), f"{name}: {one} among others, {each[0]} alone"
    return len(rows)


def expected(model, array):
    """Return what the fitted model itself predicts; None where it has no answer, or no probability of one."""
    try:
        found = np.ravel(model.predict(array[None])).tolist()
        sure = np.concatenate([np.ravel(one) for one in [found, *probabilities(model, array)]])
    except Exception:
        return None
    names = ["prediction"] if len(found) == 1 else [f"prediction.y{number}" for number in range(len(found))]
    return dict(zip(names, found, strict=True)) if np.isfinite(sure).all() else None


def probabilities(model, array):
    if type(model).__name__ == "ClassifierChain" or not hasattr(model, "predict_proba"):
        return []  # a chain of three classes has none
    found = model.predict_proba(array[None])
    return found if isinstance(found, list) else [found]


def same(one, other):
    # Each form says in its own words why it refuses a row.
    return near(one, other) if isinstance(one, dict) and isinstance(other, dict) else type(one) is type(other)


def near(one, other):
    return one.keys() == other.keys() and all(
        abs(one[name] - other[name]) <= 1e-6 * max(1, abs(other[name])) for name in one
    )


def reason_of(error):
    """Return why an estimator is refused, in one sentence."""
    reasons = list(itertools.chain(*error.culprits.get("refusals", {}).values())) or [error.message]
    return reasons[0].removeprefix("model is ").removeprefix("model: ")


@pytest.mark.parametrize("name", FEW)
def test_some_answer_from_a_package_as_they_did(name, tmp_path):
    kind, _, found = next(one for one in kinds() if one[1] == name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few rows, and of hostile ones
        assert check(kind, name, found, tmp_path) > 20


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_all_but_a_few_answer_from_a_package_as_they_did(tmp_path, record_property):
    rows = []
    for kind, name, found in kinds():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                asked = check(kind, name, found, tmp_path / f"{kind}-{name}")
                rows.append((name, kind, f"{asked} rows equal", ""))
            except StoreError as error:
                rows.append((name, kind, "refused", reason_of(error)))
    packaged = sum(row[2] != "refused" for row in rows)
    what = "figure: scikit-learn's estimators that answer from a package as they did"
    record_property(what, f"{packaged} of {len(rows)}")
    PAGE.write_text(page(rows, packaged), encoding="utf-8")
    assert packaged >= LEAST, [row for row in rows if row[2] == "refused"]


def page(rows, packaged):
    table = mk.Table(("estimator", "kind", "result", "why it is refused"), rows)
    return (
        "# scikit-learn's estimators\n\n"
        "Written by `make prove`: each classifier and regressor of `sklearn.utils.all_estimators()` (scikit-learn "
        f"{sklearn.__version__}) is fitted, packaged, opened by `mk.load` and in a process of its own, and asked for "
        "golden and hostile rows, alone and together. Equal means that all answers, and the fitted estimator's own, "
        "agree as golden rows must, `|a - b| <= 1e-6 max(1, |b|)`, and that a row is refused in both or in none.\n\n"
        f"{packaged} of {len(rows)} are packaged.\n\n"
        f"{table.markdown()}\n"
    )
