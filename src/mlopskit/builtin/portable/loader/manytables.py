"""Steps that look numbers up, multiply elements, or compare rows with others, for a block at once; as in `tables`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .blocks import on_numbers
from .values import Run, Value


def _quotient(np: Any, x: Value, y: Value) -> Run:
    del x, y
    return lambda block, by: None if (by == 0).any() else np.divide(block, by)


def _products(np: Any, x: Value, *, factors: list[list[int]]) -> Run:
    def run(block: Any) -> Any:
        made = np.ones((len(factors), block.shape[1]))
        for number, places in enumerate(factors):
            for place in places:
                made[number] *= block[place]
        return made

    return on_numbers(np, x, run)


def _bins(np: Any, x: Value, *, edges: list[list[float]]) -> Run:
    tables = [*map(np.array, edges)]

    def run(block: Any) -> Any:
        found = [table.searchsorted(cells, "right") for cells, table in zip(block, tables, strict=True)]
        return np.array(found, dtype=np.float64).reshape(block.shape)

    return on_numbers(np, x, run)


def _interpolate(np: Any, x: Value, *, at: list[list[float]], values: list[list[float]], outside: str) -> Run:
    tables = [*zip(map(np.array, at), map(np.array, values), strict=True)]

    def run(block: Any) -> Any:
        low, high = ([[table[end]] for table, _ in tables] for end in (0, -1))
        beyond = (block < low) | (block > high)
        if outside == "refuse" and beyond.any():
            return None
        cells = np.clip(block, low, high)
        made = [_between(np, *one) for one in zip(cells, *zip(*tables, strict=True), strict=True)]
        if any(one is None for one in made):
            return None
        return np.where(beyond, math.nan, made) if outside == "missing" else np.array(made)

    return on_numbers(np, x, run)


def _between(np: Any, cells: Any, at: Any, values: Any) -> Any:
    if len(at) == 1:
        return np.where(np.isnan(cells), cells, values[0])
    above = np.clip(at.searchsorted(cells), 1, len(at) - 1)
    low = at[above - 1]
    gap = at[above] - low
    if not gap.all():
        return None
    slope = (values[above] - values[above - 1]) / gap
    return slope * (cells - low) + values[above - 1]


def _kernel(
    np: Any, x: Value, *, points: list[list[float]], kind: str, gamma: float, offset: float, degree: int
) -> Run:
    table = np.array(points)
    ends: Mapping[str, Run] = {
        "rbf": lambda total: np.exp(-gamma * total),
        "distance": np.sqrt,
        "polynomial": lambda total: _raised(np, gamma * total + offset, degree),
        "sigmoid": lambda total: np.tanh(gamma * total + offset),
    }
    end, squares = ends[kind], kind in ("rbf", "distance")

    def run(block: Any) -> Any:
        total = np.zeros((len(table), block.shape[1]))
        for cells, ones in zip(block, table.T, strict=True):
            total += (ones[:, None] - cells) ** 2 if squares else ones[:, None] * cells
        return end(total)

    return on_numbers(np, x, run)


def _raised(np: Any, base: Any, power: int) -> Any:
    result = np.ones_like(base)
    while power:
        if power % 2:
            result = result * base
        base, power = base * base, power // 2
    return result


MANY: Mapping[str, Any] = {
    "quotient": _quotient,
    "products": _products,
    "bins": _bins,
    "interpolate": _interpolate,
    "kernel": _kernel,
}
