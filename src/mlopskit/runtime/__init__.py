"""What travels to a target: open and check a package, validate rows, load, score, follow an alias.

It needs the standard library alone (a format's loader imports its engine), and it is copied into bundles as
`_mlopskit_runtime`, where mlopskit is not installed. Each name is loaded when it is first used: what only scores, often
in a process for one answer, does not wait for what follows an alias.
"""

from __future__ import annotations

import importlib

# Type checkers know the name; importing it from `typing` would cost more than all of this module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .alias import AliasRecord, follow, head, history
    from .following import WatchState
    from .names import check_path
    from .package import UNPINNED, Package, open_package
    from .scoring import FORMATS, Loader, Loaders, Model, Scorer, load
    from .watching import Watched, watch

_HOME = {
    "FORMATS": "scoring",
    "UNPINNED": "package",
    "AliasRecord": "alias",
    "Loader": "scoring",
    "Loaders": "scoring",
    "Model": "scoring",
    "Package": "package",
    "Scorer": "scoring",
    "WatchState": "following",
    "Watched": "watching",
    "check_path": "names",
    "follow": "alias",
    "head": "alias",
    "history": "alias",
    "load": "scoring",
    "open_package": "package",
    "watch": "watching",
}

__all__ = [
    "FORMATS",
    "UNPINNED",
    "AliasRecord",
    "Loader",
    "Loaders",
    "Model",
    "Package",
    "Scorer",
    "WatchState",
    "Watched",
    "check_path",
    "follow",
    "head",
    "history",
    "load",
    "open_package",
    "watch",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__]
