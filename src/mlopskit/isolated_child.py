"""Run a folder of the runtime in this process, with a limit of memory and without mlopskit.

python -I isolated_child.py MEMORY_IN_BYTES RUNTIME_FOLDER [arguments of the runtime]
"""

from __future__ import annotations

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
    # With None there, `import mlopskit` fails, installed or not: what works here works at a target.
    sys.modules["mlopskit"] = None  # type: ignore[assignment]
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
