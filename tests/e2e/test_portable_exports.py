"""Thirteen models whose ONNX exports answer silently otherwise: as tables each is exact, on 2,000 rows and more."""

from __future__ import annotations

import json
import math
import warnings
from random import Random

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import mlopskit as mk
from mlopskit import estimators
from mlopskit.builtin.portable.format import document_of
from mlopskit.builtin.portable.loader import load
from mlopskit.builtin.skops.loader.scoring import EstimatorScorer
from mlopskit.modelpackage import Schema

ROWS = 2000
FOREST = {"n_estimators": 20, "max_depth": 6, "random_state": 0}
# Latin, with marks; Cyrillic, Greek, Han, kana, Hangul, Hebrew, Arabic, Devanagari, Thai, Turkish, ligatures, digits.
SCRIPTS = [
    (0x61, 0x7A), (0x61, 0x7A), (0xDF, 0xFF), (0x100, 0x17F), (0x430, 0x44F), (0x3AC, 0x3CE), (0x4E00, 0x4E40),
    (0x3042, 0x30F6), (0xAC00, 0xAC40), (0x5D0, 0x5EA), (0x620, 0x652), (0x905, 0x94D), (0xE01, 0xE4E), (0x130, 0x131),
    (0xFB00, 0xFB06), (0x1C4, 0x1CC), (0x30, 0x39), (0x660, 0x669), (0xB2, 0xBE), (0x2160, 0x217F), (0x300, 0x330),
    (0x1D400, 0x1D420),
]  # fmt: skip
SIGNS = [*"    -,.!'_\t\n\x1c", "  ", " \n", "\u2019", "\u00a0", "\u3000", "\u200b", "\U0001f600"]


def texts(count, seed):
    """Return texts of many scripts, in both cases, with many kinds of space and sign between the words."""
    random = Random(seed)
    found = [
        "",
        " ",
        "a",
        "ΟΔΥΣΣΕΥΣ ΣΟΦΟΣ Σ ΑΣ.",
        "\u0130STANBUL ISPARTA \u0131l\u0131k",
        "dog \ud800 cat",
        "\U0001f469\u200d\U0001f52c lab",
    ]
    while len(found) < count:
        words = []
        for _ in range(random.randrange(1, 12)):
            first, last = random.choice(SCRIPTS)
            word = "".join(chr(random.randint(first, last)) for _ in range(random.randrange(1, 5)))
            words.append(random.choice([word, word, word.upper(), word.title()]) + random.choice(SIGNS))
        found.append("".join(words))
    return found


def numbers(*, gaps=False):
    """Return rows of five columns (also thousands of their own tree's thresholds and neighbours), and two classes."""
    random = np.random.default_rng(4)
    features = random.normal(size=(600, 5)) * [1, 10, 1e3, 1e-3, 1] + [0, 0, 16777216.3, 0, 5]
    target = (features[:, 0] + features[:, 1] / 7 + random.normal(size=600) / 3 > 0).astype(int)
    if gaps:
        features[random.random(features.shape) < 0.15] = np.nan
        target = np.where(np.isnan(features[:, 0]), 1, target)
    return features, target


def rows_of(model, features, document):
    """Return rows of which half have an element at a threshold of the model, or a step of rounding beside it."""
    random = np.random.default_rng(5)
    base = features[random.integers(len(features), size=ROWS)].copy()
    base[: ROWS // 4] += random.normal(size=(ROWS // 4, 5)) * np.nanstd(features, axis=0)
    trees = [tree for step in document["steps"] if step["op"] == "trees" for tree in step["trees"]]
    limits = [(f, x) for one in trees for f, x in zip(one["feature"], one["threshold"], strict=True) if f >= 0]
    limits = [(f % 5, x) for f, x in limits if abs(x) < 1e30]
    for place in range(0, ROWS if limits else 0, 2):
        column, limit = limits[random.integers(len(limits))]
        if hasattr(model, "steps") and hasattr(model[0], "inverse_transform"):  # the threshold is of a scaled row
            limit = float(model[0].inverse_transform(np.full((1, 5), limit))[0, column])
        up, down = np.nextafter(limit, 9e99), np.nextafter(limit, -9e99)
        near = (
            limit,
            up,
            down,
            float(np.float32(limit)),
            limit * (1 + 1e-8),
            np.nextafter(np.float32(limit), np.float32(9)),
        )
        base[place, column] = near[random.integers(len(near))]
    return {f"x{n}": [None if math.isnan(cell) else cell for cell in base[:, n].tolist()] for n in range(5)}


class Both:
    """A fitted model and its tables."""

    def __init__(self, model, data):
        self.schema = Schema(inputs=data.input_schema(), outputs=estimators.output_schema(model, data))
        frame = estimators.frame_of(model, self.schema.inputs)
        self.document = document_of(model, self.schema, frame)
        told = {"schema": {"inputs": self.schema.inputs, "outputs": self.schema.outputs}}
        self.tables = load({"model.json": json.dumps(self.document).encode()}, told)
        self.own = EstimatorScorer(model, told | {"frame": frame})

    def difference(self, columns):
        """Return the largest difference of an answer; all labels must be equal."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own = self.own.score(columns)
        together = self.tables.score(columns)
        count, worst = len(own["prediction"]), 0.0
        assert count >= ROWS
        for place in range(count):
            alone = self.tables.score({name: [cells[place]] for name, cells in columns.items()})
            for name, cells in own.items():
                if name == "prediction":
                    assert alone[name][0] == together[name][place] == cells[place], (place, name)
                else:
                    answers = alone[name][0], together[name][place]
                    worst = max(worst, *(abs(one - cells[place]) / max(1.0, abs(cells[place])) for one in answers))
        return worst


def of_numbers(model, *, gaps=False):
    def difference():
        features, target = numbers(gaps=gaps)
        both = Both(model.fit(features, target), mk.Dataset.from_frame(features, target))
        return both.difference(rows_of(model, features, both.document))

    return difference


def of_texts(vectorizer):
    def difference():
        given = texts(300, 1)
        model = make_pipeline(vectorizer, LogisticRegression(C=20)).fit(given, [n % 2 for n in range(300)])
        both = Both(
            model, mk.Dataset.from_frame([text.replace("\ud800", "") for text in given], [n % 2 for n in range(300)])
        )
        (name,) = both.schema.inputs["required"]
        asked = texts(ROWS, 2)
        if isinstance(vectorizer, HashingVectorizer):  # which refuses half a surrogate pair, as the tables do
            asked = [text.replace("\ud800", "") for text in asked]
        return both.difference({name: asked})

    return difference


def categories():
    random = Random(3)
    words = ["red", "green", "blue", "Ünseen", "", "rare"]
    frame = pd.DataFrame({
        "colour": pd.Categorical([words[random.randrange(3)] for _ in range(400)], categories=words[:3] + words[5:]),
        "code": pd.Categorical([random.randrange(5) for _ in range(400)]),
        "x": [random.gauss(0, 1) for _ in range(400)],
    })  # fmt: skip
    target = [int(c == "red") ^ int(k in (1, 4)) for c, k in zip(frame["colour"], frame["code"], strict=True)]
    frame = frame.astype({"colour": "str", "code": float})
    model = HistGradientBoostingClassifier(categorical_features=["colour", "code"], max_iter=20, random_state=0)
    both = Both(model.fit(frame, target), mk.Dataset.from_frame(frame, target))
    columns = {
        "colour": [random.choice(words) for _ in range(ROWS)],
        "code": [float(random.randrange(-1, 9)) for _ in range(ROWS)],
        "x": [random.gauss(0, 2) for _ in range(ROWS)],
    }
    return both.difference(columns)


def forest():
    return RandomForestClassifier(**FOREST)


EXPORTS = {
    "trees with NaN": (of_numbers(forest(), gaps=True), 1e-15),
    "categories of histogram boosting": (categories, 1e-15),
    "add_indicator": (of_numbers(make_pipeline(SimpleImputer(add_indicator=True), forest()), gaps=True), 1e-15),
    "threshold classifiers": (
        lambda: max(
            of_numbers(FixedThresholdClassifier(forest(), threshold=0.3))(),
            of_numbers(TunedThresholdClassifierCV(DecisionTreeClassifier(max_depth=5), random_state=0))(),
        ),
        1e-15,
    ),
    "isotonic calibration of a forest": (of_numbers(CalibratedClassifierCV(forest(), method="isotonic", cv=3)), 1e-12),
    "scalers before trees": (
        lambda: max(
            of_numbers(make_pipeline(StandardScaler(), forest()))(),
            of_numbers(make_pipeline(MinMaxScaler(), HistGradientBoostingClassifier(max_iter=20)))(),
        ),
        1e-15,
    ),
    "the default token pattern": (of_texts(TfidfVectorizer()), 1e-12),
    "the char analyzer": (of_texts(TfidfVectorizer(analyzer="char", ngram_range=(1, 3))), 1e-12),
    "sublinear_tf": (of_texts(TfidfVectorizer(sublinear_tf=True)), 1e-12),
    "stop words with n-grams": (of_texts(TfidfVectorizer(stop_words=["ab", "dog", "the"], ngram_range=(1, 2))), 1e-12),
    "char_wb": (of_texts(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4))), 1e-12),
    "strip_accents": (
        lambda: max(of_texts(TfidfVectorizer(strip_accents=kind))() for kind in ("unicode", "ascii")), 1e-12,
    ),
    "hashing, and n-grams that do not begin at 1": (
        lambda: max(of_texts(one)() for one in (HashingVectorizer(n_features=99), TfidfVectorizer(ngram_range=(2, 3)))),
        1e-12,
    ),
}  # fmt: skip


@pytest.mark.slow
def test_what_onnx_gets_silently_wrong_is_exact(record_property):
    found = {name: (difference(), limit) for name, (difference, limit) in EXPORTS.items()}
    exact = [name for name, (worst, limit) in found.items() if worst <= limit]
    record_property("figure: exports that ONNX gets wrong, exact here", f"{len(exact)} of {len(found)}")
    assert exact == [*EXPORTS], found


@pytest.mark.parametrize("name", ["trees with NaN", "categories of histogram boosting", "the char analyzer"])
def test_some_of_them_are_exact(name):
    difference, limit = EXPORTS[name]
    assert difference() <= limit


def test_texts_of_many_scripts_are_answered_as_by_the_default_vectorizer(record_property):
    asked = texts(ROWS, 2)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=20)).fit(texts(ROWS, 1), [n % 2 for n in range(ROWS)])
    data = mk.Dataset.from_frame([text.replace("\ud800", "") for text in asked], [n % 2 for n in range(ROWS)])
    both = Both(model, data)
    (name,) = both.schema.inputs["required"]
    own, tables = both.own.score({name: asked}), both.tables.score({name: asked})
    pairs = zip(own["probability.1"], tables["probability.1"], strict=True)
    over = sum(abs(a - b) > 1e-12 for a, b in pairs)
    record_property("figure: of 2,000 texts of many scripts, differences over 1e-12 in Python", f"{over}")
    assert over == 0
    assert own["prediction"] == tables["prediction"]
