"""The model."""

from __future__ import annotations

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


def pipeline(C: float = 1.0) -> Pipeline:  # noqa: N803 - scikit-learn's own name for it
    """Return the unfitted model."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=C))
