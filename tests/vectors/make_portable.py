"""Write tests/vectors/portable: models as documents, rows, and what scikit-learn itself answers to them.

Every scorer, of whatever language, is held to these. `python tests/vectors/make_portable.py` writes them anew. A file
holds `document`, `rows` (lists of cells in the order of the inputs), `expected` (lists of outputs in their order; null:
the row is refused; an output that is null is NaN) and `tolerance`: |a - b| <= tolerance * max(1, |b|). What models
never do and documents may stands in `corners.json`, answered by `stranger.py`, which was written from the page alone.
`refused.json` holds documents, by what is wrong with them, that are refused before any row.
"""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import ensemble, linear_model, neighbors, preprocessing, tree
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor, kernels
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_approximation import AdditiveChi2Sampler, SkewedChi2Sampler
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import SVC, SVR

HERE = Path(__file__).parent
INTO = HERE / "portable"
UNIT = HERE.parent / "unit" / "builtin" / "portable"
TEXTS = [
    "The cat sat on the mat", "A dog, a dog!", "Déjà vu, naïve café", "ΟΔΥΣΣΕΥΣ ΣΟΦΟΣ",
    "İstanbul'da ISPARTA \u0131l\u0131k", "日本語 テキスト dog", "x_1 x-2 don't 12", "the the THE cat",
]  # fmt: skip
PROCESS = kernels.ConstantKernel(2.0) * kernels.Matern(nu=2.5) + kernels.RationalQuadratic() + kernels.WhiteKernel(0.1)
STRANGE = [
    "", " ", "a", "e\u0301te\u0301 été", "\u1e9e \ufb01n x\u00b2", "\U0001f600 \U0001d400bc dog", "x\x00y\x1cw",
    "tab\t\tdog  cat\n", "\u00a0nbsp\u2003em cat", "dog \ud800 cat", None,
]  # fmt: skip


def module_of(path):
    spec = importlib.util.spec_from_file_location(f"portable_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def numeric():
    """Return models of three numbers, by name, each fitted."""
    random, few = np.random.default_rng(7), {"n_estimators": 4, "random_state": 0}
    stump = tree.DecisionTreeRegressor(max_depth=2)
    x = np.round(random.normal(size=(90, 3)), 2)
    two, three, number = (x[:, 0] > 0).astype(int), np.digitize(x[:, 0] + x[:, 1], [-0.7, 0.7]), x @ [1, -2, 0.5]
    gaps = x.copy()
    gaps[::5, 1] = np.nan
    log = linear_model.SGDClassifier(loss="log_loss", random_state=0)
    models = {
        "logistic-two": (LogisticRegression(), x, two),
        "logistic-three": (LogisticRegression(), x, three),
        "one-against-rest": (log, x, three),
        "one-vs-rest": (OneVsRestClassifier(LogisticRegression()), x, three),
        "one-vs-one": (OneVsOneClassifier(LogisticRegression()), x, three),
        "constant": (DummyClassifier(strategy="most_frequent"), x, three),
        "tree": (tree.DecisionTreeClassifier(max_leaf_nodes=7, random_state=0), x, three),
        "forest-gaps": (ensemble.RandomForestClassifier(3, max_depth=3, random_state=0), gaps, three),
        "forest-targets": (
            ensemble.RandomForestClassifier(2, max_depth=2, random_state=0),
            x,
            np.stack([two, three], axis=1),
        ),
        "forest-numbers": (ensemble.RandomForestRegressor(3, max_depth=3, random_state=0), x, number),
        "boosting": (ensemble.GradientBoostingClassifier(max_depth=2, **few), x, three),
        "boosting-numbers": (ensemble.GradientBoostingRegressor(max_depth=2, **few), x, number),
        "histograms-gaps": (ensemble.HistGradientBoostingClassifier(max_iter=3), gaps, two),
        "votes": (ensemble.VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())]), x, three),
        "median": (ensemble.AdaBoostRegressor(stump, **few), x, number),
        "bayes": (GaussianNB(), x, three),
        "quadratic": (QuadraticDiscriminantAnalysis(), x, three),
        "kernel": (SVC(gamma=0.5), x[:40], three[:40]),
        "kernel-sigmoid": (SVR(kernel="sigmoid", gamma=0.2, coef0=0.3), x[:30], number[:30]),
        "kernel-polynomial": (SVR(kernel="poly", degree=2, coef0=1), x[:30], number[:30]),
        "nearest": (neighbors.KNeighborsClassifier(3, weights="distance"), x[:30], three[:30]),
        "nearest-within": (neighbors.RadiusNeighborsRegressor(radius=0.9), x[:30], number[:30]),
        "nearest-refusing": (neighbors.RadiusNeighborsClassifier(radius=1.1), x[:30], two[:30]),
        "propagated": (LabelSpreading(gamma=2), x[:30], three[:30]),
        "process": (GaussianProcessRegressor(PROCESS, optimizer=None, alpha=0.5), x[:20], number[:20]),
        "network": (MLPRegressor(hidden_layer_sizes=(3,), activation="tanh", random_state=0), x, number),
    }
    before = {
        "scaled": preprocessing.StandardScaler(),
        "clipped": preprocessing.MinMaxScaler(clip=True),
        "filled": SimpleImputer(add_indicator=True),
        "normalized": preprocessing.Normalizer(),
        "halved": preprocessing.Binarizer(threshold=0.25),
        "binned": preprocessing.KBinsDiscretizer(3, strategy="uniform"),
        "multiplied": preprocessing.PolynomialFeatures(2),
        "bent": preprocessing.PowerTransformer(),
        "turned": PCA(2, whiten=True),
        "logarithms": preprocessing.FunctionTransformer(np.expm1),
        "splines": preprocessing.SplineTransformer(n_knots=4, degree=2, include_bias=False),
        "splines-beyond": preprocessing.SplineTransformer(n_knots=3, extrapolation="linear"),
        "splines-refusing": preprocessing.SplineTransformer(n_knots=3, degree=1, extrapolation="error"),
        "quantiles": preprocessing.QuantileTransformer(n_quantiles=9),
        "cosines": SkewedChi2Sampler(skewedness=9, n_components=3, random_state=0),
        "sines": make_pipeline(preprocessing.MinMaxScaler(clip=True), AdditiveChi2Sampler()),
        "powers": make_pipeline(
            preprocessing.MinMaxScaler((1, 2), clip=True), preprocessing.PowerTransformer("box-cox")
        ),
    }
    for name, one in before.items():
        models[name] = make_pipeline(one, Ridge()), gaps if name == "filled" else x, number
    return {name: (model.fit(rows, wanted), wanted) for name, (model, rows, wanted) in models.items()}


def numeric_rows():
    random = np.random.default_rng(8)
    rows = np.round(random.normal(size=(12, 3)), 2).tolist()
    rows += [[0.0, -0.0, 0.0], [1e-300, 5e-324, -1e-300], [50.0, -50.0, 3.5], [0.1, None, 0.2], [None, None, None]]
    return [*rows, [1e300, 1.0, 1.0], [2.0**53 + 2, 1.0, -1.0]]


def textual():
    """Return models of one text, by name, each fitted."""
    settings = {
        "text": {},
        "text-pairs": {"ngram_range": (1, 2), "sublinear_tf": True, "stop_words": ["the", "a"]},
        "text-signs": {"analyzer": "char", "ngram_range": (1, 3), "norm": "l1"},
        "text-words-of-signs": {"analyzer": "char_wb", "ngram_range": (2, 4), "strip_accents": "unicode"},
        "text-ascii": {"strip_accents": "ascii", "lowercase": False, "token_pattern": r"[^\s,]{2,}"},
    }
    vectorizers = {name: TfidfVectorizer(**given) for name, given in settings.items()}
    vectorizers["text-hashed"] = HashingVectorizer(n_features=32)
    wanted = np.arange(len(TEXTS)) % 2
    return {name: make_pipeline(one, LogisticRegression(C=20)).fit(TEXTS, wanted) for name, one in vectorizers.items()}


def mixed():
    """Return models of a number, a text and a flag, by name, each fitted."""
    colours = [("red", "green", "blue", "rare")[n % 3 if n % 10 else 3] for n in range(60)]
    frame = pd.DataFrame({
        "age": [float(n % 9) if n % 4 else np.nan for n in range(60)],
        "colour": pd.Series(colours).astype("str"),
        "flag": [n % 3 == 0 for n in range(60)],
    })  # fmt: skip
    wanted = np.arange(60) % 2
    encoders = {
        "columns": preprocessing.OneHotEncoder(handle_unknown="ignore"),
        "columns-rare": preprocessing.OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist"),
        "columns-refusing": preprocessing.OrdinalEncoder(),
    }
    models = {}
    for name, encoder in encoders.items():
        filled = SimpleImputer(strategy="median", add_indicator=True)
        parts = [("age", filled, ["age"]), ("colour", encoder, ["colour"])]
        columns = ColumnTransformer(parts, remainder="passthrough")
        models[name] = make_pipeline(columns, LogisticRegression()).fit(frame, wanted)
    histograms = ensemble.HistGradientBoostingClassifier(categorical_features=["colour"], max_iter=3)
    return models | {"histograms-categories": histograms.fit(frame, wanted)}


def corners():
    """Return a document of what models never do and documents may, and rows at the ends of all numbers."""
    steps = [{"op": "take", "from": [0], "indexes": [0, 1, 2]}, {"op": "take", "from": [0], "indexes": [1, 2, 0]}]

    def add(op, *sources, **fields):
        steps.append({"op": op, "from": [*sources], **fields})
        return len(steps)

    tree = {
        "feature": [0, 2, -1, -1, -1],
        "threshold": [0.5, 0, 0, 0, 0],
        "right": [4, 3, 0, 1, 2],
        "values": [1, 2, 4],
    }
    tables = {"missing_left": [1, 0, 0, 0, 0], "categories": [[1, 0, 2]]}
    points = {"at": [[-1.5, 0.25, 3], [0], [-2, 2]], "values": [[0, 2, 1], [7], [1, -1]]}
    wide = [
        add("quotient", 1, 2),
        *[add("normalize", 1, norm=norm, least=least) for norm, least in (("max", 0), ("l1", 0), ("l2", 1.5))],
        add("softmax", 1), add("posterior", 1), *[add("shares", 1, zero=zero) for zero in ("equal", "none", "missing")],
        add("bins", 1, edges=[[0, 0, 1], [], [-1, 5]]), add("yeo_johnson", 1, lambdas=[0, 2, 3.5]), add("sublinear", 1),
        add("fill", 1, values=[None, 1.5, 2], missing=0), add("fill", 1, values=[None, 1.5, 2], missing=None),
        add("fill", 1, values=[0, 1, 2], missing="0"), add("missing", 1, indexes=[2, 0, 0], missing=0),
        add("interpolate", 1, outside="nearest", **points), add("interpolate", 1, outside="missing", **points),
        *[add("apply", 1, function=name) for name in FUNCTIONS], add("float32", 1), add("binarize", 1, threshold=-0.0),
        add("clip", 1, low=[1, 0, -0.0], high=[-1, 0, 0.5]), add("products", 1, factors=[[], [0, 0, 2], [1]]),
        *[add("reduce", add("concat", 1, 2, 2), how=how, groups=3) for how in ("sum", "product")],
        *[add("kernel", 1, points=[[1, 0, 0], [0, 0, 2], [1, -1, 1]], kind=kind, gamma=0.5, offset=-1, degree=degree)
          for kind, degree in (("rbf", 0), ("polynomial", 0), ("polynomial", 13), ("sigmoid", 0), ("distance", 0))],
        *[add("nearest", 1, points=[[0, 0, 0], [1, 0, 0], [0, 1, 0]], values=[[1, 2, 3], [5, 6, 7], [9, 9, 0]],
              count=count, radius=radius, weights=weights, empty=[None, 0, 1])
          for count, radius, weights in ((2, None, "equal"), (3, None, "distance"), (None, 1, "distance"))],
        add("take", add("spline", 1, knots=[[-2, 0, 0.5, 1]] * 3, degree=1), indexes=[0, 3, 5]),
        add("trees", 1, add("take", 1, indexes=[2, 1, 0]), trees=[tree | tables] * 2, size=1, at=[0, 2], scale=0.1,
            start=[0] * 3),
        add("lookup", 1, tables=[{"cells": [0, None], "values": [5, None], "unknown": [None], "refuse": False}] * 3),
        add("onehot", 1, width=3, tables=[{"cells": [0, 1, None], "at": [-1, 0, 1], "unknown": 2}] * 3),
    ]  # fmt: skip
    choice = add("argmax", 1, starts=[0])
    several = add("concat", add("argmax", 1, starts=[0, 1]), add("above", 1, threshold=0, equal=True))
    ended = [(add("clip", one, low=[-1e300] * 3, high=[1e300] * 3), at) for one in wide for at in range(3)]
    ended += [
        (add("votes", several, weights=[1, 2, 3, 4, 5], classes=2), 1),
        (add("median", 1, weights=[1, 2, 0.5]), 0),
    ]
    outputs = [{"name": f"number.{n}", "from": one, "at": at, "labels": None} for n, (one, at) in enumerate(ended)]
    outputs += [{"name": "label", "from": choice, "at": 0, "labels": ["one", 2, True]}]
    cells = (0.0, -0.0, 1, True, None, 5e-324, -1e308, 1e308, 2**53 + 1, -709.5, 710.25, 0.25, -1.5, 3, 0.1, -1)
    random = np.random.default_rng(9)
    rows = [[cells[i] for i in random.integers(len(cells), size=3)] for _ in range(30)]
    return {
        "format_version": 1,
        "inputs": [{"name": f"x{n}", "type": "number"} for n in range(3)],
        "steps": steps,
        "outputs": outputs,
    }, [*rows, [None] * 3, [0, 0, 0], [-0.0] * 3, [10**400, 1, 1], [1e308, 1e308, -1e308]]


FUNCTIONS = (
    "sigmoid", "exp", "expm1", "log", "log1p", "sqrt", "abs", "square", "tanh", "trunc", "relu", "sign", "cos", "sin",
)  # fmt: skip
MIXED_ROWS = [
    [3.0, "red", True], [None, "green", False], [1e9, "rare", True], [-0.0, "unseen", False], [2.5, "", True],
]  # fmt: skip


def write(name, given, rows, tolerance):
    names = given.schema.inputs["required"]
    expected = []
    for row in rows:
        answer = helpers_.answered(given.own, {key: [cell] for key, cell in zip(names, row, strict=True)})
        cells = None if answer is None else [answer[key][0] for key in given.schema.outputs["required"]]
        expected.append(cells)
    write_vector(name, given.document, rows, expected, tolerance)


def write_vector(name, document, rows, answers, tolerance):
    expected = [
        cells and [None if isinstance(one, float) and math.isnan(one) else one for one in cells] for cells in answers
    ]
    found = {"document": document, "expected": expected, "rows": rows, "tolerance": tolerance}
    text = json.dumps(found, separators=(",", ":"), sort_keys=True)
    (INTO / f"{name}.json").write_text(text + "\n", encoding="ascii")


def given_of(model, inputs, targets=1):
    schema = helpers_.schema_of(model, inputs, targets)
    return helpers_.Asked(model, schema, helpers_.estimators.frame_of(model, schema.inputs))


def main():
    INTO.mkdir(exist_ok=True)
    numbers = {f"x{n}": {"type": ["number", "null"]} for n in range(3)}
    for name, (model, wanted) in numeric().items():
        given = given_of(model, numbers, 1 if wanted.ndim == 1 else 2)
        # Of distances that are too large for a number, the trees of scikit-learn find none.
        rows = [row for row in numeric_rows() if name != "nearest" or row[0] is None or row[0] < 1e200]
        write(name, given, rows, 0.0 if name == "forest-numbers" else 1e-12)
    one = np.round(np.linspace(-2, 2, 20), 2)
    rising = IsotonicRegression(out_of_bounds="clip").fit(one, np.round(np.sin(one), 2))
    points = [[cell] for cell in [*one[::3].tolist(), 0.123, -9.0, 9.0, None]]
    write("rising", given_of(rising, {"x0": {"type": ["number", "null"]}}), points, 1e-12)
    for name, model in textual().items():
        texts = [[text] for text in [*TEXTS, *STRANGE]]
        write(name, given_of(model, {"text": {"type": "string"}}), texts, 1e-12)
    broken = module_of(UNIT / "loader" / "test_document.py").BROKEN
    (INTO / "refused.json").write_text(json.dumps(broken, indent=0, sort_keys=True) + "\n", encoding="ascii")
    document, rows = corners()
    model = stranger_.Model(json.dumps(document).encode())
    write_vector("corners", document, rows, [stranger_.answer_or_none(model, row) for row in rows], 1e-12)
    kinds = {"age": ["number", "null"], "colour": "string", "flag": "boolean"}
    for name, model in mixed().items():
        write(name, given_of(model, {key: {"type": kind} for key, kind in kinds.items()}), MIXED_ROWS, 1e-12)


if __name__ == "__main__":
    helpers_ = module_of(UNIT / "conftest.py")
    stranger_ = module_of(HERE / "stranger.py")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
