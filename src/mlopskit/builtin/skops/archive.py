"""The canonical archive of an estimator: the same fitted model gives the same bytes in every process.

skops names nodes and members by memory addresses, dates members by the clock, writes shared objects again at each
place, and keeps what only training used. Here the tree that skops makes is written anew: numbers in order of
appearance and only where something is shared, sets sorted, what is of one process alone left out.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from zipfile import ZipFile

from mlopskit.builtin.skops.loader.arrays import array
from mlopskit.builtin.skops.loader.container import deflate, pack
from mlopskit.builtin.skops.loader.estimator import uncollected
from mlopskit.builtin.skops.loader.names import SHARED
from mlopskit.builtin.skops.loader.nodes import SCHEMA
from mlopskit.builtin.skops.loader.parts import is_estimator_of_sklearn
from mlopskit.builtin.skops.loader.settings import NEUTRAL

# Attributes that training alone reads: settings of its process, its timings, its generators. Predictions do not
# depend on them; kept, they would make two trainings of one model differ.
TRAINING_ONLY: Mapping[str, Any] = {
    **NEUTRAL,
    "cv": None,
    "cv_results_": None,
    "n_threads": 1,
    "refit_time_": 0.0,
    "scorer_": None,
    "scoring": None,
    "_checked_cv_orig": None,
    "_feature_subsample_rng": None,
    "_metadata_request": None,
    "_optimizer": None,
    "_random_state": None,
    "_scorer": None,
    "_tree": None,  # of neighbours: the loader builds it again
}
# Attributes that are an address in this process.
ADDRESSES = {"_stop_words_id"}

Node = dict[str, Any]


def canonical(model: object, /) -> bytes:
    """Return the canonical archive of a model, which is left as it is.

    Raises:
        Exception: skops cannot store it, in skops's own words.
    """
    return write(*dump(model))


@uncollected()
def dump(model: object, /) -> tuple[Node, dict[str, bytes]]:
    """Return the canonical tree of nodes of a model, and its members."""
    import skops
    import skops.io  # registers the types that it can store
    from skops.io._utils import SaveContext, get_state

    # What skops.io.dump does, without writing every number into a zip archive and indenting the JSON: that alone
    # would take seconds for a vocabulary of 20,000 terms.
    members = _Members()
    context = SaveContext(zip_file=members)
    state = get_state(model, context)
    rewriter = _Rewriter(members.files)
    root = rewriter.rewritten(state)
    rewriter.number()
    root |= {"protocol": context.protocol, "_skops_version": skops.__version__}
    return root, rewriter.members


def write(root: Node, members: Mapping[str, bytes]) -> bytes:
    """Return the archive of a canonical tree and its members."""
    return pack(deflate(name, data) for name, data in contents(root, members).items())


def contents(root: Node, members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what is in the archive of a canonical tree and its members."""
    schema = json.dumps(root, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return {**members, SCHEMA: schema}


class _Members:
    """As much of a ZipFile as skops writes to."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def namelist(self) -> dict[str, bytes]:
        return self.files

    def writestr(self, name: str, data: bytes | memoryview) -> None:
        self.files[name] = bytes(data)


class _Rewriter:
    """Rewrites a tree of nodes; in the end it knows the members that are used, under their new names."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.members: dict[str, bytes] = {}
        self._files = files
        self._defined: dict[int, Node] = {}
        self._order: list[Node] = []
        self._references: list[tuple[Node, Node]] = []

    def rewritten(self, node: Node) -> Node:
        """Return a node in canonical form."""
        number, kind = node["__id__"], node["__loader__"]
        if kind == "JsonNode":  # most nodes are
            return {key: value for key, value in node.items() if key != "__id__"}
        if kind in SHARED and number in self._defined:
            return self._reference(self._defined[number])
        made = {key: node[key] for key in ("__class__", "__module__", "__loader__")}
        if kind in SHARED:
            self._defined[number] = made
            self._order.append(made)
        made |= self._content(node, kind)
        return made

    def number(self) -> None:
        """Give a number to each node that is referred to, in order of appearance."""
        wanted = {id(meant) for _, meant in self._references}
        numbers: dict[int, int] = {}
        for made in self._order:
            if id(made) in wanted:
                numbers[id(made)] = made["__id__"] = len(numbers) + 1
        for reference, meant in self._references:
            reference["__id__"] = numbers[id(meant)]

    def _reference(self, meant: Node) -> Node:
        made = {"__class__": meant["__class__"], "__module__": meant["__module__"], "__loader__": "CachedNode"}
        self._references.append((made, meant))
        return made

    def _content(self, node: Node, kind: str) -> Node:
        if kind == "DictNode":
            return self._dict(node["content"], node["key_types"])
        if kind == "ObjectNode":
            return self._object(node)
        if kind == "SetNode":
            return {"content": sorted((self.rewritten(item) for item in node["content"]), key=json.dumps)}
        if kind == "FunctionNode" and _is_numpys(node["__module__"], node["__class__"]):
            return {"__module__": "numpy"}
        made = {key: self._value(value) for key, value in node.items() if key not in ("__id__", "file")}
        if "file" in node:
            made["file"] = self._member(node["file"])
        if kind == "ConstructorFromReduceNode" and node["__class__"] == "frozenset":
            made["content"]["content"][0]["content"].sort(key=json.dumps)
        return made

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            if "__loader__" in value:
                return self.rewritten(value)
            return {key: self._value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(item) for item in value]
        return value

    def _object(self, node: Node) -> Node:
        state = node.get("content", {})
        if state.get("__loader__", "JsonNode") == "JsonNode" and state.get("content", "null") == "null":
            return {}  # an object without attributes
        if state["__loader__"] != "DictNode":
            return {"content": self.rewritten(state)}
        kind = getattr(sys.modules.get(node["__module__"]), node["__class__"], None)
        own = isinstance(kind, type) and not is_estimator_of_sklearn(kind)
        return {"content": self._attributes(state, {} if own else TRAINING_ONLY)}

    def _attributes(self, node: Node, neutral: Mapping[str, Any]) -> Node:
        kept = {key: value for key, value in node["content"].items() if key not in ADDRESSES}
        for key in neutral.keys() & kept.keys():
            kept[key] = _json(neutral[key])
        if "vocabulary_" in kept:
            kept["vocabulary_"] = self._vocabulary(kept["vocabulary_"])
        types = dict(zip(node["content"], node["key_types"]["content"], strict=True))
        made = {key: node[key] for key in ("__class__", "__module__", "__loader__")}
        return made | self._dict(kept, {**node["key_types"], "content": [types[key] for key in kept]})

    def _dict(self, content: Mapping[str, Node], types: Node) -> Node:
        return {
            "content": {str(key): self.rewritten(item) for key, item in content.items()},
            "key_types": {
                **{key: types[key] for key in ("__class__", "__module__", "__loader__")},
                "content": list(self._types(types["content"])),
            },
        }

    def _types(self, types: list[Node]) -> Iterator[Node]:
        # One type for 20,000 keys is written once, and read once.
        first: dict[tuple[str, str], Node] = {}
        for item in types:
            name = item["__module__"], item["__class__"]
            if name in first:
                yield self._reference(first[name])
            else:
                first[name] = {key: item[key] for key in ("__class__", "__module__", "__loader__")}
                self._order.append(first[name])
                yield first[name]

    def _vocabulary(self, node: Node) -> Node:
        # Numbers of terms are numpy's after max_features or min_df, each an array of its own: 20,000 members.
        content = node["content"]
        if node["__loader__"] != "DictNode" or not any(
            item["__loader__"] == "NdArrayNode" for item in content.values()
        ):
            return node
        return {**node, "content": {key: self._plain(item) for key, item in content.items()}}

    def _plain(self, node: Node) -> Node:
        if node["__loader__"] != "NdArrayNode" or node.get("type") != "numpy":
            return node
        values = array(self._files[node["file"]], "vocabulary_")
        return _json(int(values)) if values.shape == () and values.dtype.kind in "iu" else node

    def _member(self, name: str) -> str:
        suffix = name.rpartition(".")[2]
        new = f"{len(self.members)}.{suffix}"
        data = self._files[name]
        self.members[new] = _npz(data) if suffix == "npz" else _npy(data)
        return new


def _is_numpys(module: str, name: str) -> bool:
    """Say whether this is numpy's own function: skops names it by whichever module was first to import it."""
    import numpy as np

    found = getattr(sys.modules.get(module), name, None)
    return found is not None and found is getattr(np, name, None)


def _npy(data: bytes) -> bytes:
    """Return an array without what the memory between its fields held."""
    if b"'|V" not in data[:512]:
        return data
    import numpy as np

    values = array(data, "an array")
    clean = np.zeros(values.shape, values.dtype)  # zeros_like leaves the gaps as they are
    for name in values.dtype.names:
        clean[name] = values[name]
    return data[: len(data) - values.nbytes] + clean.tobytes()


def _npz(data: bytes) -> bytes:
    """Return a sparse matrix as it is after loading: scipy then takes the smallest index that will do."""
    from scipy.sparse import load_npz, save_npz

    stream = io.BytesIO()
    save_npz(stream, load_npz(io.BytesIO(data)))
    with ZipFile(stream) as parts:
        return pack(deflate(name, parts.read(name)) for name in parts.namelist())


def _json(value: Any) -> Node:
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "__id__": -1,
        "content": json.dumps(value),
        "is_json": True,
    }
