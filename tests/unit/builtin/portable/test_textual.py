from __future__ import annotations

from random import Random

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from mlopskit.builtin.portable.writing import NoTablesError

WORDS = ["the cat sat", "a dog, a dog!", "Déjà vu naïve", "ΟΔΥΣΣΕΥΣ ΣΟΦΟΣ", "İstanbul ISPARTA ılık", "12 x_1 x-2"]  # noqa: RUF001
TEXTS = [f"{WORDS[i % 6]} {WORDS[(i * 5 + 1) % 6]} n{i % 7}" for i in range(42)]
STRANGE = [
    "", " ", "a", "the the THE", "e\u0301te\u0301 été", "\u1e9e \ufb01n \u2460 x\u00b2", "\U0001f600 \U0001d400bc dog",
    "x\x00y z\x1cw", "tab\t\tdouble  space\nline", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 dog",
    "日本語 テキスト dog", "σς Σ dog", "ΑΣ. ΑΣα", "dog " * 3000,
    "\u00a0nbsp\u2003em cat", "ǅ ǈ cat", "don't you're x_1",
]  # fmt: skip
VECTORIZERS = [
    TfidfVectorizer(),
    TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, stop_words="english"),
    TfidfVectorizer(ngram_range=(2, 3), norm="l1", use_idf=False),
    TfidfVectorizer(norm=None, smooth_idf=False, min_df=2, max_features=20),
    TfidfVectorizer(analyzer="char", ngram_range=(1, 3)),
    TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), strip_accents="unicode"),
    TfidfVectorizer(strip_accents="ascii", lowercase=False),
    TfidfVectorizer(token_pattern=r"(?u)\b\w+\b"),
    TfidfVectorizer(token_pattern=r"[A-Za-z]+"),
    TfidfVectorizer(token_pattern=r"[^\s,]{2,}", strip_accents="unicode"),
    TfidfVectorizer(token_pattern=r"(?u)\b(\w\w+)\b"),
    CountVectorizer(),
    CountVectorizer(binary=True, analyzer="char_wb", ngram_range=(1, 1)),
    HashingVectorizer(n_features=64),
    HashingVectorizer(n_features=64, alternate_sign=False, norm="l1", binary=True, ngram_range=(1, 2)),
    make_pipeline(CountVectorizer(), TfidfTransformer()),
]


@pytest.fixture(scope="session")
def fitted(asked):
    def make(vectorizer):
        model = make_pipeline(vectorizer, LogisticRegression(C=50)).fit(TEXTS, np.arange(len(TEXTS)) % 2)
        return asked(model, {"text": {"type": "string"}})

    return make


@pytest.mark.parametrize("vectorizer", VECTORIZERS, ids=repr)
def test_texts_are_answered_as_they_were(vectorizer, fitted):
    assert fitted(vectorizer).differences({"text": [*TEXTS, *STRANGE]}) < 1e-12


@pytest.mark.parametrize("vectorizer", [TfidfVectorizer(), HashingVectorizer(n_features=64)], ids=repr)
def test_a_lone_surrogate_is_answered_or_refused_as_it_was(vectorizer, fitted):
    assert fitted(vectorizer).differences({"text": ["dog \ud800 cat", "a\udfff"]}) < 1e-12


def test_a_text_of_megabytes_is_answered(fitted):
    assert fitted(TfidfVectorizer()).differences({"text": ["The dog, the cat. " * 100_000]}) < 1e-12


@pytest.mark.parametrize(
    ("vectorizer", "why"),
    [
        (TfidfVectorizer(tokenizer=str.split, token_pattern=None), "a tokenizer of its own"),
        (TfidfVectorizer(preprocessor=str.upper), "a preprocessor of its own"),
        (TfidfVectorizer(analyzer=str.split), "an analyzer of its own"),
        (TfidfVectorizer(token_pattern=r"(?:ab)+"), "is not covered|more than one sign"),
        (TfidfVectorizer(token_pattern=r"a(\w)"), "takes a part"),
        (TfidfVectorizer(token_pattern=r"\w+?x"), "min_repeat"),
        (TfidfVectorizer(token_pattern=r"\w*\b\w"), "may be absent"),
        (TfidfVectorizer(token_pattern=r"dog|cat"), "branch"),
        (TfidfVectorizer(token_pattern=r"(?i)dog"), "flags"),
        (TfidfVectorizer(dtype=np.float32), "float32"),
    ],
    ids=repr,
)
def test_what_is_not_covered_is_refused_by_name(vectorizer, why):
    from mlopskit.builtin.portable.textual import TRANSFORMERS
    from mlopskit.builtin.portable.writing import Writing

    vectorizer.vocabulary_ = {"a": 0}
    w = Writing(inputs={"text": True}, frame="column", transformers=TRANSFORMERS, predictors={})
    with pytest.raises(NoTablesError, match=why):
        w.transform(vectorizer, w.row())


def test_a_logarithm_of_counts_with_signs_is_refused(asked):
    # scikit-learn's is of a count below zero, or of one that it keeps though it cancelled out: it refuses the row then.
    weights = TfidfTransformer(sublinear_tf=True).fit(CountVectorizer(max_features=8).fit_transform(TEXTS))
    plain, signed = (
        make_pipeline(HashingVectorizer(n_features=8, norm=None, alternate_sign=signs), weights, DummyClassifier())
        for signs in (False, True)
    )
    for model in (plain, signed):
        model[-1].fit(TEXTS, [i % 2 for i in range(42)])
    assert asked(plain, {"text": {"type": "string"}}).differences({"text": TEXTS}) < 1e-12
    with pytest.raises(NoTablesError, match="counts with signs"):
        asked(signed, {"text": {"type": "string"}})


SIGNS = "abcdeéüßİ\u0131Σςσ漢字 \t.,-_'1２x\u0301😀ǅ\ufb01"  # noqa: RUF001  # look-alikes are the point
PATTERNS = [r"(?u)\b\w\w+\b", r"\w+", r"[a-z]+", r"\S+", r"[^\W\d_]{2,5}", r"\d+", r"\b[^\s.,]+\b"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_random_texts_through_random_settings(seed, asked):
    random = Random(seed)
    least = random.randrange(1, 4)
    settings = {
        "lowercase": random.random() < 0.7,
        "strip_accents": random.choice([None, "ascii", "unicode"]),
        "analyzer": random.choice(["word", "word", "char", "char_wb"]),
        "ngram_range": (least, least + random.randrange(3)),
        "sublinear_tf": random.random() < 0.4,
        "norm": random.choice(["l1", "l2", None]),
    }
    if settings["analyzer"] == "word":
        settings["token_pattern"] = random.choice(PATTERNS)
    texts = ["".join(random.choices(SIGNS, k=random.randrange(25))) for _ in range(160)]
    model = make_pipeline(TfidfVectorizer(**settings), LogisticRegression())
    try:
        model.fit(["abc abc_d dog 12", *texts[:99]], np.arange(100) % 2)
    except ValueError:  # no text of these has a term
        return
    assert asked(model, {"text": {"type": "string"}}).differences({"text": texts[100:]}) < 1e-12
