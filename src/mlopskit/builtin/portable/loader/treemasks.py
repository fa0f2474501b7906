"""The leaf of each row in small trees: which leaves are still possible, as bits, by the place of each element."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_LEAVES = 64  # bits
_MOST = 1 << 22  # masks of all trees
_LOOK_UP = 16  # times what one mask costs
# By the number of bits: the types of a mask, of that as an integer and of that as a number, which has the place of
# its highest bit in its exponent; by how much that is to be moved to the right, how wide it is, and what it is for 1.
_KINDS = {32: ("uint32", "int32", "float32", 23, 0xFF, 127), 64: ("uint64", "int64", "float64", 52, 0x7FF, 1023)}


@dataclass(frozen=True)
class Masks:
    """Trees as masks: the thresholds of each element, and for each tree the masks of the elements it looks at.

    An element that is at place k among its thresholds lies above k of them; the place behind the last is of what is
    missing. `order` has for each tree the numbers of its leaves, in the order that `leaves` numbers them in.
    """

    np: Any
    bits: int
    cuts: Sequence[Any]
    trees: Sequence[Sequence[tuple[int, Any]]]
    order: Sequence[Any]
    cost: float

    @classmethod
    def of(cls, np: Any, trees: Sequence[Mapping[str, Any]], columns: Mapping[int, int]) -> Masks | None:
        """Return trees as masks, or None where they are too large; `columns` has the place of each element."""
        if any(len(tree["feature"]) >= 2 * _LEAVES or not _is_tree(tree) for tree in trees):
            return None
        found: list[set[float]] = [set() for _ in columns]
        looks = 0
        for tree in trees:
            looked = {columns[feature] for feature in tree["feature"] if feature >= 0}
            looks += len(looked)
            _add_cuts(tree, columns, found)
        cuts = [sorted(one) for one in found]
        if looks * max(map(len, cuts), default=0) > _MOST:
            return None
        bits = 32 if all(len(tree["feature"]) < 2 * 32 for tree in trees) else 64
        made = [_masks(np, bits, tree, columns, cuts) for tree in trees]
        order = [np.array([0] * _KINDS[bits][5] + numbers) for numbers, _ in made]
        tables = [found for _, found in made]
        return cls(np, bits, [np.array(one) for one in cuts], tables, order, looks + _LOOK_UP * len(cuts))

    def leaves(self, cells: Any) -> Iterator[Any]:
        """Yield for each tree the number of each row's leaf; `cells` has a row for each element."""
        np = self.np
        places = [self._places(*one) for one in zip(cells, self.cuts, strict=True)]
        kind, integer, number, shift, width, _ = _KINDS[self.bits]
        left, mask = np.empty(cells.shape[1], dtype=kind), np.empty(cells.shape[1], dtype=kind)
        for tables in self.trees:
            left.fill(1)  # of a tree that looks at nothing
            into = left
            for column, table in tables:
                table.take(places[column], None, into, "clip")
                np.bitwise_and(left, into, out=left)
                into = mask
            np.negative(left, out=mask)
            np.bitwise_and(left, mask, out=left)  # the lowest bit
            yield left.view(integer).astype(number).view(integer) >> shift & width

    def _places(self, cells: Any, cuts: Any) -> Any:
        np = self.np
        gone = np.isnan(cells)
        found = cuts.searchsorted(cells)
        return np.where(gone, len(cuts) + 1, found) if gone.any() else found


def _is_tree(tree: Mapping[str, Any]) -> bool:
    """Say whether each node but the root is the child of exactly one other."""
    inner = [node for node, feature in enumerate(tree["feature"]) if feature >= 0]
    children = [node + 1 for node in inner] + [tree["right"][node] for node in inner]
    return sorted(children) == [*range(1, len(tree["feature"]))]


def _sets(tree: Mapping[str, Any]) -> dict[int, set[float]]:
    return {entry[0]: {*map(float, entry[1:])} for entry in tree["categories"] or ()}


def _add_cuts(tree: Mapping[str, Any], columns: Mapping[int, int], cuts: Sequence[set[float]]) -> None:
    """Add the numbers at which a tree's decisions change: up to each, and from beyond it, they are the same."""
    sets = _sets(tree)
    for node, (feature, threshold) in enumerate(zip(tree["feature"], tree["threshold"], strict=True)):
        if feature >= 0 and node not in sets:
            cuts[columns[feature]].add(threshold)
        elif feature >= 0:
            for cell in sets[node]:
                cuts[columns[feature]] |= {cell, math.nextafter(cell, -math.inf)}


def _masks(
    np: Any, size: int, tree: Mapping[str, Any], columns: Mapping[int, int], cuts: Sequence[list[float]]
) -> tuple[list[int], list[tuple[int, Any]]]:
    """Return the numbers of a tree's leaves, from left to right, and the masks of each element it looks at."""
    features, rights, sets = tree["feature"], tree["right"], _sets(tree)
    bits, numbers = _bits(features, rights)
    kind, full = np.dtype(_KINDS[size][0]).type, 2**size - 1
    tables: dict[int, Any] = {}
    for node, feature in enumerate(features):
        if feature < 0:
            continue
        column = columns[feature]
        points = cuts[column]
        if column not in tables:
            tables[column] = np.full(len(points) + 2, full, dtype=kind)
        table, without = tables[column], kind(full ^ bits[node + 1])
        if node in sets:
            right = np.array([point not in sets[node] for point in points] + [True, False])
            table[right] &= without
        else:
            table[bisect.bisect_left(points, tree["threshold"][node]) + 1 : -1] &= without
        if not (tree["missing_left"] and tree["missing_left"][node]):
            table[-1] &= without
    return numbers, [*tables.items()]


def _bits(features: Sequence[int], rights: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return for each node the leaves below it, as bits, and the numbers of all leaves, from left to right."""
    numbers: list[int] = []
    bits = [0] * len(features)

    def number(node: int) -> None:
        stack = [node]
        while stack:
            node = stack.pop()
            if features[node] < 0:
                bits[node] = 1 << len(numbers)
                numbers.append(rights[node])
            else:
                stack += [rights[node], node + 1]

    number(0)
    for node in range(len(features) - 1, -1, -1):
        if features[node] >= 0:
            bits[node] = bits[node + 1] | bits[rights[node]]
    return bits, numbers
