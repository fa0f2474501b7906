"""Models that others made: whatever leads out of the file, runs for ever or out of its tables is refused."""

from __future__ import annotations

import copy
import json
import struct
import sys
import time
from pathlib import Path

import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlopskit_onnx.compiled import compiled
from mlopskit_onnx.loader import limit, load, profile
from mlopskit_onnx.loader.profile import MODEL
from mlopskit_onnx.loader.wire import INT, RAW, read
from mlopskit_onnx.message import node, tensor, value, written

VECTORS = Path(__file__).parents[3] / "tests" / "vectors" / "portable"
# Fields of the format that this loader does not read; those that lead somewhere.
_ENTRY = {1: ("key", RAW, False), 2: ("value", RAW, False)}
OUTSIDE = {13: ("external_data", _ENTRY, True), 14: ("data_location", INT, False)}


def whole(fields, more, seen=None):
    """Return a table of fields with more of them in every tensor."""
    seen = {} if seen is None else seen
    if id(fields) not in seen:
        made = seen[id(fields)] = {}
        made |= {
            number: (name, kind if isinstance(kind, str) else whole(kind, more, seen), several)
            for number, (name, kind, several) in fields.items()
        }
        if any(name == "raw_data" for name, *_ in fields.values()):
            made |= more
    return seen[id(fields)]


def sample(stem="tree"):
    """Return the document of a vector, and the message of its graph."""
    document = json.loads((VECTORS / f"{stem}.json").read_text("ascii"))["document"]
    return document, read(memoryview(compiled(document)[0]), MODEL, "model")


def opened(data, document):
    kinds = {one["name"]: {"type": "string" if one["type"] == "text" else "number"} for one in document["inputs"]}
    names = [one["name"] for one in document["outputs"]]
    outputs = {"properties": {}, "required": names}
    return load(
        {"model.onnx": data}, {"schema": {"inputs": {"properties": kinds, "required": [*kinds]}, "outputs": outputs}}
    )


def refused(message, document, match, fields=MODEL):
    with pytest.raises(ValueError, match=match):
        opened(written(message, fields), document)


def test_what_is_read_is_what_was_written():
    document, message = sample()
    assert opened(written(message, MODEL), document)
    assert written(message, MODEL) == compiled(document)[0]


LOCATIONS = ["../secret", "/etc/passwd", "link", "a/../../b", "hard", "*/_ORT_MEM_ADDR_/*"]
PLACES = ["initializer", "attribute", "sparse", "subgraph"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("location", LOCATIONS)
def test_no_data_outside_of_the_file(location, place, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(struct.pack("<d", 1.0))
    document, message = sample()
    outside = {"dims": [1], "data_type": 11, "name": "evil", "data_location": 1}
    outside["external_data"] = [{"key": b"location", "value": location.encode()}]
    fields = whole(MODEL, OUTSIDE)
    graph = message["graph"]
    if place == "initializer":
        graph["initializer"].append(outside)
    elif place == "attribute":
        trees = next(one for one in graph["node"] if one["op_type"] == "TreeEnsemble")
        next(one for one in trees["attribute"] if one["name"] == "leaf_weights")["t"] = outside
    elif place == "sparse":
        fields[7][1][15] = ("sparse_initializer", {1: ("values", fields[7][1][5][1], False)}, True)
        graph["sparse_initializer"] = [{"values": outside}]
    else:
        fields[7][1][1][1][5][1][6] = ("g", fields[7][1], False)
        inner = {"node": [], "name": "inner", "initializer": [outside]}
        graph["node"].append({**node("If", ["x0"], ["y"], "", {}), "attribute": [{"name": "then_branch", "g": inner}]})
    opens = []
    sys.addaudithook(lambda event, args: opens.append(str(args[0])) if event == "open" else None)
    refused(message, document, "not allowed", fields)
    assert not [path for path in opens if "secret" in path or "passwd" in path]


@pytest.mark.parametrize("key", [b"__class__", b"length", b"offset"])
def test_no_odd_keys_of_such_data(key):
    document, message = sample()
    message["graph"]["initializer"][0]["external_data"] = [{"key": key, "value": b"-1"}]
    refused(message, document, "field 13, which is not allowed", whole(MODEL, OUTSIDE))


@pytest.mark.parametrize(
    ("kind", "domain"),
    [
        ("Loop", ""), ("Scan", ""), ("If", ""), ("SequenceMap", ""), ("EPContext", "com.microsoft"),
        ("Evil", "evil.ops"),
        ("Add", "ai.onnx"), ("Tokenizer", ""), ("QLinearAdd", "com.microsoft"), ("Expand", ""), ("ConstantOfShape", ""),
        ("Range", ""), ("Tile", ""), ("OneHot", ""), ("RandomNormal", ""),
    ],
)  # fmt: skip
def test_only_the_operators_that_are_written(kind, domain):
    document, message = sample()
    message["graph"]["node"].append(node(kind, ["x0"], ["y"], domain, {}))
    refused(message, document, f"'{kind}' of '{domain}' is not allowed")


def test_more_rows_at_a_time_than_are_given_are_refused():
    document, message = sample()
    about = json.loads(message["metadata_props"][0]["value"])
    message["metadata_props"][0]["value"] = json.dumps({**about, "rows": 1 << 40})
    refused(message, document, "from 1 to")


def endless():
    """Return a document, the bytes of its graph with a loop that never ends, and the fields of those."""
    document, message = sample()
    graph = message["graph"]
    body = {
        "name": "body",
        "node": [node("Not", ["go"], ["stop"], "", {}), node("Not", ["stop"], ["on"], "", {}),
                 node("Add", ["v", "v"], ["w"], "", {})],
        "input": [value("i", 7, []), value("go", 9, []), value("v", 7, [])],
        "output": [value("on", 9, []), value("w", 7, [])],
    }  # fmt: skip
    loop = node("Loop", ["most", "", "zero"], ["looped"], "", {})
    loop["attribute"] = [{"name": "body", "g": body, "type": 5}]
    graph["initializer"] += [tensor(1 << 62, "int64", name="most"), tensor(0, "int64", name="zero")]
    (named,) = graph["node"][-1]["output"]  # the rows that are refused, now with the loop
    graph["node"][-1]["output"] = ["before"]
    graph["node"] += [loop, node("Cast", ["looped"], ["as"], "", {"to": 9})]
    graph["node"].append(node("Or", ["before", "as"], [named], "", {}))
    inner = MODEL[7][1]
    attribute = {**inner[1][1][5][1], 6: ("g", inner, False)}
    outer = {**inner, 1: ("node", {**inner[1][1], 5: ("attribute", attribute, True)}, True)}
    fields = {**MODEL, 7: ("graph", outer, False)}
    return document, written(message, fields), fields


def test_a_loop_without_an_end_is_refused_by_the_list():
    document, data, _ = endless()
    with pytest.raises(ValueError, match="the field 6, which is not allowed"):
        opened(data, document)


def test_without_the_list_a_loop_without_an_end_is_stopped(monkeypatch, record_property):
    document, data, fields = endless()
    monkeypatch.setattr(profile, "MODEL", fields)
    monkeypatch.setitem(profile.OPERATORS, "", profile.OPERATORS[""] | {"Loop"})
    monkeypatch.setattr(limit, "SECONDS", 1.0)
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"the model was stopped after 1 s|one row takes more than 1 s"):
        opened(data, document)
    seconds = f"{time.perf_counter() - start:.2f} s"
    record_property("figure: an ONNX loop without end, stopped after 1 s when it is not refused", seconds)
    limited = limit.Limit(onnxruntime, onnxruntime.InferenceSession(data), 0.1)
    with pytest.raises(ValueError, match=r"the model was stopped after 0\.1 s"):
        limited.run([], {one["name"]: [[0.5]] for one in document["inputs"]})


def test_no_functions_and_no_other_operators_of_a_version():
    document, message = sample()
    fields = {**MODEL, 25: ("functions", {1: ("name", RAW, False)}, True)}
    refused({**message, "functions": [{"name": b"Add"}]}, document, "field 25", fields)
    refused({**message, "ir_version": 99}, document, "version 99")
    for domain, number in (("", 99), ("evil.ops", 1), ("ai.onnx.ml", 4)):
        others = [*message["opset_import"], {"domain": domain, "version": number}]
        refused({**message, "opset_import": others}, document, f"the operators {number} of '{domain}', .* are read")


def test_a_field_that_stands_twice_is_refused_for_parsers_would_merge_it():
    document, message = sample()
    data = written(message, MODEL)
    with pytest.raises(ValueError, match="graph twice"):
        opened(data + written({"graph": {"name": "more"}}, MODEL), document)


def trees(message):
    found = next(one for one in message["graph"]["node"] if one["op_type"] == "TreeEnsemble")
    return {one["name"]: one for one in found["attribute"]}


def ints(name, at, new):
    def change(message):
        trees(message)[name]["ints"][at] = new

    return change


def table(name, values, kind="float64"):
    def change(message):
        trees(message)[name]["t"] = tensor(values, kind)

    return change


def shorter(name):
    def change(message):
        trees(message)[name]["ints"].pop()

    return change


def first_inner(message):
    lists = trees(message)
    flags = lists["nodes_trueleafs"]["ints"]
    return flags.index(0)


def cycle(message):
    at = first_inner(message)
    trees(message)["nodes_truenodeids"]["ints"][at] = at


def shared(message):
    lists = trees(message)
    at = first_inner(message)
    lists["nodes_falseleafs"]["ints"][at] = 0
    lists["nodes_falsenodeids"]["ints"][at] = lists["nodes_truenodeids"]["ints"][at]


MUTATIONS = {
    "a cycle": cycle,
    "a node with two parents": shared,
    "a feature beyond the row": ints("nodes_featureids", 0, 4000),
    "a negative feature": ints("nodes_featureids", 0, -1),
    "a child far away": ints("nodes_falsenodeids", 0, 1 << 40),
    "a leaf or node below zero": ints("nodes_truenodeids", -1, -5),
    "a target beyond": ints("leaf_targetids", 0, 1 << 30),
    "far more targets": lambda message: trees(message)["n_targets"].update(i=1 << 31),
    "a root beyond": ints("tree_roots", 0, 99999),
    "fewer features": shorter("nodes_featureids"),
    "fewer targets": shorter("leaf_targetids"),
    "an unknown mode": lambda message: table("nodes_modes", [77] * count(message), "uint8")(message),
    "sets that are not there": lambda message: table("nodes_modes", [6] * count(message), "uint8")(message),
    "fewer thresholds": table("nodes_splits", [0.5]),
    "no leaves": table("leaf_weights", []),
    "thresholds of another type": lambda message: table("nodes_splits", [0.5] * count(message), "float32")(message),
}


def count(message):
    return len(trees(message)["nodes_featureids"]["ints"])


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("stem", ["tree", "forest-numbers", "histograms-gaps", "boosting"])
def test_no_number_of_a_tree_leads_out_of_its_tables(stem, name):
    document, message = sample(stem)
    MUTATIONS[name](message)
    refused(message, document, "trees")


def test_the_width_of_the_rows_of_trees_is_a_constant_of_the_graph():
    document, message = sample()
    shapes = [one for one in message["graph"]["node"] if one["op_type"] == "Reshape"]
    assert shapes
    for one in shapes:
        one["op_type"], one["input"] = "Abs", one["input"][:1]
    refused(message, document, "width is not known")


@pytest.mark.parametrize("stem", ["tree", "histograms-gaps"])
def test_a_tensor_is_as_long_as_it_says(stem):
    document, message = sample(stem)
    message["graph"]["initializer"][0]["dims"] = [1 << 40]
    refused(message, document, "does not hold|has the size")


def test_an_input_is_a_column_of_the_schema():
    document, message = sample()
    for change in ({"rows": 0}, {"rows": True}, {"inputs": {}}, {"inputs": []}, {"more": 1}):
        about = json.loads(message["metadata_props"][0]["value"]) | change
        other = copy.deepcopy(message)
        other["metadata_props"][0]["value"] = json.dumps(about)
        refused(other, document, "the model says|does not say")
    about = json.loads(message["metadata_props"][0]["value"])
    for change in ({"steps": ["exec"]}, {"column": "y"}, {"column": 1}):
        name = next(iter(about["inputs"]))
        other = copy.deepcopy(message)
        changed = {**about, "inputs": {**about["inputs"], name: {**about["inputs"][name], **change}}}
        other["metadata_props"][0]["value"] = json.dumps(changed)
        refused(other, document, "steps that are not known|which the schema")
    wide = copy.deepcopy(message)
    wide["graph"]["input"][0] = value(wide["graph"]["input"][0]["name"], 11, ["rows", 5])
    refused(wide, document, "no column of numbers or texts")


STEMS = ("tree", "text", "columns", "nearest", "kernel", "histograms-gaps")
DATA = {stem: (document, compiled(document)[0]) for stem in STEMS for document, _ in [sample(stem)]}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(DATA)), st.data())
def test_changed_bytes_are_refused_or_scored(stem, draw):
    document, whole_one = DATA[stem]
    data = bytearray(whole_one)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(data) - 1))
        data[at] = draw.draw(st.integers(0, 255))
    try:
        scorer = opened(bytes(data), document)
    except ValueError:
        return
    row = {one["name"]: ["a dog" if one["type"] == "text" else 0.5] for one in document["inputs"]}
    try:
        scorer.score(row)
    except Exception as error:
        assert isinstance(error, Exception)  # noqa: PT017  # said by the engine, in whatever way; the process lives


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_are_no_model(data):
    with pytest.raises(ValueError, match=r"model|graph|node|the "):
        load({"model.onnx": data}, {"schema": {}})
