"""The leaf of each row in trees of any size: a level at a time for all rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_DEEPEST = 256
_LOOK = 8  # levels after which it is seen how many rows have ended
_COST = 4  # of a level, times that of a mask


@dataclass(frozen=True)
class _Tree:
    """A tree with its nodes numbered anew: the right child at `first`, the left behind it.

    A leaf is its own child, for nothing is less than or equal to its threshold, NaN. `leaf` has the number of a leaf.
    """

    feature: Any
    threshold: Any
    first: Any
    leaf: Any
    depth: int


@dataclass(frozen=True)
class Steps:
    """Trees to be gone through a level at a time; `gaps`: some send what is missing to the left."""

    np: Any
    trees: Sequence[_Tree]
    gaps: bool
    cost: float

    @property
    def order(self) -> Sequence[Any]:
        """For each tree what brings its leaves into the order that `leaves` numbers them in: they are in it."""
        return [slice(None)] * len(self.trees)

    @classmethod
    def of(cls, np: Any, trees: Sequence[Mapping[str, Any]], columns: Mapping[int, int]) -> Steps | None:
        """Return trees made ready, or None where one has categories, is too deep, or no tree."""
        if any(tree["categories"] for tree in trees):
            return None
        gaps = any(any(tree["missing_left"] or ()) for tree in trees)
        column = np.full(max(columns, default=0) + 2, 0)
        column[[*columns]] = [*columns.values()]
        made = []
        for tree in trees:
            one = _numbered(np, tree, column, len(columns))
            if one is None:
                return None
            made.append(one)
        return cls(np, made, gaps, sum(_COST * tree.depth for tree in made))

    def leaves(self, cells: Any) -> Iterator[Any]:
        """Yield for each tree the number of each row's leaf; `cells` has a row for each element."""
        np = self.np
        if self.gaps:  # what is missing goes to the right: NaN; or to the left: as what is less than all
            cells = np.concatenate([cells, np.where(np.isnan(cells), -np.inf, cells)])
        flat = np.ascontiguousarray(cells.T).ravel()
        begins = np.arange(cells.shape[1]) * len(cells)
        for tree in self.trees:
            nodes = np.zeros(cells.shape[1], dtype=np.int64)
            if tree.depth:  # the first level is the same for all
                nodes += tree.first[0] + (cells[tree.feature[0]] <= tree.threshold[0])
                nodes = _walk(np, tree, flat, begins, nodes, 1)
            yield tree.leaf.take(nodes)


def _walk(np: Any, tree: _Tree, flat: Any, begins: Any, nodes: Any, level: int) -> Any:
    """Return the node at which each row ends, from those of a level on; a row's cells begin at `begins` in `flat`."""
    at, after = np.empty_like(nodes), np.empty_like(nodes)
    cells, thresholds, left = np.empty(len(nodes)), np.empty(len(nodes)), np.empty(len(nodes), dtype=bool)
    while level < tree.depth:
        tree.feature.take(nodes, None, at, "clip")
        np.add(at, begins, out=at)
        flat.take(at, None, cells, "clip")
        tree.threshold.take(nodes, None, thresholds, "clip")
        np.less_equal(cells, thresholds, out=left)
        tree.first.take(nodes, None, after, "clip")
        np.add(after, left, out=after)
        nodes, after = after, nodes
        level += 1
        if level % _LOOK == 0 and tree.depth > level + _LOOK:
            inner = np.flatnonzero(tree.first.take(nodes) != nodes)
            if 2 * len(inner) < len(nodes):  # most rows have ended: the others go on by themselves
                nodes[inner] = _walk(np, tree, flat, begins[inner], nodes[inner], level)
                break
    return nodes


def _numbered(np: Any, tree: Mapping[str, Any], column: Any, width: int) -> _Tree | None:
    feature, right = np.array(tree["feature"]), np.array(tree["right"])
    levels = _levels(np, feature, right)
    if levels is None:
        return None
    order = np.concatenate(levels)
    inner = feature[order] >= 0
    first = np.arange(len(order))
    first[inner] = 1 + 2 * np.arange(inner.sum())
    features = np.where(inner, column[feature[order]], 0)
    if tree["missing_left"]:
        features += np.where(inner & (np.array(tree["missing_left"])[order] != 0), width, 0)
    thresholds = np.where(inner, np.array(tree["threshold"])[order], np.nan)
    return _Tree(features, thresholds, first, np.where(inner, 0, right[order]), len(levels) - 1)


def _levels(np: Any, feature: Any, right: Any) -> list[Any] | None:
    """Return the nodes of each level, from the root; None if that is no tree, or too deep."""
    inner = np.flatnonzero(feature >= 0)
    children = np.concatenate([inner + 1, right[inner]])
    if len(children) != len(feature) - 1 or (np.sort(children) != np.arange(1, len(feature))).any():
        return None
    levels = [np.zeros(1, dtype=np.int64)]
    while len(levels) <= _DEEPEST + 1:
        above = levels[-1]
        above = above[feature[above] >= 0]
        if not len(above):
            return levels
        levels.append(np.stack([right[above], above + 1], axis=1).ravel())
    return None
