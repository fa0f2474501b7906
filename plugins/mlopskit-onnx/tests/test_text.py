"""Texts in many scripts: what becomes of them before the graph and in it is what scikit-learn makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from mlopskit.errors import StoreError

ASKED = 2000
_SAMPLE = """
    good Bad FINE a I x1 1½ don't state-of-the-art naïve CAFÉ cafe\u0301 Straße GROSSE ΣΟΦΟΣ σοφός İstanbul \u0131x ǅ
    привет МИР 你好世界 こんにちは ﾊﾛｰ 한국어 שָׁלוֹם مرحبا हिन्दी ไทย Ⅳ ² ٣٤ \U0001d4b3\U0001d4ce 👍🏽 foo_bar __init__
    e\u0301\u0301 ﬁne a\u200db
"""
WORDS = _SAMPLE.split()
GAPS = [" ", "  ", "\n", "\t ", "\u00a0", "\u3000", "\x1c", ", ", ". ", "!", "\u2028", "-", "\u200b"]


def texts(count, seed):
    random = np.random.default_rng(seed)

    def one():
        picked = random.integers(len(WORDS), size=random.integers(1, 12))
        return "".join(WORDS[at] + GAPS[random.integers(len(GAPS))] for at in picked)

    odd = ["", " ", "a", "\u0130", "!!!", "\x00", "a\x00b", "good " * 300, "\ud800 good", "\ufffe", "a\uffffb"]
    return [*odd, *(one() for _ in range(count - len(odd)))]


def fitted(vectorizer):
    """Return a model of texts, the texts, and their labels."""
    given = texts(300, 0)
    labels = np.array([int("a" in one.lower()) for one in given])
    given = [one.replace("\ud800", "").replace("\ufffe", "").replace("\uffff", "") for one in given]
    return make_pipeline(vectorizer, LogisticRegression()).fit(given, labels), given, labels


COVERED = {
    "default": TfidfVectorizer(),
    "counts": CountVectorizer(),
    "binary": CountVectorizer(binary=True, max_features=20),
    "sublinear": TfidfVectorizer(sublinear_tf=True),
    "as it is": TfidfVectorizer(lowercase=False, norm="l1"),
    "one sign": TfidfVectorizer(token_pattern=r"(?u)\b\w+\b"),
    "no spaces": TfidfVectorizer(token_pattern=r"\S+"),
    "letters": TfidfVectorizer(token_pattern="[a-zäöü]{2,5}"),
    "one or two": TfidfVectorizer(ngram_range=(1, 2)),
    "two or three": TfidfVectorizer(ngram_range=(2, 3), min_df=2),
    "stop words": TfidfVectorizer(stop_words=["good", "bad"]),
    "pairs without stop words": TfidfVectorizer(stop_words=["good", "bad", "x1"], ngram_range=(1, 2)),
    "unicode": TfidfVectorizer(strip_accents="unicode"),
    "ascii": TfidfVectorizer(strip_accents="ascii"),
    "signs": TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2),
    "signs of words": TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=3),
    "signs, stripped": TfidfVectorizer(analyzer="char", strip_accents="unicode", ngram_range=(2, 2)),
}


@pytest.mark.parametrize("name", COVERED)
def test_texts_in_many_scripts(name, exported, record_property):
    model, given, labels = fitted(COVERED[name])
    made = exported(model, given, labels)
    (column,) = made.schema.inputs["required"]
    asked = texts(ASKED, 1)
    assert made.worst({column: asked}) <= 1e-12
    if name == "default":
        record_property("figure: multilingual texts answered wrongly in ONNX", f"0 of {len(asked)}")


REFUSED = {
    "HashingVectorizer": HashingVectorizer(n_features=1024),
    "several parts": TfidfVectorizer(token_pattern="[a-z]+[0-9]"),
    "boundaries": TfidfVectorizer(token_pattern=r"\b[a-z]{2,}\b"),
    "hold a space": TfidfVectorizer(token_pattern="[^,]+", ngram_range=(1, 2)),
    "short words once": TfidfVectorizer(analyzer="char_wb", ngram_range=(4, 5)),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_no_node_does_is_refused_with_its_reason(reason, exported):
    with pytest.raises(StoreError, match="has no ONNX form") as caught:
        exported(*fitted(REFUSED[reason]))
    assert reason in " ".join(caught.value.culprits["reasons"])


def test_the_steps_before_the_graph_are_declared(exported):
    made = exported(*fitted(COVERED["signs, stripped"]))
    assert made.stored.preprocess == ("accents-unicode", "lower", "spaces")
    assert b'"steps":["lower","accents-unicode","spaces"]' in made.data


def test_a_text_that_stands_for_what_is_missing_is_refused(exported):
    made = exported(*fitted(COVERED["default"]))
    (column,) = made.schema.inputs["required"]
    with pytest.raises(ValueError, match=r"U\+FFFF"):
        made.scorer.score({column: ["\uffff"]})


def test_a_long_text_among_short_ones_takes_no_table_as_wide_for_each(exported):
    made = exported(*fitted(COVERED["counts"]))
    (column,) = made.schema.inputs["required"]
    asked = ["good bad"] * 200 + ["good " * 100_000] + ["bad"] * 200
    assert made.worst({column: asked}) <= 1e-12
