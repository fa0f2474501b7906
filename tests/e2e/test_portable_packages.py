"""What is bad about rows and files, through a whole package: packaged, loaded, asked."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

import mlopskit as mk
from mlopskit.errors import MlopskitError, RowError, UnsafeModelError


def loaded(model, features, target, into):
    """Return a fitted model that was packaged and loaded again, and its package's folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = mk.package(model, features, target, name="bad", gates=[], registry=into, X_train=None)
    assert "portable" in {one.format for one in package.models}, package.manifest["provenance"]["refusals"]
    found = mk.load(package.folder)
    assert "portable" in repr(found)
    return found, package.folder


@pytest.fixture(scope="module")
def boosting(tmp_path_factory):
    random = np.random.default_rng(0)
    features = random.normal(size=(200, 3))
    features[::5, 1] = np.nan
    target = np.nan_to_num(features) @ [1, 2, 3]
    model = HistGradientBoostingRegressor(max_iter=5).fit(features, target)
    return model, *loaded(model, features, target, tmp_path_factory.mktemp("registry"))


ANSWERED = [
    [0.1, None, 0.2], [0.1, float("nan"), 0.2], [0.0, -0.0, 0.0], [5e-324, -5e-324, 1e-310], [1e308, -1e308, 0.1],
    [2**53 + 1, 2**63, -(2**100)], [3, 4, 5],
]  # fmt: skip
REFUSED = [
    [float("inf"), 0.0, 0.0], [0.0, -float("inf"), 0.0], [None, 0.0, 0.0], [10**400, 0.0, 0.0], ["0.1", 0.0, 0.0],
    [[0.1], 0.0, 0.0], [{"x": 1}, 0.0, 0.0], [b"1", 0.0, 0.0], [True, 0.0, 0.0], [0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [],
]  # fmt: skip


@pytest.mark.parametrize("row", ANSWERED, ids=repr)
def test_a_row_of_numbers_is_answered_as_by_the_model(row, boosting):
    model, tables, _ = boosting
    (answer,) = tables.predict([{f"x{n}": cell for n, cell in enumerate(row)}])
    assert answer["prediction"] == model.predict(np.array([row], dtype=float))[0]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: repr(row)[:40])
def test_a_row_of_another_type_or_shape_is_refused_by_name(row, boosting):
    with pytest.raises(RowError, match=r"Row 0"):
        boosting[1].predict([{f"x{n}": cell for n, cell in enumerate(row)}])


ENCODERS = {
    "onehot-error": (OneHotEncoder(), False),
    "onehot-ignore": (OneHotEncoder(handle_unknown="ignore"), True),
    "onehot-infrequent": (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=9), True),
    "onehot-dropped": (OneHotEncoder(handle_unknown="ignore", drop="if_binary"), True),
    "ordinal-error": (OrdinalEncoder(), False),
    "ordinal-encoded": (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), True),
}
SLOW = ("onehot-ignore", "onehot-dropped", "ordinal-error")  # each is a package more


@pytest.mark.parametrize("name", [pytest.param(one, marks=pytest.mark.slow if one in SLOW else ()) for one in ENCODERS])
def test_an_unseen_category_is_answered_or_refused_as_its_encoder_says(name, tmp_path):
    encoder, answers = ENCODERS[name]
    frame = pd.DataFrame({"colour": ["red", "green", "blue", "red"] * 20 + ["rare"] * 3, "x": np.arange(83) / 7})
    columns = ColumnTransformer([("colour", encoder, ["colour"])], remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(frame, np.arange(83) % 2)
    tables, _ = loaded(model, frame, np.arange(83) % 2, tmp_path)
    for colour in ("never seen", "", "RED", "re\u0301d", "\U0001f534", "\ud800", "red "):
        row = {"colour": colour, "x": 0.5}
        if answers:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                wanted = model.predict_proba(pd.DataFrame([row]))[0, 1]
            assert tables.predict([row])[0]["probability.1"] == pytest.approx(wanted, rel=0, abs=1e-15)
            continue
        with pytest.raises(MlopskitError, match="category that this model does not know"):
            tables.predict([row])


@pytest.mark.parametrize("vectorizer", [TfidfVectorizer(), HashingVectorizer(n_features=64)], ids=repr)
def test_hostile_texts_are_answered_as_by_the_model_or_refused_by_both(vectorizer, tmp_path):
    texts = [f"{'good fine' if n % 2 else 'bad awful'} film {n % 9}" for n in range(80)]
    model = make_pipeline(vectorizer, LogisticRegression()).fit(texts, [n % 2 for n in range(80)])
    tables, folder = loaded(model, texts, [n % 2 for n in range(80)], tmp_path)
    (name,) = json.loads((folder / "manifest.json").read_bytes())["schema"]["inputs"]["required"]
    hostile = [
        "", " \t\n", "good", "good \ud800 film", "go\udfffod", "e\u0301", "\u0130I\u0131i good", "ΟΔΟΣ ΣΑΣ good",
        "\U0001f600good", "good\x00film", "GOOD Fine", "good film " * 1_000_000,
    ]  # fmt: skip
    for text in hostile:
        try:
            wanted = model.predict_proba([text])[0, 1]
        except UnicodeEncodeError:
            with pytest.raises(MlopskitError, match="surrogate"):
                tables.predict([{name: text}])
            continue
        assert tables.predict([{name: text}])[0]["probability.1"] == pytest.approx(wanted, rel=0, abs=1e-12), text[:20]


def forged(folder, data, into):
    """Return a copy of a package whose model.json is another, with digests that are right."""
    copy = into / "copy"
    shutil.copytree(folder, copy)
    (copy / "model.json").write_bytes(data)
    manifest = json.loads((copy / "manifest.json").read_bytes())
    manifest["files"]["model.json"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    text = json.dumps(manifest, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    (copy / "manifest.json").write_bytes(text)
    return copy.rename(into / hashlib.sha256(text).hexdigest())


def cycle(document):
    document["steps"][-1]["from"] = [len(document["steps"])]


def beyond(document):
    document["steps"][0]["trees"][0]["feature"][0] = 3


def right(document):
    document["steps"][0]["trees"][1]["right"][0] = 10**6


def wide(document):
    document["steps"] += [{"op": "concat", "from": [n, n]} for n in range(1, 60)]


def prototype(document):
    document["steps"][0]["__proto__"] = {"from": [0]}


def infinite(document):
    document["steps"][0]["start"] = [10**400]


HOSTILE = {
    "cycle": (cycle, r"step 1 \('trees'\): names a source"),
    "feature": (beyond, r"step 1 \('trees'\): .*looks at an element"),
    "child": (right, r"step 1 \('trees'\): .*child"),
    "width": (wide, r"step 2\d.*(wide|elements)"),
    "prototype": (prototype, r"step 1 \('trees'\): has the fields"),
    "infinite": (infinite, r"step 1 \('trees'\): start holds a number that is not finite"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_under_a_right_digest_is_refused_before_the_first_row(name, boosting, tmp_path):
    _, _, folder = boosting
    document = json.loads((folder / "model.json").read_bytes())
    change, why = HOSTILE[name]
    change(document)
    copy = forged(folder, json.dumps(document).encode(), tmp_path)
    with pytest.raises(UnsafeModelError, match=why):
        mk.load(copy)


@pytest.mark.parametrize(
    "data", [b"[" * 200_000, b"\xff\xfe{\x00}\x00", b"", b"NaN", b'{"steps":[],"steps":[]}'], ids=repr
)
def test_a_file_that_is_no_document_is_refused_before_the_first_row(data, boosting, tmp_path):
    with pytest.raises(UnsafeModelError, match="portable model"):
        mk.load(forged(boosting[2], data, tmp_path))


LOADING = """
import resource, sys, time
import mlopskit as mk
began = time.perf_counter()
mk.load(sys.argv[1])
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_two_million_nodes_are_loaded_and_answer(record_property, tmp_path):
    random = np.random.default_rng(1)
    features = random.normal(size=(52_000, 4))
    model = ExtraTreesRegressor(20, random_state=0).fit(features, random.normal(size=52_000))
    nodes = sum(one.tree_.node_count for one in model.estimators_)
    assert nodes >= 2_000_000
    tables, folder = loaded(model, features[:50], np.zeros(50), tmp_path)
    # In a process of its own: this one has held more before.
    told = subprocess.run([sys.executable, "-c", LOADING, folder], capture_output=True, check=True, text=True).stdout
    seconds, kibibytes = map(float, told.split())
    size = (folder / "model.json").stat().st_size / 2**20
    figure = f"{seconds:.1f} s, {size:.0f} MiB of file, {kibibytes / 1024:.0f} MiB of memory in all"
    record_property("figure: a model of two million nodes, loaded", figure)
    rows = [{f"x{n}": float(cell) for n, cell in enumerate(row)} for row in features[:300]]
    assert [row["prediction"] for row in tables.predict(rows)] == model.predict(features[:300]).tolist()
