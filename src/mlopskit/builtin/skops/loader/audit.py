"""The audit of every node of schema.json, before anything that one names is imported."""

# ruff: noqa: PLR2004 -- the numbers are of a tree's arguments

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from .arrays import array, check_sparse
from .container import MAX_TOTAL
from .names import KEY_TYPES, KEYS, KNOWN, OWN_KINDS, SHARED, TYPES
from .nodes import SCHEMA, expect, head, integer, is_node, scalar
from .trees import check_tree

MAX_DEPTH = 64


class Audit:
    """The problems of a tree of nodes and its members, each with its place and the name of the type if that is it.

    `is_own` says of a module and a name whether that is the package's own code; `own` is what the tree names of it.
    """

    def __init__(
        self,
        root: Mapping[str, Any],
        members: Mapping[str, bytes],
        version: str,
        *,
        allowed: int = MAX_TOTAL,
        is_own: Callable[[str, str], bool] = lambda _module, _name: False,
    ) -> None:
        self.problems: list[tuple[str, str | None, str]] = []
        self.types: set[str] = set()
        self.own: set[tuple[str, str, str]] = set()
        self._is_own = is_own
        self._members = members
        self._unused = set(members) - {SCHEMA}
        self._defined: dict[int, Mapping[str, Any]] = {}
        self._left = allowed - sum(map(len, members.values()))
        self._version = json.dumps(version)
        self._checks: dict[str, Callable[[Any, str, int], None]] = {
            "ConstructorFromReduceNode": self._frozenset,
            "DTypeNode": self._dtype,
            "DictNode": self._dict,
            "JsonNode": self._json,
            "ListNode": self._items,
            "LossNode": self._loss,
            "NdArrayNode": self._array,
            "ObjectNode": self._object,
            "RandomStateNode": self._random_state,
            "SetNode": self._items,
            "SliceNode": self._slice,
            "SparseMatrixNode": self._sparse,
            "TreeNode": self._tree,
            "TupleNode": self._items,
        }
        self.node(root, "model", 0)
        if self._unused and not self.problems:
            self.problems.append(("model", None, f"the archive holds {min(self._unused)}, which nothing uses"))

    def node(self, node: Any, path: str, depth: int) -> None:
        """Check a node and what is under it."""
        try:
            self._node(node, path, depth)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            self.problems.append((path, None, str(error) if isinstance(error, ValueError) else f"malformed: {error!r}"))

    def _node(self, node: Any, path: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
        kind, number = node["__loader__"], node.get("__id__")
        if kind == "CachedNode":
            self._reference(node, number)
            return
        keys = set(node) - {"__class__", "__module__", "__loader__", "__id__"}
        if kind not in TYPES:
            raise ValueError(f"stored as {ascii(str(kind)[:60])}, a kind that could reach code")
        if keys not in KEYS.get(kind, ({"content"},)):
            raise ValueError(f"a {kind} with the keys {ascii(sorted(keys))[:200]}")
        name = f"{node['__module__']}.{node['__class__']}"
        if name in TYPES[kind]:
            self.types.add(name)
        elif kind in OWN_KINDS and name not in KNOWN and self._is_own(node["__module__"], node["__class__"]):
            self.own.add((kind, node["__module__"], node["__class__"]))
        else:
            self.problems.append((path, name, "is not on the list of types that may be loaded"))
            return
        if check := self._checks.get(kind):
            check(node, path, depth + 1)
        if number is not None:
            if type(number) is not int or number < 1 or number in self._defined or kind not in SHARED:
                raise ValueError(f"a {kind} of the number {ascii(number)}")
            self._defined[number] = node

    def _reference(self, node: Mapping[str, Any], number: Any) -> None:
        # A node is defined when all under it is: nothing can contain itself.
        meant = self._defined.get(number) if type(number) is int else None
        if meant is None or dict(node) != {**head(meant), "__loader__": "CachedNode"}:
            raise ValueError(f"a reference to {ascii(number)}, which is not defined before")

    def _items(self, node: Any, path: str, depth: int) -> None:
        expect(node["content"], list, "content")
        for number, item in enumerate(node["content"]):
            self.node(item, f"{path}[{number}]", depth)

    def _json(self, node: Any, _path: str, _depth: int) -> None:
        scalar(node)

    def _dict(self, node: Any, path: str, depth: int) -> None:
        content = expect(node["content"], dict, "content")
        self._key_types(node, len(content))
        for key, item in content.items():
            self.node(item, f"{path}[{ascii(key[:60])}]", depth)

    def _key_types(self, node: Any, count: int) -> None:
        # One type for each key: the first in full, with a number, the others as references to it.
        types = node["key_types"]
        if not is_node(types, "ListNode", "builtins", "list") or "__id__" in types or len(types["content"]) != count:
            raise ValueError("a dict whose keys have no types, or are not different as text")
        for item in types["content"]:
            if item["__loader__"] == "TypeNode":
                name = f"{item['__module__']}.{item['__class__']}"
                if name not in KEY_TYPES:
                    raise ValueError(f"a dict with a key of type {ascii(name[:90])}")
                if not set(item) <= {"__class__", "__module__", "__loader__", "__id__"}:
                    raise ValueError("a type with content")
                if "__id__" in item:
                    if type(item["__id__"]) is not int or item["__id__"] < 1 or item["__id__"] in self._defined:
                        raise ValueError("a type with a number that is taken")
                    self._defined[item["__id__"]] = item
            else:
                self._reference(item, item.get("__id__"))
                if self._defined[item["__id__"]]["__loader__"] != "TypeNode":
                    raise ValueError("a dict with a key whose type is none")

    def _object(self, node: Any, path: str, depth: int) -> None:
        attributes = node.get("content")
        if attributes is None:
            return
        if not is_node(attributes, "DictNode", "builtins", "dict", {"key_types"}) or "__id__" in attributes:
            raise ValueError("an object whose attributes are no dict")
        if any(
            (kind["__module__"], kind["__class__"]) != ("builtins", "str")
            for kind in attributes["key_types"]["content"]
        ):
            raise ValueError("an object with an attribute that has no name")
        stored = attributes["content"].get("_sklearn_version")
        if stored is not None and stored["content"] != self._version:
            raise ValueError(f"stored with scikit-learn {stored['content']}, but {self._version} is installed")
        self._key_types(attributes, len(attributes["content"]))
        for key, item in attributes["content"].items():
            self.node(item, f"{path}.{key[:60]}", depth + 1)

    def _array(self, node: Any, path: str, depth: int) -> None:
        if node["type"] == "numpy":
            values = array(self._member(node, "npy"), path)
            if node["__class__"] != "ndarray" and values.shape != ():
                raise ValueError(f"a single {node['__class__']} of shape {values.shape}")
        elif node["type"] == "json" and node["__class__"] == "ndarray":
            self._object_array(node, path, depth)
        else:
            raise ValueError(f"an array of type {ascii(node['type'])}")

    def _object_array(self, node: Any, path: str, depth: int) -> None:
        self.node(node["shape"], path, depth)
        shape = [integer(length) for length in node["shape"]["content"]]
        expect(node["content"], list, "content")
        if node["shape"]["__loader__"] != "TupleNode" or not shape or len(node["content"]) != shape[0]:
            raise ValueError(f"an array of objects of shape {shape}")
        # numpy finds the shape anew in the nested lists: they must have exactly the one that is declared.
        rows = node["content"]
        for length in shape[1:]:
            for row in rows:
                if row["__loader__"] != "ListNode" or "__id__" in row or len(row["content"]) != length:
                    raise ValueError(f"an array of objects that is not of the shape {shape}")
            rows = [item for row in rows for item in row["content"]]
        for item in rows:
            single = item["__loader__"] == "JsonNode" or item["__module__"] in ("sklearn.tree._classes", "numpy")
            if len(shape) > 1 and not single:
                raise ValueError("an array of several dimensions that holds more than trees, numbers or text")
        for number, item in enumerate(node["content"]):
            self.node(item, f"{path}[{number}]", depth)

    def _sparse(self, node: Any, path: str, _depth: int) -> None:
        if node["type"] != "scipy":
            raise ValueError(f"a sparse matrix of type {ascii(node['type'])}")
        self._left -= check_sparse(self._member(node, "npz"), path, allowed=self._left)

    def _member(self, node: Any, suffix: str) -> bytes:
        name = node["file"]
        if name not in self._unused or not name.endswith(suffix):
            raise ValueError(f"the member {ascii(name)} is not there, is used twice, or is no .{suffix}")
        self._unused.remove(name)
        return self._members[name]

    def _dtype(self, node: Any, path: str, depth: int) -> None:
        if node["content"]["__loader__"] != "NdArrayNode" or node["content"]["__class__"] != "ndarray":
            raise ValueError("a dtype without an array")
        self.node(node["content"], path, depth)

    def _frozenset(self, node: Any, path: str, depth: int) -> None:
        arguments = node["content"]
        if arguments["__loader__"] != "TupleNode" or [item["__loader__"] for item in arguments["content"]] != [
            "ListNode"
        ]:
            raise ValueError("a frozenset of something else than one list")
        self.node(arguments, path, depth)

    def _loss(self, node: Any, path: str, depth: int) -> None:
        if node["content"]["content"] or node["content"]["__loader__"] not in ("DictNode", "TupleNode"):
            raise ValueError("a loss with a state")
        arguments = node["__reduce__"]["args"]
        if set(node["__reduce__"]) != {"args"} or arguments["__loader__"] != "TupleNode":
            raise ValueError("a loss made of something else than numbers")
        if not all(isinstance(scalar(item), int | float) for item in arguments["content"]):
            raise ValueError("a loss made of something else than numbers")
        self.node(arguments, path, depth)
        self.node(node["content"], path, depth)

    def _random_state(self, node: Any, path: str, depth: int) -> None:
        self.node(node["content"], path, depth)
        state = node["content"]["content"]["state"]["content"]
        key = array(self._members[state["key"]["file"]], path)
        # The generator reads its key at `pos` without looking.
        if key.shape != (624,) or key.dtype.str[1:] != "u4" or not 0 <= integer(state["pos"]) <= len(key):
            raise ValueError("a random state that is none")

    def _slice(self, node: Any, _path: str, _depth: int) -> None:
        if set(node["content"]) != {"start", "stop", "step"} or not all(
            value is None or type(value) is int for value in node["content"].values()
        ):
            raise ValueError("a slice of something else than numbers")

    def _tree(self, node: Any, path: str, depth: int) -> None:
        if not path.endswith(".tree_"):  # the estimator around it is what looks at the number of columns
            raise ValueError("a tree outside of an estimator")
        arguments, state = node["__reduce__"]["args"], node["content"]
        if (
            set(node["__reduce__"]) != {"args"}
            or arguments["__loader__"] != "TupleNode"
            or len(arguments["content"]) != 3
        ):
            raise ValueError("a tree that is made of something else than its sizes")
        if state["__loader__"] != "DictNode" or set(state["content"]) != {"max_depth", "node_count", "nodes", "values"}:
            raise ValueError("a tree that holds something else than nodes and values")
        for part in (arguments, state):
            self.node(part, path, depth)
        features, classes, outputs = arguments["content"]
        parts = state["content"]
        check_tree(
            (integer(features), array(self._members[classes["file"]], path), integer(outputs)),
            array(self._members[parts["nodes"]["file"]], path),
            array(self._members[parts["values"]["file"]], path),
            (integer(parts["node_count"]), integer(parts["max_depth"])),
        )
