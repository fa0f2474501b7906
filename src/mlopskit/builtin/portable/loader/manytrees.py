"""Sums of trees for a block of rows at once, to the last bit as row by row: the same leaves, added in the same order.

Trees are gone through in one of two ways. *By masks*, for those of at most 64 leaves: each element is looked up among
all thresholds once; for each tree and each element that it looks at, a table says by that place which leaves are still
possible, as bits; the lowest bit of all these together is the leaf. (QuickScorer: Lucchese et al., SIGIR 2015, with a
table for each element.) *By steps*, for all others: a level of the tree at a time for all rows.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from .blocks import Few, count_of, written_out
from .treemasks import Masks
from .treesteps import Steps
from .values import Run, Value

_ROWS = 512  # below, the tables are not worth their making


def _trees(
    np: Any,
    x: Value,
    *starts: Value,
    trees: list[Mapping[str, Any]],
    size: int,
    at: list[int],
    scale: float,
    start: list[float],
) -> Run | None:
    used = sorted({feature for tree in trees for feature in tree["feature"] if feature >= 0})
    read = _reader(np, x, used)

    @functools.cache
    def ready() -> tuple[Run, list[Any]] | None:
        way = _way(np, trees, used)
        return None if way is None else (way.leaves, _tables(np, trees, way.order, size, scale))

    def run(block: Any, begin: Any = None) -> Any:
        count = count_of(block)
        cells = read(block) if count >= _ROWS else None
        if begin is not None:
            begin = written_out(np, starts[0].width, begin)
        made = None if cells is None else ready()
        if made is None:
            return None
        leaves, tables = made
        total = np.repeat(np.array(start)[:, None], count, axis=1) if begin is None else np.array(begin)
        if size == 1:
            for leaf, table, place in zip(leaves(cells), tables, at, strict=True):
                total[place] += table.take(leaf)
            return total
        turned = np.ascontiguousarray(total.T)
        for leaf, table in zip(leaves(cells), tables, strict=True):
            turned += table.take(leaf, axis=0)
        return np.ascontiguousarray(turned.T)

    return run


def _tables(np: Any, trees: list[Mapping[str, Any]], orders: Any, size: int, scale: float) -> list[Any]:
    """Return the values of each tree's leaves, in the order in which they are found."""
    values = [np.array(tree["values"]).reshape(-1, size) * scale for tree in trees]
    tables = [table[order] for table, order in zip(values, orders, strict=True)]
    return tables if size > 1 else [table[:, 0].copy() for table in tables]


def _way(np: Any, trees: Sequence[Mapping[str, Any]], used: Sequence[int]) -> Masks | Steps | None:
    """Return the way through trees that takes less, if there is one."""
    columns = {feature: column for column, feature in enumerate(used)}
    masks, steps = Masks.of(np, trees, columns), Steps.of(np, trees, columns)
    both = [one for one in (masks, steps) if one is not None]
    return min(both, key=lambda one: one.cost, default=None)


def _reader(np: Any, x: Value, used: Sequence[int]) -> Run:
    """Return the function that takes the elements that trees look at from a block."""
    at = np.array(used, dtype=np.int64)

    def read(block: Any) -> Any:
        if type(block) is not Few:
            return block if len(used) == x.width else block[at]
        if len(used) * block.count > _MOST:
            return None
        new = np.full(x.width, -1)
        new[at] = np.arange(len(at))
        places = new[block.places]
        kept = places >= 0
        found = np.zeros((len(used), block.count))
        found[places[kept], block.rows[kept]] = block.cells[kept]
        return found

    return read


_MOST = 1 << 24  # numbers of a block that is written out
MANY: Mapping[str, Any] = {"trees": _trees}
