"""Run a folder of the runtime in this process, with a limit of memory and without mlopskit.

python -I isolated_child.py MEMORY_IN_BYTES NICE RUNTIME_FOLDER FOLDERS_OF_THE_ENGINE [modules of the engine]

The runtime's own arguments come as the first line of standard input, a JSON list: until it is there, the process
imports the engine, which takes longer than most models take to load.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import sys


def limit_memory(most: int) -> None:
    """Let this process have at most so much address space, where the system can do that."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    limit_memory(int(sys.argv[1]))
    if hasattr(os, "nice"):
        os.nice(int(sys.argv[2]))
    # With None there, `import mlopskit` fails, installed or not: what works here works at a target.
    sys.modules["mlopskit"] = None  # type: ignore[assignment]
    sys.path[:0] = [folder for folder in sys.argv[4].split(os.pathsep) if folder]
    for name in sys.argv[5:]:
        # What is missing is told by the loader, which knows what it is missing for.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # Without a line the other side has ended.
    line = sys.stdin.buffer.readline() or sys.exit(0)
    sys.argv = [sys.argv[3], *json.loads(line)]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        # Nobody waits for the engine to tidy up: that takes a third of a second.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)
