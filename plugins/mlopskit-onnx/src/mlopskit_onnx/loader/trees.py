"""The tables of trees: compiled code follows them without looking, so they are looked at here."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

DOUBLE, UINT8 = 11, 2
_AMONG = 6
_MODES = frozenset({0, _AMONG})
_LISTED = """
    nodes_featureids nodes_missing_value_tracks_true nodes_truenodeids nodes_trueleafs nodes_falsenodeids
    nodes_falseleafs
"""
_LISTS = frozenset(_LISTED.split())
_TABLES = {"nodes_splits": DOUBLE, "nodes_modes": UINT8, "leaf_weights": DOUBLE, "membership_values": DOUBLE}
_NAMES = _LISTS | _TABLES.keys() | {
    "aggregate_function", "n_targets", "post_transform", "tree_roots", "leaf_targetids",
}  # fmt: skip


def check_trees(attributes: Mapping[str, Mapping[str, Any]], width: int, /) -> None:
    """Check that no number leads out of the tables, and that no tree has a cycle.

    Raises:
        ValueError: one does, or a table is not there.
    """
    if not attributes.keys() <= _NAMES or _NAMES - attributes.keys() - {"membership_values"}:
        raise ValueError(f"trees have the tables {sorted(attributes)}, expected {sorted(_NAMES)}")
    lists = {name: attributes[name]["ints"] for name in _LISTS}
    tables = {name: _table(attributes[name], kind) for name, kind in _TABLES.items() if name in attributes}
    count, leaves = len(lists["nodes_featureids"]), len(tables["leaf_weights"]) // 8
    lengths = {*map(len, lists.values()), len(tables["nodes_modes"]), len(tables["nodes_splits"]) // 8}
    if lengths != {count} or not count or not leaves:
        raise ValueError("trees have tables of different lengths")
    _within(lists["nodes_featureids"], width, "a feature")
    _within(lists["nodes_missing_value_tracks_true"], 2, "a flag")
    targets = attributes["n_targets"]["i"] or 0
    _within(attributes["leaf_targetids"]["ints"], targets, "a target")
    if len(attributes["leaf_targetids"]["ints"]) != leaves or targets > leaves:
        raise ValueError("trees have tables of different lengths, or more targets than leaves")
    if attributes["aggregate_function"]["i"] != 1 or attributes["post_transform"]["i"] not in (0, None):
        raise ValueError("trees are put together in a way that is not allowed")
    modes = tables["nodes_modes"]
    sets = _sets(tables.get("membership_values", b""))
    if not {*modes} <= _MODES or modes.count(_AMONG) != sets:
        raise ValueError("trees have nodes of a kind that is not allowed, or other sets than nodes for them")
    _check_children(lists, attributes["tree_roots"]["ints"], count, leaves)


def _check_children(lists: Mapping[str, list[int]], roots: list[int], count: int, leaves: int) -> None:
    """Check that each inner child stands behind its parent, within the same tree, and has no other parent."""
    if not roots or roots[0] != 0 or any(a >= b for a, b in itertools.pairwise([*roots, count])):
        raise ValueError("trees have roots out of order")
    ends = [end for start, end in itertools.pairwise([*roots, count]) for _ in range(start, end)]
    seen: set[int] = set()
    for side in ("true", "false"):
        children, are_leaves = lists[f"nodes_{side}nodeids"], lists[f"nodes_{side}leafs"]
        _within(are_leaves, 2, "a flag")
        for node, (child, is_leaf) in enumerate(zip(children, are_leaves, strict=True)):
            if is_leaf:
                _within([child], leaves, "a leaf")
            elif not node < child < ends[node] or child in seen:
                raise ValueError("trees have a child that does not stand behind its parent, or has two")
            else:
                seen.add(child)
    if len(seen) + len(roots) != count:
        raise ValueError("trees have nodes that nothing leads to")


def _within(numbers: list[int], most: int, what: str) -> None:
    if numbers and not 0 <= min(numbers) <= max(numbers) < most:
        raise ValueError(f"trees name {what} that is not there")


def _table(attribute: Mapping[str, Any], kind: int) -> bytes:
    tensor = attribute["t"]
    if tensor is None or tensor["data_type"] != kind or len(tensor["dims"]) != 1:
        raise ValueError("trees have a table of another type")
    found: bytes = tensor["raw_data"] or b""
    return found


def _sets(values: bytes) -> int:
    """Return the number of sets: each ends with NaN."""
    import struct

    numbers = [one for (one,) in struct.iter_unpack("<d", values)]
    gaps = [one != one for one in numbers]  # noqa: PLR0124  # NaN equals nothing
    if numbers and not gaps[-1]:
        raise ValueError("trees have a set without an end")
    return sum(gaps)
