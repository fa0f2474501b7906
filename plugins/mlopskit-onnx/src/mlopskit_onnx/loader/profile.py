"""What an ONNX model may be: the fields, operators and types that this plugin writes, and no others.

Nothing of a file reaches ONNX Runtime before all of it was read here. So there is no data outside of the file, no
loop or branch, no operator of others, no sparse tensor, no function; and no number in a tree leads out of its tables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .texts import STEPS
from .trees import check_trees
from .wire import INT, RAW, TEXT, Field, read

LARGEST = (1 << 31) - 1  # bytes; larger ones would need data outside of the file
VERSION = 10
OPSETS = {"": 21, "ai.onnx.ml": 5, "com.microsoft": 1}
LEAST = (1, 23)  # of onnxruntime, for these
METADATA = "mlopskit"
REFUSED = "refused"
DOUBLE, INT64, STRING, BOOL, UINT8, FLOAT = 11, 7, 8, 9, 2, 1
_SIZES = {DOUBLE: 8, INT64: 8, BOOL: 1, UINT8: 1, FLOAT: 4}
_MOST_NODES = 200_000
MOST_ROWS = 4096  # that are scored at a time
MOST_ELEMENTS = 1 << 23  # that a graph may hold at a time
_PLAIN = """
    Abs Add ArgMax Cast Concat Cos CumSum Div Equal Exp Floor Gather GatherElements Greater GreaterOrEqual IsInf IsNaN
    Less LessOrEqual Log MatMul Max Min Mul Neg Not Or ReduceMax ReduceSum Reshape
    ScatterElements Shape Sign Sin Slice Sqrt Squeeze StringConcat Sub Sum Tanh TopK Unsqueeze Where
"""
OPERATORS = {
    "": frozenset(_PLAIN.split()),
    "ai.onnx.ml": frozenset({"LabelEncoder", "TreeEnsemble"}),
    "com.microsoft": frozenset({"Tokenizer"}),
}

_TENSOR: dict[int, Field] = {
    1: ("dims", INT, True),
    2: ("data_type", INT, False),
    6: ("string_data", RAW, True),
    8: ("name", TEXT, False),
    9: ("raw_data", RAW, False),
}
_ATTRIBUTE: dict[int, Field] = {
    1: ("name", TEXT, False),
    3: ("i", INT, False),
    4: ("s", RAW, False),
    5: ("t", _TENSOR, False),
    8: ("ints", INT, True),
    9: ("strings", RAW, True),
    20: ("type", INT, False),
}
_NODE: dict[int, Field] = {
    1: ("input", TEXT, True),
    2: ("output", TEXT, True),
    4: ("op_type", TEXT, False),
    5: ("attribute", _ATTRIBUTE, True),
    7: ("domain", TEXT, False),
}
_DIM: dict[int, Field] = {1: ("dim_value", INT, False), 2: ("dim_param", TEXT, False)}
_SHAPE: dict[int, Field] = {1: ("dim", _DIM, True)}
_TENSOR_TYPE: dict[int, Field] = {1: ("elem_type", INT, False), 2: ("shape", _SHAPE, False)}
_TYPE: dict[int, Field] = {1: ("tensor_type", _TENSOR_TYPE, False)}
_VALUE: dict[int, Field] = {1: ("name", TEXT, False), 2: ("type", _TYPE, False)}
_GRAPH: dict[int, Field] = {
    1: ("node", _NODE, True),
    2: ("name", TEXT, False),
    5: ("initializer", _TENSOR, True),
    11: ("input", _VALUE, True),
    12: ("output", _VALUE, True),
}
_OPSET: dict[int, Field] = {1: ("domain", TEXT, False), 2: ("version", INT, False)}
_ENTRY: dict[int, Field] = {1: ("key", TEXT, False), 2: ("value", TEXT, False)}
MODEL: dict[int, Field] = {
    1: ("ir_version", INT, False),
    2: ("producer_name", TEXT, False),
    7: ("graph", _GRAPH, False),
    8: ("opset_import", _OPSET, True),
    14: ("metadata_props", _ENTRY, True),
}


@dataclass(frozen=True)
class Input:
    """An input: the column that it is, whether that is a text, and the steps that are taken before."""

    name: str
    column: str
    text: bool
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """What a checked model reads and answers, and how much it takes at a time.

    That are `rows`, and `signs` of the longest text times the number of rows.
    """

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    rows: int
    signs: int


def check(data: bytes, /) -> Checked:
    """Return what a model reads and answers.

    Raises:
        ValueError: it holds something that a model written by this plugin does not; the message names it.
    """
    if len(data) > LARGEST:
        raise ValueError(f"the model has {len(data):,} bytes, at most {LARGEST:,} are read")
    model = read(memoryview(data), MODEL, "model")
    graph = model["graph"]
    if model["ir_version"] != VERSION or graph is None:
        raise ValueError(f"the model has the version {model['ir_version']}, expected {VERSION}, or no graph")
    for one in model["opset_import"]:
        domain = one["domain"] or ""
        if OPSETS.get(domain) != one["version"]:
            known = OPSETS.get(domain, "none")
            raise ValueError(
                f"the model needs the operators {one['version']} of {ascii(domain)}, {known} are read: "
                "another release of mlopskit-onnx wrote it, or none"
            )
    constants = {one["name"]: one for one in graph["initializer"]}
    for one in graph["initializer"]:
        _check_tensor(one)
    _check_nodes(graph["node"], constants)
    texts = {one["name"]: _is_text(one) for one in graph["input"]}
    return _about(model["metadata_props"], texts, tuple(str(one["name"]) for one in graph["output"]))


def _check_tensor(tensor: Mapping[str, Any]) -> None:
    count = 1
    for size in tensor["dims"]:
        if not 0 <= size <= LARGEST:
            raise ValueError(f"a tensor has the size {size}")
        count *= size
    kind, raw, texts = tensor["data_type"], tensor["raw_data"], tensor["string_data"]
    if kind == STRING:
        whole = raw is None and len(texts) == count
        for one in texts:
            one.decode("utf-8")
    else:
        whole = kind in _SIZES and not texts and len(raw or b"") == count * _SIZES[kind]
    if not whole:
        raise ValueError(f"a tensor of the type {kind} does not hold the {count} values that it says")


def _check_nodes(nodes: list[dict[str, Any]], constants: Mapping[str, Any]) -> None:
    if len(nodes) > _MOST_NODES:
        raise ValueError(f"the model has {len(nodes):,} nodes, at most {_MOST_NODES:,} are read")
    made: dict[str, dict[str, Any]] = {}
    for node in nodes:
        kind, domain = node["op_type"], node["domain"] or ""
        if kind not in OPERATORS.get(domain, frozenset()):
            raise ValueError(f"the operator {ascii(kind)} of {ascii(domain)} is not allowed")
        attributes = {one["name"]: one for one in node["attribute"]}
        if len(attributes) != len(node["attribute"]):
            raise ValueError(f"a node {kind} has an attribute twice")
        for one in node["attribute"]:
            if one["t"] is not None:
                _check_tensor(one["t"])
        if kind == "TreeEnsemble":
            check_trees(attributes, _width(node, made, constants))
        made.update(dict.fromkeys(node["output"], node))


def _width(node: Mapping[str, Any], made: Mapping[str, Any], constants: Mapping[str, Any]) -> int:
    """Return the width of the rows of trees: a constant shape says it."""
    before = made.get(node["input"][0]) if len(node["input"]) == 1 else None
    if before is None or before["op_type"] != "Reshape" or before["attribute"] or len(before["input"]) != 2:  # noqa: PLR2004  # what, and to what shape
        raise ValueError("trees read something of which the width is not known")
    shape = constants.get(before["input"][1])
    if shape is None or before["input"][1] in made or shape["data_type"] != INT64 or shape["dims"] != [2]:
        raise ValueError("trees read something of which the width is not known")
    first, width = (int.from_bytes(shape["raw_data"][at : at + 8], "little", signed=True) for at in (0, 8))
    if first != -1 or width < 1:
        raise ValueError("trees read something of which the width is not known")
    return width


def _is_text(value: Mapping[str, Any]) -> bool:
    tensor = (value["type"] or {}).get("tensor_type") or {}
    kind, dims = tensor.get("elem_type"), (tensor.get("shape") or {"dim": []})["dim"]
    if kind not in (STRING, DOUBLE) or [one["dim_value"] for one in dims] != [None, 1]:
        raise ValueError(f"the input {ascii(value['name'])} is no column of numbers or texts")
    return bool(kind == STRING)


def _about(entries: list[dict[str, str]], texts: Mapping[str, bool], outputs: tuple[str, ...]) -> Checked:
    if [one["key"] for one in entries] != [METADATA]:
        raise ValueError("the model does not say what its inputs are")
    about = json.loads(entries[0]["value"])
    if type(about) is not dict or about.keys() != {"inputs", "rows", "signs"} or type(about["inputs"]) is not dict:
        raise ValueError("the model does not say what its inputs are")
    given, sizes = about["inputs"], (about["rows"], about["signs"])
    most = (MOST_ROWS, MOST_ELEMENTS)
    if any(type(one) is not int or not 1 <= one <= end for one, end in zip(sizes, most, strict=True)):
        raise ValueError(f"the model says that it takes {sizes} rows and signs at a time, from 1 to {most} are given")
    if given.keys() != texts.keys() or not given:
        raise ValueError("the model says of other inputs what they are")
    inputs = []
    for name, one in given.items():
        steps = one.get("steps") if type(one) is dict else None
        if type(steps) is not list or not {*map(str, steps)} <= STEPS.keys() or type(one.get("column")) is not str:
            raise ValueError(f"the input {ascii(name)} needs steps that are not known")
        inputs.append(Input(name, one["column"], texts[name], tuple(steps)))
    return Checked(tuple(inputs), outputs, *sizes)
