from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from mlopskit.builtin.portable.loader import load
from mlopskit.builtin.portable.loader.document import parse

LEAF = {"feature": [-1], "threshold": [0], "right": [0], "values": [1], "missing_left": None, "categories": None}


def document(*steps, output=None):
    return {
        "format_version": 1,
        "inputs": [{"name": "a", "type": "number"}, {"name": "b", "type": "number"}, {"name": "t", "type": "text"}],
        "steps": [{"op": "take", "from": [0], "indexes": [0, 1]}, *steps],
        "outputs": [output or {"name": "prediction", "from": 1, "at": 0, "labels": None}],
    }


def trees(**changes):
    tree = {
        "feature": [0, -1, -1], "threshold": [0.5, 0, 0], "right": [2, 0, 1], "values": [1, 2],
        "missing_left": None, "categories": None,
    } | changes  # fmt: skip
    return {"op": "trees", "from": [1], "trees": [tree], "size": 1, "at": [0], "scale": 1, "start": [0]}


def pattern(*parts):
    fields = {"lowercase": True, "accents": None, "analyzer": "word", "stop_words": [], "ngrams": [1, 1]}
    return [
        {"op": "take", "from": [0], "indexes": [2]},
        {"op": "count", "from": [2], **fields, "pattern": [*parts], "terms": ["a"], "binary": False},
    ]


PART = {"boundary": False, "sets": ["word"], "ranges": [], "not": False, "least": 1, "most": None}
LOOKED_UP = {"cells": ["1"], "values": [0], "unknown": [0], "refuse": False}
NOTHING = {"op": "take", "from": [1], "indexes": []}
NEAREST = {
    "op": "nearest", "from": [1], "points": [[0, 0], [1, 1]], "values": [[1], [2]], "count": 1, "radius": None,
    "weights": "equal", "empty": None,
}  # fmt: skip
BROKEN = {
    "a cycle": document({"op": "softmax", "from": [2]}),
    "a step ahead": document({"op": "softmax", "from": [3]}, {"op": "softmax", "from": [1]}),
    "a step below": document({"op": "softmax", "from": [-1]}),
    "a source that is true": document({"op": "softmax", "from": [True]}),
    "no source": document({"op": "softmax", "from": []}),
    "two sources": document({"op": "softmax", "from": [1, 1]}),
    "texts": document({"op": "softmax", "from": [0]}),
    "an unknown step": document({"op": "eval", "from": [1]}),
    "a step of another type": document({"op": ["softmax"], "from": [1]}),
    "a step that is none": document(["softmax"]),
    "a field too many": document({"op": "softmax", "from": [1], "__proto__": {}}),
    "an index beyond": document({"op": "take", "from": [1], "indexes": [2]}),
    "an index below": document({"op": "take", "from": [1], "indexes": [-1]}),
    "a table too long": document({"op": "add", "from": [1], "values": [1, 2, 3]}),
    "a table of texts": document({"op": "add", "from": [1], "values": ["1", 2]}),
    "a table of tables": document({"op": "add", "from": [1], "values": [[1], [2]]}),
    "a number beyond all": document({"op": "add", "from": [1], "values": [10**400, 2]}),
    "a zero to divide by": document({"op": "divide", "from": [1], "values": [1, 0]}),
    "a ragged matrix": document({"op": "linear", "from": [1], "weights": [[1, 2], [1]], "bias": [0, 0]}),
    "no matrix": document({"op": "linear", "from": [1], "weights": [], "bias": []}),
    "parts out of order": document({"op": "argmax", "from": [1], "starts": [0, 0]}),
    "an empty part": document({"op": "argmax", "from": [1], "starts": [0, 2]}),
    "a tree with a cycle": document(trees(right=[0, 0, 1])),
    "a tree whose children are one": document(trees(right=[1, 0, 1])),
    "a tree with a child beyond": document(trees(right=[3, 0, 1])),
    "a tree with a leaf beyond": document(trees(right=[2, 0, 2])),
    "a tree with a leaf below": document(trees(right=[2, 0, -1])),
    "a tree that looks beyond": document(trees(feature=[2, -1, -1])),
    "a tree without an end": document(trees(feature=[0, 0, 0])),
    "a tree of no nodes": document(trees(feature=[], threshold=[], right=[])),
    "a tree of ragged tables": document(trees(threshold=[0.5])),
    "categories of no node": document(trees(categories=[[7, 1]], missing_left=[0, 0, 0])),
    "categories without a way for gaps": document(trees(categories=[[0, 1]])),
    "an output beyond": document(trees() | {"at": [1]}),
    "too few places": document(trees() | {"at": []}),
    "a category twice": document(
        {"op": "lookup", "from": [1], "tables": [LOOKED_UP | {"cells": [1, 1.0], "values": [0, 1]}] * 2}
    ),
    "a category of texts": document(
        {"op": "lookup", "from": [1], "tables": [LOOKED_UP] * 2}
    ),
    "a one beyond": document(
        {"op": "onehot", "from": [1], "width": 1, "tables": [{"cells": [1], "at": [1], "unknown": -1}] * 2}
    ),
    "too few knots": document({"op": "spline", "from": [1], "degree": 1, "knots": [[0, 1, 2], [0, 1, 2, 3]]}),
    "knots of no width": document({"op": "spline", "from": [1], "degree": 1, "knots": [[0, 1, 1, 2], [0, 1, 2, 3]]}),
    "a spline of a million": document({"op": "spline", "from": [1], "degree": 10**6, "knots": [[0, 1], [0, 1]]}),
    "the nearest of none": document(NEAREST | {"count": 0}),
    "more of the nearest than there are": document(NEAREST | {"count": 3}),
    "the nearest in two ways": document(NEAREST | {"radius": 1}),
    "the nearest in no way": document(NEAREST | {"count": None}),
    "a point without a value": document(NEAREST | {"values": [[1]]}),
    "a point of another width": document(NEAREST | {"points": [[1, 2, 3], [1, 2, 3]]}),
    "an empty answer of another width": document(NEAREST | {"empty": [1, 2]}),
    "an open pattern": document(*pattern(*[PART] * 3)),
    "a long pattern": document(*pattern(*[PART | {"most": 1}] * 17)),
    "a pattern of a million": document(*pattern(PART | {"least": 10**6})),
    "an empty range": document(*pattern(PART | {"ranges": [9, 3]})),
    "a range beyond Unicode": document(*pattern(PART | {"ranges": [9, 0x110000]})),
    "half a range": document(*pattern(PART | {"ranges": [9]})),
    "an output that is not there": document(output={"name": "prediction", "from": 1, "at": 2, "labels": None}),
    "an output of a step ahead": document(output={"name": "prediction", "from": 2, "at": 0, "labels": None}),
    "an output of texts": document(output={"name": "prediction", "from": 0, "at": 2, "labels": None}),
    "labels of any number": document(output={"name": "prediction", "from": 1, "at": 0, "labels": ["a", "b"]}),
    "too few labels": document(
        {"op": "argmax", "from": [1], "starts": [0]}, output={"name": "prediction", "from": 2, "at": 0, "labels": ["a"]}
    ),
    "votes for no class": document(
        {"op": "argmax", "from": [1], "starts": [0]}, {"op": "votes", "from": [2], "weights": [1], "classes": 1}
    ),
    "another version": document() | {"format_version": 2},
    "a version that is true": document() | {"format_version": True},
    "no inputs": document() | {"inputs": []},
    "an input twice": document() | {"inputs": [{"name": "a", "type": "number"}] * 2},
    "steps that are none": document() | {"steps": {}},
    "no table": [],
    "an output twice": document() | {"outputs": [document()["outputs"][0]] * 2},
    "no outputs": document() | {"outputs": []},
    "an output beside a text": document(output={"name": "prediction", "from": 0, "at": 0, "labels": None}),
    "a label that is infinite": document(
        {"op": "argmax", "from": [1], "starts": [0]}, output={"name": "p", "from": 2, "at": 0, "labels": [10**400, 1]}
    ),
    "labels of a mixture": document(
        {"op": "argmax", "from": [1], "starts": [0]}, {"op": "concat", "from": [1, 2]},
        output={"name": "p", "from": 3, "at": 2, "labels": [0, 1]},
    ),
    "an index with a point": document({"op": "take", "from": [1], "indexes": [1.0]}),
    "a kernel of texts": document(
        {"op": "take", "from": [0], "indexes": [2]},
        {"op": "kernel", "from": [2], "points": [[1]], "kind": "rbf", "gamma": 1, "offset": 0, "degree": 1},
    ),
    "the nearest of texts": document(
        {"op": "take", "from": [0], "indexes": [2]}, NEAREST | {"from": [2], "points": [[1], [2]]}
    ),
    "a gamma below zero": document(
        {"op": "kernel", "from": [1], "points": [[1, 2]], "kind": "rbf", "gamma": -1, "offset": 0, "degree": 1}
    ),
    "a weight below zero": document({"op": "median", "from": [1], "weights": [-3, -1]}),
    "a median of nothing": document(NOTHING, {"op": "median", "from": [2], "weights": []}),
    "a softmax of nothing": document(NOTHING, {"op": "softmax", "from": [2]}),
    "shares of nothing": document(NOTHING, {"op": "shares", "from": [2], "zero": "equal"}),
    "edges that fall": document({"op": "bins", "from": [1], "edges": [[0, 1], [1, 0]]}),
    "the first point twice": document(
        {"op": "interpolate", "from": [1], "at": [[0, 1], [1, 1]], "values": [[1, 2], [1, 2]], "outside": "nearest"}
    ),
    "no point": document(
        {"op": "interpolate", "from": [1], "at": [[0], []], "values": [[1], []], "outside": "nearest"}
    ),
    "a text filled with nothing": document({"op": "fill", "from": [0], "values": [0, 0, None], "missing": None}),
    "a leaf that is none": document(trees(feature=[0, -2, -1])),
    "a sum of nothing": document({**trees(), "trees": [], "at": [], "start": []}),
    "half a leaf": document(trees(values=[1, 2, 3]) | {"size": 2, "start": [0, 0]}),
    "a third way for gaps": document(trees(missing_left=[2, 0, 0])),
    "categories of a leaf": document(trees(categories=[[1, 1]], missing_left=[0, 0, 0])),
    "categories twice": document(trees(categories=[[0, 1], [0, 2]], missing_left=[0, 0, 0])),
    "a start of another width": document(trees() | {"from": [1, 1]}),
    "no one for the unknown": document(
        {"op": "lookup", "from": [1], "tables": [{"cells": [1], "values": [1], "unknown": [], "refuse": True}] * 2}
    ),
    "a pattern of boundaries": document(*pattern(PART | {"boundary": True})),
    "a pattern of many lengths": document(*pattern(*[PART | {"most": 11}] * 3)),
    "a part that may be absent": document(*pattern(PART | {"least": 0})),
    "a part that fits nothing": document(*pattern(PART | {"sets": []})),
    "n-grams that fall": document(*pattern(PART)[:1], pattern(PART)[1] | {"ngrams": [2, 1]}),
    "a term twice": document(*pattern(PART)[:1], pattern(PART)[1] | {"terms": ["a", "a"]}),
    "doubling at once": document(
        {"op": "above", "from": [1], "threshold": 0, "equal": True},
        *({"op": "concat", "from": [n] * 99} for n in range(2, 7)),
    ),
    "doubling": document(*({"op": "concat", "from": [n, n]} for n in range(1, 60))),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_document_is_refused_before_the_first_row(broken):
    with pytest.raises(ValueError, match=r"model\.json"):
        parse(json.dumps(BROKEN[broken]).encode())


def test_what_they_were_made_of_is_read():
    for sound in (document(), document(NEAREST), document(trees()), document(*pattern(PART))):
        parse(json.dumps(sound).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"NaN",
        b'{"format_version":1,"format_version":1,"inputs":[],"steps":[],"outputs":[]}',
        json.dumps(document({"op": "add", "from": [1], "values": [float("nan"), 1]})).encode(),
        json.dumps(document({"op": "add", "from": [1], "values": [1e999, 1]})).encode(),
        json.dumps(document({"op": "add", "from": [1], "values": [12345.0, 1]})).replace("12345.0", "1e999").encode(),
    ],
    ids=lambda data: repr(data[:20]),
)  # fmt: skip
def test_bytes_that_are_no_document_are_refused(data):
    with pytest.raises(ValueError, match=r"JSON|nested|codec|Expecting|name twice|not finite"):
        parse(data)


LONG = [n + 0.5 for n in range(1500)]


def test_long_lists_of_numbers_are_packed_and_mean_the_same():
    wide = {"op": "take", "from": [1], "indexes": [0] * 1500}
    weighed = [
        {"op": "multiply", "from": [2], "values": LONG},
        {"op": "linear", "from": [3], "weights": [LONG], "bias": [0]},
    ]
    read = parse(json.dumps(document(wide, *weighed)).encode())
    take, multiply, linear = (value.run for value, _ in read.steps[2:])
    assert linear(multiply(take([2.0, 0.0]))) == [pytest.approx(sum(2 * one * one for one in LONG))]
    votes = [
        {"op": "above", "from": [2], "threshold": 0, "equal": False},
        {"op": "votes", "from": [3], "weights": LONG, "classes": 2},
    ]
    labels = {"name": "prediction", "from": 5, "at": 0, "labels": LONG}
    read = parse(
        json.dumps(document(wide, *votes, {"op": "argmax", "from": [4], "starts": [0]}, output=labels)).encode()
    )
    assert read.outputs[0].labels == LONG


@pytest.mark.parametrize(
    "broken",
    [
        {**document(), "steps": LONG},
        {**document(), "inputs": LONG},
        {**document(), "outputs": LONG},
        document({"op": "take", "from": LONG, "indexes": [0]}),
        document({"op": "take", "from": [1], "indexes": LONG}),
        document({"op": "linear", "from": [1], "weights": LONG, "bias": [0]}),
        document({"op": "multiply", "from": [1], "values": [*LONG[:-1], 1e400]}),
    ],
)
def test_long_lists_of_numbers_where_none_belong_are_refused(broken):
    with pytest.raises(ValueError, match=r"model\.json"):
        parse(json.dumps(broken).replace("Infinity", "1e400").encode())


@pytest.mark.parametrize("depth", [2, 300, 900, 5000])
def test_lists_in_lists_are_refused_however_deep(depth):
    with pytest.raises(ValueError, match=r"model\.json"):
        parse(json.dumps(document()).replace('"steps": [', '"steps": [' + "[" * depth + "]" * depth + ",").encode())


def test_a_tree_as_deep_as_it_has_nodes_is_walked():
    count = 200_000
    tree = {
        "feature": [0] * count + [-1] * (count + 1),
        "threshold": [float(n) for n in range(count, 0, -1)] + [0.0] * (count + 1),
        "right": [2 * count - n for n in range(count)] + [0] + [1] * count,
        "values": [1.0, 2.0],
    }
    given = document(trees(**tree), output={"name": "prediction", "from": 2, "at": 0, "labels": None})
    run = parse(json.dumps(given).encode()).steps[2][0].run
    assert run([0.5, 0.0]) == [1.0]
    assert run([1.5, 0.0]) == [2.0]


def spec(document):
    inputs = {one["name"]: {"type": "string" if one["type"] == "text" else "number"} for one in document["inputs"]}
    names = [one["name"] for one in document["outputs"]]
    outputs = {one["name"]: {"enum": one["labels"]} if one["labels"] else {} for one in document["outputs"]}
    return {
        "schema": {
            "inputs": {"properties": inputs, "required": [*inputs]},
            "outputs": {"properties": outputs, "required": names},
        }
    }


@pytest.mark.parametrize("change", ["inputs", "types", "outputs", "labels"])
def test_a_document_of_another_schema_is_refused(change):
    given = document({"op": "argmax", "from": [1], "starts": [0]})
    given["outputs"] = [{"name": "prediction", "from": 2, "at": 0, "labels": ["a", "b"]}]
    told = copy.deepcopy(spec(given))
    load({"model.json": json.dumps(given).encode()}, told)
    inputs, outputs = told["schema"]["inputs"], told["schema"]["outputs"]
    if change == "inputs":
        inputs["required"].reverse()
    elif change == "types":
        inputs["properties"]["a"] = {"type": ["string", "null"]}
    elif change == "outputs":
        outputs["required"] = ["predictions"]
    else:
        outputs["properties"]["prediction"] = {"enum": ["b", "a"]}
    with pytest.raises(ValueError, match="schema"):
        load({"model.json": json.dumps(given).encode()}, told)


@pytest.fixture(scope="module")
def sound(asked):
    random = np.random.default_rng(0)
    features, target = random.normal(size=(60, 3)), np.arange(60) % 3
    forest = RandomForestClassifier(2, max_depth=3, random_state=0).fit(features, target)
    texts = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit([f"a{n} b{n % 7} cc" for n in range(60)], target)
    return [
        asked(forest, {f"x{n}": {"type": "number"} for n in range(3)}).document,
        asked(texts, {"text": {"type": "string"}}).document,
    ]


ODD = [None, True, -1, 0, 1, 2, 10**9, 10**400, 0.5, -0.0, "", "softmax", "word", [], {}, [0], [[]], [None], ["a"]]


def places(node, path=()):
    yield path
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        yield from places(value, (*path, key))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_document_with_anything_anywhere_answers_or_is_refused(sound, data):
    document = copy.deepcopy(data.draw(st.sampled_from(sound)))
    told = spec(document)
    *before, last = data.draw(st.sampled_from([*places(document)][1:]))
    node = document
    for key in before:
        node = node[key]
    node[last] = data.draw(st.sampled_from(ODD))
    kinds = told["schema"]["inputs"]["properties"]
    rows = {name: ["a1 b2 cc"] if one["type"] == "string" else [0.3] for name, one in kinds.items()}
    try:
        scorer = load({"model.json": json.dumps(document).encode()}, told)
    except ValueError:
        return
    try:
        answered = scorer.score(rows)
    except ValueError:
        return
    assert [*answered] == told["schema"]["outputs"]["required"]
