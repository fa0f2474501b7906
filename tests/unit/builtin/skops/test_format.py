"""The skops format: what it stores, loads again as it was, and in the same bytes everywhere."""

import hashlib
import logging
import os
import sys
import tempfile
import types
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold, TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, RadiusNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC, SVR, LinearSVC

from mlopskit.builtin.skops import archive, loader
from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.format import SkopsFormat
from mlopskit.builtin.skops.loader.estimator import load_estimator
from mlopskit.errors import StoreError
from mlopskit.modelpackage import Schema

MODELS = {
    "linear": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "regression": LinearRegression,
    "forest": lambda: RandomForestClassifier(5, n_jobs=2, verbose=0, random_state=0),
    "extra trees": lambda: ExtraTreesRegressor(5, random_state=0),
    "gradient boosting": lambda: GradientBoostingClassifier(n_estimators=5, random_state=0),
    "histogram boosting": lambda: HistGradientBoostingClassifier(max_iter=5, early_stopping=True, random_state=0),
    "histogram regression": lambda: HistGradientBoostingRegressor(max_iter=5, random_state=0),
    "adaptive boosting": lambda: AdaBoostClassifier(n_estimators=3, random_state=0),
    "machine": SVC,
    "machine regression": SVR,
    "linear machine": LinearSVC,
    "calibrated": lambda: CalibratedClassifierCV(SVC(), method="isotonic", cv=2),
    "sigmoid": lambda: CalibratedClassifierCV(LinearSVC(), cv=2),
    "neighbors": lambda: KNeighborsClassifier(algorithm="brute"),
    "search": lambda: GridSearchCV(LogisticRegression(), {"C": [1.0, 2.0]}, cv=StratifiedKFold(2), scoring="accuracy"),
    "threshold": lambda: TunedThresholdClassifierCV(LogisticRegression(), cv=2),
    "voting": lambda: VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"),
    "stacking": lambda: StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], cv=2),
    "network": lambda: MLPClassifier((4,), max_iter=20, random_state=0),
    "selection": lambda: make_pipeline(SelectKBest(f_classif, k=2), FunctionTransformer(np.log1p), SGDClassifier()),
    "bins": lambda: make_pipeline(
        PolynomialFeatures(2),
        KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"),
        LogisticRegression(),
    ),
    "cache": lambda: make_pipeline(StandardScaler(), LogisticRegression(), memory="cache"),
}
TEXTS = [f"word{number % 7} the other{number % 3}" for number in range(120)]
TEXT_MODELS = {
    "tf-idf": lambda: make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=9), LogisticRegression()
    ),
    "stop words": lambda: make_pipeline(TfidfVectorizer(stop_words=["the"]), MultinomialNB()),
    "english": lambda: make_pipeline(CountVectorizer(stop_words="english", binary=True), MultinomialNB()),
    "hashing": lambda: make_pipeline(HashingVectorizer(n_features=64), SGDClassifier(random_state=0)),
}


def fit(model, inputs, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(inputs, labels)


def schema_of(spec):
    return Schema(inputs=spec["schema"]["inputs"], outputs=spec["schema"]["outputs"])


def refusals(model, schema, folder):
    """Return why a model is not stored, or in which ways what is stored is another one."""
    try:
        stored = SkopsFormat().save(model, schema, "arrays", folder)
    except StoreError as error:
        return error.culprits["reasons"]
    return SkopsFormat().differences(model, schema, stored, folder)


@pytest.mark.parametrize("name", MODELS)
def test_a_stored_model_answers_as_the_fitted_one(name, data, spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    features, labels = data
    model = fit(MODELS[name](), features, labels)
    described = spec(model)
    stored = SkopsFormat().save(model, schema_of(described), "arrays", tmp_path)
    assert SkopsFormat().differences(model, schema_of(described), stored, tmp_path) == []
    assert (stored.format, stored.files, stored.frame) == ("skops", ("model.skops",), "arrays")
    scorer = loader.load({"model.skops": (tmp_path / "model.skops").read_bytes()}, described)
    answers = scorer.score({f"x{number}": features[:, number].tolist() for number in range(4)})
    assert list(answers) == described["schema"]["outputs"]["required"]
    assert answers["prediction"] == model.predict(features).tolist()
    assert {type(value) for value in answers["prediction"]} <= {int, float, str}
    if len(answers) > 1:
        said = np.array([answers[column] for column in list(answers)[1:]]).T
        assert np.array_equal(said, model.predict_proba(features))


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_a_text_model_answers_as_the_fitted_one(name, spec, tmp_path):
    labels = ["a" if number % 7 < 3 else "b" for number in range(120)]
    model = fit(TEXT_MODELS[name](), TEXTS, labels)
    described = spec(model, frame="column", count=1)
    assert refusals(model, schema_of(described), tmp_path) == []
    scorer = loader.load({"model.skops": canonical(model)}, described)
    assert scorer.score({"x0": TEXTS})["prediction"] == model.predict(TEXTS).tolist()
    assert scorer.engine.startswith("scikit-learn 1.")


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_model_of_named_columns_is_given_a_frame(kind, data, tmp_path):
    features, labels = data
    columns = {
        "price": [None if number % 9 == 0 else value for number, value in enumerate(features[:, 0].tolist())],
        "town": [("here", "there", "far")[number % 3] for number in range(120)],
        "size": features[:, 1].tolist(),
    }
    make = pd.DataFrame if kind == "pandas" else pl.DataFrame
    prepare = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["price", "size"]),
        (OneHotEncoder(handle_unknown="ignore", min_frequency=3, sparse_output=False), ["town"]),
        n_jobs=2,
    )
    model = fit(make_pipeline(prepare.set_output(transform=kind), LogisticRegression()), make(columns), labels)
    types = {"price": ["number", "null"], "town": "string", "size": "number"}
    inputs = {"required": list(types), "properties": {name: {"type": kind} for name, kind in types.items()}}
    outputs = {"required": ["prediction", "probability.0", "probability.1"]}
    stored = SkopsFormat().save(model, Schema(inputs=inputs, outputs=outputs), kind, tmp_path)
    spec = {"schema": {"inputs": inputs, "outputs": outputs}, "task": "binary", "frame": kind}
    scorer = loader.load({"model.skops": (tmp_path / "model.skops").read_bytes()}, spec)
    assert scorer.score(columns)["prediction"] == model.predict(make(columns)).tolist()
    assert [pin.partition("==")[0] for pin in stored.requires] == ["scikit-learn", "numpy", "scipy", "skops", kind]
    unknown = {**columns, "town": ["nowhere"] * 120}
    assert scorer.score(unknown)["prediction"] == model.predict(make(unknown)).tolist()


def test_a_transformer_that_gives_frames_needs_them(data, tmp_path, spec):
    model = make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression()).fit(*data)
    stored = SkopsFormat().save(model, schema_of(spec(model)), "arrays", tmp_path)
    assert f"pandas=={pd.__version__}" in stored.requires


def test_a_sparse_machine_is_stored(data):
    features, labels = data
    model = SVC().fit(scipy.sparse.csr_matrix(features), labels)
    loaded = load_estimator(canonical(model))
    assert np.array_equal(loaded.predict(features), model.predict(features))
    assert canonical(loaded) == canonical(model)


def test_one_row_is_answered(data, fitted, archives, spec):
    scorer = loader.load({"model.skops": archives["forest"]}, spec(fitted["forest"]))
    assert scorer.score({"x0": [0.9], "x1": [0.9], "x2": [None], "x3": [1]})["prediction"] == [1]


def test_storing_leaves_the_model_as_it_is(data, spec, tmp_path):
    model = make_pipeline(StandardScaler(), RandomForestClassifier(2, n_jobs=2), memory=None, verbose=True)
    model.set_params(verbose=False).fit(*data)
    before = joblib.hash(model)
    assert refusals(model, schema_of(spec(model)), tmp_path) == []
    assert joblib.hash(model) == before
    assert model[1].n_jobs == 2


# --- the same bytes everywhere ------------------------------------------------------------------------------------

TRAIN = """
import hashlib, json, sys
if sys.argv[1] == "other order":
    import scipy.special, pandas, numpy.ma
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.svm import SVC
from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.loader.estimator import load_estimator

texts = [f"word{n % 7} the " + "other" * (n % 3 + 1) for n in range(90)]
random = np.random.default_rng(0)
features = random.random((90, 4))
labels = (features[:, 0] > 0.5).astype(int)
named = np.array(["yes", "no"])[labels]
encode = make_column_transformer((OneHotEncoder(), [0]), (FunctionTransformer(np.log1p), [1, 2]))
models = [
    make_pipeline(TfidfVectorizer(stop_words=["the"], max_features=5), LogisticRegression()).fit(texts, named),
    make_pipeline(TfidfVectorizer(stop_words="english"), LogisticRegression()).fit(texts, named),
    TfidfVectorizer(vocabulary={"word1", "word2", "other"}).fit(texts),
    RandomForestClassifier(3, random_state=0, n_jobs=2).fit(features, named),
    GradientBoostingClassifier(n_estimators=3, random_state=0).fit(features, labels),
    HistGradientBoostingClassifier(max_iter=3, random_state=0).fit(features, labels),
    make_pipeline(encode, LogisticRegression()).fit(np.round(features, 1), named),
    GridSearchCV(SVC(), {"C": [1, 2]}, cv=2).fit(features, labels),
]
digests = []
for model in models:
    data = canonical(model)
    digests.append(hashlib.sha256(data).hexdigest())
    if sys.argv[1] == "other order":
        assert canonical(load_estimator(data)) == data
print(json.dumps(digests))
"""


def test_the_same_model_trained_in_three_processes_gives_the_same_bytes(child):
    seen = []
    for seed, order in (("0", "one order"), ("1", "other order"), ("4242", "one order")):
        seen.append(child(TRAIN, order, env={**os.environ, "PYTHONHASHSEED": seed}))
    assert seen[0] == seen[1] == seen[2]
    assert len(set(seen[0])) == len(seen[0])


def test_a_function_of_numpy_is_numpys_whoever_was_first_to_import_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "early", types.SimpleNamespace(log1p=np.log1p, sqrt=len))
    for name, module in {"log1p": "numpy", "sqrt": "early", "nothing": "early"}.items():
        node = {"__class__": name, "__module__": "early", "__loader__": "FunctionNode", "__id__": 1}
        assert archive._Rewriter({}).rewritten(node)["__module__"] == module


def test_skops_itself_writes_other_bytes_each_time(data):
    """What the canonical archive is for; if this fails, half of it can go."""
    import skops.io

    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(*data)
    first, second = (hashlib.sha256(skops.io.dumps(skops.io.loads(skops.io.dumps(model)))).digest() for _ in range(2))
    assert first != second


def test_skops_reads_what_is_written(data):
    import skops.io

    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(*data)
    loaded = skops.io.loads(canonical(model))
    assert np.array_equal(loaded.predict_proba(data[0]), model.predict_proba(data[0]))


def test_shared_parts_stay_shared(data):
    scaler = StandardScaler().fit(data[0])
    model = make_pipeline(scaler, LogisticRegression().fit(*data))
    model.scaler = scaler
    loaded = load_estimator(canonical(model))
    assert loaded.scaler is loaded[0]


def test_the_numbers_of_terms_are_stored_as_plain_numbers():
    model = CountVectorizer().fit(["good bad"])
    before = canonical(model)
    model.vocabulary_ = {"good": np.int64(1), "bad": 0}
    assert canonical(model) == before


def test_estimators_that_are_not_fitted_are_parts_like_others(data):
    parts = [HistGradientBoostingClassifier(), GradientBoostingClassifier(), SVC(), OneHotEncoder()]
    model = LogisticRegression().fit(*data)
    model.parts = [*parts, KNeighborsClassifier(algorithm="brute"), KNeighborsRegressor(algorithm="brute").fit(*data)]
    assert canonical(load_estimator(canonical(model))) == canonical(model)
    assert refused(model) == ""


def test_a_type_of_scikit_learn_that_is_not_listed_is_refused(data):
    assert "Use another of scikit-learn's estimators" in refused(
        make_pipeline(SplineTransformer(), LogisticRegression()).fit(*data)
    )


def test_a_large_vocabulary_is_small_and_fast():
    import time

    texts = [" ".join(f"word{number * 20 + place}" for place in range(20)) for number in range(1000)]
    model = make_pipeline(TfidfVectorizer(max_features=20_000), LogisticRegression(max_iter=5))
    fit(model, texts, [number % 2 for number in range(1000)])
    begin = time.process_time()
    data = canonical(model)
    stored = time.process_time()
    loaded = load_estimator(data)
    assert loaded[0].vocabulary_ == model[0].vocabulary_
    assert len(data) < 1_000_000
    assert stored - begin < 3
    assert time.process_time() - stored < 3


# --- refusals -----------------------------------------------------------------------------------------------------


class Custom(TransformerMixin, BaseEstimator):
    def fit(self, _inputs, _labels=None):
        return self

    def transform(self, inputs):
        return inputs


def double(values):
    return values * 2


def local():
    def triple(values):
        return values * 3

    return FunctionTransformer(triple)


def main_class():
    found = type("Custom", (Custom,), {})
    found.__module__ = "__main__"
    return found()


REFUSED = {
    "a lambda": (lambda: FunctionTransformer(lambda values: values), "model.steps[0][1].func is a lambda"),
    "a function beside mlopskit": (lambda: FunctionTransformer(double), "imports mlopskit, which is not there at a"),
    "a local function": (local, "model.steps[0][1].func is "),
    "a class of the main program": (main_class, "model.steps[0][1] is __main__.Custom, of the main program"),
    "a search without a tree": (
        lambda: make_pipeline(RadiusNeighborsClassifier(algorithm="brute")),
        "the search 'brute'",
    ),
    "a file reader": (lambda: CountVectorizer(input="filename"), "input is 'filename'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_stored_is_named_with_its_place(name, data, spec, tmp_path):
    make, words = REFUSED[name]
    features, labels = data
    part = make()
    model = make_pipeline(part, LogisticRegression())
    if name == "a search without a tree":
        model = part.fit(features, labels)
    elif name != "a file reader":
        model.fit(features, labels)
    with pytest.raises(StoreError, match="cannot be stored") as raised:
        SkopsFormat().save(model, Schema(inputs={}, outputs={}), "arrays", tmp_path)
    reasons = raised.value.culprits["reasons"]
    assert any(words in reason for reason in reasons), reasons
    assert list(tmp_path.iterdir()) == []


def refused(model, outputs=("prediction",)):
    with tempfile.TemporaryDirectory() as temporary:
        return " ".join(refusals(model, Schema(inputs={}, outputs={"required": list(outputs)}), Path(temporary)))


def test_a_metric_that_is_not_listed_is_refused_with_its_place(data):
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(metric="canberra")).fit(*data)
    assert refused(model) == "model.steps[1][1]: KNeighborsClassifier: the metric 'canberra'."


def test_categories_of_histogram_boosting_are_refused(data):
    features, labels = data
    model = HistGradientBoostingClassifier(categorical_features=[0], max_iter=2).fit(np.round(features * 5), labels)
    assert "its own categorical_features" in refused(model)


def test_a_part_that_skops_cannot_store_is_named(data):
    model = LogisticRegression().fit(*data)
    model.log = {"stream": open(os.devnull)}  # noqa: PTH123, SIM115
    try:
        assert "model.log['stream'] is _io.TextIOWrapper, which is not on the list" in refused(model)
    finally:
        model.log["stream"].close()


def test_a_set_or_object_array_that_cannot_be_stored_is_named(data):
    model = LogisticRegression().fit(*data)
    model.odd = np.array([iter(())], dtype=object)
    assert "model.odd[0]" in refused(model)


def test_an_object_that_holds_half_the_process_is_named(data):
    model = LogisticRegression().fit(*data)
    model.log = logging.getLogger("mlopskit")
    assert refused(model).startswith("model.log is logging.Logger, which is not on the list")
    model.log = logging
    assert refused(model).startswith("model.log is builtins.module, which skops cannot store")


def test_a_model_that_contains_itself_is_refused(data):
    model = LogisticRegression().fit(*data)
    model.again = [model]
    assert "contains itself" in refused(model)


def test_keys_that_json_would_change_are_refused(data):
    assert "builtins.bool" in refused(LogisticRegression(class_weight={False: 1, True: 2}).fit(*data))
    model = LogisticRegression().fit(*data)
    model.table = {1: "a", "1": "b"}
    assert "not different as text" in refused(model)


def test_many_reasons_are_cut(data):
    model = LogisticRegression().fit(*data)
    model.odd = [main_class() for _ in range(9)]
    assert refused(model).endswith("There are 4 more such parts.")


def test_outputs_that_are_not_the_models_are_refused(data):
    model = LogisticRegression().fit(*data)
    assert "the model's classes give" in refused(model, ["prediction", "probability.0", "probability.2"])
    assert "has no predict_proba" in refused(LinearRegression().fit(*data), ["prediction", "probability.0"])
    assert "has no predict" in refused(StandardScaler().fit(data[0]))


def test_a_parameter_that_loading_would_change_is_refused(data, monkeypatch):
    from mlopskit.builtin.skops import format

    monkeypatch.setattr(format, "contents", lambda _root, _members: {})
    assert "not the same after storing and loading" in refused(LogisticRegression().fit(*data))
