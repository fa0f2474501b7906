"""Writers of LightGBM's models, by their public dump as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mlopskit.builtin.portable.trees import table_of
from mlopskit.builtin.portable.writing import Answer, NoTablesError, Predict, Ref, Writing, refuse_if

_KNOWN = "v4"  # of the dump, as LightGBM 4 writes it
_AS_IT_IS = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")
_ZERO = 1.0000000180025095e-35  # kZeroThreshold, of single precision
_BY_EXP = ("poisson", "gamma", "tweedie")


def _raw(w: Writing, estimator: Any, x: Ref) -> tuple[Ref, list[str]]:
    """Write the sum of the trees; return it with the words of the objective."""
    name, booster = type(estimator).__name__, estimator.booster_
    dump = booster.dump_model()
    refuse_if(x.value.has_texts, f"texts are given to {name}")
    refuse_if(dump.get("version") != _KNOWN, f"{name} writes its trees in the version {dump.get('version')!r}")
    refuse_if(dump.get("average_output", False), f"{name} averages its trees")
    refuse_if(dump.get("pandas_categorical"), f"{name} was fitted to categories of pandas")
    found = [_Nodes(one["tree_structure"]) for one in dump["tree_info"]]
    refuse_if(any(one.linear for one in found), f"{name} has linear models in its leaves")
    refuse_if(any(one.zeros for one in found), f"{name} takes zeros for missing")
    categorical = {feature for one in found for feature in one.categorical}
    if categorical:
        whole = w.step("apply", w.take(x, sorted(categorical)), function="trunc")
        places = {feature: x.width + at for at, feature in enumerate(sorted(categorical))}
        x = w.take(w.concat([x, whole]), [places.get(feature, feature) for feature in range(x.width)])
    per = int(dump["num_tree_per_iteration"])
    made = w.step(
        "trees", x, trees=[one.table() for one in found], size=1, at=[at % per for at in range(len(found))], scale=1.0,
        start=[0.0] * per,
    )  # fmt: skip
    return made, str(dump["objective"]).split()


def _limit(threshold: float) -> float:
    """Return the threshold for numbers as they are: LightGBM takes those that are nearly zero for zero."""
    if abs(threshold) > _ZERO:
        return threshold
    return _ZERO if threshold >= 0 else math.nextafter(-_ZERO, -math.inf)


class _Nodes:
    """A tree of the dump as tables, a place for each node."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.left: list[int] = []
        self.right: list[int] = []
        self.feature: list[int] = []
        self.threshold: list[float] = []
        self.leaves: list[tuple[float, ...]] = []
        self.missing_left: list[int] = []
        self.categories: dict[int, list[int]] = {}
        self.categorical: set[int] = set()
        self.linear = self.zeros = False
        todo = [(root, -1)]
        while todo:
            node, parent = todo.pop()
            here = len(self.left)
            if parent >= 0:
                (self.left if self.left[parent] < 0 else self.right)[parent] = here
            self._add(node, here)
            if "split_feature" in node:
                todo += [(node["right_child"], here), (node["left_child"], here)]

    def _add(self, node: Mapping[str, Any], here: int) -> None:
        inner = "split_feature" in node
        self.left.append(-1)
        self.right.append(-1)
        self.feature.append(int(node.get("split_feature", -1)))
        self.leaves.append((float(node.get("leaf_value", 0.0)),))
        self.linear |= "leaf_coeff" in node
        kind = node.get("missing_type", "None")
        self.zeros |= kind == "Zero"
        if inner and node["decision_type"] == "==":
            self.categories[here] = [int(one) for one in str(node["threshold"]).split("||")]
            self.categorical.add(self.feature[here])
            self.threshold.append(0.0)
            self.missing_left.append(0)
            return
        refuse_if(inner and node["decision_type"] != "<=", f"LightGBM decides by {node.get('decision_type')!r}")
        self.threshold.append(_limit(float(node.get("threshold", 0.0))))
        # Where nothing was missing in training, what is missing now is taken for zero.
        left = node["default_left"] if inner and kind == "NaN" else self.threshold[here] >= 0
        self.missing_left.append(int(inner and left))

    def table(self) -> dict[str, Any]:
        """Return the tree as a document has it."""
        return table_of(
            self.left, self.right, self.feature, self.threshold, self.leaves, self.missing_left, self.categories
        )


def _regressor(w: Writing, estimator: Any, x: Ref) -> Answer:
    raw, (kind, *more) = _raw(w, estimator, x)
    if more or kind not in (*_AS_IT_IS, *_BY_EXP):
        raise NoTablesError(f"{type(estimator).__name__} has the objective {' '.join([kind, *more])!r}")
    return Answer(value=raw if kind in _AS_IT_IS else w.step("apply", raw, function="exp"))


def _classifier(w: Writing, estimator: Any, x: Ref) -> Answer:
    raw, (kind, *more) = _raw(w, estimator, x)
    if kind == "multiclass":
        shares = w.step("softmax", raw)
    elif kind == "binary" and more == ["sigmoid:1"]:
        shares = w.step("complement", w.step("apply", raw, function="sigmoid"))
    else:
        raise NoTablesError(f"{type(estimator).__name__} has the objective {' '.join([kind, *more])!r}")
    return Answer(label=w.step("argmax", shares, starts=[0]), probability=shares, decision=raw)


PREDICTORS: Mapping[str, Predict] = {"LGBMClassifier": _classifier, "LGBMRegressor": _regressor}
