"""The parts of a model: how they are found, and what a check says of one."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Any

# What is stored by its name, or not at all.
_WHOLE = (type, types.FunctionType, types.ModuleType)


def walk(model: Any, /) -> Iterator[tuple[str, Any]]:
    """Yield every object in a model once, with its place."""
    todo = [("model", model)]
    seen: dict[int, Any] = {}  # keeps the objects alive, so that no address is used twice
    while todo:
        path, part = todo.pop()
        if id(part) not in seen and not isinstance(part, str | int | float | bool | None):
            seen[id(part)] = part
            yield path, part
            todo += children(path, part)


def children(path: str, part: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an object holds, with its place."""
    if isinstance(part, Mapping):
        yield from ((f"{path}[{str(key)[:60]!a}]", child) for key, child in part.items())
    elif isinstance(part, list | tuple | set | frozenset):
        yield from ((f"{path}[{number}]", child) for number, child in enumerate(part))
    elif type(part).__name__ == "ndarray" and part.dtype.hasobject:
        yield from ((f"{path}[{number}]", child) for number, child in enumerate(part.ravel().tolist()))
    elif hasattr(part, "__dict__") and not isinstance(part, _WHOLE) and not is_sparse(part):
        yield from ((f"{path}.{name[:60]}", child) for name, child in vars(part).items())


def is_sparse(part: object) -> bool:
    """Say whether this is a sparse matrix."""
    return type(part).__module__.startswith("scipy.sparse")


def is_estimator_of_sklearn(kind: type) -> bool:
    """Say whether a class is, or is made from, one of scikit-learn's; what all estimators are made from is none."""
    names = [base.__module__ for base in kind.__mro__]
    return any(name.startswith("sklearn.") and not name.startswith(("sklearn.base", "sklearn.utils")) for name in names)


def require(fact: Any, part: object, what: str) -> None:
    """Raise a ValueError that names the part, unless this is so."""
    if not fact:
        raise ValueError(f"{type(part).__name__}: {what}")


def whole(part: Any, name: str) -> int:
    """Return an attribute that must be a whole number."""
    value = vars(part).get(name)
    require(isinstance(value, int) or getattr(value, "dtype", None) == "int64", part, f"{name} is no whole number")
    return int(value)
