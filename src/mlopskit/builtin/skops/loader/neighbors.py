"""Checks of estimators that look for neighbours."""

# ruff: noqa: SLF001, PLR2004 -- scikit-learn keeps in private attributes what its compiled code reads; shapes are figures

from __future__ import annotations

from typing import Any

from .parts import require, whole

TREES = ("ball_tree", "kd_tree")
METRICS = ("chebyshev", "cosine", "euclidean", "manhattan", "minkowski")


def check_neighbors(part: Any) -> None:
    """Check that points are searched by a known metric, not more than there are, and that each has its target."""
    if "_fit_X" not in vars(part):
        return
    points, params, method = part._fit_X, part.effective_metric_params_, part._fit_method
    near = "n_neighbors" in vars(part) and part.n_neighbors is not None
    # A radius without a tree is looked for by code that writes for each point what it finds in the targets.
    require(method in TREES or (method == "brute" and near), part, f"the search {ascii(method)[:60]}")
    require(part.effective_metric_ in METRICS and part.metric in METRICS, part, f"the metric {ascii(part.metric)[:60]}")
    require(
        set(params) <= {"p", "w"} and isinstance(params.get("p", 2), int | float) and params.get("w") is None,
        part,
        "metric_params",
    )
    require(
        points.shape == (whole(part, "n_samples_fit_"), whole(part, "n_features_in_")),
        part,
        "_fit_X has another shape",
    )
    require(part._y.ndim <= 2 and part._y.shape[:1] == points.shape[:1], part, "its targets are not one for each point")
    require(not near or 0 < whole(part, "n_neighbors") <= len(part._y), part, "n_neighbors is not one of its points")
    if "classes_" in vars(part):
        _check_classes(part)
    if method in TREES:
        _check_tree(part)


def _check_classes(part: Any) -> None:
    """Check that targets are numbers of classes: of one column, compiled code may count them without looking."""
    several = vars(part).get("outputs_2d_")
    require(type(several) is bool and several == (part._y.ndim == 2), part, "its targets have another shape")
    classes = part.classes_ if several else [part.classes_]
    require(part._y.dtype.kind == "i" and part._y.size, part, "its targets are no classes")
    columns = part._y.reshape(len(part._y), -1).T
    inside = len(columns) == len(classes) and all(
        column.min() >= 0 and column.max() < len(known) for column, known in zip(columns, classes, strict=True)
    )
    require(inside, part, "a target is outside of its classes")


def _check_tree(part: Any) -> None:
    """Check what a tree is built from: compiled code divides the points into leaves of this size."""
    import numpy as np

    points = part._fit_X
    plain = type(points) is np.ndarray and points.dtype.kind in "iuf" and points.size and np.isfinite(points).all()
    require(plain, part, "_fit_X are no points for a tree")
    require(type(part.leaf_size) is int and part.leaf_size > 0, part, f"the leaf_size {ascii(part.leaf_size)[:60]}")
    require(part.effective_metric_ != "cosine", part, "this metric has no tree")
    require(part.effective_metric_params_.get("p", 2) >= 1, part, "metric_params")


def build_tree(part: Any) -> None:
    """Build the tree that an estimator searches, as its fit() did: a tree's own bytes are never stored."""
    from sklearn.neighbors import BallTree, KDTree

    if vars(part).get("_fit_method") in TREES:
        kind = {"ball_tree": BallTree, "kd_tree": KDTree}[part._fit_method]
        part._tree = kind(part._fit_X, part.leaf_size, metric=part.effective_metric_, **part.effective_metric_params_)


def check_propagation(part: Any) -> None:
    """Check that labels spread by a kernel that numpy computes, from as many points as have labels."""
    if "X_" not in vars(part):
        return
    require(isinstance(part.kernel, str) and part.kernel == "rbf", part, 'only kernel="rbf" is stored')
    known = part.X_.shape[1] == whole(part, "n_features_in_") and part.X_.dtype.kind in "iuf"
    known = known and part.label_distributions_.shape == (len(part.X_), len(part.classes_))
    require(known and vars(part).get("nn_fit") is None, part, "its labels are not one for each point")
