"""schema.json as a tree of nodes, and what their fields are read as."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

SCHEMA = "schema.json"
PROTOCOL = 2  # of skops: earlier ones are read by other, older code

MAX_SCHEMA = 256 << 20


def parse(data: bytes) -> dict[str, Any]:
    """Return schema.json as a tree of nodes, strictly.

    Raises:
        ValueError: it is larger or deeper than allowed, holds a key twice, or is no skops schema of this protocol.
    """
    if len(data) > MAX_SCHEMA:
        raise ValueError(f"{SCHEMA} has {len(data)} bytes, at most {MAX_SCHEMA} are read")
    try:
        root = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError(f"{SCHEMA} is nested too deep") from None
    if not isinstance(root, dict) or type(root.get("protocol")) is not int or root["protocol"] != PROTOCOL:
        raise ValueError(f"{SCHEMA} is not of protocol {PROTOCOL}")
    if not isinstance(root.pop("_skops_version", None), str):
        raise ValueError(f"{SCHEMA} does not say which skops wrote it")
    del root["protocol"]
    return root


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"{SCHEMA} holds the key {ascii(twice[:60])} twice in one place")
    return table


def _no_constant(text: str) -> None:
    raise ValueError(f"{SCHEMA} holds {text}")


def head(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a reference to a node repeats of it."""
    return {key: node.get(key) for key in ("__class__", "__module__", "__loader__", "__id__")}


def is_node(node: Any, kind: str, module: str, name: str, more: Iterable[str] = ()) -> bool:
    """Say whether a node is of this kind and type, with content, these keys and no others."""
    wanted = {"__loader__": kind, "__module__": module, "__class__": name}
    return {key: node.get(key) for key in wanted} == wanted and set(node) - {"__id__"} == {*wanted, "content", *more}


def expect(value: Any, kind: type, what: str) -> Any:
    """Return a value that must be of exactly this type."""
    if type(value) is not kind:
        raise ValueError(f"{what} is {type(value).__name__}, not {kind.__name__}")
    return value


def scalar(node: Mapping[str, Any]) -> Any:
    """Return the number, text, truth or nothing of a JsonNode."""
    value = json.loads(expect(node["content"], str, "content")) if node["__loader__"] == "JsonNode" else node
    if isinstance(value, dict | list):
        raise ValueError("a value that is more than a number or text")
    return value


def integer(node: Mapping[str, Any]) -> int:
    """Return the whole number of a JsonNode."""
    value = scalar(node)
    if type(value) is not int:
        raise ValueError("a size that is no whole number")
    return value
