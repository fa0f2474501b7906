"""The model's own code: which classes and functions an archive names, and why some of them cannot travel."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlopskit.builtin.skops.archive import Node
from mlopskit.builtin.skops.loader.names import KNOWN, OWN_KINDS
from mlopskit.builtin.skops.loader.parts import walk
from mlopskit.capture import Captured, capture, fault


@dataclass(frozen=True)
class Own:
    """The captured code, and by the name of each class or function that is not in it, why not."""

    code: Captured
    faults: Mapping[str, str]

    def holds(self, module: str, name: str) -> bool:
        """Say whether a class or function is in the captured code."""
        return module in self.code.modules and f"{module}.{name}" not in self.faults


def own_of(root: Node, model: object, /) -> Own:
    """Return the own code of a model, and of its archive's tree."""
    things: dict[str, list[Any]] = {}
    for thing in _things(model):
        things.setdefault(f"{thing.__module__}.{thing.__name__}", []).append(thing)
    faults, modules = {}, set()
    for module, name in _names(root):
        whole = f"{module}.{name}"
        found = getattr(sys.modules.get(module), name, None)
        reasons = [_reason(whole, thing, found) for thing in things.get(whole, [found])]
        reason = next(filter(None, reasons), None)
        if reason:
            faults[whole] = reason
        elif whole not in KNOWN:
            modules.add(module)
    return Own(capture(modules) if modules else Captured(), faults)


def _reason(whole: str, thing: Any, found: Any) -> str | None:
    if thing is None:
        return f"{whole}, which its module does not have. Import it anew, and fit the model again"
    if whole not in KNOWN:
        return fault(thing)
    return None if thing is found else f"a thing that only calls itself {whole}. Give it a name of its own"


def _things(model: object) -> Iterator[Any]:
    """Yield each class and function that a model holds or is made of."""
    seen = set()
    for _, part in walk(model):
        thing = part if isinstance(part, type | types.FunctionType) else type(part)
        if id(thing) not in seen:
            seen.add(id(thing))
            yield thing


def _names(root: Node) -> set[tuple[str, str]]:
    """Return module and name of each class and function that a tree of nodes names."""
    found: set[tuple[str, str]] = set()
    todo: list[Any] = [root]
    while todo:
        node = todo.pop()
        if type(node) is dict:
            kind = node.get("__loader__")
            if kind in OWN_KINDS:
                found.add((node["__module__"], node["__class__"]))
            if kind != "JsonNode":  # 20,000 of them in a vocabulary
                todo.extend(node.values())
        elif type(node) in (list, tuple):
            todo.extend(node)
    return found
