"""Steps from scores to probabilities and labels, and those with points, as nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from mlopskit_onnx.graph import Graph, Vector, known
from mlopskit_onnx.vectors import Fields, Step, apart

_LEAST = -709.0  # below, exp(-x) would overflow; exp(x) is then the same number
_UNIT = 2.0**-52


def _one(g: Graph) -> str:
    return g.constant([[1.0]])


def _zero(g: Graph) -> str:
    return g.constant([[0.0]])


def _expm1(g: Graph, x: str) -> str:
    """Return exp(x) - 1 without loss near zero: tanh(x / 2) · (exp(x) + 1)."""
    exp = g.op("Exp", x)
    near = g.op("Mul", g.op("Tanh", g.op("Mul", x, g.constant([[0.5]]))), g.op("Add", exp, _one(g)))
    return g.where(g.op("Less", g.op("Abs", x), _one(g)), near, g.op("Sub", exp, _one(g)))


def _log1p(g: Graph, x: str) -> str:
    """Return log(1 + x) without loss near zero: log(u) · x / (u - 1) with u = 1 + x (Kahan)."""
    u = g.op("Add", x, _one(g))
    same = g.op("Equal", u, _one(g))
    by = g.where(same, _one(g), g.op("Sub", u, _one(g)))
    logs = g.op("Log", u)
    near = g.where(same, x, g.op("Mul", logs, g.op("Div", x, by)))
    return g.where(g.op("Less", g.op("Abs", x), _one(g)), near, logs)


def _sigmoid(g: Graph, x: str) -> str:
    usual = g.op("Div", _one(g), g.op("Add", _one(g), g.op("Exp", g.op("Neg", x))))
    return g.where(g.op("LessOrEqual", x, g.constant([[_LEAST]])), g.op("Exp", x), usual)


def _sign(g: Graph, x: str) -> str:
    return g.where(g.op("IsNaN", x), x, g.op("Sign", x))


def _trunc(g: Graph, x: str) -> str:
    whole = g.op("Floor", g.op("Abs", x))
    return g.where(g.op("Less", x, _zero(g)), g.op("Neg", whole), g.where(g.op("IsNaN", x), x, whole))


def _square(g: Graph, x: str) -> str:
    return g.op("Mul", x, x)


def _relu(g: Graph, x: str) -> str:
    return g.where(g.op("LessOrEqual", x, _zero(g)), _zero(g), x)


def _plain(kind: str) -> Callable[[Graph, str], str]:
    return lambda g, x: g.op(kind, x)


_FUNCTIONS: Mapping[str, Callable[[Graph, str], str]] = {
    "sigmoid": _sigmoid,
    "exp": _plain("Exp"),
    "expm1": _expm1,
    "log": _plain("Log"),
    "log1p": _log1p,
    "sqrt": _plain("Sqrt"),
    "abs": _plain("Abs"),
    "square": _square,
    "tanh": _plain("Tanh"),
    "trunc": _trunc,
    "relu": _relu,
    "sign": _sign,
    "cos": _plain("Cos"),
    "sin": _plain("Sin"),
}


def _apply(g: Graph, f: Fields, x: Vector) -> Vector:
    return g.vector(x.width, _FUNCTIONS[known(f["function"], _FUNCTIONS)](g, g.dense(x)))


def _softmax(g: Graph, _: Fields, x: Vector) -> Vector:
    along, cells = g.constant([1], "int64"), g.dense(x)
    shares = g.op("Exp", g.op("Sub", cells, g.op("ReduceMax", cells, along)))
    return g.vector(x.width, g.op("Div", shares, g.op("ReduceSum", shares, along)))


def _posterior(g: Graph, _: Fields, x: Vector) -> Vector:
    along, cells = g.constant([1], "int64"), g.dense(x)
    most = g.op("ReduceMax", cells, along)
    largest = g.op("Equal", cells, most)
    equal = g.op("ReduceSum", g.numbers(largest), along)
    others = g.op("ReduceSum", g.where(largest, _zero(g), g.op("Exp", g.op("Sub", cells, most))), along)
    whole = g.op("Add", _log1p(g, g.op("Div", others, equal)), g.op("Log", equal))
    return g.vector(x.width, g.op("Exp", g.op("Sub", cells, g.op("Add", whole, most))))


def _shares(g: Graph, f: Fields, x: Vector) -> Vector:
    cells = g.dense(x)
    whole = g.op("ReduceSum", cells, g.constant([1], "int64"))
    none = g.op("Equal", whole, _zero(g))
    shared = g.op("Div", cells, g.where(none, _one(g), whole))
    others = {"equal": 1.0 / x.width, "none": 0.0, "missing": math.nan}
    other = others[known(f["zero"], others)]
    return g.vector(x.width, g.where(none, g.constant([[other]]), shared))


def _complement(g: Graph, _: Fields, x: Vector) -> Vector:
    cells = g.dense(x)
    return g.vector(2, g.op("Concat", g.op("Sub", _one(g), cells), cells, axis=1))


def _argmax(g: Graph, f: Fields, x: Vector) -> Vector:
    cells, starts = g.dense(x), f["starts"]
    found = []
    for start, end in zip(starts, [*starts[1:], x.width], strict=True):
        whole = start == 0 and end == x.width
        places = g.constant([*range(start, end)], "int64")
        part = _nan_first(g, cells if whole else g.op("Gather", cells, places, axis=1))
        found.append(g.numbers(g.op("ArgMax", part, axis=1, keepdims=1, select_last_index=0)))
    return g.vector(len(found), g.join(found))


def _nan_first(g: Graph, part: str) -> str:
    """Return numbers of which the largest is NaN, if one is: it counts as that, and ArgMax would go past it."""
    flags = g.numbers(g.op("IsNaN", part))
    some = g.op("Greater", g.op("ReduceMax", flags, g.constant([1], "int64")), _zero(g))
    return g.where(some, flags, part)


def _above(g: Graph, f: Fields, x: Vector) -> Vector:
    kind = "GreaterOrEqual" if f["equal"] else "Greater"
    return g.vector(x.width, g.numbers(g.op(kind, g.dense(x), g.constant([[f["threshold"]]]))))


def _reduce(g: Graph, f: Fields, x: Vector) -> Vector:
    width = x.width // f["groups"]
    made, cells, ways = "", g.dense(x), {"product": "Mul", "sum": "Add"}
    for group in range(f["groups"]):  # in order: other sums would break ties
        places = g.constant([*range(group * width, (group + 1) * width)], "int64")
        part = g.op("Gather", cells, places, axis=1)
        made = g.op(ways[known(f["how"], ways)], made, part) if made else part
    return g.vector(width, made)


def _votes(g: Graph, f: Fields, x: Vector) -> Vector:
    classes = g.row(range(f["classes"]))
    made, cells = "", g.dense(x)
    for place, weight in enumerate(f["weights"]):
        one = g.op("Gather", cells, g.constant([place], "int64"), axis=1)
        vote = g.where(g.op("Equal", one, classes), g.constant([[weight]]), _zero(g))
        made = g.op("Add", made, vote) if made else vote
    return g.vector(f["classes"], made)


def _median(g: Graph, f: Fields, x: Vector) -> Vector:
    count = g.constant([x.width], "int64")
    ordered = g.op("TopK", g.dense(x), count, outputs=2, axis=1, largest=0, sorted=1)
    sums = g.op("CumSum", g.op("Gather", g.constant(f["weights"]), f"{ordered}i", axis=0), g.constant(1, "int64"))
    last = g.op("Gather", sums, g.constant([x.width - 1], "int64"), axis=1)
    reached = g.op("GreaterOrEqual", sums, g.op("Mul", last, g.constant([[0.5]])))
    first = g.op("ArgMax", g.numbers(reached), axis=1, keepdims=1, select_last_index=0)
    return g.vector(1, g.op("GatherElements", ordered, first, axis=1))


def _lifted(g: Graph, x: Vector) -> str:
    """Return a vector with a third dimension, for comparing each element with several numbers."""
    return g.op("Unsqueeze", g.dense(x), g.constant([2], "int64"))


def _bins(g: Graph, f: Fields, x: Vector) -> Vector:
    if not any(f["edges"]):
        return g.vector(x.width, g.op("Mul", g.dense(x), _zero(g)))
    edges, real = apart(f["edges"], math.inf), apart([[1.0] * len(one) for one in f["edges"]], 0.0)
    g.widths += x.width * len(edges[0])
    below = g.where(g.op("Less", _lifted(g, x), g.constant([edges])), _zero(g), g.constant([real]))
    return g.vector(x.width, g.op("ReduceSum", below, g.constant([2], "int64"), keepdims=0))


def _yeo_johnson(g: Graph, f: Fields, x: Vector) -> Vector:
    cells = g.dense(x)
    negative = g.op("Less", cells, _zero(g))
    lambdas = f["lambdas"]
    below = g.op("Neg", _bent(g, g.op("Neg", cells), [2.0 - one for one in lambdas]))
    return g.vector(x.width, g.where(negative, below, _bent(g, cells, lambdas)))


def _bent(g: Graph, x: str, by: Sequence[float]) -> str:
    logs = _log1p(g, x)
    flat = [abs(one) < _UNIT for one in by]
    power = g.row([1.0 if none else one for one, none in zip(by, flat, strict=True)])
    usual = g.op("Div", _expm1(g, g.op("Mul", power, logs)), power)
    return g.where(g.constant([flat], "bool"), logs, usual) if any(flat) else usual


def _interpolate(g: Graph, f: Fields, x: Vector) -> Vector:
    cells = g.dense(x)
    low, high = g.row([one[0] for one in f["at"]]), g.row([one[-1] for one in f["at"]])
    under, over = g.op("Less", cells, low), g.op("Greater", cells, high)
    if known(f["outside"], ("nearest", "missing", "refuse")) == "refuse":
        g.refuse(g.op("Or", under, over))
    inside = g.where(under, low, g.where(over, high, cells))
    made = []
    for place, (at, values) in enumerate(zip(f["at"], f["values"], strict=True)):
        cell = g.op("Gather", inside, g.constant([place], "int64"), axis=1)
        made.append(_between(g, cell, at, values))
        g.widths += len(at)
    y = g.join(made)
    if f["outside"] == "missing":
        y = g.where(g.op("Or", under, over), g.constant([[math.nan]]), y)
    return g.vector(x.width, g.where(g.op("IsNaN", cells), cells, y))


def _between(g: Graph, cell: str, at: Sequence[float], values: Sequence[float]) -> str:
    if len(at) == 1:
        return g.where(g.op("Equal", cell, cell), g.row(values), cell)
    less = g.numbers(g.op("Less", g.row(at), cell))
    count = g.op("ReduceSum", less, g.constant([1], "int64"))
    h = g.op("Max", g.op("Min", count, g.constant([[len(at) - 1.0]])), _one(g))
    above = g.integers(h)
    below = g.integers(g.op("Sub", h, _one(g)))
    points, heights = g.constant(at), g.constant(values)
    x0, x1 = g.op("Gather", points, below, axis=0), g.op("Gather", points, above, axis=0)
    y0, y1 = g.op("Gather", heights, below, axis=0), g.op("Gather", heights, above, axis=0)
    slope = g.op("Div", g.op("Sub", y1, y0), g.op("Sub", x1, x0))
    return g.op("Add", g.op("Mul", slope, g.op("Sub", cell, x0)), y0)


STEPS: Mapping[str, Step] = {
    "apply": (_apply, "function"),
    "softmax": (_softmax, ""),
    "posterior": (_posterior, ""),
    "shares": (_shares, "zero"),
    "complement": (_complement, ""),
    "argmax": (_argmax, "starts"),
    "above": (_above, "threshold equal"),
    "reduce": (_reduce, "how groups"),
    "votes": (_votes, "weights classes"),
    "median": (_median, "weights"),
    "bins": (_bins, "edges"),
    "yeo_johnson": (_yeo_johnson, "lambdas"),
    "interpolate": (_interpolate, "at values outside"),
}
