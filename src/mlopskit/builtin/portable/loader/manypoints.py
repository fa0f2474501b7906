"""Steps that read splines, or the values of the nearest points, for a block of rows at once; as those in `points`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .blocks import on_numbers
from .values import Run, Value


def _spline(np: Any, x: Value, *, knots: list[list[float]], degree: int) -> Run:
    tables = [*map(np.array, knots)]

    def run(block: Any) -> Any:
        return np.concatenate([_bases(np, cells, table, degree) for cells, table in zip(block, tables, strict=True)])

    return on_numbers(np, x, run)


def _bases(np: Any, cells: Any, knots: Any, degree: int) -> Any:
    """Return all B-splines at numbers, by de Boor's recursion; those of NaN are zero."""
    found = np.zeros((len(knots) - degree - 1, len(cells)))
    at = np.clip(knots.searchsorted(cells, "right") - 1, degree, len(found) - 1)
    bases = [np.ones(len(cells))]
    for order in range(1, degree + 1):
        above = [np.zeros(len(cells))]
        for place, base in enumerate(bases):
            low, high = knots[at + place + 1 - order], knots[at + place + 1]
            share = base / (high - low)
            above[place] = above[place] + share * (high - cells)
            above.append(share * (cells - low))
        bases = above
    rows = np.arange(len(cells))
    for place, base in enumerate(bases):
        found[at - degree + place, rows] = base
    found[:, np.isnan(cells)] = 0.0
    return found


def _nearest(
    np: Any,
    x: Value,
    *,
    points: list[list[float]],
    values: list[list[float]],
    count: int | None,
    radius: float | None,
    weights: str,
    empty: list[float] | None,
) -> Run:
    table, told = np.array(points), np.array(values)

    def run(block: Any) -> Any:
        squares = np.zeros((len(table), block.shape[1]))
        for cells, ones in zip(block, table.T, strict=True):
            squares += (ones[:, None] - cells) ** 2
        if np.isnan(squares).any():
            return None
        if count is None:
            limit = float(radius or 0.0)
            order, chosen = np.arange(len(table))[:, None], squares <= limit * limit
        else:
            order = squares.argsort(axis=0, kind="stable")[:count]
            squares = np.take_along_axis(squares, order, axis=0)
            chosen = np.ones(squares.shape, dtype=bool)
        none = ~chosen.any(axis=0)
        if none.any() and empty is None:
            return None
        made = _mean(np, told, order, _shares(np, weights, squares, chosen))
        if np.isnan(made[:, ~none]).any():
            return None
        return np.where(none, np.array(empty, dtype=np.float64)[:, None], made) if none.any() else made

    return on_numbers(np, x, run)


def _shares(np: Any, weights: str, squares: Any, chosen: Any) -> Any:
    """Return how much each point counts, 0 for one that is not chosen."""
    if weights == "equal":
        return chosen.astype(np.float64)
    same = chosen & (squares == 0)
    return np.where(same.any(axis=0), same, np.where(chosen, 1.0 / np.sqrt(squares), 0.0))


def _mean(np: Any, values: Any, order: Any, shares: Any) -> Any:
    """Return the means of the points' values, the points in their order."""
    total = np.zeros((values.shape[1], shares.shape[1]))
    whole = np.zeros(shares.shape[1])
    for places, share in zip(order, shares, strict=True):
        total += values[places].T * share
        whole += share
    return total / whole


MANY: Mapping[str, Any] = {"spline": _spline, "nearest": _nearest}
