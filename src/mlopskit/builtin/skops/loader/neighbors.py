"""Checks of estimators that look for neighbours."""

# ruff: noqa: SLF001 -- scikit-learn keeps in private attributes what its compiled code reads

from __future__ import annotations

from typing import Any

from .parts import require, whole


def check_neighbors(part: Any) -> None:
    """Check that points are searched without a tree, by a known metric, and that each has its target."""
    if "_fit_X" not in vars(part):
        return
    points, params = part._fit_X, part.effective_metric_params_
    require(part._fit_method == "brute", part, 'it is stored only with algorithm="brute"')
    metrics = ("chebyshev", "cosine", "euclidean", "manhattan", "minkowski")
    require(part.effective_metric_ in metrics and part.metric in metrics, part, f"the metric {ascii(part.metric)[:60]}")
    require(
        set(params) <= {"p"} and all(isinstance(value, int | float) for value in params.values()), part, "metric_params"
    )
    require(
        points.shape == (whole(part, "n_samples_fit_"), whole(part, "n_features_in_")),
        part,
        "_fit_X has another shape",
    )
    require(part._y.shape == points.shape[:1], part, "its targets are not one for each point")
    if "classes_" in vars(part):
        inside = (
            part._y.dtype.kind == "i" and part._y.size and part._y.min() >= 0 and part._y.max() < len(part.classes_)
        )
        require(inside, part, "a target is outside of its classes")
