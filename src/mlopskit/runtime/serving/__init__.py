"""A server around models: HTTP/1.1 with limits, hot reload, metrics, a prediction log and a form.

It travels with a bundle that serves, and needs two wheels besides the standard library, `WHEELS`, which the bundle
brings. Each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .connection import Asked, Limits
    from .journal import Journal, Logging
    from .metrics import Metrics
    from .process import answer
    from .running import Settings, run
    from .site import Site, Source

WHEELS = ("httptools", "msgspec")

_HOME = {
    "Asked": "connection",
    "Journal": "journal",
    "Limits": "connection",
    "Logging": "journal",
    "Metrics": "metrics",
    "Settings": "running",
    "Site": "site",
    "Source": "site",
    "answer": "process",
    "run": "running",
}

__all__ = ["WHEELS", "Asked", "Journal", "Limits", "Logging", "Metrics", "Settings", "Site", "Source", "answer", "run"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__]
