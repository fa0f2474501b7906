"""Writers of trees, forests and boosting."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mlopskit.builtin.portable.columns import ordinal
from mlopskit.builtin.portable.writing import Answer, Predict, Ref, Writing, floats, name_of, private, refuse_if

_LARGEST = sys.float_info.max


def _order(left: Sequence[int], right: Sequence[int]) -> list[int]:
    """Return a tree's nodes so that each left child follows its parent at once; a leaf has the left child -1."""
    order, todo = [], [0]
    while todo:
        node = todo.pop()
        order.append(node)
        if left[node] >= 0:
            todo += [right[node], left[node]]
    return order


def table_of(
    left: Sequence[int],
    right: Sequence[int],
    feature: Sequence[int],
    threshold: Sequence[float],
    leaves: Sequence[tuple[float, ...]],
    missing_left: Sequence[int] | None,
    categories: Mapping[int, Sequence[int]],
) -> dict[str, Any]:
    """Return a tree as the document has it; `leaves` has the values of each node."""
    order = _order(left, right)
    place = {node: new for new, node in enumerate(order)}
    known: dict[tuple[float, ...], int] = {}
    inner = [left[node] >= 0 for node in order]
    return {
        # A leaf looks at no element, and names its values where an inner node names its right child.
        "feature": [int(feature[node]) if branches else -1 for node, branches in zip(order, inner, strict=True)],
        "threshold": [
            # What is beyond the largest number is beyond every number of a row: it is compared with the largest.
            max(-_LARGEST, min(_LARGEST, threshold[node])) if branches and node not in categories else 0.0
            for node, branches in zip(order, inner, strict=True)
        ],
        "right": [
            place[right[node]] if branches else known.setdefault(leaves[node], len(known))
            for node, branches in zip(order, inner, strict=True)
        ],
        "values": [number for leaf in known for number in leaf],
        "missing_left": None if missing_left is None else [int(missing_left[node]) for node in order],
        "categories": [[place[node], *codes] for node, codes in sorted(categories.items())] or None,
    }


def _of_scikit(tree: Any, leaves: Any, *, missing: bool) -> dict[str, Any]:
    return table_of(
        tree.children_left.tolist(),
        tree.children_right.tolist(),
        tree.feature.tolist(),
        tree.threshold.tolist(),
        [*map(tuple, floats(leaves))],
        tree.missing_go_to_left.tolist() if missing else None,
        {},
    )


def _leaves(estimator: Any) -> Any:
    """Return what each node of a tree answers: of a classifier the shares of all classes of all targets."""
    import numpy as np

    value = estimator.tree_.value
    if not hasattr(estimator, "n_classes_"):
        return value[:, :, 0]
    counts = np.atleast_1d(estimator.n_classes_).tolist()
    return np.hstack([value[:, k, :count] for k, count in enumerate(counts)])


def _narrowed(w: Writing, estimator: Any, x: Ref) -> tuple[Ref, bool]:
    """Write the rounding of a row to single precision, and say whether numbers may be missing."""
    missing = bool(estimator.__sklearn_tags__().input_tags.allow_nan) and not x.scipy
    refuse_if(x.value.has_texts, "texts are given to a tree")
    return w.step("finite", w.step("float32", x), missing=missing, finite=not missing), missing


def _forest(w: Writing, estimator: Any, x: Ref) -> Answer:
    parts = getattr(estimator, "estimators_", None) or [estimator]
    x, missing = _narrowed(w, parts[0], x)
    tables = [_of_scikit(one.tree_, _leaves(one), missing=missing) for one in parts]
    width = _leaves(parts[0]).shape[1]
    made = w.step(
        "trees", x, finite=True, trees=tables, size=width, at=[0] * len(tables), scale=1.0, start=[0.0] * width
    )
    if hasattr(estimator, "estimators_"):
        made = w.step("divide", made, finite=True, values=[float(len(tables))] * width)
    if not hasattr(estimator, "n_classes_"):
        return Answer(value=made)
    counts = estimator.n_classes_ if isinstance(estimator.n_classes_, list) else _listed(estimator.n_classes_)
    starts = [sum(counts[:k]) for k in range(len(counts))]
    return Answer(label=w.step("argmax", made, starts=[int(one) for one in starts]), probability=made)


def leaf_of_each(w: Writing, estimator: Any, x: Ref, /) -> Ref:
    """Write the number of the leaf that the row comes to in each tree of a forest, as its `apply` gives it."""
    parts = estimator.estimators_
    x, missing = _narrowed(w, parts[0], x)
    tables = [_of_scikit(one.tree_, [[node] for node in range(one.tree_.node_count)], missing=missing) for one in parts]
    start = [0.0] * len(tables)
    return w.step("trees", x, finite=True, trees=tables, size=1, at=[*range(len(tables))], scale=1.0, start=start)


def _listed(counts: Any) -> list[int]:
    import numpy as np

    found: list[int] = np.atleast_1d(counts).tolist()
    return found


def _raw_boosting(w: Writing, estimator: Any, x: Ref) -> Ref:
    import numpy as np

    constant = name_of(estimator.init_) in ("DummyClassifier", "DummyRegressor") or estimator.init_ == "zero"
    refuse_if(getattr(estimator.init_, "strategy", "") == "stratified", "GradientBoosting* starts from chance")
    refuse_if(not constant, f"{type(estimator).__name__} starts from {type(estimator.init_).__name__}")
    start = private(estimator, "_raw_predict_init")(np.zeros((1, estimator.n_features_in_), dtype=np.float32))[0]
    x, _ = _narrowed(w, estimator, x)
    stages = estimator.estimators_
    tables = [_of_scikit(one.tree_, _leaves(one), missing=False) for stage in stages for one in stage]
    at = [k for stage in stages for k in range(len(stage))]
    return w.step("trees", x, trees=tables, size=1, at=at, scale=float(estimator.learning_rate), start=floats(start))


def _boosted_classes(w: Writing, estimator: Any, x: Ref) -> Answer:
    raw = _raw_boosting(w, estimator, x)
    if raw.width > 1:
        return Answer(label=w.step("argmax", raw, starts=[0]), probability=w.step("softmax", raw), decision=raw)
    label = w.step("above", raw, threshold=0.0, equal=True)
    twice = w.step("multiply", raw, values=[2.0]) if estimator.loss == "exponential" else raw
    shares = w.step("complement", w.step("apply", twice, function="sigmoid"))
    return Answer(label=label, probability=shares, decision=raw)


def _boosted_numbers(w: Writing, estimator: Any, x: Ref) -> Answer:
    return Answer(value=_raw_boosting(w, estimator, x))


def _raw_histogram(w: Writing, estimator: Any, x: Ref) -> Ref:
    if private(estimator, "_preprocessor") is not None:
        chosen = estimator.is_categorical_
        encoder = private(estimator, "_preprocessor").named_transformers_["encoder"]
        parts = [ordinal(w, encoder, w.take(x, [i for i, one in enumerate(chosen) if one]))]
        others = [i for i, one in enumerate(chosen) if not one]
        x = w.concat([*parts, *([w.take(x, others)] if others else [])])
    refuse_if(x.value.has_texts, "texts are given to a tree")
    predictors = private(estimator, "_predictors")
    if any(math.isinf(x) for stage in predictors for one in stage for x in one.nodes["num_threshold"].tolist()):
        # What is infinite is not above an infinite threshold, nor above the largest number, which stands for one.
        x = w.step("clip", x, low=[-_LARGEST] * x.width, high=[_LARGEST] * x.width)
    tables = [_of_histogram(one) for stage in predictors for one in stage]
    at = [k for stage in predictors for k in range(len(stage))]
    start = floats(private(estimator, "_baseline_prediction").ravel())
    return w.step("trees", x, trees=tables, size=1, at=at, scale=1.0, start=start)


def _of_histogram(predictor: Any) -> dict[str, Any]:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].tolist()
    categories = {
        node: _codes(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
        for node, categorical in enumerate(nodes["is_categorical"].tolist())
        if categorical and not leaf[node]
    }
    return table_of(
        [-1 if ends else child for ends, child in zip(leaf, nodes["left"].tolist(), strict=True)],
        nodes["right"].tolist(),
        nodes["feature_idx"].tolist(),
        nodes["num_threshold"].tolist(),
        [(one,) for one in nodes["value"].tolist()],
        nodes["missing_go_to_left"].tolist(),
        categories,
    )


def _codes(bits: Any) -> list[int]:
    """Return the numbers whose bits are set, of words of 32 bits, the lowest first."""
    words = bits.tolist()
    return [32 * at + bit for at, word in enumerate(words) for bit in range(32) if word >> bit & 1]


def _histogram_classes(w: Writing, estimator: Any, x: Ref) -> Answer:
    raw = _raw_histogram(w, estimator, x)
    if raw.width > 1:
        return Answer(label=w.step("argmax", raw, starts=[0]), probability=w.step("softmax", raw), decision=raw)
    shares = w.step("complement", w.step("apply", raw, function="sigmoid"))
    return Answer(label=w.step("above", raw, threshold=0.0, equal=False), probability=shares, decision=raw)


def _histogram_numbers(w: Writing, estimator: Any, x: Ref) -> Answer:
    raw = _raw_histogram(w, estimator, x)
    link = type(private(estimator, "_loss").link).__name__
    refuse_if(link not in ("IdentityLink", "LogLink"), f"{type(estimator).__name__} has the link {link}")
    return Answer(value=raw if link == "IdentityLink" else w.step("apply", raw, function="exp"))


PREDICTORS: Mapping[str, Predict] = {
    **dict.fromkeys(
        (
            "DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor",
            "ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor",
        ),
        _forest,
    ),
    "GradientBoostingClassifier": _boosted_classes,
    "GradientBoostingRegressor": _boosted_numbers,
    "HistGradientBoostingClassifier": _histogram_classes,
    "HistGradientBoostingRegressor": _histogram_numbers,
}  # fmt: skip
