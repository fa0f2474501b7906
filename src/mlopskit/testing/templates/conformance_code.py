"""A model's own code, for the package whose code travels with it."""

from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin


class Halve(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Halves every number."""

    def fit(self, X: Any, y: Any = None) -> "Halve":  # noqa: ARG002, N803 -- scikit-learn's interface
        """Remember the number of columns."""
        self.columns_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Any:  # noqa: N803 -- scikit-learn's interface
        """Return half of each number."""
        return X / 2
