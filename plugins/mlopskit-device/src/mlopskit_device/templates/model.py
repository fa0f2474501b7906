"""The model of this bundle, for Python: `model.load().predict([{"column": value, ...}])`; nothing else is needed."""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

sys.dont_write_bytecode = True
HERE = os.path.realpath(os.path.dirname(os.path.abspath(__file__)))
for _folder in (os.path.join(HERE, "site"), HERE):
    if _folder not in sys.path:
        sys.path.insert(0, _folder)


def about() -> dict[str, Any]:
    """Return what `bundle.json` says: `name`, `package` (the digest), `format`, `files`."""
    with open(os.path.join(HERE, "bundle.json"), encoding="utf-8") as opened:
        found: dict[str, Any] = json.load(opened)
        return found


def arguments() -> list[str]:
    """Return what the runtime is called with."""
    said = about()
    return [os.path.join(HERE, "package"), "--digest", said["package"], "--format", said["format"]]


def package(keep: Callable[[str], bool] = lambda _: False) -> Any:
    """Return the checked package, with the bytes of those files that `keep` says."""
    from _mlopskit_runtime import open_package  # type: ignore[import-not-found]  # stands beside it

    said = about()
    return open_package(os.path.join(HERE, "package"), digest=said["package"], format=said["format"], keep=keep)


def load() -> Any:
    """Return the model: `predict(rows)` answers a list of rows with a list of rows, `digest` is the package's."""
    from _mlopskit_runtime import load as load_from

    return load_from(package(), format=about()["format"])
