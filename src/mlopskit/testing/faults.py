"""Faults of a disk, made to order: the twin of `mlopskit.disk.Disk` that fails, or dies, at a chosen step.

total = count_steps(lambda disk: FolderStorage(str(place), disk=disk).commit(...))
for at in range(1, total + 1):
disk = FaultyDisk(at, Fault(error=errno.ENOSPC, moment="before"))
...
"""

from __future__ import annotations

import mmap
import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlopskit.disk import Disk

BEFORE, SHORT, AFTER = "before", "short", "after"
MOMENTS = (BEFORE, SHORT, AFTER)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens: an OSError of this number, or with None the process dies by SIGKILL; and when.

    `moment` is "before" the step, "after" it, or "short": after half of the bytes were written and none made durable.
    A step that writes no bytes has no half; there, "short" is "before".
    """

    error: int | None = None
    moment: str = BEFORE

    def happen(self) -> None:
        """Raise the error, or die."""
        if self.error is None:
            os.kill(os.getpid(), signal.SIGKILL)  # pragma: no cover  # and gone
        else:
            raise OSError(self.error, os.strerror(self.error))


class FaultyDisk(Disk):
    """A disk that does its steps, up to the one (counted from 1) at which the fault happens.

    `steps` holds the name of each step begun.
    """

    def __init__(self, at: int | None = None, fault: Fault | None = None) -> None:
        """Choose the step and the fault; without a step it only counts."""
        self.steps: list[str] = []
        self._at = at
        self._fault = fault or Fault()

    def mkdir(self, folder: Path, /) -> None:
        """Make a folder, or fail."""
        self._step("mkdir", lambda: Disk.mkdir(self, folder))

    def write(self, file: Path, source: Path | bytes, /) -> None:
        """Write a file, or fail; perhaps after half of it."""
        self._step("write", lambda: Disk.write(self, file, source), short=lambda: _write_half(file, source))

    def sync(self, folder: Path, /) -> None:
        """Fsync a folder, or fail."""
        self._step("sync", lambda: Disk.sync(self, folder))

    def rename(self, before: Path, after: Path, /) -> None:
        """Rename a folder, or fail."""
        self._step("rename", lambda: Disk.rename(self, before, after))

    def replace(self, before: Path, after: Path, /) -> None:
        """Rename a file over another, or fail."""
        self._step("replace", lambda: Disk.replace(self, before, after))

    def remove(self, path: Path, /) -> None:
        """Remove a file or folder, or fail."""
        self._step("remove", lambda: Disk.remove(self, path))

    def _step(self, name: str, do: Callable[[], None], short: Callable[[], None] = lambda: None) -> None:
        self.steps.append(name)
        moment = self._fault.moment if len(self.steps) == self._at else None
        if moment == SHORT:
            short()
        if moment in (BEFORE, SHORT):
            self._fault.happen()
        do()
        if moment == AFTER:
            self._fault.happen()


def _write_half(file: Path, source: Path | bytes) -> None:
    data = source if isinstance(source, bytes) else source.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def steps_of(act: Callable[[Disk], object], /) -> list[str]:
    """Return the steps that an act on a disk takes."""
    disk = FaultyDisk()
    act(disk)
    return disk.steps


def dies(act: Callable[[], object], /) -> bool:
    """Do this in a forked child, which costs milliseconds, and say whether it was killed by SIGKILL.

    Raises:
        AssertionError: it ended otherwise than by SIGKILL or without an error.
    """
    child = _fork(act)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), f"the child ended with the status {status}; its error stands above"
    return status != 0


def killed_after(seconds: float, act: Callable[[Callable[[int], None]], object], /) -> int:
    """Do this over and over in a forked child, kill it after some seconds, and return what it was at.

    `act` is given a function that it calls with a small number for whatever it begins; the last one is returned.

    Raises:
        AssertionError: the child ended by itself.
    """
    with mmap.mmap(-1, 1) as shared:  # what parent and child both see

        def forever() -> None:  # pragma: no cover  # in the child, which is killed
            while True:
                act(lambda number: shared.__setitem__(0, number))

        child = _fork(forever)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert status == signal.SIGKILL, f"the child ended with the status {status}; its error stands above"
        return shared[0]


def _fork(act: Callable[[], object]) -> int:
    with warnings.catch_warnings():
        # Python warns of threads; the child uses none, and nothing of the parent but what it is given.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:  # pragma: no cover  # the child ends before anybody could count its lines
        status = 1
        try:
            act()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)  # nothing of the parent, its tests least of all, goes on in the child
    return child
