"""Measure processes: CPU seconds of a command, the least or the median of several runs."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def cpu(command: Sequence[str], *, runs: int = 7, cwd: Path | None = None) -> float:
    """Return the CPU seconds (user and system) of a command: the median of several runs after one to warm up."""
    _cpu_once(command, cwd)
    return statistics.median(_cpu_once(command, cwd) for _ in range(runs))


def _cpu_once(command: Sequence[str], cwd: Path | None) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run(command, check=True, cwd=cwd, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def wall(act: Callable[[], object], *, runs: int = 5, between: Callable[[], object] = lambda: None) -> float:
    """Return the wall-clock seconds of an act: the median of several runs; `between` is not counted."""
    seconds = []
    for _ in range(runs):
        between()
        start = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
