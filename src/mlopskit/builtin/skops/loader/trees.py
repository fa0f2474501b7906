"""The tables of trees: compiled code follows them without looking."""

from __future__ import annotations

from typing import Any

from .arrays import MAX_DIMENSION


def check_tree(sizes: tuple[int, Any, int], nodes: Any, values: Any, counts: tuple[int, int]) -> None:
    """Check a decision tree's table as its compiled walk will trust it.

    Raises:
        ValueError: a child, feature or size leads out of the table, or back.
    """
    from sklearn.tree._tree import NODE_DTYPE

    features, classes, outputs = sizes
    if not 1 <= outputs <= MAX_DIMENSION or classes.shape != (outputs,) or classes.dtype.kind != "i":
        raise ValueError("a tree without an output, or whose outputs have not each their number of classes")
    if classes.min() < 1 or classes.max() > MAX_DIMENSION:
        raise ValueError("a tree with an output without a class")
    if not 1 <= features <= MAX_DIMENSION or nodes.dtype != NODE_DTYPE or nodes.ndim != 1 or not nodes.size:
        raise ValueError("a tree whose nodes are not this scikit-learn's")
    if (
        counts[0] != nodes.size
        or not 0 <= counts[1] < max(2, nodes.size)
        or values.shape != (nodes.size, outputs, classes.max())
    ):
        raise ValueError(
            f"a tree of {nodes.size} nodes that says it has {counts[0]}, with values of shape {values.shape}"
        )
    leaf = nodes["left_child"] == -1
    check_nodes(leaf, nodes["left_child"], nodes["right_child"], nodes["feature"], features)


def check_nodes(leaf: Any, left: Any, right: Any, feature: Any, features: int) -> None:
    """Check that every way through a tree goes on to later nodes, each reached once, and ends in a leaf."""
    import numpy as np

    inner = np.flatnonzero(~leaf)
    children = np.concatenate([left[inner], right[inner]]).astype(np.int64)
    if inner.size == 0:
        return
    if (children <= np.concatenate([inner, inner])).any() or children.max() >= leaf.size:
        raise ValueError("a tree with a child that is outside of it or leads back")
    if np.bincount(children).max() > 1:
        raise ValueError("a tree with a node that is reached twice")
    if feature[inner].min() < 0 or feature[inner].max() >= features:
        raise ValueError(f"a tree that asks for a feature outside of its {features}")
