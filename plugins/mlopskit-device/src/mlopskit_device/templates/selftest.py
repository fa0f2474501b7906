"""Ask the model of this bundle for its golden rows: `python3 BUNDLE/selftest.py`.

The last line that it prints is one JSON object: what was asked, how many answers differ, and what it took. It ends with
0 if every row was answered as expected, else with 1. It writes nothing and needs no network.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from typing import Any

sys.path.insert(0, os.path.realpath(os.path.dirname(os.path.abspath(__file__))))

import model  # type: ignore[import-not-found]  # stands beside it

MOST = 20


def memory() -> int:
    """Return the most memory that this process had, in bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as opened:
            return next(int(line.split()[1]) * 1024 for line in opened if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 0


def asked() -> dict[str, Any]:
    """Return what the golden rows' answers were."""
    from _mlopskit_runtime.golden import (  # type: ignore[import-not-found]  # stands beside it
        FILE,
        answers_labels,
        compare_rows,
        golden_rows,
    )

    began = time.perf_counter()
    package = model.package(lambda path: path == FILE)
    golden, about = golden_rows(package.files, package.manifest), package.manifest["golden"] or {}
    answering = model.load()
    loaded = time.perf_counter()
    answers = answering.predict([one.row for one in golden]) if golden else []
    seconds = time.perf_counter() - loaded
    labels = answers_labels(package.manifest["task"])
    tolerance, scale = about.get("tolerance", 0.0), about.get("scale", 1.0)
    found = compare_rows(golden, answers, labels=labels, tolerance=tolerance, scale=scale)
    for one in found.mismatches[:MOST]:
        print(f"row {one.row}, {one.output!a}: {one.answered!a}, expected {one.expected!a}")
    return {
        "digest": answering.digest,
        "rows": len(golden),
        "mismatches": len(found.mismatches),
        "ties": found.ties,
        "largest": found.largest,
        "load_seconds": loaded - began,
        "seconds": seconds,
        "memory": memory(),
        "machine": platform.machine(),
        "runtime": answering.runtime(),
    }


def main() -> int:
    """Print what was asked; return the exit code."""
    try:
        said = asked()
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}", "remedy": getattr(error, "remedy", "Deploy it again.")}
    print(json.dumps(said))
    return 0 if said.get("mismatches") == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
