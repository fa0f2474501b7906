"""Steps that read splines, or the values of the points that are nearest to the row."""

from __future__ import annotations

import bisect
import heapq
import itertools
import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from .fields import COUNT, GAPS, MATRIX, NUMBER, NUMBERS, listing, optional, word
from .values import MOST, Op, Run, Value, dense, made, numeric, same


def _spline(x: Value, *, knots: list[list[float]], degree: int) -> Value:
    """Make the B-splines of each element, one for each place among its knots."""
    same(x, knots)
    if any(len(table) < 2 * degree + 2 for table in knots):
        raise ValueError("has fewer than 2 * degree + 2 knots")
    if any(a >= b for table in knots for a, b in itertools.pairwise(table)):
        raise ValueError("has knots that do not rise")
    width = sum(len(table) - degree - 1 for table in knots)
    if width > MOST or degree > 100:  # noqa: PLR2004  # beyond all use
        raise ValueError("has too many splines")

    def run(v: Any) -> list[float]:
        found: list[float] = []
        for cell, table in zip(v, knots, strict=True):
            found += _bases(cell, table, degree)
        return found

    return made(x, run, width=width)


def _bases(cell: float, knots: list[float], degree: int) -> list[float]:
    """Return all B-splines at a number, by de Boor's recursion; those of NaN are zero."""
    found = [0.0] * (len(knots) - degree - 1)
    if cell != cell:  # noqa: PLR0124  # NaN equals nothing
        return found
    at = min(max(bisect.bisect_right(knots, cell) - 1, degree), len(found) - 1)
    bases = [1.0]
    for order in range(1, degree + 1):
        above = [0.0] * (order + 1)
        for place, base in enumerate(bases):
            low, high = knots[at + place + 1 - order], knots[at + place + 1]
            share = base / (high - low)
            above[place] += share * (high - cell)
            above[place + 1] = share * (cell - low)
        bases = above
    found[at - degree : at + 1] = bases
    return found


def _nearest(
    x: Value,
    *,
    points: list[list[float]],
    values: list[list[float]],
    count: int | None,
    radius: float | None,
    weights: str,
    empty: list[float] | None,
) -> Value:
    """Make the mean of the values of the points that are nearest, or near."""
    numeric(x)
    for point in points:
        same(x, point)
    if len(values) != len(points) or (empty is not None and len(empty) != len(values[0])):
        raise ValueError("has points and values of different numbers")
    if (count is None) == (radius is None) or (count is not None and not 1 <= count <= len(points)):
        raise ValueError("needs either a count of its points or a radius")
    mul, sub = operator.mul, operator.sub
    near = _within(float(radius or 0.0)) if count is None else _closest(count)

    def run(v: Any) -> list[float]:
        squares = []
        for point in points:
            gaps = [*map(sub, point, v)]
            squares.append(sum(map(mul, gaps, gaps)))
        chosen = near(squares)
        if chosen:
            return _mean([values[i] for i in chosen], _shares(weights, [squares[i] for i in chosen]))
        if empty is None:
            raise ValueError("the row has no point near enough")
        return empty

    return Value(len(values[0]), dense(x, run))


def _within(radius: float) -> Run:
    limit = radius * radius
    return lambda squares: [i for i, square in enumerate(squares) if square <= limit]


def _closest(count: int) -> Run:
    return lambda squares: heapq.nsmallest(count, range(len(squares)), key=squares.__getitem__)


def _shares(weights: str, squares: list[float]) -> list[float]:
    """Return how much each chosen point counts: alike, or by its distance; one that is the row itself counts alone."""
    if weights == "equal":
        return [1.0] * len(squares)
    distances = [*map(math.sqrt, squares)]
    if 0.0 in distances:
        return [float(distance == 0.0) for distance in distances]
    return [1.0 / distance for distance in distances]


def _mean(rows: Sequence[list[float]], shares: list[float]) -> list[float]:
    whole = sum(shares) or math.nan  # no weight is above zero where all points are too far for a number
    return [sum(map(operator.mul, column, shares)) / whole for column in zip(*rows, strict=True)]


OPS: Mapping[str, Op] = {
    "spline": Op(_spline, {"knots": listing(NUMBERS), "degree": COUNT}),
    "nearest": Op(
        _nearest,
        {
            "points": MATRIX,
            "values": MATRIX,
            "count": optional(COUNT),
            "radius": optional(NUMBER),
            "weights": word("equal", "distance"),
            "empty": optional(GAPS),
        },
    ),
}
