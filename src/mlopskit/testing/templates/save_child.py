"""Save a model with a format in a process of its own; see `mlopskit.testing.formats`.

    python save_child.py FOLDER < request

The request is a pickle: the format's module, file and class, what it shall save, and where modules are found.
"""

from __future__ import annotations

import importlib.util
import pickle  # the request comes from the test that started this process
import sys
from pathlib import Path
from typing import Any


def main(folder: str) -> None:
    """Do as the request on standard input says."""
    place = pickle.load(sys.stdin.buffer)  # noqa: S301  # as above
    sys.path[:] = place["path"]
    format_class = _class(place["module"], place["file"], place["class"])
    model, schema, frame = pickle.load(sys.stdin.buffer)  # noqa: S301  # as above
    format_class().save(model, schema, frame, Path(folder))


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
    main(sys.argv[1])
