"""Call a method in a process of its own, where texts have other hashes: sets have another order there."""

from __future__ import annotations

import dataclasses
import inspect
import os
import pickle  # for a process that this one starts, with what this one has made
import subprocess
import sys
from pathlib import Path

_CHILD = Path(__file__).parent / "templates" / "apart_child.py"


def call_apart(thing: object, method: str, /, *arguments: object) -> None:
    """Make an equal object in a fresh process, and call its method there; what it returns is not told.

    Raises:
        AssertionError: it failed there.
    """
    kind = type(thing)
    place = {"module": kind.__module__, "file": inspect.getfile(kind), "class": kind.__qualname__, "path": sys.path}
    fields = dataclasses.fields(thing) if dataclasses.is_dataclass(thing) else ()
    options = {one.name: getattr(thing, one.name) for one in fields if one.init}
    done = subprocess.run(
        [sys.executable, "-B", str(_CHILD)],
        input=pickle.dumps(place) + pickle.dumps((options, method, arguments)),
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"{method} failed in another process: {done.stderr.decode(errors='replace')[-1000:]}"
