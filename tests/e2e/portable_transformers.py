"""Every transformer of scikit-learn: how it is made, what it is fitted to, and its tables beside its own answers."""

from __future__ import annotations

import json
import math
import sys
import timeit
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import all_estimators

from mlopskit.builtin.portable.format import PREDICTORS, TRANSFORMERS
from mlopskit.builtin.portable.loader.document import parse
from mlopskit.builtin.portable.loader.scorer import _compiled
from mlopskit.builtin.portable.writing import Writing

ASKED = 2000
WHOLE = ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder")  # what they are given are categories
# What some need beside their defaults: parts, fewer components than columns or rows, or a rule for all rows.
SETTINGS = {
    "ColumnTransformer": {"transformers": [("a", StandardScaler(), [0, 2]), ("b", MinMaxScaler(), [1])]},
    "FeatureUnion": {"transformer_list": [("a", StandardScaler()), ("b", MinMaxScaler())]},
    "GaussianRandomProjection": {"n_components": 2},
    "IsotonicRegression": {"out_of_bounds": "clip"},
    "KBinsDiscretizer": {"quantile_method": "averaged_inverted_cdf"},
    "Nystroem": {"n_components": 5},
    "OneHotEncoder": {"handle_unknown": "ignore"},
    "OrdinalEncoder": {"handle_unknown": "use_encoded_value", "unknown_value": -1},
    "QuantileTransformer": {"n_quantiles": 20},
    "RFE": {"estimator": LogisticRegression()},
    "RFECV": {"estimator": LogisticRegression()},
    "RandomTreesEmbedding": {"n_estimators": 5},
    "SelectFdr": {"alpha": 0.9},
    "SelectFpr": {"alpha": 0.9},
    "SelectFromModel": {"estimator": LogisticRegression()},
    "SelectFwe": {"alpha": 0.9},
    "SelectKBest": {"k": 2},
    "SequentialFeatureSelector": {"estimator": LogisticRegression()},
    "SkewedChi2Sampler": {"n_components": 5},
    "SparseCoder": {"dictionary": np.eye(4)},
    "SparseRandomProjection": {"n_components": 2},
    "StackingClassifier": {"estimators": [("a", LogisticRegression()), ("b", LogisticRegression(C=0.1))]},
    "StackingRegressor": {"estimators": [("a", Ridge()), ("b", Ridge(alpha=9))]},
    "TargetEncoder": {"target_type": "multiclass"},
    "VotingClassifier": {
        "estimators": [("a", LogisticRegression()), ("b", LogisticRegression(C=0.1))], "voting": "soft",
    },
    "VotingRegressor": {"estimators": [("a", Ridge()), ("b", Ridge(alpha=9))]},
    **{name: {"n_components": 1} for name in ("CCA", "PLSCanonical", "PLSRegression", "PLSSVD")},
}  # fmt: skip


def kinds():
    return all_estimators("transformer")


def fitted(name, found, rows):
    """Return a transformer that is fitted to some rows, or to what it takes instead."""
    settings = dict(SETTINGS.get(name, {}))
    if "random_state" in found().get_params() if not settings else "random_state" in found(**settings).get_params():
        settings["random_state"] = 0
    model = found(**settings)
    classes, number = np.arange(len(rows)) % 3, rows @ np.arange(1, rows.shape[1] + 1) + 0.1
    regression = name.startswith("PLS") or name in ("CCA", "IsotonicRegression", "StackingRegressor", "VotingRegressor")
    return model.fit(rows, number if regression else classes)


def training_rows(name, features):
    if name == "IsotonicRegression":
        return features[:, :1]
    if name == "KernelCenterer":
        return features[:4] @ features[:4].T
    if name in ("MissingIndicator", "SimpleImputer"):
        found = features.copy()
        found[::5, 1] = np.nan
        return found
    if name == "HashingVectorizer":
        return np.array([[f"row {cell:.1f} {n % 7}"] for n, cell in enumerate(features[:, 0])], dtype=object)
    return np.floor(features * 3) if name in WHOLE else features


def document_of(model, width, *, text=False):
    """Return what a transformer makes of a row as a document, each element an output; and its checked form."""
    inputs = {f"x{n}": text for n in range(width)}
    w = Writing(inputs=inputs, frame="arrays", transformers=TRANSFORMERS, predictors=PREDICTORS)
    found = w.transform(model, w.row())
    kind = "text" if text else "number"
    document = {
        "format_version": 1,
        "inputs": [{"name": one, "type": kind} for one in inputs],
        "steps": w.steps,
        "outputs": [{"name": f"y{n}", "from": found.step, "at": n, "labels": None} for n in range(found.width)],
    }
    data = json.dumps(document, separators=(",", ":")).encode()
    return data, parse(data), found


def scorer_of(program, found):
    """Return the function from a row to all elements of its vector, or None if the row is refused."""
    run, places = _compiled(program.steps), range(found.width)

    def score(row):
        try:
            vector = run(list(row))[found.step]
        except (ValueError, OverflowError):
            return None
        return [vector[i] for i in places]

    return score


def own(model, rows):
    """Return what the transformer itself answers, for each row a list, or None if it refuses the row."""
    try:
        found = model.transform(rows)
    except Exception:
        return [None] if len(rows) == 1 else [own(model, row[None])[0] for row in rows]
    found = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
    return found.reshape(len(rows), -1).astype(float).tolist()


def hostile(rows, random):
    """Return rows at the ends of the training rows and beyond, beside them, zeros of both signs, far away, and gaps."""
    base = rows[random.integers(len(rows), size=ASKED)] + 0.0
    base[100:300] += random.normal(scale=0.01, size=(200, rows.shape[1]))
    base[300:500] = np.nextafter(base[300:500], random.choice([-9e9, 9e9], size=(200, 1)))
    base[500:800] = random.uniform(-1.5, 2.5, size=(300, rows.shape[1]))
    base[1000:1300] *= random.choice([1e-9, 0.1, 3, 50, 1e3], size=(300, 1))
    base[1400:1450, 0] = [0.0, -0.0, 5e-324, 1e-300, 1e9] * 10
    base[1450:1480] = 1e15
    base[1480:1700] *= -1
    base[1700:1740][random.random((40, rows.shape[1])) < 0.4] = np.nan
    base[1740:1750, 0] = np.inf
    base[1750:1800] = rows.max(axis=0) if not np.isnan(rows).any() else 1.0
    base[1800:1850] = rows.min(axis=0) if not np.isnan(rows).any() else 0.0
    return base


def difference(want, got):
    """Return the largest difference of two vectors."""
    worst = 0.0
    for a, b in zip(want, got, strict=True):
        if a != b and not (math.isnan(a) and math.isnan(b)):
            worst = max(worst, abs(a - b) / max(1.0, abs(a)) if math.isfinite(a) else math.inf)
    return worst


def micros(call, number):
    """Return the microseconds of a call; what measures coverage, and makes Python slower, is not asked meanwhile."""
    tracing = sys.gettrace()
    sys.settrace(None)
    try:
        return min(timeit.repeat(call, number=number, repeat=5)) / number * 1e6
    finally:
        sys.settrace(tracing)


def graph_micros(document, outputs, cells):
    """Return the microseconds of one row by ONNX Runtime with a graph of the same tables; None if they have none."""
    from mlopskit_onnx.compiled import compiled
    from mlopskit_onnx.graph import NoGraphError
    from mlopskit_onnx.loader import load as load_graph

    one = {told["name"]: [cell] for told, cell in zip(document["inputs"], cells, strict=True)}
    inputs = {"properties": {name: {"type": ["number", "null"]} for name in one}, "required": [*one]}
    try:
        data, _ = compiled(document)
    except NoGraphError:
        return None
    scorer = load_graph({"model.onnx": data}, {"schema": {"inputs": inputs, "outputs": outputs}})
    return micros(lambda: scorer.score(one), 20)


def check(name, found, features):
    """Return how a transformer's tables answer: rows, largest difference, ties, bytes, microseconds.

    These are of the tables, of scikit-learn and of ONNX Runtime.
    """
    if name not in TRANSFORMERS:
        document_of(found.__new__(found), 1)
    rows = training_rows(name, features)
    text = rows.dtype == object
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = rows[:, 0] if text else rows
        model = fitted(name, found, given) if not text else found(n_features=32).fit(given)
        data, program, made = document_of(model, rows.shape[1], text=text)
        random = np.random.default_rng(4)
        asked = rows[random.integers(len(rows), size=ASKED)] if text or name in WHOLE else hostile(rows, random)
        wanted = own(model, asked[:, 0] if text else asked)
        score, worst = scorer_of(program, made), 0.0
        for row, want in zip(asked, wanted, strict=True):
            got = score(row.tolist())
            assert (want is None) == (got is None), (row, want, got)
            if want is not None:
                worst = max(worst, difference(want, got))
        one, first = rows[0].tolist(), given[:1]
        times = micros(lambda: score(one), 20), micros(lambda: model.transform(first), 5)
        document = json.loads(data)
        graph = graph_micros(document, {"required": [out["name"] for out in document["outputs"]]}, one)
    return len(asked), worst, 0, len(data), *times, graph
