"""Steps from scores to probabilities and labels, for a block of rows at once; as those in `scores`.

numpy's exp, log and tanh may differ from those of the standard library in the last place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .blocks import Few, in_order, on_numbers
from .scores import OF_ZERO
from .values import Run, Value

_LEAST = -709.0  # as for one row
_NUMPYS = {"exp", "expm1", "log", "log1p", "sqrt", "abs", "cos", "sin", "square", "tanh", "trunc", "sign"}


def _apply(np: Any, x: Value, *, function: str) -> Run | None:
    functions: Mapping[str, Run] = {
        "sigmoid": lambda cells: np.where(cells > _LEAST, 1.0 / (1.0 + np.exp(-cells)), np.exp(cells)),
        "relu": lambda cells: np.where(cells <= 0, 0.0, cells),
    }
    found = getattr(np, function) if function in _NUMPYS else functions.get(function)
    if found is None:
        return None
    whole = on_numbers(np, x, found)
    if function not in OF_ZERO:
        return whole

    def run(block: Any) -> Any:
        if type(block) is not Few:
            return whole(block)
        return Few(block.rows, block.places, found(block.cells), block.count)

    return run


def _softmax(np: Any, x: Value) -> Run:
    def run(block: Any) -> Any:
        found = np.exp(block - block.max(axis=0))
        return found / in_order(np, found)

    return on_numbers(np, x, run)


def _posterior(np: Any, x: Value) -> Run:
    """Turn logarithms into probabilities by the standard library's functions: a last place of large ones counts."""

    def each(function: Run, cells: Any) -> Any:
        return np.fromiter(map(function, cells.ravel().tolist()), np.float64, cells.size).reshape(cells.shape)

    def run(block: Any) -> Any:
        if np.isnan(block).any():
            return None
        most = block.max(axis=0)
        equal = block == most
        count = equal.sum(axis=0)
        others = in_order(np, np.where(equal, 0.0, each(math.exp, block - most)))
        return each(math.exp, block - (each(math.log1p, others / count) + each(math.log, count) + most))

    return on_numbers(np, x, run)


def _shares(np: Any, x: Value, *, zero: str) -> Run:
    instead = {"equal": 1.0 / max(x.width, 1), "none": 0.0, "missing": math.nan}[zero]

    def run(block: Any) -> Any:
        whole = in_order(np, block)
        return np.where(whole == 0, instead, block / whole)

    return on_numbers(np, x, run)


def _complement(np: Any, x: Value) -> Run:
    return on_numbers(np, x, lambda block: np.concatenate([1.0 - block, block]))


def _argmax(np: Any, x: Value, *, starts: list[int]) -> Run:
    parts = [*zip(starts, [*starts[1:], x.width], strict=True)]

    def run(block: Any) -> Any:
        if np.isnan(block).any():
            return None
        return np.array([_first_largest(np, block[start:end]) for start, end in parts], dtype=np.float64)

    return on_numbers(np, x, run)


def _first_largest(np: Any, block: Any) -> Any:
    """Return the place of the first of the largest numbers in each column."""
    most, place = block[0].copy(), np.zeros(block.shape[1])
    for number, cells in enumerate(block[1:], 1):
        above = cells > most
        np.copyto(most, cells, where=above)
        np.copyto(place, number, where=above)
    return place


def _above(np: Any, x: Value, *, threshold: float, equal: bool) -> Run:
    if equal:
        return on_numbers(np, x, lambda block: (block >= threshold).astype(np.float64))
    return on_numbers(np, x, lambda block: (block > threshold).astype(np.float64))


def _reduce(np: Any, x: Value, *, how: str, groups: int) -> Run:
    def run(block: Any) -> Any:
        parts = block.reshape(groups, x.width // groups, block.shape[1])
        if how == "sum":
            return in_order(np, parts)
        product = parts[0].copy()
        for part in parts[1:]:
            product *= part
        return product

    return on_numbers(np, x, run)


def _votes(np: Any, x: Value, *, weights: list[float], classes: int) -> Run:
    def run(block: Any) -> Any:
        counts, rows = np.zeros((classes, block.shape[1])), np.arange(block.shape[1])
        for cells, weight in zip(block.astype(np.int64), weights, strict=True):
            counts[cells, rows] += weight
        return counts

    return on_numbers(np, x, run)


def _median(np: Any, x: Value, *, weights: list[float]) -> Run:
    by_weight = np.array(weights).argsort(kind="stable")
    table = np.array(weights)[by_weight]

    def run(block: Any) -> Any:
        if np.isnan(block).any():
            return None
        cells = block[by_weight]  # so that of equal ones the one of less weight comes first
        order = cells.argsort(axis=0, kind="stable")
        sums = np.cumsum(table[order], axis=0)
        first = (sums >= 0.5 * sums[-1]).argmax(axis=0)
        rows = np.arange(block.shape[1])
        return cells[order[first, rows], rows][None]

    return on_numbers(np, x, run)


MANY: Mapping[str, Any] = {
    "apply": _apply,
    "softmax": _softmax,
    "posterior": _posterior,
    "shares": _shares,
    "complement": _complement,
    "argmax": _argmax,
    "above": _above,
    "reduce": _reduce,
    "votes": _votes,
    "median": _median,
}
