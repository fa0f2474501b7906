"""What travels to a target: open and check a package, validate rows, load, score, follow an alias.

It needs the standard library alone (a format's loader imports its engine), and it is copied into bundles as
`_mlopskit_runtime`, where mlopskit is not installed.
"""

from .alias import AliasRecord, follow, head, history
from .names import check_path
from .package import UNPINNED, Package, open_package
from .scoring import FORMATS, Loader, Loaders, Model, Scorer, load
from .watching import Watched, WatchState, watch

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
