"""Many rows through trees at once, by numpy where it is installed: the same sums, in the same order, as row by row."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from .values import Run


@functools.cache
def _numpy() -> Any:
    try:
        import numpy as np
    except ImportError:
        return None
    return np


def sum_of_trees(
    trees: Sequence[Mapping[str, Any]], size: int, at: Sequence[int], scale: float, start: Sequence[float]
) -> Run:
    """Return the function from many vectors to the sums of their leaves; it returns None where numpy is not there."""

    @functools.cache
    def tables() -> list[tuple[Any, ...]]:
        return [_tables(_numpy(), tree, size) for tree in trees]

    def run(vectors: Sequence[Any], begins: Sequence[Any] | None = None) -> list[list[float]] | None:
        np = _numpy()
        if np is None:
            return None
        x = np.array(vectors, dtype=np.float64)
        totals = np.tile(np.array(start), (len(x), 1)) if begins is None else np.array(begins, dtype=np.float64)
        for table, place in zip(tables(), at, strict=True):
            totals[:, place : place + size] += scale * _leaves(np, table, x)
        found: list[list[float]] = totals.tolist()
        return found

    return run


def _tables(np: Any, tree: Mapping[str, Any], size: int) -> tuple[Any, ...]:
    missing = tree["missing_left"]
    return (
        np.array(tree["feature"]),
        np.array(tree["threshold"]),
        np.array(tree["right"]),
        np.array(tree["values"]).reshape(-1, size),
        None if missing is None else np.array(missing, dtype=bool),
    )


def _leaves(np: Any, table: tuple[Any, ...], x: Any) -> Any:
    """Return the values of each row's leaf."""
    features, thresholds, rights, values, missing = table
    nodes, active = np.zeros(len(x), dtype=np.int64), np.arange(len(x))
    while True:
        here = nodes[active]
        looked = features[here]
        inner = looked >= 0
        if not inner.all():
            active, here, looked = active[inner], here[inner], looked[inner]
        if not active.size:
            return values[rights[nodes]]
        cells = x[active, looked]
        left = cells <= thresholds[here]
        if missing is not None:
            left = np.where(np.isnan(cells), missing[here], left)
        nodes[active] = np.where(left, here + 1, rights[here])
