"""A model as tables (`model.json`, docs/reference/portable-format.md), made an ONNX model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlopskit_onnx import categories, points, scores, text, trees, vectors
from mlopskit_onnx.graph import MICROSOFT, ML, Graph, NoGraphError, Vector, checked
from mlopskit_onnx.loader.profile import (
    BOOL,
    DOUBLE,
    INT64,
    LARGEST,
    METADATA,
    MODEL,
    MOST_ELEMENTS,
    MOST_ROWS,
    OPSETS,
    REFUSED,
    STRING,
    VERSION,
)
from mlopskit_onnx.message import Message, value, written
from mlopskit_onnx.vectors import Step

_ALL = (vectors, scores, points, trees, categories, text)
STEPS: Mapping[str, Step] = {op: step for module in _ALL for op, step in module.STEPS.items()}
_VERSION = 1  # of the portable form
_WHOSE = {"hash": "HashingVectorizer"}
_ROWS = "rows"


def compiled(document: Mapping[str, Any], /) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of an ONNX model, the same each time, and the names of the steps before the graph.

    Raises:
        NoGraphError: a step, or one of its settings, has no nodes.
    """
    if document["format_version"] != _VERSION:
        raise NoGraphError(f"the portable form is of the version {document['format_version']}, which is not known")
    g = Graph()
    found = [_row(g, document["inputs"])]
    for step in document["steps"]:
        found.append(_made(g, [found[one] for one in step["from"]], step))
    outputs = [_output(g, found[one["from"]], one) for one in document["outputs"]]
    refused = _refused(g)
    read = {name for node in g.nodes for name in node["input"]}
    inputs = {name: one for name, one in g.inputs.items() if name in read}
    data = _bytes(g, inputs, [*outputs, *refused])
    return data, tuple(sorted({step for _, _, steps in inputs.values() for step in steps}))


def explained(document: Mapping[str, Any], /) -> tuple[list[int], str]:
    """Return how many nodes there are before each step and behind the last, up to one that has none; and why it has."""
    g = Graph()
    found, ends = [_row(g, document["inputs"])], [0]
    for step in document["steps"]:
        try:
            found.append(_made(g, [found[one] for one in step["from"]], step))
        except NoGraphError as refused:
            return ends, str(refused)
        ends.append(len(g.nodes))
    return ends, ""


def _made(g: Graph, sources: Sequence[Vector], step: Mapping[str, Any]) -> Vector:
    op = step["op"]
    if op not in STEPS:
        raise NoGraphError(f"{_WHOSE.get(op, 'a part of it')} (the step {op!r}) has no nodes")
    make, fields = STEPS[op]
    given = {name: value for name, value in step.items() if name not in ("op", "from")}
    if given.keys() != {*fields.split()}:
        raise NoGraphError(f"the step {op!r} has the fields {sorted(given)}, which has no nodes")
    return make(g, given, *sources)


def _row(g: Graph, inputs: Any) -> Vector:
    names = [g.input(one["name"], text=one["type"] == "text") for one in inputs]
    texts = tuple(one["type"] == "text" for one in inputs)
    return Vector(len(names), columns=tuple(names), texts=texts if any(texts) else ())


def _output(g: Graph, x: Vector, output: Mapping[str, Any]) -> Any:
    """Add the nodes of an output, and return what it is."""
    cells = g.op("Gather", g.dense(x), g.constant(output["at"], "int64"), axis=1)
    kind: int = DOUBLE
    labels = output["labels"]
    if labels is not None:
        kind, name = _label(labels)
        values = [*map(checked, labels)] if name == "str" else labels
        cells = g.op("Gather", g.constant(values, name), g.integers(cells), axis=0)
    _name(g, cells, output["name"])
    return value(output["name"], kind, [_ROWS])


def _label(labels: list[Any]) -> tuple[int, str]:
    """Return the type of labels: in ONNX, and as of an array."""
    kinds = {type(one) for one in labels}
    known = {
        str: (STRING, "str"),
        bool: (BOOL, "bool"),
        int: (INT64, "int64"),
        float: (DOUBLE, "float64"),
    }
    if len(kinds) != 1:
        raise NoGraphError("its labels are of several types")
    (kind,) = kinds
    if kind is int and any(abs(one) >= 1 << 63 for one in labels):
        raise NoGraphError("a label is an integer of more than 64 bits")
    return known[kind]


def _name(g: Graph, tensor: str, name: str) -> None:
    """Rename the output of the last node."""
    if g.nodes[-1]["output"] != [tensor] or name in g.inputs:
        raise NoGraphError(f"an input is called {name!r}, as an output is")
    g.nodes[-1]["output"] = [name]


def _refused(g: Graph) -> list[Message]:
    """Add the output that says which rows scikit-learn would refuse; none if there are no such."""
    if not g.refused:
        return []
    flags = dict.fromkeys(g.refused)
    whole = g.op("Sum", *flags) if len(flags) > 1 else next(iter(flags))
    last = g.op("Greater", g.op("Squeeze", whole, g.constant([1], "int64")), g.constant(0.0))
    _name(g, last, REFUSED)
    return [value(REFUSED, BOOL, [_ROWS])]


def _bytes(g: Graph, inputs: Mapping[str, tuple[str, bool, tuple[str, ...]]], outputs: list[Any]) -> bytes:
    given = [value(name, STRING if is_text else DOUBLE, [_ROWS, 1]) for name, (_, is_text, _) in inputs.items()]
    about = {
        "inputs": {name: {"column": column, "steps": [*steps]} for name, (column, _, steps) in inputs.items()},
        "rows": max(1, min(MOST_ROWS, MOST_ELEMENTS // max(1, g.widths))),
        "signs": MOST_ELEMENTS // max(1, g.signs),
    }
    read = {name for node in g.nodes for name in node["input"]}
    domains = {"": OPSETS[""]} | {name: OPSETS[name] for name in (ML, MICROSOFT) if _uses(g, name)}
    model = {
        "ir_version": VERSION,
        "producer_name": "mlopskit",
        "graph": {
            "node": g.nodes,
            "name": "model",
            "initializer": [one for one in g.constants.values() if one["name"] in read],
            "input": given,
            "output": outputs,
        },
        "opset_import": [{"domain": domain, "version": number} for domain, number in domains.items()],
        "metadata_props": [{"key": METADATA, "value": json.dumps(about, separators=(",", ":"), sort_keys=True)}],
    }
    data = written(model, MODEL)
    if len(data) > LARGEST:
        raise NoGraphError(f"the file would have {len(data):,} bytes, at most {LARGEST:,} are read")
    return data


def _uses(g: Graph, domain: str) -> bool:
    return any(node.get("domain") == domain for node in g.nodes)
