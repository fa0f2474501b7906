"""Trees and sums of trees as one TreeEnsemble."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlopskit_onnx.graph import ML, Graph, Vector
from mlopskit_onnx.message import tensor
from mlopskit_onnx.vectors import Fields, Step

_AT_MOST, _AMONG = 0, 6  # modes of a node: the element is at most its threshold; it is one of a set
_SUM = 1


@dataclass
class _Ensemble:
    """The tables of a TreeEnsemble, of all trees one behind the other."""

    roots: list[int] = field(default_factory=list)
    features: list[int] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)
    members: list[float] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    yes: list[tuple[int, int]] = field(default_factory=list)
    no: list[tuple[int, int]] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add(self, tree: Mapping[str, Any], target: int, weights: Sequence[float]) -> None:
        """Add a tree, whose leaf number r adds weights[r] to a target."""
        leaves = len(self.weights)
        self.targets += [target] * len(weights)
        self.weights += weights
        inner = [i for i, feature in enumerate(tree["feature"]) if feature >= 0]
        places = {i: len(self.features) + n for n, i in enumerate(inner)}
        self.roots.append(len(self.features))
        sets = {entry[0]: entry[1:] for entry in tree["categories"] or ()}

        def child(i: int) -> tuple[int, int]:
            return (places[i], 0) if i in places else (leaves + tree["right"][i], 1)

        for i in inner:
            among = i in sets
            aside = bool(tree["missing_left"] and tree["missing_left"][i])
            self._node(tree["feature"][i], tree["threshold"][i], (child(i + 1), child(tree["right"][i])), aside=aside)
            self.modes.append(_AMONG if among else _AT_MOST)
            self.members += [*map(float, sets[i]), math.nan] if among else []
        if not inner:  # a tree that is one leaf: its root has it on both sides
            self._node(0, 0.0, (child(0), child(0)), aside=False)
            self.modes.append(_AT_MOST)

    def _node(self, feature: int, threshold: float, children: Any, *, aside: bool) -> None:
        self.features.append(feature)
        self.thresholds.append(threshold)
        self.missing.append(int(aside))
        self.yes.append(children[0])
        self.no.append(children[1])

    def node(self, g: Graph, x: str, targets: int) -> str:
        """Add the node that sums the trees up."""
        sets: dict[str, Any] = {"membership_values": tensor(self.members, "float64")} if self.members else {}
        return g.op(
            "TreeEnsemble",
            x,
            domain=ML,
            aggregate_function=_SUM,
            n_targets=targets,
            post_transform=0,
            tree_roots=self.roots,
            nodes_featureids=self.features,
            nodes_splits=tensor(self.thresholds, "float64"),
            nodes_modes=tensor(self.modes, "uint8"),
            nodes_missing_value_tracks_true=self.missing,
            nodes_truenodeids=[at for at, _ in self.yes],
            nodes_trueleafs=[leaf for _, leaf in self.yes],
            nodes_falsenodeids=[at for at, _ in self.no],
            nodes_falseleafs=[leaf for _, leaf in self.no],
            leaf_targetids=self.targets,
            leaf_weights=tensor(self.weights, "float64"),
            **sets,
        )


def _trees(g: Graph, f: Fields, x: Vector, *starts: Vector) -> Vector:
    # A constant shape says how wide the rows are: readers check the numbers of features against it.
    rows = g.op("Reshape", g.dense(x), g.constant([-1, x.width], "int64"))
    begin = g.dense(starts[0]) if starts else g.row(f["start"])
    width = len(f["start"])
    if not f["trees"]:
        return g.vector(width, g.op("Add", g.row([0.0] * width), begin))
    summed = _numbers(g, rows, f) if f["size"] == 1 else _vectors(g, rows, f)
    return g.vector(width, g.op("Add", begin, summed))


def _numbers(g: Graph, rows: str, f: Mapping[str, Any]) -> str:
    """Sum trees whose leaves are numbers."""
    made = _Ensemble()
    for tree, at in zip(f["trees"], f["at"], strict=True):
        made.add(tree, at, [f["scale"] * value for value in tree["values"]])
    return made.node(g, rows, len(f["start"]))


def _vectors(g: Graph, rows: str, f: Mapping[str, Any]) -> str:
    """Sum trees whose leaves are vectors: the ensemble finds the number of each tree's leaf."""
    size, made = f["size"], _Ensemble()
    leaves: list[list[float]] = []
    for number, tree in enumerate(f["trees"]):
        flat = tree["values"]
        found = [flat[at : at + size] for at in range(0, len(flat), size)]
        made.add(tree, number, [float(len(leaves) + one) for one in range(len(found))])
        leaves += found
    count = len(f["trees"])
    g.widths += count * (1 + size)
    chosen = g.op("Gather", g.constant(leaves), g.integers(made.node(g, rows, count)), axis=0)
    return g.op("ReduceSum", chosen, g.constant([1], "int64"), keepdims=0)


STEPS: Mapping[str, Step] = {"trees": (_trees, "trees size at scale start")}
