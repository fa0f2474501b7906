"""Call a method of an object in a process of its own; see `mlopskit.testing.apart`.

    python apart_child.py < request

The request is two pickles: where the class is and where modules are found; then its options, the method's name and
arguments.
"""

from __future__ import annotations

import importlib.util
import pickle  # the request comes from the test that started this process
import sys
from typing import Any


def main() -> None:
    """Do as the request on standard input says."""
    place = pickle.load(sys.stdin.buffer)  # noqa: S301  # as above
    sys.path[:] = place["path"]
    kind = _class(place["module"], place["file"], place["class"])
    options, method, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301  # as above
    getattr(kind(**options), method)(*arguments)


def _class(name: str, file: str, qualified: str) -> Any:
    """Return a class of a module; of a test's module by its file, for it has no name that could be imported."""
    try:
        found: Any = importlib.import_module(name)
    except ImportError:
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise
        found = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
    for part in qualified.split("."):
        found = getattr(found, part)
    return found


if __name__ == "__main__":
    main()
