"""Steps from categories to numbers, as nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mlopskit_onnx.graph import ML, Graph, NoGraphError, Vector, checked
from mlopskit_onnx.loader.texts import MISSING
from mlopskit_onnx.message import tensor
from mlopskit_onnx.vectors import Fields, Step

_REFUSE = -2


def _place(g: Graph, cells: str, known: Sequence[Any], *, text: bool) -> str:
    """Return the place of each cell among known ones, their count for others, as integers (rows, 1)."""
    if text:
        keys = [MISSING if one is None else one for one in known]
        if not keys:
            return g.integers(g.numbers(g.op("Not", g.op("Equal", cells, cells))))
        places = [*range(len(keys))]
        keywords: dict[str, Any] = {"keys_strings": keys, "values_int64s": places, "default_int64": len(keys)}
        return g.op("LabelEncoder", cells, domain=ML, **keywords)

    numbers = [math.nan if one is None else float(one) for one in known] or [math.nan]
    encoded = g.op(
        "LabelEncoder",
        cells,
        domain=ML,
        keys_tensor=tensor(numbers, "float64"),
        values_tensor=tensor([*range(len(numbers))] if known else [0.0], "float64"),
        default_tensor=tensor([float(len(known))], "float64"),
    )
    return g.integers(encoded)


def _looked_up(g: Graph, x: Vector, place: int, cells: Sequence[Any], values: Sequence[float]) -> str:
    """Return the value of each cell (rows, 1); the last is that of unknown ones."""
    for one in cells:
        if isinstance(one, str):
            checked(one)
    found = _place(g, g.column(x, place), cells, text=bool(x.texts and x.texts[place]))
    return g.op("Gather", g.constant(values), found, axis=0)


def _onehot(g: Graph, f: Fields, x: Vector) -> Vector:
    found, spans = [], []
    for place, table in enumerate(f["tables"]):
        at = _looked_up(g, x, place, table["cells"], [float(one) for one in [*table["at"], table["unknown"]]])
        if table["unknown"] == _REFUSE:
            g.refuse(g.op("Equal", at, g.constant([[float(_REFUSE)]])))
        used = [one for one in [*table["at"], table["unknown"]] if one >= 0]
        if used:
            found.append(at)
            spans.append((min(used), max(used) + 1))
    if not found:
        raise NoGraphError("it makes nothing of its columns")
    starts = [0, *(end for _, end in spans[:-1])]
    if any(low < start for (low, _), start in zip(spans, starts, strict=True)):  # several columns fall on one element
        whole = [_ones(g, at, 0, f["width"]) for at in found]
        return g.vector(f["width"], g.op("Max", *whole))
    parts = [_ones(g, *one) for one in zip(found, starts, [*starts[1:], f["width"]], strict=True)]
    return g.vector(f["width"], g.join(parts))


def _ones(g: Graph, at: str, start: int, end: int) -> str:
    """Return zeros for the places from a start to an end, with a 1 at one of them."""
    return g.numbers(g.op("Equal", at, g.row([float(one) for one in range(start, end)])))


def _lookup(g: Graph, f: Fields, x: Vector) -> Vector:
    parts = []
    for place, table in enumerate(f["tables"]):
        values = [math.nan if one is None else float(one) for one in [*table["values"], *table["unknown"]]]
        parts.append(_looked_up(g, x, place, table["cells"], values))
        if table["refuse"]:
            known = [*([0.0] * len(table["cells"])), 1.0]
            unknown = _looked_up(g, x, place, table["cells"], known)
            g.refuse(g.op("Greater", unknown, g.constant([[0.0]])))
    return g.vector(len(parts), g.join(parts))


STEPS: Mapping[str, Step] = {"onehot": (_onehot, "width tables"), "lookup": (_lookup, "tables")}
