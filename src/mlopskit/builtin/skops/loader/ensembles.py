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
        require(tree.tree_.max_n_classes == tree.tree_.n_outputs == 1, part, "a stage is no regression of one output")
    start = vars(part).get("init_")
    if not (isinstance(start, str) and start == "zero"):
        _check_start(part, start, columns)


# Another loss would make one column of several, or none; another link, any number.
_LOSSES = {
    "several": {("HalfMultinomialLoss", "MultinomialLogit")},
    "two": {("HalfBinomialLoss", "LogitLink"), ("ExponentialLoss", "HalfLogitLink")},
    "number": {(loss, "IdentityLink") for loss in ("AbsoluteError", "HalfSquaredError", "HuberLoss", "PinballLoss")},
}


def _check_start(part: Any, start: Any, columns: int) -> None:
    """Check what the stages are added to: compiled code trusts that it has a row for each row and their columns."""
    have = vars(start) if hasattr(start, "__dict__") else {}
    classifier = type(part).__name__.endswith("Classifier")
    if classifier:
        known = type(start).__name__ == "DummyClassifier"
        known = known and {have.get(name) for name in ("strategy", "_strategy")} == {"prior"}
        known = known and getattr(have.get("class_prior_"), "shape", ()) == (max(2, columns),)
    else:
        constant = have.get("constant_")
        known = type(start).__name__ == "DummyRegressor" and columns == 1
        known = known and getattr(constant, "shape", ()) == (1, 1) and getattr(constant, "dtype", None) == "float64"
    known = known and type(have.get("n_outputs_")) is int and have["n_outputs_"] == 1
    loss = type(part._loss).__name__, type(getattr(part._loss, "link", None)).__name__
    task = "number" if not classifier else "several" if columns > 1 else "two"
    what = 'init is of another kind: only init=None and init="zero" are stored'
    require(known and loss in _LOSSES[task], part, what)


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
