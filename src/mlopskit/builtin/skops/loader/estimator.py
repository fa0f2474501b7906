"""The estimator of an archive, through all checks."""

from __future__ import annotations

import contextlib
import gc
import json
import types
from collections.abc import Collection, Iterator
from typing import Any, Protocol

from .audit import Audit
from .container import FILE, budget, replaced, unpack
from .names import KNOWN, TRUSTED
from .nodes import PROTOCOL, SCHEMA, parse
from .objects import check
from .settings import settle


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Make no search for garbage in this context: it would look at a tree of 100,000 nodes each time it has grown."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Code(Protocol):
    """The package's own code (see `mlopskit.runtime.code`)."""

    @property
    def modules(self) -> Collection[str]:
        """The names of its modules."""

    def private(self, module: str, /) -> str:
        """Return the name of a module in this process."""

    def find(self, module: str, name: str, /) -> Any:
        """Return a class or function of a module."""


@uncollected()
def load_estimator(data: bytes, /, code: Code | None = None) -> Any:
    """Return the estimator of an archive, checked from the container to the last index.

    Of the package's own code it takes the classes and functions that the archive names, and no others.
    """
    import sklearn

    members = unpack(data)
    if SCHEMA not in members:
        raise ValueError(f"{FILE} has no {SCHEMA}")
    root = parse(members[SCHEMA])
    modules = code.modules if code else ()
    version, allowed = sklearn.__version__, budget(data)
    audit = Audit(root, members, version, allowed=allowed, is_own=lambda module, _name: module in modules)
    for path, name, what in audit.problems[:1]:
        raise ValueError(f"{FILE}, {path}: {ascii(name[:120]) + ' ' if name else ''}{what}")
    own = []
    if code and audit.own:
        own = [_found(code, *one) for one in sorted(audit.own)]
        data = replaced(data, SCHEMA, _renamed(root, code))
    import skops.io

    # skops asks again: of our names it gets those that it does not trust itself, as far as they are needed.
    estimator = skops.io.loads(data, trusted=[*sorted(audit.types & TRUSTED), *own])
    check(estimator)
    settle(estimator)
    return estimator


def _found(code: Code, kind: str, module: str, name: str) -> str:
    """Return the name in this process of a class or function of the package's own, which must be there."""
    wanted = types.FunctionType if kind == "FunctionNode" else type
    if not isinstance(code.find(module, name), wanted):
        raise ValueError(f"{ascii(module)}.{ascii(name)} is no {wanted.__name__}")
    return f"{code.private(module)}.{name}"


def _renamed(root: dict[str, Any], code: Code) -> bytes:
    """Return schema.json with the names in this process of the package's own modules."""
    todo: list[Any] = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            module = node.get("__module__")
            if isinstance(module, str) and module in code.modules and f"{module}.{node['__class__']}" not in KNOWN:
                node["__module__"] = code.private(module)
        todo += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    # skops asks for its version, and does nothing with it.
    return json.dumps({**root, "protocol": PROTOCOL, "_skops_version": ""}).encode()
