"""The model: whether a sentence is positive or negative, by its words and pairs of words."""

from __future__ import annotations

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline


def pipeline(C: float = 4.0) -> Pipeline:  # noqa: N803 - scikit-learn's own name for it
    """Return the unfitted model; a larger C trusts the data more and the prior less."""
    words = TfidfVectorizer(token_pattern=r"[a-zA-Z0-9_]+", ngram_range=(1, 2), min_df=2)  # noqa: S106 - no password
    return Pipeline([("words", words), ("classifier", LogisticRegression(C=C, max_iter=1000))])
