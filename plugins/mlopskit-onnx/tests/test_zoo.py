"""Every classifier, regressor and transformer of scikit-learn as a graph: exact on hostile rows, or refused.

The long run writes docs/reference/onnx-zoo.md, so that the page says what was seen.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import sklearn
from mlopskit_onnx.compiled import compiled
from mlopskit_onnx.graph import NoGraphError
from mlopskit_onnx.loader import load

import mlopskit as mk
from mlopskit.builtin.portable.format import document_of
from mlopskit.builtin.portable.writing import NoTablesError

from .conftest import module_of

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reference" / "onnx-zoo.md"
LIMIT = 1e-12
LEAST = {"classifier": 42, "regressor": 55, "transformer": 59}
# What skl2onnx 1.20 converts, and what then answers otherwise: `test_defects.py` asks these for it.
_GAPS = "trained with missing values"
REPAIRED = {
    **dict.fromkeys(("DecisionTreeClassifier", "ExtraTreesClassifier", "RandomForestClassifier"), _GAPS),
    **dict.fromkeys(
        ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"), "with categories, or scaled before"
    ),
    "CalibratedClassifierCV": "isotonic, over a forest",
    "SimpleImputer": "with `add_indicator`",
    "TunedThresholdClassifierCV": "its threshold",
}
FEW = ("AdaBoostRegressor", "GaussianNB", "KNeighborsRegressor", "MLPClassifier", "SVC")
FEW_TRANSFORMERS = ("FeatureUnion", "KernelPCA", "OneHotEncoder", "QuantileTransformer", "SplineTransformer")


# The zoo of tables: it knows how each estimator is made, and what it is asked.
TABLES = module_of("e2e/test_portable_zoo.py")
ZOO, TRANSFORMERS = TABLES.ZOO, TABLES.TRANSFORMERS


def check(kind, name, found):
    """Return how an estimator's graph answers: rows, largest difference, ties, bytes, microseconds here and there."""
    model = ZOO.made(kind, name, found)
    if name in TABLES.NOTES:
        model.set_params(alpha=1.0)
    tags = model.__sklearn_tags__()
    features, target = ZOO.rows_for(kind, name, tags)
    model.fit(features, target)
    names, schema = TABLES.schema_of(model, features, target)
    document = document_of(model, schema, "arrays")
    data, _ = compiled(document)
    told = {"schema": {"inputs": schema.inputs, "outputs": schema.outputs}}
    scorer, own = load({"model.onnx": data}, told), TABLES.Own(model, schema)
    rows = TABLES.asked(features, document, positive=tags.input_tags.positive_only, whole=name == "CategoricalNB")
    gaps = ~np.isfinite(rows).all(axis=1)
    whole = rows[~gaps]
    tied = TABLES.equally_near(model, whole)
    both = [TABLES.answered(one.score, names, whole[~tied]) for one in (own, scorer)]
    worst, ties = TABLES.compared(*both, schema)
    ties += int(tied.sum())
    for row in rows[gaps]:
        both = [TABLES.answered(one.score, names, row[None]) for one in (own, scorer)]
        assert (both[0] is None) == (both[1] is None), (row, both)
        if both[0] is not None:
            more, too = TABLES.compared(*both, schema)
            worst, ties = max(worst, more), ties + too
    one = {key: [float(features[0, n])] for n, key in enumerate(names)}
    times = TABLES.micros(lambda: scorer.score(one), 50), TABLES.micros(lambda: model.predict(features[:1]), 5)
    return len(rows), worst, ties, len(data), *times


def check_transformer(name, found, features):
    """Return the same of a transformer, all elements of whose vector are outputs."""
    if name not in TRANSFORMERS.TRANSFORMERS:
        TRANSFORMERS.document_of(found.__new__(found), 1)
    rows = TRANSFORMERS.training_rows(name, features)
    text = rows.dtype == object
    given = rows[:, 0] if text else rows
    model = TRANSFORMERS.fitted(name, found, given) if not text else found(n_features=32).fit(given)
    document = json.loads(TRANSFORMERS.document_of(model, rows.shape[1], text=text)[0])
    data, _ = compiled(document)
    names = [one["name"] for one in document["inputs"]]
    outputs = [one["name"] for one in document["outputs"]]
    kinds = {"properties": {name: {"type": ["number", "null"]} for name in names}, "required": names}
    scorer = load({"model.onnx": data}, {"schema": {"inputs": kinds, "outputs": {"required": outputs}}})
    random = np.random.default_rng(4)
    some = rows[random.integers(len(rows), size=TABLES.ASKED)]
    asked = some if name in TRANSFORMERS.WHOLE else TRANSFORMERS.hostile(rows, random)
    wanted = TRANSFORMERS.own(model, asked)
    worst = difference(scorer, names, asked, wanted)
    one = {key: [float(rows[0, n])] for n, key in enumerate(names)}
    times = TABLES.micros(lambda: scorer.score(one), 50), TABLES.micros(lambda: model.transform(rows[:1]), 5)
    return len(asked), worst, 0, len(data), *times


def difference(scorer, names, asked, wanted):
    refused = np.array([one is None for one in wanted])
    for row in asked[refused]:
        with pytest.raises(ValueError, match="does not take"):
            scorer.score({name: row[n : n + 1] for n, name in enumerate(names)})
    answered = scorer.score({name: asked[~refused, n] for n, name in enumerate(names)})
    pairs = zip([one for one in wanted if one is not None], zip(*answered.values(), strict=True), strict=True)
    return max(TRANSFORMERS.difference(want, got) for want, got in pairs)


@pytest.mark.parametrize("name", FEW)
def test_some_answer_from_their_graph_as_they_did(name):
    kind, _, found = next(one for one in ZOO.kinds() if one[1] == name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked, worst, *_ = check(kind, name, found)
    assert asked >= 2000
    assert worst <= LIMIT


@pytest.mark.parametrize("name", FEW_TRANSFORMERS)
def test_some_transform_by_their_graph_as_they_did(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked, worst, *_ = check_transformer(name, dict(TRANSFORMERS.kinds())[name], TABLES.features_of())
    assert asked >= 2000
    assert worst <= LIMIT


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_none_is_silently_wrong(record_property):
    rows, wrong = [], []
    for kind, name, told in TABLES.survey(check, check_transformer, NoTablesError, NoGraphError):
        if isinstance(told, AssertionError):
            wrong.append((name, str(told)[:300]))
            continue
        if isinstance(told, Exception):
            rows.append((name, kind, "refused", *[""] * 6, str(told)))
            continue
        asked, worst, ties, size, here, there = told
        if not worst <= LIMIT:
            wrong.append((name, worst))
        figures = f"{worst:.1g}", f"{asked}", f"{ties}", f"{size / 1000:.1f}", f"{here:.0f}", f"{there / here:.1f}"
        how = "repaired" if name in REPAIRED else "exact"
        rows.append((name, kind, how, *figures, REPAIRED.get(name, TABLES.NOTES.get(name, ""))))
    assert not wrong, wrong
    largest = max(float(row[3]) for row in rows if row[3])
    record_property("figure: scikit-learn's estimators as ONNX, largest difference on 2,000 hostile rows each", largest)
    covered = {kind: [row[2] != "refused" for row in rows if row[1] == kind] for kind in LEAST}
    for kind, exact in covered.items():
        record_property(f"figure: scikit-learn's {kind}s as ONNX, exact", f"{sum(exact)} of {len(exact)}")
    PAGE.write_text(page(rows, covered), encoding="utf-8")
    assert all(sum(exact) >= LEAST[kind] for kind, exact in covered.items())


def page(rows, covered):
    heads = (
        "estimator",
        "kind",
        "ONNX",
        "largest difference",
        "rows",
        "ties",
        "kB",
        "µs",
        "times faster",
        "what or why",
    )
    exact = ", ".join(f"{sum(found)} of {len(found)} {kind}s" for kind, found in covered.items())
    return (
        "# scikit-learn's estimators as ONNX\n\n"
        "Written by `make prove`: each classifier, regressor and transformer of `sklearn.utils.all_estimators()` "
        f"(scikit-learn {sklearn.__version__}) is fitted to {ZOO.ROWS} rows, written in "
        f"[the ONNX format](onnx-format.md), and asked for {TABLES.ASKED:,} hostile rows by ONNX Runtime "
        f"{onnxruntime.__version__}: at and beside thresholds, at the ends and far beyond, zeros of both signs, "
        f"missing. A difference is |a - b| / max(1, |b|) to the fitted estimator; if one is above {LIMIT:g} this page "
        "is not written. Labels are equal but at ties, which are counted; so are rows that have more training rows "
        "equally near than are asked for. Of transformers the whole vector is compared. A row is refused by both or by "
        "none. The time is that of one row; so many times longer takes the estimator's own `predict` or `transform`."
        "\n\n"
        f"Exact are {exact}; the others are refused by name. Some stand in the table twice: they are transformers, "
        "too. Repaired are those that are exact here in a setting in which skl2onnx 1.20 writes a graph that answers "
        "otherwise."
        f"\n\n{mk.Table(heads, rows).markdown()}\n"
    )
