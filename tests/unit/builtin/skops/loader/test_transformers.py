"""Vectorizers, encoders, polynomials and functions whose settings would reach files or leave their columns."""

import json

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures

from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.loader.estimator import load_estimator


@pytest.fixture(scope="module")
def text_model():
    return make_pipeline(CountVectorizer(), MultinomialNB()).fit(["good film", "bad film"], ["+", "-"])


READS = """
import json, sys
import sklearn.naive_bayes, sklearn.feature_extraction.text, skops.io
from mlopskit.builtin.skops import loader

opened = []
sys.addaudithook(lambda event, found: opened.append(str(found[0])) if event == "open" else None)
secret = sys.argv[1]
seen = []
for data in json.load(open("forged.json")):
    data = bytes.fromhex(data)
    try:
        scorer = loader.load({"model.skops": data}, json.loads(sys.argv[2]))
        scorer.score({"x0": [secret]})
        seen.append("answered")
    except ValueError as error:
        seen.append(str(error))
before = secret in opened
skops.io.loads(data).predict([secret])
print(json.dumps([seen, before, secret in opened]))
"""


def test_the_text_of_a_request_is_never_a_file_name(text_model, child, forge, json_node, spec, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("good")
    forged = []
    for value in ("file", "filename"):
        each = forge(canonical(text_model))
        each.set("input", json_node(value), "steps", 0, 1)
        forged.append(each.data().hex())
    (tmp_path / "forged.json").write_text(json.dumps(forged))
    seen, opened, sung = child(READS, secret, json.dumps(spec(text_model, "column", 1)))
    assert all('only "content" may be loaded' in said for said in seen), seen
    assert not opened
    assert sung, "skops alone would not have read it: then this test shows nothing"


@pytest.mark.parametrize("count", [0, -1, 2**31, "many"])
def test_a_hashing_vectorizer_has_a_sound_size(count, forge, json_node, refuses):
    from sklearn.feature_extraction.text import HashingVectorizer

    model = make_pipeline(HashingVectorizer(n_features=16), LogisticRegression()).fit(["a b", "c d"], [0, 1])
    forged = forge(canonical(model))
    forged.set("n_features", json_node(count), "steps", 0, 1)
    refuses(forged.data(), "n_features")


@pytest.mark.parametrize("number", [10**9, -1, 0, 1.5, "1", None])
def test_a_vocabulary_numbers_its_terms(number, text_model, forge, json_node, refuses):
    forged = forge(canonical(text_model))
    forged.at("steps", 0, 1, "vocabulary_")["content"]["good"] = json_node(number)
    refuses(forged.data())


def test_a_polynomial_has_a_sound_degree(data, forge, json_node, refuses):
    features, labels = data
    forged = forge(canonical(make_pipeline(PolynomialFeatures(), LogisticRegression()).fit(features, labels)))
    forged.set("degree", json_node(10**9), "steps", 0, 1)
    refuses(forged.data(), "the degree 1000000000")


def unknown_outside(forged, json, at):
    at("_default_to_infrequent_mappings")["content"][0] = json(None)
    at("_infrequent_indices")["content"][0] = forged.add(np.array([900]))
    at("_n_features_outs")["content"][0] = json(2)


ENCODINGS = {
    "unsorted": lambda forged, _json, at: forged.put(at("categories_")["content"][0], np.array([3.0, 1.0, 2.0])),
    "fewer columns": lambda forged, json, at: at("_n_features_outs")["content"].__setitem__(0, json(1)),
    "drop outside": lambda forged, json, at: at("_drop_idx_after_grouping")["content"].__setitem__(0, json(9)),
    "grouped outside": lambda forged, _json, at: forged.put(
        at("_default_to_infrequent_mappings")["content"][0], np.array([0, 1, 900])
    ),
    "grouped shorter": lambda forged, _json, at: forged.put(
        at("_default_to_infrequent_mappings")["content"][0], np.array([0, 1])
    ),
    "unknown ones grouped outside": unknown_outside,
}


@pytest.mark.parametrize("what", ENCODINGS)
def test_an_encoder_stays_inside_of_its_columns(what, forge, json_node, refuses):
    values = np.array([[1.0], [2.0], [3.0]] * 4 + [[1.0]])
    encoder = OneHotEncoder(min_frequency=2, drop="first") if "grouped" in what else OneHotEncoder(drop="first")
    if "grouped" in what:
        values = np.concatenate([values[:4], [[1.0]] * 9])
    model = make_pipeline(encoder, LogisticRegression()).fit(values, [0, 1] * 6 + [0])
    data = canonical(model)
    assert np.array_equal(load_estimator(data).predict(values), model.predict(values))
    forged = forge(data)
    ENCODINGS[what](forged, json_node, lambda name: forged.at("steps", 0, 1, name))
    refuses(forged.data(), "OneHotEncoder")


FUNCTIONS = {
    "an array to write into": lambda forged, make: forged.set(
        "kw_args", make.dict_of({"out": forged.add(np.zeros((1, 4)))}, [make.kind("str")]), "steps", 0, 1
    ),
    "an argument of the inverse": lambda forged, make: forged.set(
        "inv_kw_args", make.dict_of({"where": make.json(False)}, [make.kind("str")]), "steps", 0, 1
    ),
    "a score of scikit-learn's": lambda forged, make: forged.set(
        "func", make.node("FunctionNode", "sklearn.feature_selection._univariate_selection.chi2"), "steps", 0, 1
    ),
}


@pytest.mark.parametrize("what", FUNCTIONS)
def test_a_function_is_numpys_and_gets_the_data_alone(what, data, forge, make, refuses):
    model = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(*data)
    stored = canonical(model)
    assert np.array_equal(load_estimator(stored).predict(data[0]), model.predict(data[0]))
    forged = forge(stored)
    FUNCTIONS[what](forged, make)
    refuses(forged.data(), "FunctionTransformer: ")
