"""Steps on vectors of numbers, element by element or as a whole."""

from __future__ import annotations

import itertools
import math
import operator
from array import array
from collections.abc import Mapping
from typing import Any

from .fields import CELL, CELLS, FLAG, INTEGERS, MATRIX, NONZERO, NUMBER, NUMBERS, word
from .values import MOST, Op, Run, Sparse, Value, below, dense, made, numeric, same


def _take(x: Value, *, indexes: list[int]) -> Value:
    below(x.width, indexes)
    if x.sparse:
        places: dict[int, list[int]] = {}
        for new, old in enumerate(indexes):
            places.setdefault(old, []).append(new)
        return Value(
            len(indexes),
            lambda v: Sparse({new: cell for old, cell in v.items() if old in places for new in places[old]}),
            sparse=True,
        )
    texts = tuple(x.texts[i] for i in indexes) if x.has_texts else ()
    choices = tuple(x.choices[i] for i in indexes) if x.choices else ()
    if len(indexes) > 1:
        return Value(len(indexes), operator.itemgetter(*indexes), texts=texts, choices=choices)
    return Value(len(indexes), lambda v: [v[i] for i in indexes], texts=texts, choices=choices)


def _concat(*parts: Value) -> Value:
    width = sum(part.width for part in parts)
    if width > MOST:  # before a table as wide is made
        raise ValueError(f"makes a vector of {width} elements, at most {MOST} are")
    if any(part.has_texts for part in parts):
        if any(part.sparse for part in parts):
            raise ValueError("joins texts with sparse numbers")
        flags = [part.texts or (False,) * part.width for part in parts]
        return Value(width, lambda *v: [*itertools.chain(*v)], texts=tuple(itertools.chain(*flags)))
    if not any(part.sparse for part in parts):
        chosen = [part.choices for part in parts]
        choices = tuple(itertools.chain(*chosen)) if all(chosen) else ()
        return Value(width, lambda *v: [*itertools.chain(*v)], choices=choices)
    starts = [0, *itertools.accumulate(part.width for part in parts)]
    ways = [(start, part.sparse) for start, part in zip(starts, parts, strict=False)]

    def join(*vectors: Any) -> Sparse:
        joined = Sparse()
        for (start, sparse), vector in zip(ways, vectors, strict=True):
            pairs = vector.items() if sparse else enumerate(vector)
            joined.update({start + i: cell for i, cell in pairs})
        return joined

    return Value(width, join, sparse=True)


def _elementwise(function: Run, *, keeps_zero: bool) -> Any:
    def make(x: Value, *, values: list[float]) -> Value:
        same(x, values)

        def few(v: Sparse) -> Sparse:
            return Sparse({i: function(cell, values[i]) for i, cell in v.items()})

        return made(x, lambda v: [*map(function, v, values)], few if keeps_zero else None)

    return make


def _sum(*parts: Value) -> Value:
    """Add vectors, from the first to the last."""
    numeric(*parts)
    if len({part.width for part in parts}) != 1:
        raise ValueError("adds vectors of different widths")
    turned = [dense(part, list) for part in parts]

    def run(*vectors: Any) -> list[float]:
        first, *others = [turn(vector) for turn, vector in zip(turned, vectors, strict=True)]
        for other in others:
            first = [*map(operator.add, first, other)]
        return [*first]

    return Value(parts[0].width, run)


def _clip(x: Value, *, low: list[float], high: list[float]) -> Value:
    same(x, low, high)
    return made(x, lambda v: [a if cell < a else min(cell, b) for cell, a, b in zip(v, low, high, strict=True)])


def _refused(cells: Any, *, missing: bool) -> None:
    for cell in cells:
        if cell != cell:  # noqa: PLR0124  # NaN equals nothing
            if not missing:
                raise ValueError("the row has a missing number (NaN), which this model does not take")
        elif cell in (math.inf, -math.inf):
            raise ValueError("the row has a number that is infinite, or too large for this model")


def _finite(x: Value, *, missing: bool) -> Value:
    isfinite = math.isfinite

    def run(v: Any) -> Any:
        if not isfinite(sum(v)):
            _refused(v, missing=missing)
        return v

    def few(v: Sparse) -> Sparse:
        _refused(v.values(), missing=missing)
        return v

    return made(x, run, few)


def _float32(x: Value) -> Value:
    def run(v: Any) -> list[float]:
        return array("f", v).tolist()

    return made(x, run, lambda v: Sparse(zip(v, array("f", v.values()).tolist(), strict=True)))


def _linear(x: Value, *, weights: list[list[float]], bias: list[float]) -> Value:
    numeric(x)
    for row in weights:
        same(x, row)
    if len(bias) != len(weights):
        raise ValueError("has not one bias for each row of weights")
    mul = operator.mul
    rows = [*zip(weights, bias, strict=True)]

    def run(v: Any) -> list[float]:
        return [sum(map(mul, row, v)) + start for row, start in rows]

    def few(v: Sparse) -> list[float]:
        return [sum([row[i] * cell for i, cell in v.items()]) + start for row, start in rows]

    return Value(len(weights), few if x.sparse else run)


def _constant(x: Value, *, values: list[float]) -> Value:
    del x
    return Value(len(values), lambda _: values)


def _norm(kind: str) -> Run:
    if kind == "l2":
        return lambda cells: math.sqrt(sum([cell * cell for cell in cells]))
    if kind == "l1":
        return lambda cells: sum(map(abs, cells))
    return _largest


def _largest(cells: Any) -> float:
    found = [*map(abs, cells)]
    return max(found, default=0.0) if not any(map(math.isnan, found)) else math.nan


def _normalize(x: Value, *, norm: str, least: float) -> Value:
    size = _norm(norm)

    def run(v: Any) -> Any:
        by = size(v)
        return v if by < least or not by else [cell / by for cell in v]

    def few(v: Sparse) -> Sparse:
        by = size(v.values())
        return v if by < least or not by else Sparse({i: cell / by for i, cell in v.items()})

    return made(x, run, few)


def _sublinear(x: Value) -> Value:
    """Make 1 + log(x) of each element that is not zero."""
    log = math.log

    def of(cell: float) -> float:
        return log(cell) + 1.0 if cell > 0 else 0.0 if cell == 0 else math.nan

    return made(x, lambda v: [*map(of, v)], lambda v: Sparse({i: of(cell) for i, cell in v.items()}))


def _binarize(x: Value, *, threshold: float) -> Value:
    def run(v: Any) -> list[float]:
        return [1.0 if cell > threshold else 0.0 for cell in v]

    few = None
    if threshold >= 0:

        def few(v: Sparse) -> Sparse:
            return Sparse({i: 1.0 for i, cell in v.items() if cell > threshold})

    return made(x, run, few)


def _fill(x: Value, *, values: list[Any], missing: Any) -> Value:
    same(x, values)
    texts = x.texts or (False,) * x.width
    if any((type(value) is str) != text for value, text in zip(values, texts, strict=True)):
        raise ValueError("fills texts with numbers, or numbers with texts")
    values = [math.nan if value is None else value for value in values]
    gone = _is_missing(missing)
    if x.sparse:
        return made(x, lambda v: [b if gone(a) else a for a, b in zip(v, values, strict=True)])
    return Value(x.width, lambda v: [b if gone(a) else a for a, b in zip(v, values, strict=True)], texts=x.texts)


def _is_missing(missing: Any) -> Run:
    if missing is None:
        return lambda cell: cell is None or cell != cell  # noqa: PLR0124  # NaN equals nothing
    return lambda cell: cell == missing


def _missing(x: Value, *, indexes: list[int], missing: Any) -> Value:
    below(x.width, indexes)
    gone = _is_missing(missing)

    def run(v: Any) -> list[float]:
        return [1.0 if gone(v[i]) else 0.0 for i in indexes]

    return Value(len(indexes), run)


OPS: Mapping[str, Op] = {
    "take": Op(_take, {"indexes": INTEGERS}),
    "concat": Op(_concat, {}, sources=None),
    "sum": Op(_sum, {}, sources=None),
    "add": Op(_elementwise(operator.add, keeps_zero=False), {"values": NUMBERS}),
    "subtract": Op(_elementwise(operator.sub, keeps_zero=False), {"values": NUMBERS}),
    "multiply": Op(_elementwise(operator.mul, keeps_zero=True), {"values": NUMBERS}),
    "divide": Op(_elementwise(operator.truediv, keeps_zero=True), {"values": NONZERO}),
    "clip": Op(_clip, {"low": NUMBERS, "high": NUMBERS}),
    "finite": Op(_finite, {"missing": FLAG}),
    "float32": Op(_float32, {}),
    "linear": Op(_linear, {"weights": MATRIX, "bias": NUMBERS}),
    "constant": Op(_constant, {"values": NUMBERS}),
    "normalize": Op(_normalize, {"norm": word("l1", "l2", "max"), "least": NUMBER}),
    "sublinear": Op(_sublinear, {}),
    "binarize": Op(_binarize, {"threshold": NUMBER}),
    "fill": Op(_fill, {"values": CELLS, "missing": CELL}),
    "missing": Op(_missing, {"indexes": INTEGERS, "missing": CELL}),
}
