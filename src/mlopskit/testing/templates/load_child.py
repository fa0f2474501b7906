"""Load a stored model with a format's loader and score rows, in a process where mlopskit cannot be imported.

    python -I load_child.py LOADER.py FOLDER < request

The request is `{"files": [...], "spec": {...}, "columns": {...}}`, the answer the columns that the model gave.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any


def main(loader: str, folder: str) -> None:
    """Answer the request on standard input."""
    sys.modules["mlopskit"] = None  # type: ignore[assignment]
    spec = importlib.util.spec_from_file_location("loader", loader)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{loader} is no Python module")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # a package imports its own modules
    spec.loader.exec_module(module)
    request = json.load(sys.stdin)
    files = {path: Path(folder, path).read_bytes() for path in request["files"]}
    scored = module.load(files, request["spec"]).score(request["columns"])
    json.dump({name: _cells(column) for name, column in scored.items()}, sys.stdout)


def _cells(column: Any) -> list[Any]:
    return column.tolist() if hasattr(column, "tolist") else list(column)  # an array's cells are not JSON's


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
