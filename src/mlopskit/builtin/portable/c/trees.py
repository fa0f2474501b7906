"""Trees in C: all nodes of a step in one table."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from mlopskit.builtin.portable.c.names import number
from mlopskit.builtin.portable.c.source import Source, Step
from mlopskit.builtin.portable.c.vectors import starts_of


def trees(s: Source, step: Step) -> None:
    """Write a sum of trees."""
    f = step.fields
    many, roots = len(f["trees"]), s.integers(starts_of([tree["feature"] for tree in f["trees"]]))
    forest = _forest(s, f["trees"], f["size"])
    if len(step.sources) == 1:
        s.do(f"constant({step.y}, {s.doubles(f['start'])})")
    elif not step.in_place:
        s.do(f"copy({step.y}, s{step.sources[1]})")
    if f["size"] == 1:
        at = s.integers(f["at"])
        s.do(f"trees_of_numbers({step.y}, {step.x}, &{forest}, {many}, {roots}, {at}, {number(f['scale'])})")
    else:
        s.do(f"trees_of_vectors({step.y}, {step.x}, &{forest}, {many}, {roots})")


def _forest(s: Source, trees: Sequence[Mapping[str, Any]], size: int) -> str:
    nodes: list[str] = []
    values: list[float] = []
    aside: list[int] = []
    sets: dict[int, Sequence[float]] = {}
    for tree in trees:
        first, gaps = len(nodes), tree["missing_left"]
        own = {entry[0]: sorted(set(entry[1:])) for entry in tree["categories"] or ()}
        for i, feature in enumerate(tree["feature"]):
            if feature < 0:
                place = tree["right"][i]
                leaf = (number(tree["values"][place]), 0) if size == 1 else (0, len(values) + place * size)
                nodes.append(f"{{{leaf[0]}, -1, {leaf[1]}}}")
                aside.append(0)
                continue
            nodes.append(f"{{{number(tree['threshold'][i])}, {feature}, {first + tree['right'][i]}}}")
            aside.append(int(bool(gaps and gaps[i])) + 2 * (i in own))
            if i in own:
                sets[first + i] = own[i]
        if size != 1:
            values += tree["values"]
    cells = [s.table("node", nodes), s.doubles(values) if size != 1 else "0", "0", "0", "0", "0", "0"]
    if any(aside):
        cells[2] = s.integers(aside, "unsigned char")
    if sets:
        chosen = [*sets.values()]
        cells[3:] = [
            s.integers(sets),
            s.integers(starts_of(chosen)),
            s.doubles(itertools.chain(*chosen)),
            str(len(sets)),
        ]
    return s.struct("forest", cells)
