"""Steps on vectors, element by element or as a whole, as nodes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlopskit_onnx.graph import Graph, NoGraphError, Vector, checked, known
from mlopskit_onnx.loader.profile import FLOAT

Fields = Mapping[str, Any]
Make = Callable[..., Vector]  # of a graph, the step's fields, and the vectors that it takes
# What makes nodes of a step, and the step's fields: with another one it would mean something else.
Step = tuple[Make, str]


def _take(g: Graph, f: Fields, x: Vector) -> Vector:
    if x.places:
        return _taken(g, x, f["indexes"])
    if x.columns:
        texts = tuple(x.texts[i] for i in f["indexes"]) if x.texts else ()
        return Vector(len(f["indexes"]), columns=tuple(x.columns[i] for i in f["indexes"]), texts=texts)
    return g.vector(len(f["indexes"]), g.op("Gather", x.tensor, g.constant(f["indexes"], "int64"), axis=1))


def _taken(g: Graph, x: Vector, indexes: Sequence[int]) -> Vector:
    """Take elements of a sparse vector: those that are not taken become zeros."""
    width = len(indexes)
    if len({*indexes}) != width:
        return g.vector(width, g.op("Gather", g.dense(x), g.constant(indexes, "int64"), axis=1))
    new = {old: place for place, old in enumerate(indexes)}
    table = g.constant([new.get(old, width) for old in range(x.width + 1)], "int64")
    places = g.op("Gather", table, x.places, axis=0)
    gone = g.op("Equal", places, g.constant([[width]], "int64"))
    return Vector(width, g.where(gone, g.constant([[0.0]]), x.tensor), places)


def _concat(g: Graph, _: Fields, *sources: Vector) -> Vector:
    width = sum(one.width for one in sources)
    if any(one.has_texts for one in sources):
        columns = [g.column(one, place) for one in sources for place in range(one.width)]
        texts = [flag for one in sources for flag in one.texts or (False,) * one.width]
        return Vector(width, columns=tuple(columns), texts=tuple(texts))
    if any(one.places for one in sources):
        return _joined(g, sources, width)
    return g.vector(width, g.op("Concat", *[g.dense(one) for one in sources if one.width], axis=1))


def _joined(g: Graph, sources: Sequence[Vector], width: int) -> Vector:
    """Join vectors of which some are sparse."""
    places, cells, start = [], [], 0
    for one in sources:
        if one.places:
            gone = g.op("Equal", one.places, g.constant([[one.width]], "int64"))
            moved = g.op("Add", one.places, g.constant([[start]], "int64"))
            places.append(g.where(gone, g.constant([[width]], "int64"), moved))
            cells.append(one.tensor)
        elif one.width:
            row = g.constant([[*range(start, start + one.width)]], "int64")
            tensor = g.dense(one)
            places.append(g.where(g.op("Equal", tensor, tensor), row, row))
            cells.append(tensor)
        start += one.width
    return Vector(width, g.op("Concat", *cells, axis=1), g.op("Concat", *places, axis=1))


def _sum(g: Graph, _: Fields, *sources: Vector) -> Vector:
    return g.vector(sources[0].width, g.op("Sum", *map(g.dense, sources)))


def _elementwise(kind: str, *, keeps_zero: bool) -> Make:
    def make(g: Graph, f: Fields, x: Vector) -> Vector:
        if not keeps_zero:
            return g.vector(x.width, g.op(kind, g.dense(x), g.row(f["values"])))
        return g.like(x, g.op(kind, g.cells(x), g.of(x, f["values"], 1.0)))

    return make


def _clip(g: Graph, f: Fields, x: Vector) -> Vector:
    low, high, cells = g.row(f["low"]), g.row(f["high"]), g.dense(x)
    below = g.where(g.op("Greater", cells, high), high, cells)
    return g.vector(x.width, g.where(g.op("Less", cells, low), low, below))


def _finite(g: Graph, f: Fields, x: Vector) -> Vector:
    cells = g.cells(x)
    bad = g.op("IsInf", cells)
    g.refuse(bad if f["missing"] else g.op("Or", bad, g.op("IsNaN", cells)))
    return x if x.places else Vector(x.width, cells)


def _float32(g: Graph, _: Fields, x: Vector) -> Vector:
    return g.like(x, g.numbers(g.op("Cast", g.cells(x), to=FLOAT)))


def _linear(g: Graph, f: Fields, x: Vector) -> Vector:
    columns, width = [*zip(*f["weights"], strict=True)], len(f["weights"])
    if not x.places:
        product = g.op("MatMul", g.dense(x), g.constant(columns))
        return g.vector(width, g.op("Add", product, g.row(f["bias"])))
    rows = g.op("Gather", g.constant([*columns, [0.0] * width]), x.places, axis=0)
    weighed = g.op("Mul", rows, g.op("Unsqueeze", x.tensor, g.constant([2], "int64")))
    g.signs += 2 * width
    summed = g.op("ReduceSum", weighed, g.constant([1], "int64"), keepdims=0)
    return g.vector(width, g.op("Add", summed, g.row(f["bias"])))


def _constant(g: Graph, f: Fields, x: Vector) -> Vector:
    first, values = g.column(x, 0), g.row(f["values"])
    return g.vector(len(f["values"]), g.where(g.op("Equal", first, first), values, values))


def _normalize(g: Graph, f: Fields, x: Vector) -> Vector:
    cells, along = g.cells(x), g.constant([1], "int64")
    if known(f["norm"], ("l1", "l2", "max")) == "l2":
        size = g.op("Sqrt", g.op("ReduceSum", g.op("Mul", cells, cells), along))
    elif f["norm"] == "l1":
        size = g.op("ReduceSum", g.op("Abs", cells), along)
    else:  # NaN of one element is that of all: a maximum would go past it
        size = g.op("ReduceMax", g.op("Abs", cells), along)
        gaps = g.where(g.op("IsNaN", cells), cells, g.constant([[0.0]]))
        size = g.op("Add", size, g.op("ReduceSum", gaps, along))
    zero = g.op("Equal", size, g.constant([[0.0]]))
    small = g.op("Or", zero, g.op("Less", size, g.constant([[f["least"]]])))
    return g.like(x, g.op("Div", cells, g.where(small, g.constant([[1.0]]), size)))


def _sublinear(g: Graph, _: Fields, x: Vector) -> Vector:
    cells, one = g.cells(x), g.constant([[1.0]])
    zero = g.op("Equal", cells, g.constant([[0.0]]))
    logs = g.op("Add", g.op("Log", g.where(zero, one, cells)), one)
    return g.like(x, g.where(zero, cells, logs))


def _binarize(g: Graph, f: Fields, x: Vector) -> Vector:
    return g.vector(x.width, g.numbers(g.op("Greater", g.dense(x), g.constant([[f["threshold"]]]))))


def _fill(g: Graph, f: Fields, x: Vector) -> Vector:
    if not x.has_texts:
        if isinstance(f["missing"], str):
            return x  # a number is never a text
        cells = g.dense(x)
        gone = g.missing(cells, text=False, of=f["missing"])
        return g.vector(x.width, g.where(gone, g.row(f["values"]), cells))
    columns = []
    for cells, text, value in zip(x.columns, x.texts, f["values"], strict=True):
        if f["missing"] is not None and isinstance(f["missing"], str) != text:
            columns.append(cells)  # a text is never a number
            continue
        by = g.constant([[checked(value)]], "str") if text else g.constant([[value]])
        columns.append(g.where(g.missing(cells, text=text, of=f["missing"]), by, cells))
    return Vector(x.width, columns=tuple(columns), texts=x.texts)


def _missing(g: Graph, f: Fields, x: Vector) -> Vector:
    if not f["indexes"]:
        raise NoGraphError("it looks for what is missing in no column")
    if not x.has_texts:
        chosen = _take(g, f, x)
        return g.vector(chosen.width, g.numbers(g.missing(g.dense(chosen), text=False, of=f["missing"])))
    flags = []
    for place in f["indexes"]:
        text = x.texts[place]
        if f["missing"] is not None and isinstance(f["missing"], str) != text:
            raise NoGraphError("it looks for a number among texts, or for a text among numbers")
        flags.append(g.numbers(g.missing(g.column(x, place), text=text, of=f["missing"])))
    return g.vector(len(flags), g.op("Concat", *flags, axis=1))


def _quotient(g: Graph, _: Fields, x: Vector, y: Vector) -> Vector:
    return g.vector(x.width, g.op("Div", g.dense(x), g.dense(y)))


def _products(g: Graph, f: Fields, x: Vector) -> Vector:
    cells = g.dense(x)
    row = g.op("Concat", cells, _constant(g, {"values": [1.0]}, x).tensor, axis=1)
    most = max([1, *map(len, f["factors"])])
    padded = [[*one, *[x.width] * (most - len(one))] for one in f["factors"]]
    made = ""
    for places in zip(*padded, strict=True):
        factor = g.op("Gather", row, g.constant(places, "int64"), axis=1)
        made = g.op("Mul", made, factor) if made else factor
    return g.vector(len(padded), made)


def apart(values: Sequence[Sequence[Any]], filler: Any, /) -> list[list[Any]]:
    """Return tables of one length: the shorter ones are filled up."""
    return [[*column] for column in zip(*itertools.zip_longest(*values, fillvalue=filler), strict=True)]


STEPS: Mapping[str, Step] = {
    "take": (_take, "indexes"),
    "concat": (_concat, ""),
    "sum": (_sum, ""),
    "add": (_elementwise("Add", keeps_zero=False), "values"),
    "subtract": (_elementwise("Sub", keeps_zero=False), "values"),
    "multiply": (_elementwise("Mul", keeps_zero=True), "values"),
    "divide": (_elementwise("Div", keeps_zero=True), "values"),
    "clip": (_clip, "low high"),
    "constant": (_constant, "values"),
    "finite": (_finite, "missing"),
    "float32": (_float32, ""),
    "linear": (_linear, "weights bias"),
    "normalize": (_normalize, "norm least"),
    "sublinear": (_sublinear, ""),
    "binarize": (_binarize, "threshold"),
    "fill": (_fill, "values missing"),
    "missing": (_missing, "indexes missing"),
    "quotient": (_quotient, ""),
    "products": (_products, "factors"),
}
