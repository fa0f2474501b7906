"""schema.json that reads in two ways, is too large or too deep."""

import json

from mlopskit.builtin.skops.loader import nodes
from mlopskit.builtin.skops.loader.container import deflate, pack, unpack


def test_a_schema_that_reads_in_two_ways_is_refused(archive, refuses):
    members = unpack(archive)
    text = members.pop("schema.json").decode()
    for changed in (
        text.replace('"__class__":"Pipeline"', '"__class__":"Pipeline","__class__":"Pipeline"', 1),
        text.replace('"protocol":2', '"protocol":NaN'),
        text.replace('"protocol":2', '"protocol":0'),
        text.replace('"protocol":2', '"protocol":true'),
        text.replace('"_skops_version"', '"_version"'),
        text[:-1],
        f"[{text}]",
        "",
    ):
        assert changed != text
        refuses(pack(deflate(*item) for item in [*members.items(), ("schema.json", changed.encode())]))


def test_a_schema_over_the_limit_is_refused(archive, refuses, monkeypatch):
    monkeypatch.setattr(nodes, "MAX_SCHEMA", 10)
    refuses(archive, "at most 10 are read")


def test_depth_is_limited(archive, forge, refuses, model, spec, make, load):
    forged = forge(archive)
    forged.set("deep", make.nested(10, make.json(1)))
    assert load(forged.data(), spec(model))
    forged.set("deep", make.nested(100, make.json(1)))
    refuses(forged.data(), "nested more than")
    forged.set("deep", "HERE")
    text = json.dumps(forged.root)
    for begin, end in (("[", "]"), ('{"a":', "}")):
        deep = text.replace('"HERE"', begin * 100_000 + "1" + end * 100_000)
        members = [*forged.members.items(), ("schema.json", deep.encode())]
        refuses(pack(deflate(*item) for item in members), "nested too deep")
    forged.set("deep", make.json(1) | {"content": "[" * 100_000 + "]" * 100_000})
    refuses(forged.data(), "model.deep")
