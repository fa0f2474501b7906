"""Steps from scores to probabilities and labels."""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Mapping
from typing import Any

from .fields import COUNT, FLAG, INTEGERS, NUMBER, NUMBERS, word
from .values import Op, Run, Value, chosen, dense, made, same, some

_LEAST = -709.0  # below, exp(-x) would overflow; exp(x) is then the same number


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x > _LEAST else math.exp(x)


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


def _log1p(x: float) -> float:
    return math.log1p(x) if x > -1 else -math.inf if x == -1 else math.nan


def _sqrt(x: float) -> float:
    return math.sqrt(x) if x >= 0 or x != x else math.nan  # noqa: PLR0124  # NaN equals nothing


def _expm1(x: float) -> float:
    try:
        return math.expm1(x)
    except OverflowError:
        return math.inf


def _tanh(x: float) -> float:
    return math.tanh(x)


def _cos(x: float) -> float:
    return math.cos(x) if math.isfinite(x) else math.nan


def _sin(x: float) -> float:
    return math.sin(x) if math.isfinite(x) else math.nan


def _trunc(x: float) -> float:
    return math.copysign(math.trunc(x), x) if math.isfinite(x) else x


_FUNCTIONS: Mapping[str, Run] = {
    "sigmoid": _sigmoid,
    "exp": _exp,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "sqrt": _sqrt,
    "abs": abs,
    "cos": _cos,
    "sin": _sin,
    "square": lambda x: x * x,
    "tanh": _tanh,
    "trunc": _trunc,
    "relu": lambda x: x if x > 0 or x != x else 0.0,  # noqa: PLR0124  # NaN equals nothing
    "sign": lambda x: float((x > 0) - (x < 0)) if x == x else x,  # noqa: PLR0124
}
# These make zero of zero.
OF_ZERO = {"expm1", "log1p", "sqrt", "abs", "square", "sign", "sin", "tanh", "trunc", "relu"}


def _apply(x: Value, *, function: str) -> Value:
    """Apply a function to each element."""
    found = _FUNCTIONS[function]
    few = None
    if function in OF_ZERO:

        def few(v: Any) -> Any:
            return type(v)({i: found(cell) for i, cell in v.items()})

    return made(x, lambda v: [*map(found, v)], few)


def _softmax(x: Value) -> Value:
    some(x)
    exp = math.exp

    def run(v: Any) -> list[float]:
        most = max(v)
        found = [exp(cell - most) for cell in v]
        whole = sum(found)
        return [cell / whole for cell in found]

    return made(x, run)


def _posterior(x: Value) -> Value:
    """Turn logarithms of joint probabilities into probabilities."""
    some(x)
    exp = math.exp

    def run(v: Any) -> list[float]:
        most = max(v)
        if any(map(math.isnan, v)):
            return [math.nan] * len(v)
        others = [exp(cell - most) for cell in v if cell != most]
        equal = len(v) - len(others)
        whole = math.log1p(sum(others) / equal) + math.log(equal) + most
        return [exp(cell - whole) for cell in v]

    return made(x, run)


def _shares(x: Value, *, zero: str) -> Value:
    """Divide by the sum; where that is zero, all shares are equal, or zero, or missing."""
    some(x)
    instead = {"equal": 1.0 / x.width, "none": 0.0, "missing": math.nan}[zero]

    def run(v: Any) -> list[float]:
        whole = sum(v)
        if whole:
            return [cell / whole for cell in v]
        return [instead] * len(v)

    return made(x, run)


def _complement(x: Value) -> Value:
    """Make 1 - x and x of one element."""
    if x.width != 1:
        raise ValueError("needs one element")

    def run(v: Any) -> list[float]:
        (cell,) = v
        return [1.0 - cell, cell]

    return made(x, run, width=2)


def _argmax(x: Value, *, starts: list[int]) -> Value:
    """Find the first of the largest in each part of the vector; a part ends where the next starts."""
    if not starts or starts[0] != 0 or any(a >= b for a, b in zip(starts, [*starts[1:], x.width], strict=True)):
        raise ValueError("has parts that are empty or out of order")
    parts = [*zip(starts, [*starts[1:], x.width], strict=True)]

    def run(v: Any) -> list[float]:
        return [float(_first_largest(v[start:end])) for start, end in parts]

    value = made(x, run if parts[1:] else lambda v: [_first_largest(v)], width=len(parts))
    return chosen(value, tuple(end - start for start, end in parts))


def _first_largest(v: Any) -> int:
    whole = sum(v)
    if whole != whole:  # noqa: PLR0124  # a NaN, which counts as the largest, or both infinities
        for place, cell in enumerate(v):
            if cell != cell:  # noqa: PLR0124
                return place
    most = max(v)
    return next(place for place, cell in enumerate(v) if cell == most)


def _above(x: Value, *, threshold: float, equal: bool) -> Value:
    """Make 1 of what is above a threshold, 0 of the rest."""
    if equal:
        return chosen(made(x, lambda v: [1.0 if cell >= threshold else 0.0 for cell in v]), (2,) * x.width)
    return chosen(made(x, lambda v: [1.0 if cell > threshold else 0.0 for cell in v]), (2,) * x.width)


def _reduce(x: Value, *, how: str, groups: int) -> Value:
    """Bring a vector of `groups` equal parts, one after the other, to one part: their sum, or their product."""
    if groups < 1 or x.width % groups:
        raise ValueError(f"cannot part {x.width} elements into {groups} groups")
    width = x.width // groups
    of = operator.mul if how == "product" else operator.add  # sum() is not in order from Python 3.12 on

    def run(v: Any) -> list[float]:
        return [functools.reduce(of, v[place::width]) for place in range(width)]

    return made(x, run, width=width)


def _votes(x: Value, *, weights: list[float], classes: int) -> Value:
    """Count votes: each element is the number of a class, and has a weight."""
    same(x, weights)
    if not x.choices or max(x.choices) > classes:
        raise ValueError("counts votes for classes that there are not")
    run = dense(x, lambda v: _counted(v, weights, classes))
    return Value(classes, run)


def _counted(v: Any, weights: list[float], classes: int) -> list[float]:
    counts = [0.0] * classes
    for cell, weight in zip(v, weights, strict=True):
        counts[int(cell)] += weight
    return counts


def _median(x: Value, *, weights: list[float]) -> Value:
    """Find the weighted median: the first, from the least, at which half of all weight is reached."""
    same(x, weights)
    some(x)
    if min(weights) < 0:
        raise ValueError("has a negative weight")

    def run(v: Any) -> list[float]:
        order = sorted(zip(v, weights, strict=True), key=lambda pair: (pair[0] != pair[0], pair))  # NaN is the last
        sums = [*itertools.accumulate([weight for _, weight in order])]
        half = 0.5 * sums[-1]
        return [next(cell for (cell, _), reached in zip(order, sums, strict=True) if reached >= half)]

    return made(x, run, width=1)


OPS: Mapping[str, Op] = {
    "apply": Op(_apply, {"function": word(*_FUNCTIONS)}),
    "softmax": Op(_softmax, {}),
    "posterior": Op(_posterior, {}),
    "shares": Op(_shares, {"zero": word("equal", "none", "missing")}),
    "complement": Op(_complement, {}),
    "argmax": Op(_argmax, {"starts": INTEGERS}),
    "above": Op(_above, {"threshold": NUMBER, "equal": FLAG}),
    "median": Op(_median, {"weights": NUMBERS}),
    "reduce": Op(_reduce, {"how": word("sum", "product"), "groups": COUNT}),
    "votes": Op(_votes, {"weights": NUMBERS, "classes": COUNT}),
}
