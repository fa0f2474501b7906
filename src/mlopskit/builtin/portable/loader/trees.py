"""Trees and sums of trees."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from typing import Any

from .fields import COUNT, INTEGERS, NUMBER, NUMBERS, listing, optional, record
from .values import Op, Run, Value, below, numeric, same

# A node is a tuple: feature, threshold, left, right and, in a tree for vectors with gaps, where what is missing goes. A
# leaf has its value for a threshold, and None for the others: so one unpacking is a whole step of the search, and no
# node is asked for its type. Trees for vectors with gaps are made when there is one: without, a step is shorter.
Node = tuple[Any, ...]


def _built(tree: Mapping[str, Any], width: int, size: int, scale: float, *, gaps: bool) -> Node:
    """Return the root of a tree; nodes stand in an order in which the left child follows its parent at once."""
    features, thresholds, rights, flat = (tree[name] for name in ("feature", "threshold", "right", "values"))
    count = len(features)
    if not count or len(thresholds) != count or len(rights) != count:
        raise ValueError("has a tree of no nodes, or with tables of different lengths")
    if max(features) >= width or min(features) < -1:
        raise ValueError("has a tree that looks at an element that is not there")
    if len(flat) % size:
        raise ValueError("has a tree with a leaf of another size")
    if size == 1:
        values: list[Any] = [scale * value for value in flat]
    else:
        values = [tuple(flat[at : at + size]) for at in range(0, len(flat), size)]
    leaves = [(-1, value, None, None, None) if gaps else (-1, value, None, None) for value in values]
    aside, sets = _asides(tree, count)
    nodes: list[Any] = [None] * count
    for i in range(count - 1, -1, -1):
        right = rights[i]
        if features[i] < 0:
            if not 0 <= right < len(leaves):
                raise ValueError("has a tree with a leaf that is not there")
            nodes[i] = leaves[right]
            continue
        if not i + 1 < right < count:
            raise ValueError("has a tree in which a child does not stand behind its parent")
        left = nodes[i + 1]
        node = (features[i], sets.get(i, thresholds[i]), left, nodes[right])
        nodes[i] = (*node, left if aside and aside[i] else nodes[right]) if gaps else node
    root: Node = nodes[0]
    return root


def _asides(tree: Mapping[str, Any], count: int) -> tuple[Any, dict[int, frozenset[float]]]:
    """Return which nodes send what is missing to the left, and the categories that go there."""
    aside = tree["missing_left"]
    if aside is not None and (len(aside) != count or not set(aside) <= {0, 1}):
        raise ValueError("has a tree with tables of different lengths, or ways for what is missing that are none")
    if tree["categories"] and aside is None:
        raise ValueError("has a tree with categories that does not say where missing values go")
    sets = {}
    for entry in tree["categories"] or ():
        if not entry or not 0 <= entry[0] < count or tree["feature"][entry[0]] < 0 or entry[0] in sets:
            raise ValueError("has a tree with categories of a node that is not there, or has others")
        sets[entry[0]] = frozenset(map(float, entry[1:]))
    return aside, sets


def _found(node: Node, x: Any) -> Any:
    """Return the value of the leaf of a vector that has missing elements."""
    feature, threshold, left, right, aside = node
    while left is not None:
        cell = x[feature]
        # NaN is less than nothing, and equals nothing.
        node = left if cell <= threshold else right if cell == cell else aside  # noqa: PLR0124
        feature, threshold, left, right, aside = node
    return threshold


def _found_by_category(node: Node, x: Any) -> Any:
    """Return the value of the leaf of any vector in a tree with categories."""
    feature, threshold, left, right, aside = node
    while left is not None:
        cell = x[feature]
        if cell != cell:  # noqa: PLR0124
            node = aside
        elif type(threshold) is frozenset:
            node = left if cell in threshold else right
        else:
            node = left if cell <= threshold else right
        feature, threshold, left, right, aside = node
    return threshold


def _always(_: Any) -> bool:
    return True


def _never(_: Any) -> bool:
    return False


def _has_gaps(x: Any) -> bool:
    whole = sum(x)
    return bool(whole != whole)  # noqa: PLR0124  # one NaN makes the sum one


def _has_gaps_sparse(x: Any) -> bool:
    return _has_gaps(x.values())


def _trees(
    x: Value,
    *starts: Value,
    trees: list[Mapping[str, Any]],
    size: int,
    at: list[int],
    scale: float,
    start: list[float],
) -> Value:
    numeric(x, *starts)
    same(Value(len(trees), list), at)
    width = len(start)
    if not 1 <= size <= width:
        raise ValueError("has leaves that are empty, or larger than the sum")
    below(width - size + 1, at, "output")
    for one in starts:
        same(one, start)
    build = functools.partial(_built, width=x.width, size=size, scale=scale)
    roots = [build(tree, gaps=False) for tree in trees]

    @functools.cache
    def roots_for_gaps() -> list[Node]:
        return [build(tree, gaps=True) for tree in trees]

    careful: Run = _never
    find: Run = _found
    if any(tree["missing_left"] for tree in trees):
        careful = _has_gaps_sparse if x.sparse else _has_gaps
    if any(tree["categories"] for tree in trees):
        careful, find = _always, _found_by_category
    if size == 1:
        run = _sum_of_numbers(roots, roots_for_gaps, at, careful, find, start)
    elif size == width:
        run = _sum_of_vectors(roots, roots_for_gaps, careful, find, scale, start)
    else:
        raise ValueError("has leaves of several numbers, but not one for each output")
    if starts and starts[0].sparse:
        return Value(width, lambda v, b: run(v, [b[i] for i in range(width)]))
    return Value(width, run)


def _sum_of_numbers(
    roots: list[Node], for_gaps: Run, at: list[int], careful: Run, find: Run, start: list[float]
) -> Run:
    groups = _by_output(roots, at)

    def run_with_gaps(x: Any, totals: list[float]) -> list[float]:
        for place, root in zip(at, for_gaps(), strict=True):
            totals[place] += find(root, x)
        return totals

    def run(x: Any, begin: Any = None) -> list[float]:
        totals = [*(start if begin is None else begin)]
        if careful(x):
            return run_with_gaps(x, totals)
        for place, trees in groups:
            total = totals[place]
            for feature, value, left, right in trees:
                while left is not None:
                    feature, value, left, right = left if x[feature] <= value else right  # noqa: PLW2901  # the next node
                total += value
            totals[place] = total
        return totals

    return run


def _by_output(roots: list[Node], at: list[int]) -> list[tuple[int, list[Node]]]:
    """Return the trees of each element. Each is a sum of its own: one after the other, each adds its trees in order."""
    groups: dict[int, list[Node]] = {}
    for root, place in zip(roots, at, strict=True):
        groups.setdefault(place, []).append(root)
    return [*groups.items()]


def _sum_of_vectors(roots: list[Node], for_gaps: Run, careful: Run, find: Run, scale: float, start: list[float]) -> Run:
    if scale != 1.0:
        raise ValueError("scales leaves of several numbers")
    add = operator.add

    def run(x: Any, begin: Any = None) -> list[float]:
        totals = start if begin is None else begin
        if careful(x):
            for root in for_gaps():
                totals = [*map(add, totals, find(root, x))]
            return totals
        for feature, value, left, right in roots:
            while left is not None:
                feature, value, left, right = left if x[feature] <= value else right  # noqa: PLW2901
            totals = [*map(add, totals, value)]
        return totals

    return run


TREE = record(
    feature=INTEGERS,
    threshold=NUMBERS,
    right=INTEGERS,
    values=NUMBERS,
    missing_left=optional(INTEGERS),
    categories=optional(listing(INTEGERS)),
)
OPS: Mapping[str, Op] = {
    "trees": Op(
        _trees,
        {"trees": listing(TREE), "size": COUNT, "at": INTEGERS, "scale": NUMBER, "start": NUMBERS},
        sources=None,
    ),
}
