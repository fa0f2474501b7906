"""Load a scikit-learn estimator from a canonical skops archive, and score with it.

This package travels to targets: it imports the standard library and its own modules, and scikit-learn, skops, numpy
(pandas, polars) where it uses them. It trusts nothing in an archive. In this order it checks
1. the container: the bytes must be exactly those that `pack` writes for its members, within limits on count and size;
2. every array: plain numbers or text, exactly as long as its header says;
3. every node of schema.json: only the kinds and types named here, before anything of that name is imported;
4. the tables of trees, before they are handed to compiled code, which follows them without looking;
5. the loaded objects: whatever else compiled code, or a request's text, would reach through them.
The package's own code, if it is given any, is run between the third and the fourth: by then it is trusted.
Whatever it dislikes is a ValueError that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .container import FILE
from .estimator import load_estimator
from .scoring import EstimatorScorer, to_frame

__all__ = ["load", "to_frame"]


def load(files: Mapping[str, bytes], spec: Mapping[str, Any]) -> EstimatorScorer:
    """Return a scorer of the estimator in `model.skops`.

    Classes and functions of `spec["code"]`, the package's own code, are found there by name.

    Raises:
        ValueError: the bytes are not a model that may be loaded, or not the one that `spec` describes.
    """
    if set(files) != {FILE}:
        raise ValueError(f"a skops model is one file, {FILE}; given: {sorted(files)}")
    try:
        return EstimatorScorer(load_estimator(files[FILE], spec.get("code")), spec)
    except (ImportError, ValueError):
        raise
    except Exception as error:
        raise ValueError(f"{FILE} cannot be loaded: {type(error).__name__}: {error}") from error
