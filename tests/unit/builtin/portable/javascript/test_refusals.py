"""What the scorer in JavaScript makes of hostile files, strange names and wrong rows."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path

import pytest

import mlopskit

SCORER = Path(str(mlopskit.__file__)).parent / "scorers"
pytestmark = pytest.mark.live
# What every object of JavaScript has, or what a table that is an object would take for something else.
STRANGE = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "length", "", "at", "\x00", '":', "\\"]
PLAIN = {"lowercase": False, "accents": None, "analyzer": "char", "pattern": None, "stop_words": [], "ngrams": [1, 1]}


def document(*steps, inputs=({"name": "x", "type": "number"},), outputs=None):
    last = {"name": "y", "from": len(steps), "at": 0, "labels": None}
    return {"format_version": 1, "inputs": [*inputs], "steps": [*steps], "outputs": outputs or [last]}


ADD = {"op": "add", "from": [0], "values": [1]}
SOUND = json.dumps(document(ADD))


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[" * 100_000, '{"a":' * 100_000, "[" * 40 + "]" * 40, "NaN", "null", "true", "0", '"x"', "[]",
        SOUND + "x", "\ufeff" + SOUND, SOUND[:-1], SOUND.replace("[1]", "[NaN]"), SOUND.replace("[1]", "[Infinity]"),
        SOUND.replace("[1]", "[1e999]"), SOUND.replace("[1]", "[01]"), SOUND.replace("[1]", "[+1]"),
        SOUND.replace("[1]", "[1,]"), SOUND.replace("[1]", "[.5]"), SOUND.replace("[1]", "[0x1]"),
        SOUND.replace("[1]", "[null]"), SOUND.replace("[1]", "[true]"), SOUND.replace("[1]", '["1"]'),
        SOUND.replace('"op"', "'op'"), SOUND.replace("[1]", "[1] // one"),
        SOUND.replace('{"op"', '{"op": "take", "op"'), SOUND.replace('{"op"', '{"\\u006fp": "take", "op"'),
        SOUND.replace('{"format', '{"format_version" : 1, "format'), SOUND.replace('{"op"', '{"__proto__": 1, "op"'),
        SOUND.replace('"values"', '"__proto__"'), SOUND.replace('"add"', '"__proto__"'),
        SOUND.replace('"add"', '"constructor"'), SOUND.replace('"number"', '"constructor"'),
        SOUND.replace("[0]", "[0.5]"), SOUND.replace("[0]", "[9007199254740993]"), SOUND.replace("[0]", "[]"),
    ],
    ids=lambda text: repr(text[-60:]),
)  # fmt: skip
def test_a_text_that_is_no_model_is_refused(node, text):
    assert "outputs" in node.load(SOUND)
    assert "refused" in node.load(text)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe",
        b"\xef\xbb\xbf" + SOUND.encode(),
        SOUND.encode("utf-16"),
        SOUND.encode().replace(b'"x"', b'"\xed\xa0\x80"'),
    ],
)
def test_bytes_that_are_no_utf_8_are_refused(node, data, tmp_path):
    (tmp_path / "model.json").write_bytes(SOUND.encode())
    assert "outputs" in node.tell(path=str(tmp_path / "model.json"))
    (tmp_path / "model.json").write_bytes(data)
    assert "refused" in node.tell(path=str(tmp_path / "model.json"))


def test_a_file_beyond_what_a_text_may_be_is_refused(node, tmp_path):
    with (tmp_path / "model.json").open("wb") as file:
        file.truncate(600 << 20)  # of zeros, which take no space
    assert "refused" in node.tell(path=str(tmp_path / "model.json"))


@pytest.mark.parametrize("name", STRANGE, ids=ascii)
def test_a_strange_name_is_a_name_like_any_other(node, name):
    inputs = [{"name": name, "type": "number"}, {"name": "t", "type": "text"}]
    looked = {"cells": [name], "values": [7], "unknown": [-1], "refuse": False}
    other = {"cells": [], "values": [], "unknown": [3], "refuse": False}
    chosen = {"name": name, "from": 4, "at": 0, "labels": ["no", name]}
    steps = [
        {"op": "lookup", "from": [0], "tables": [other, looked]},
        {"op": "take", "from": [0], "indexes": [1]},
        {"op": "count", "from": [2], **PLAIN, "ngrams": [1, 20], "terms": ["z", name], "binary": False},
        {"op": "above", "from": [1], "threshold": 5, "equal": False},
        {"op": "take", "from": [4], "indexes": [1]},
    ]
    outputs = [
        chosen | {"from": 5}, {"name": "known", "from": 1, "at": 1, "labels": None},
        {"name": "counted", "from": 3, "at": 1, "labels": None},
    ]  # fmt: skip
    assert node.load(document(*steps, inputs=inputs, outputs=outputs)) == {"outputs": [name, "known", "counted"]}
    rows = [{name: 1, "t": name}, {name: 1, "t": f"z{name}{name}"}, {name: 1, "t": "other"}]
    counts = [1, 2, 0] if name else [0, 0, 0]
    known = [7, -1, -1]
    labels = [name if one == 7 else "no" for one in known]
    assert node.answers(rows) == [*map(list, zip(labels, known, counts, strict=True))]


def test_a_column_that_objects_have_by_themselves_is_missing_where_it_is_absent(node):
    inputs = [{"name": name, "type": "number"} for name in ("x", "__proto__", "constructor", "toString")]
    seen = {"op": "missing", "from": [0], "indexes": [0, 1, 2, 3], "missing": None}
    outputs = [{"name": f"y{n}", "from": 1, "at": n, "labels": None} for n in range(4)]
    node.load(document(seen, inputs=inputs, outputs=outputs))
    assert node.answers([{"x": 1}, {"__proto__": 1}]) == [[0, 1, 1, 1], [1, 0, 1, 1]]


@pytest.mark.parametrize(
    ("row", "sum_"),
    [
        ({"x": 2}, 3.0), ({"x": True}, 2.0), ({"x": False}, 1.0), ({"x": -0.0}, 1.0), ({"x": 5e-324}, 1.0),
        ({"x": None}, math.nan), ({"x": 2**53 + 1}, 2.0**53), ({"x": 1e308}, 1e308),
        ({"x": "2"}, None), ({"x": [2]}, None), ({"x": {}}, None), ({}, None), ({"y": 2}, None),
        ({"x": 2, "y": 2}, None), ([], None), ([2], None), (None, None), (2, None), ("x", None),
    ],
    ids=repr,
)  # fmt: skip
def test_a_row_is_answered_or_refused(node, row, sum_):
    node.load(document(ADD))
    (found,) = node.answers([row])
    if sum_ is None or not math.isnan(sum_):
        assert found == (None if sum_ is None else [sum_])
    else:
        assert math.isnan(found[0])


@pytest.mark.parametrize("given", [2, True, ["x"], {}])
def test_another_thing_than_a_text_is_refused_as_one(node, given):
    inputs = [{"name": "t", "type": "text"}]
    node.load(document({"op": "count", "from": [0], **PLAIN, "terms": ["x"], "binary": False}, inputs=inputs))
    assert node.answers([{"t": "xx"}, {"t": given}, {"t": None}]) == [[2], None, None]


@pytest.mark.usefixtures("node")
def test_what_json_cannot_hold_is_a_row_as_well(tmp_path):
    script = """
    import assert from "node:assert/strict";
    import { load, ModelError, RowError } from %s;
    const model = load(%s);
    const answer = (x) => model.predictRow({ x }).y;
    assert.equal(answer(2n ** 53n + 1n), 2 ** 53 + 1);        // the nearest, ties to even
    assert.equal(answer(2n ** 53n + 3n), 2 ** 53 + 4 + 1);
    assert.equal(answer(-(2n ** 70n)), -(2 ** 70));
    assert.ok(Number.isNaN(answer(NaN)) && Number.isNaN(answer(undefined)));
    assert.equal(answer(Infinity), Infinity);
    for (const x of [2n ** 1024n, Symbol("x"), () => 2, new Date(0), Object(2)]) {
        assert.throws(() => answer(x), RowError);
    }
    const cyclic = { x: {} };
    cyclic.x.x = cyclic;
    for (const row of [cyclic, new Map([["x", 2]]), Object.create({ x: 2 }), undefined, 2n]) {
        assert.throws(() => model.predictRow(row), RowError);
    }
    for (const rows of [undefined, null, {}, "x", 2]) assert.throws(() => model.predict(rows), RowError);
    assert.throws(() => model.predict([{ x: 1 }, { x: 2 }, { x: "3" }]), { name: "RowError", index: 2 });
    assert.deepEqual(model.predict([{ x: 1 }, { x: 2 }]), [{ y: 2 }, { y: 3 }]);
    assert.deepEqual(model.predict([]), []);
    assert.deepEqual(model.predictRow(Object.assign(Object.create(null), { x: 1 })), { y: 2 });
    for (const data of [undefined, null, 2, {}, [], new Date(0)]) assert.throws(() => load(data), ModelError);
    assert.ok(Object.isFrozen(model) && Object.isFrozen(model.inputs) && Object.isFrozen(model.outputs));
    assert.equal({}.polluted, undefined);
    """
    source = json.dumps((SCORER / "portable.mjs").as_uri()), json.dumps(SOUND)
    (tmp_path / "rows.mjs").write_text(script % source)
    done = subprocess.run(["node", str(tmp_path / "rows.mjs")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("label", [2**53 + 1, -(2**60), 1e300])
def test_a_label_that_javascript_does_not_hold_is_refused(node, label):
    above = {"op": "above", "from": [0], "threshold": 0, "equal": False}
    output = {"name": "y", "from": 1, "at": 0, "labels": [0, 2**53 - 1]}
    node.load(document(above, outputs=[output]))
    assert node.answers([{"x": 1}, {"x": -1}]) == [[2**53 - 1], [0]]
    assert "refused" in node.load(document(above, outputs=[output | {"labels": [0, label]}]))


def test_two_outputs_of_one_name_are_refused(node):
    output = {"name": "y", "from": 0, "at": 0, "labels": None}
    assert "refused" in node.load(document(ADD, outputs=[output, output]))


def test_a_vector_that_is_too_wide_to_be_written_out_is_looked_up(node):
    wide = {"op": "hash", "from": [0], **PLAIN, "width": 2**23, "signs": False, "binary": False}
    seen = {"op": "missing", "from": [1], "indexes": [0, 2**23 - 1], "missing": 0}
    outputs = [{"name": f"y{n}", "from": one, "at": n, "labels": None} for n, one in enumerate([1, 2])]
    inputs = [{"name": "t", "type": "text"}]
    assert "outputs" in node.load(document(wide, seen, inputs=inputs, outputs=outputs))
    assert node.answers([{"t": ""}, {"t": "xy"}]) == [[0, 1], [0, 1]]
    assert "refused" in node.load(document(wide, {"op": "softmax", "from": [1]}, inputs=inputs))


def test_a_hundred_thousand_sources_are_joined(node):
    steps = [{"op": "concat", "from": [0] * 100_000}, {"op": "sum", "from": [0] * 100_000}]
    node.load(document(*steps))
    assert node.answers([{"x": 1}]) == [[100_000]]


def test_a_row_is_compared_with_200_000_points(node):
    fields = {"points": [[n] for n in range(200_000)], "kind": "polynomial", "gamma": 1, "offset": 1, "degree": 1}
    output = {"name": "y", "from": 1, "at": 199_999, "labels": None}
    node.load(document({"op": "kernel", "from": [0], **fields}, outputs=[output]))
    assert node.answers([{"x": 2}]) == [[399_999]]
