"""Steps that compare a row with points, or place it between knots, as nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mlopskit_onnx.graph import Graph, Vector, known
from mlopskit_onnx.vectors import Fields, Step


def _squares(g: Graph, x: Vector, points: Sequence[Sequence[float]]) -> str:
    """Return the squares of the distances to points: sums of squares, as products would lose what is small."""
    lifted = g.op("Unsqueeze", g.dense(x), g.constant([1], "int64"))
    gaps = g.op("Sub", g.constant([points]), lifted)
    g.widths += 2 * len(points) * x.width
    return g.op("ReduceSum", g.op("Mul", gaps, gaps), g.constant([2], "int64"), keepdims=0)


def _kernel(g: Graph, f: Fields, x: Vector) -> Vector:
    points, gamma = f["points"], g.constant([[f["gamma"]]])
    kind = known(f["kind"], ("rbf", "distance", "sigmoid", "polynomial"))
    if kind == "rbf":
        return g.vector(len(points), g.op("Exp", g.op("Neg", g.op("Mul", gamma, _squares(g, x, points)))))
    if kind == "distance":
        return g.vector(len(points), g.op("Sqrt", _squares(g, x, points)))
    products = g.op("MatMul", g.dense(x), g.constant([*zip(*points, strict=True)]))
    base = g.op("Add", g.op("Mul", gamma, products), g.constant([[f["offset"]]]))
    return g.vector(len(points), g.op("Tanh", base) if kind == "sigmoid" else _raised(g, base, f["degree"]))


def _raised(g: Graph, base: str, power: int) -> str:
    """Return a power, by squaring."""
    result, one = "", g.constant([[1.0]])
    while power:
        if power % 2:
            result = g.op("Mul", result, base) if result else base
        power //= 2
        base = g.op("Mul", base, base) if power else base
    return result or g.where(g.op("Equal", base, base), one, one)


def _nearest(g: Graph, f: Fields, x: Vector) -> Vector:
    squares, values = _squares(g, x, f["points"]), f["values"]
    along, zero, width = g.constant([1], "int64"), g.constant([[0.0]]), len(values[0])
    if f["count"] is not None:
        chosen = g.op("TopK", squares, g.constant([f["count"]], "int64"), outputs=2, axis=1, largest=0, sorted=1)
        weights = _weights(g, chosen, f)
        g.widths += f["count"] * width
        picked = g.op("Gather", g.constant(values), f"{chosen}i", axis=0)
        weighted = g.op("Mul", g.op("Unsqueeze", weights, g.constant([2], "int64")), picked)
        summed = g.op("ReduceSum", weighted, along, keepdims=0)
        return g.vector(width, g.op("Div", summed, g.op("ReduceSum", weights, along)))
    near = g.op("LessOrEqual", squares, g.constant([[f["radius"] * f["radius"]]]))
    far = g.constant([[math.inf]])
    weights = g.where(near, _weights(g, g.where(near, squares, far), f), zero)
    none = g.op("Equal", g.op("ReduceSum", g.numbers(near), along), zero)
    if f["empty"] is None:
        g.refuse(none)
    summed = g.op("MatMul", weights, g.constant(values))
    mean = g.op("Div", summed, g.op("ReduceSum", weights, along))
    empty = [math.nan if one is None else one for one in f["empty"] or [0.0] * width]
    return g.vector(width, g.where(none, g.row(empty), mean))


def _weights(g: Graph, squares: str, f: Mapping[str, Any]) -> str:
    """Return the weights of points by their distance; one that is the row itself counts alone."""
    one = g.constant([[1.0]])
    if known(f["weights"], ("equal", "distance")) == "equal":
        return g.where(g.op("Equal", squares, squares), one, one)
    roots, zero = g.op("Sqrt", squares), g.constant([[0.0]])
    same = g.numbers(g.op("Equal", roots, zero))
    some = g.op("Greater", g.op("ReduceMax", same, g.constant([1], "int64")), zero)
    return g.where(some, same, g.op("Div", one, roots))


def _spline(g: Graph, f: Fields, x: Vector) -> Vector:
    parts = [_basis(g, g.column(x, place), knots, f["degree"]) for place, knots in enumerate(f["knots"])]
    width = sum(len(knots) - f["degree"] - 1 for knots in f["knots"])
    return g.vector(width, g.join(parts))


def _basis(g: Graph, cell: str, knots: Sequence[float], degree: int) -> str:
    """Return the values of the B-splines of one element, by the recursion of Cox and de Boor."""
    last, zero = len(knots) - degree - 2, g.constant([[0.0]])
    below = g.op("ReduceSum", g.numbers(g.op("LessOrEqual", g.row(knots), cell)), g.constant([1], "int64"))
    before = g.op("Sub", below, g.constant([[1.0]]))
    a = g.op("Max", g.op("Min", before, g.constant([[float(last)]])), g.constant([[float(degree)]]))
    table = g.constant(knots)
    near = {
        shift: g.op("Gather", table, g.integers(g.op("Add", a, g.constant([[float(shift)]]))), axis=0)
        for shift in range(1 - degree, degree + 1)
    }
    made = [g.where(g.op("Equal", a, a), g.constant([[1.0]]), zero)]
    for k in range(1, degree + 1):
        grown = [zero] * (k + 1)
        for j, one in enumerate(made):
            low, high = near[j + 1 - k], near[j + 1]
            share = g.op("Div", one, g.op("Sub", high, low))
            grown[j] = g.op("Add", grown[j], g.op("Mul", share, g.op("Sub", high, cell)))
            grown[j + 1] = g.op("Mul", share, g.op("Sub", cell, low))
        made = grown
    places = g.row([float(one) for one in range(len(knots) - degree - 1)])
    whole = ""
    for j, one in enumerate(made):
        at = g.op("Add", a, g.constant([[float(j - degree)]]))
        part = g.where(g.op("Equal", places, at), one, zero)
        whole = g.op("Add", whole, part) if whole else part
    return g.where(g.op("IsNaN", cell), zero, whole)


STEPS: Mapping[str, Step] = {
    "kernel": (_kernel, "points kind gamma offset degree"),
    "nearest": (_nearest, "points values count radius weights empty"),
    "spline": (_spline, "knots degree"),
}
