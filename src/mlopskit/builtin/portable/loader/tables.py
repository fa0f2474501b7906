"""Steps that look numbers up between others, multiply elements, or compare the row with other rows."""

from __future__ import annotations

import bisect
import math
import operator
import sys
from collections.abc import Mapping
from typing import Any

from .fields import COUNT, INTEGERS, MATRIX, NUMBER, NUMBERS, listing, word
from .values import MOST, Op, Run, Value, below, dense, made, numeric, same

_UNIT = sys.float_info.epsilon


def _quotient(x: Value, y: Value) -> Value:
    """Divide the elements of one vector by those of another."""
    numeric(x, y)
    if x.width != y.width or x.sparse or y.sparse:
        raise ValueError("divides vectors of different widths, or sparse ones")
    return Value(x.width, lambda v, w: [*map(_divided, v, w)])


def _divided(cell: float, by: float) -> float:
    if by:
        return cell / by
    return math.nan if cell != cell or not cell else math.copysign(math.inf, cell) * math.copysign(1.0, by)  # noqa: PLR0124


def _products(x: Value, *, factors: list[list[int]]) -> Value:
    """Multiply elements: for each list those that it names, from the first; of none, 1."""
    for one in factors:
        below(x.width, one)
    if sum(map(len, factors)) > MOST:
        raise ValueError("has too many factors")

    def run(v: Any) -> list[float]:
        return [math.prod([v[i] for i in one], start=1.0) for one in factors]

    return made(x, run, width=len(factors))


def _rising(tables: list[list[float]], falls: Run) -> None:
    for table in tables:
        if any(map(falls, table, table[1:])):
            raise ValueError("has a table that does not rise")


def _bins(x: Value, *, edges: list[list[float]]) -> Value:
    """Find how many of its edges each element reaches."""
    same(x, edges)
    _rising(edges, operator.gt)
    find = bisect.bisect_right
    return made(x, lambda v: [float(find(table, cell)) for table, cell in zip(edges, v, strict=True)])


def _interpolate(x: Value, *, at: list[list[float]], values: list[list[float]], outside: str) -> Value:
    """Interpolate each element between its points."""
    same(x, at, values)
    _rising(at, operator.gt)
    if any(len(a) != len(b) or not a or a[:1] == a[1:2] for a, b in zip(at, values, strict=True)):
        raise ValueError("has no points, the first twice, or points and values of different lengths")

    def run(v: Any) -> list[float]:
        return [_between(cell, *table, outside) for cell, table in zip(v, tables, strict=True)]

    tables = [*zip(at, values, strict=True)]
    return made(x, run)


def _between(cell: float, at: list[float], values: list[float], outside: str) -> float:
    if cell != cell:  # noqa: PLR0124  # NaN equals nothing
        return cell
    if not at[0] <= cell <= at[-1]:
        if outside == "refuse":
            raise ValueError("the row has a number beyond those that this model knows")
        if outside == "missing":
            return math.nan
        cell = at[0] if cell < at[0] else at[-1]
    if len(at) == 1:
        return values[0]
    above = min(max(bisect.bisect_left(at, cell), 1), len(at) - 1)
    low, high = at[above - 1], at[above]
    slope = (values[above] - values[above - 1]) / (high - low)
    return slope * (cell - low) + values[above - 1]


def _raised(base: float, power: int) -> float:
    """Return a power, by squaring: beyond the largest number it is infinite."""
    result = 1.0
    while power:
        if power % 2:
            result *= base
        base, power = base * base, power // 2
    return result


def _distance(kind: str, gamma: float, offset: float, degree: int) -> Run:
    exp, mul, sub = math.exp, operator.mul, operator.sub
    if kind == "rbf":

        def rbf(point: list[float], v: Any) -> float:
            gaps = [*map(sub, point, v)]
            return exp(-gamma * sum(map(mul, gaps, gaps)))

        return rbf
    if kind == "distance":

        def distance(point: list[float], v: Any) -> float:
            gaps = [*map(sub, point, v)]
            return math.sqrt(sum(map(mul, gaps, gaps)))

        return distance
    if kind == "polynomial":
        return lambda point, v: _raised(gamma * sum(map(mul, point, v)) + offset, degree)
    return lambda point, v: math.tanh(gamma * sum(map(mul, point, v)) + offset)


def _kernel(x: Value, *, points: list[list[float]], kind: str, gamma: float, offset: float, degree: int) -> Value:
    """Compare the vector with each of some points."""
    numeric(x)
    for point in points:
        same(x, point)
    if gamma < 0:
        raise ValueError("has a negative gamma")
    near = _distance(kind, gamma, offset, degree)
    return Value(len(points), dense(x, lambda v: [near(point, v) for point in points]))


def _yeo_johnson(x: Value, *, lambdas: list[float]) -> Value:
    """Bring each element nearer to a normal distribution, by Yeo and Johnson (2000)."""
    same(x, lambdas)
    return made(x, lambda v: [*map(_bent, v, lambdas)])


def _bent(cell: float, by: float) -> float:
    if cell < 0:
        return -_bent(-cell, 2.0 - by)
    if cell != cell:  # noqa: PLR0124
        return cell
    if abs(by) < _UNIT:
        return math.log1p(cell)
    try:
        return math.expm1(by * math.log1p(cell)) / by
    except OverflowError:
        return math.inf


OPS: Mapping[str, Op] = {
    "quotient": Op(_quotient, {}, sources=2),
    "products": Op(_products, {"factors": listing(INTEGERS)}),
    "bins": Op(_bins, {"edges": listing(NUMBERS)}),
    "interpolate": Op(
        _interpolate,
        {"at": listing(NUMBERS), "values": listing(NUMBERS), "outside": word("nearest", "missing", "refuse")},
    ),
    "yeo_johnson": Op(_yeo_johnson, {"lambdas": NUMBERS}),
    "kernel": Op(
        _kernel,
        {
            "points": MATRIX,
            "kind": word("rbf", "polynomial", "sigmoid", "distance"),
            "gamma": NUMBER,
            "offset": NUMBER,
            "degree": COUNT,
        },
    ),
}
