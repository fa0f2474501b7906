"""Every classifier, regressor and transformer of scikit-learn as tables: exact on hostile rows, or refused.

The long run writes docs/reference/portable-zoo.md, so that the page says what was seen.
"""

from __future__ import annotations

import importlib.util
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LinearRegression

import mlopskit as mk
from mlopskit import estimators
from mlopskit.builtin.portable.format import document_of
from mlopskit.builtin.portable.loader import load
from mlopskit.builtin.portable.writing import NoTablesError
from mlopskit.modelpackage import Schema

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "portable-zoo.md"
ASKED = 2000
LEAST = {"classifier": 42, "regressor": 55, "transformer": 60}
NOTES = {"GaussianProcessRegressor": "with alpha=1: without noise its weights cancel one another, and it is refused"}
FEW = (
    "AdaBoostRegressor", "GaussianNB", "KNeighborsRegressor", "MLPClassifier", "RandomForestClassifier", "RidgeCV",
    "SVC",
)  # fmt: skip
FEW_TRANSFORMERS = ("FeatureUnion", "KernelPCA", "OneHotEncoder", "QuantileTransformer", "SplineTransformer")
TREES = ("DecisionTree", "ExtraTree", "ExtraTrees", "GradientBoosting", "HistGradientBoosting", "RandomForest")
EXACT = {f"{name}{kind}" for name in TREES for kind in ("Classifier", "Regressor")}


def beside(name):
    """Return a module of this folder: the other zoo, which knows how each estimator is made, or the transformers."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ZOO, TRANSFORMERS = beside("test_zoo"), beside("portable_transformers")
micros = TRANSFORMERS.micros


def asked(features, document, *, positive, whole):
    """Return rows at and beside thresholds, at the ends and beyond, with zeros of both signs, infinite, with gaps."""
    random = np.random.default_rng(3)
    base = features[random.integers(len(features), size=ASKED)] + 0.0
    if whole:
        return base
    tables = [one for step in document["steps"] if step["op"] == "trees" for one in step["trees"]]
    limits = [x for one in tables for x, f in zip(one["threshold"], one["feature"], strict=True) if f >= 0] or [0.5]
    pick = random.integers(base.shape[1], size=ASKED)
    at = np.array(limits)[random.integers(len(limits), size=ASKED)]
    base[np.arange(1000), pick[:1000]] = at[:1000]
    base[np.arange(300), pick[:300]] = np.nextafter(at[:300], 9e9)
    base[np.arange(300, 600), pick[300:600]] = np.nextafter(at[300:600], -9e9)
    base[1000:1300] *= random.choice([1e-9, 0.1, 3, 50, 1e3], size=(300, 1))
    base[1300:1400] = random.random((100, base.shape[1]))
    base[1400:1450, 0] = [0.0, -0.0, 5e-324, 1e-300, 1e9] * 10
    base[1450:1480] = 1e15
    if not positive:
        base[1480:1700] *= -1
    base[1700:1740][random.random((40, base.shape[1])) < 0.4] = np.nan
    base[1740:1750, 0] = np.inf
    base[1750:1760, -1] = -np.inf
    return base


def schema_of(model, features, target):
    names = [f"x{n}" for n in range(features.shape[1])]
    data = mk.Dataset.from_frame(features, target)
    return names, Schema(inputs=data.input_schema(), outputs=estimators.output_schema(model, data))


class Own:
    """What the fitted estimator itself answers, in the form of a package."""

    def __init__(self, model, schema):
        from mlopskit.builtin.skops.loader.scoring import EstimatorScorer

        told = {"schema": {"inputs": schema.inputs, "outputs": schema.outputs}, "frame": "arrays"}
        self.score = EstimatorScorer(model, told).score


def answered(score, names, rows):
    columns = {name: [None if math.isnan(x) else x for x in rows[:, n].tolist()] for n, name in enumerate(names)}
    try:
        return score(columns)
    except Exception:
        return None


def compared(own, mine, schema):
    """Return the largest difference of numbers, and how many labels differ, at most at ties."""
    worst, ties = 0.0, 0
    for name, wanted in own.items():
        labels = "enum" in schema.outputs["properties"][name]
        for place, (want, got) in enumerate(zip(wanted, mine[name], strict=True)):
            if labels:
                if want != got:
                    assert tie(own, name, place, (want, got)), (name, place, want, got)
                    ties += 1
            elif not (math.isnan(want) and math.isnan(got)):
                worst = max(worst, abs(got - want) / max(1.0, abs(want)))
    return worst, ties


def tie(own, name, place, labels):
    """Say whether two labels are equally likely, as far as there are probabilities."""
    suffix = name.removeprefix("prediction")
    shares = [own.get(f"probability{suffix}.{label}") for label in labels]
    return all(shares) and abs(shares[0][place] - shares[1][place]) <= 2e-12


def equally_near(model, rows):
    """Say of which rows there are more training rows equally near than are asked for."""
    if not hasattr(model, "kneighbors"):
        return np.zeros(len(rows), dtype=bool)
    far, _ = model.kneighbors(rows, model.n_neighbors + 1)
    return far[:, -1] == far[:, -2]


def check(kind, name, found):
    """Return how an estimator's tables answer: rows, largest difference, ties, bytes, microseconds.

    These are of the tables, of scikit-learn and of ONNX Runtime.
    """
    model = ZOO.made(kind, name, found)
    if name in NOTES:
        model.set_params(alpha=1.0)
    tags = model.__sklearn_tags__()
    features, target = ZOO.rows_for(kind, name, tags)
    model.fit(features, target)
    names, schema = schema_of(model, features, target)
    document = document_of(model, schema, "arrays")
    data = json.dumps(document, separators=(",", ":")).encode()
    told = {"schema": {"inputs": schema.inputs, "outputs": schema.outputs}}
    scorer, own = load({"model.json": data}, told), Own(model, schema)
    rows = asked(features, document, positive=tags.input_tags.positive_only, whole=name == "CategoricalNB")
    gaps = ~np.isfinite(rows).all(axis=1)
    whole, broken = rows[~gaps], rows[gaps]
    tied = equally_near(model, whole)
    worst, ties = compared(*(answered(one, names, whole[~tied]) for one in (own.score, scorer.score)), schema)
    ties += int(tied.sum())
    few = whole[~tied][::40]  # so few that each is scored by itself
    worst = max(worst, compared(*(answered(one, names, few) for one in (own.score, scorer.score)), schema)[0])
    for row in broken:
        both = [answered(one, names, row[None]) for one in (own.score, scorer.score)]
        assert (both[0] is None) == (both[1] is None), (row, both)
        if both[0] is not None:
            more, tied = compared(*both, schema)
            worst, ties = max(worst, more), ties + tied
    one = {key: [float(features[0, n])] for n, key in enumerate(names)}
    first = features[:1]
    times = micros(lambda: scorer.score(one), 50), micros(lambda: model.predict(first), 5)
    graph = TRANSFORMERS.graph_micros(document, schema.outputs, features[0].tolist())
    return len(rows), worst, ties, len(data), *times, graph


def features_of():
    """Return the rows that transformers are fitted to."""
    return ZOO.rows_for("regressor", "", LinearRegression().__sklearn_tags__())[0]


def survey(check, check_transformer, *refusals):
    """Yield each estimator with what a check says of it, or the error by which it is refused, or wrong."""
    features = features_of()
    transformers = [("transformer", name, found) for name, found in TRANSFORMERS.kinds()]
    for kind, name, found in [*ZOO.kinds(), *transformers]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                is_transformer = kind == "transformer"
                told = check_transformer(name, found, features) if is_transformer else check(kind, name, found)
            except (*refusals, AssertionError) as error:
                told = error
        yield kind, name, told


def limit_of(name, kind):
    if name in EXACT:
        return 0.0 if kind == "regressor" else 1e-15
    return 1e-12


@pytest.mark.parametrize("name", FEW)
def test_some_answer_from_their_tables_as_they_did(name):
    kind, _, found = next(one for one in ZOO.kinds() if one[1] == name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked_rows, worst, *_ = check(kind, name, found)
    assert asked_rows == ASKED
    assert worst <= limit_of(name, kind)


@pytest.mark.parametrize("name", FEW_TRANSFORMERS)
def test_some_transform_by_their_tables_as_they_did(name):
    asked_rows, worst, *_ = TRANSFORMERS.check(name, dict(TRANSFORMERS.kinds())[name], features_of())
    assert asked_rows == ASKED
    assert worst <= 1e-12


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_none_is_silently_wrong(record_property):
    rows, wrong = [], []
    for kind, name, told in survey(check, TRANSFORMERS.check, NoTablesError):
        if isinstance(told, AssertionError):
            wrong.append((name, str(told)[:300]))
            continue
        if isinstance(told, NoTablesError):
            rows.append((name, kind, "refused", "", "", "", "", "", "", str(told)))
            continue
        asked_rows, worst, ties, size, *times = told
        if worst > limit_of(name, kind):
            wrong.append((name, worst))
        figures = f"{worst:.1g}", f"{asked_rows}", f"{ties}", f"{size / 1000:.1f}"
        micros_of = ["" if one is None else f"{one:.0f}" for one in times]
        rows.append((name, kind, *figures, *micros_of, NOTES.get(name, "")))
    assert not wrong, wrong
    covered = {kind: [row[2] != "refused" for row in rows if row[1] == kind] for kind in LEAST}
    for kind, exact in covered.items():
        record_property(f"figure: scikit-learn's {kind}s as tables, exact", f"{sum(exact)} of {len(exact)}")
    PAGE.write_text(page(rows, covered), encoding="utf-8")
    assert all(sum(exact) >= LEAST[kind] for kind, exact in covered.items())


def page(rows, covered):
    heads = (
        "estimator",
        "kind",
        "largest difference",
        "rows",
        "ties",
        "kB",
        "µs",
        "µs scikit-learn",
        "µs ONNX Runtime",
        "why refused",
    )
    table = mk.Table(heads, rows)
    return (
        "# scikit-learn's estimators as tables\n\n"
        "Written by `make prove`: each classifier, regressor and transformer of `sklearn.utils.all_estimators()` "
        f"(scikit-learn {sklearn.__version__}) is fitted to {ZOO.ROWS} rows, written in "
        "[the portable format](portable-format.md), "
        f"and asked for {ASKED:,} hostile rows: at and beside thresholds, at the ends and far beyond, zeros of both "
        "signs, infinite, missing. A difference is |a - b| / max(1, |b|) to the fitted estimator: of regressors "
        "that are trees, forests or boosting 0, of such classifiers at most 1e-15, of all others at most 1e-12, or "
        "this page is not written. Labels are equal but at ties, which are counted; so are rows that have more "
        "training rows equally "
        "near than are asked for. Of transformers the whole vector is compared. A row is refused by both or by none. "
        "The times are of one row: the scorer's call, which answers probabilities too, the estimator's own `predict` "
        "or `transform`, and the call of ONNX Runtime, with a graph of the same tables, where there is one.\n\n"
        f"Exact are {', '.join(f'{sum(exact)} of {len(exact)} {kind}s' for kind, exact in covered.items())}; the "
        "others are refused by name. Some stand in the table twice: they are transformers, too.\n\n"
        f"{table.markdown()}\n"
    )
