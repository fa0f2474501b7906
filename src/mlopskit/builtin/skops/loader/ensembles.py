"""Checks of decision trees, and of estimators made of others."""

# ruff: noqa: SLF001, PLR2004 -- scikit-learn keeps in private attributes what its compiled code reads; shapes are figures

from __future__ import annotations

from typing import Any

from .parts import require, whole
from .trees import check_nodes


def check_decision_tree(part: Any) -> None:
    """Check that an estimator has the tree of its own number of features."""
    if "tree_" in vars(part):
        tree = part.tree_
        require(type(tree).__name__ == "Tree", part, "tree_ is no tree")
        require(tree.n_features == whole(part, "n_features_in_"), part, "its tree has another number of features")


def check_gradient_boosting(part: Any) -> None:
    """Check that the stages are trees of regression, in as many columns as are added up."""
    if "estimators_" not in vars(part):
        return
    trees: Any = part.estimators_
    columns = whole(part, "n_trees_per_iteration_")
    require(getattr(trees, "ndim", 0) == 2 and trees.shape[1] == columns, part, "estimators_ has another shape")
    for tree in trees.ravel():
        require(type(tree).__name__ == "DecisionTreeRegressor" and "tree_" in vars(tree), part, "a stage is no tree")
        require(tree.tree_.n_features == whole(part, "n_features_in_"), part, "a stage has other features")
        require(tree.tree_.max_n_classes == 1, part, "a stage is no regression")
    start = vars(part).get("init_")
    if columns > 1 and start != "zero":  # the stages are added into as many columns as this gives
        known = type(start).__name__ == "DummyClassifier"
        known = known and {vars(start).get(name) for name in ("strategy", "_strategy")} == {"prior"}
        known = known and getattr(start.class_prior_, "shape", ()) == (columns,)
        # Another loss would make one column of them; another link, any number.
        loss = type(part._loss).__name__, type(part._loss.link).__name__
        require(known and loss == ("HalfMultinomialLoss", "MultinomialLogit"), part, "init is of another kind")


def check_constant(part: Any) -> None:
    """Check that a constant is one: it is repeated for each row, and who asks for it counts on as many answers."""
    if "y_" in vars(part):
        require(getattr(part.y_, "shape", None) == (1,), part, "y_ is no single answer")


def check_histogram_boosting(part: Any) -> None:
    """Check that the stages are trees over the features that the bins have, none of them categorical."""
    if "_predictors" not in vars(part):
        return
    features = whole(part, "n_features_in_")
    mapper = part._bin_mapper
    plain = vars(part).get("_preprocessor") is None and vars(part).get("is_categorical_") is None
    require(
        plain and not vars(part).get("_in_fit"),
        part,
        "its own categorical_features cannot be stored, encode them before it",
    )
    known = getattr(mapper.is_categorical_, "shape", ()) == (features,) and not mapper.is_categorical_.any()
    require(known and len(mapper.bin_thresholds_) == features, part, "its bins have another number of features")
    require(isinstance(part._predictors, list), part, "its trees are no list")
    for predictor in (tree for stage in part._predictors for tree in stage):
        require(type(predictor).__name__ == "TreePredictor", part, "a stage is no tree")
        _check_predictor(predictor, features)


def check_bins(part: Any) -> None:
    """Check that bins are of one number of features."""
    if "bin_thresholds_" in vars(part):
        sizes = {len(part.bin_thresholds_), len(part.n_bins_non_missing_), len(part.is_categorical_)}
        known = len(sizes) == 1 and part.is_categorical_.shape == part.n_bins_non_missing_.shape
        require(known, part, "its bins have different numbers of features")


def _check_predictor(part: Any, features: int) -> None:
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    nodes, bits = part.nodes, part.raw_left_cat_bitsets
    known = getattr(nodes, "dtype", None) == PREDICTOR_RECORD_DTYPE and nodes.ndim == 1 and nodes.size
    require(known, part, "its nodes are not this scikit-learn's")
    require(getattr(bits, "ndim", 0) == 2 and bits.dtype == "uint32", part, "its bitsets are none")
    require(not nodes["is_categorical"].any(), part, "it has categorical features of its own")
    check_nodes(nodes["is_leaf"] != 0, nodes["left"], nodes["right"], nodes["feature_idx"], features)
