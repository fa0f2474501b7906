"""Processes that share a socket: started, watched, and started again when one dies or no longer answers."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_log = logging.getLogger(__name__)
_LOOK = 0.5
_PATIENCE = 15.0  # seconds to end in, a little more than a process lets its callers wait
_LOADING = 600.0
_LONGEST = 60.0
WORKS, STUCK = b".", b"!"


@dataclass
class _Worker:
    number: int
    pid: int
    pipe: int
    started: float = field(default_factory=time.monotonic)
    beaten: float | None = None

    def is_stuck(self, silence: float) -> bool:
        last, most = (self.started, _LOADING) if self.beaten is None else (self.beaten, silence)
        return time.monotonic() - last > most


@dataclass(kw_only=True)
class Supervisor:
    """Runs so many processes of one work, until told to end.

    `work` gets a process's number and a pipe to write WORKS to, again and again, once it answers; it returns an exit
    code. A process that writes STUCK, or nothing for `silence` seconds, is killed. `ready` is called once, when all
    answer.
    """

    processes: int
    work: Callable[[int, int], int]
    silence: float
    ready: Callable[[], None]
    _workers: dict[int, _Worker] = field(default_factory=dict)
    _ended: bool = False
    _told: bool = False
    _deaths: int = 0

    def run(self) -> int:
        """Return 0, or the exit code of a process that could not even begin; in each process, that of its work."""
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, self._end)
        for number in range(self.processes):
            if (code := self._start(number)) is not None:
                return code
        while not self._ended:
            self._listen(_LOOK)
            for worker in [one for one in self._workers.values() if one.is_stuck(self.silence)]:
                _log.error("Process %d no longer answers, and is killed.", worker.pid)
                self._kill(worker, signal.SIGKILL)
            for worker, code in self._dead():
                if worker.beaten is None and code > 0:
                    self._stop()
                    return code
                if (code_of_new := self._again(worker, code)) is not None:
                    return code_of_new
        self._stop()
        return 0

    def _start(self, number: int) -> int | None:
        """Start a process; None here, and in the process, when it has ended its work, an exit code."""
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            os.close(writing)
            os.set_blocking(reading, False)
            self._workers[pid] = _Worker(number, pid, reading)
            return None
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, signal.SIG_DFL)
        os.close(reading)
        for other in self._workers.values():
            os.close(other.pipe)
        return self.work(number, writing)

    def _again(self, worker: _Worker, code: int) -> int | None:
        """Start a process anew in place of a dead one; not at once, if it keeps dying."""
        self._deaths = self._deaths + 1 if time.monotonic() - worker.started < _LONGEST else 0
        _log.error("Process %d ended with %d, and is started again.", worker.pid, code)
        end = time.monotonic() + min(0.1 * 2.0 ** min(self._deaths, 20), _LONGEST)
        while not self._ended and time.monotonic() < end:
            self._listen(min(_LOOK, max(end - time.monotonic(), 0)))
        return None if self._ended else self._start(worker.number)

    def _listen(self, seconds: float) -> None:
        pipes = {one.pipe: one for one in self._workers.values()}
        found, _, _ = select.select([*pipes], [], [], seconds)
        said = {pipe: data for pipe in found if (data := os.read(pipe, 4096))}
        for pipe, data in said.items():
            pipes[pipe].beaten = -math.inf if STUCK in data else time.monotonic()
        if found and not said:
            time.sleep(0.01)  # the pipe of a process that has just ended
        if not self._told and self._workers and all(one.beaten for one in self._workers.values()):
            self._told = True
            self.ready()

    def _dead(self) -> list[tuple[_Worker, int]]:
        found = []
        for worker in [*self._workers.values()]:
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                os.close(worker.pipe)
                del self._workers[pid]
                found.append((worker, os.waitstatus_to_exitcode(status)))
        return found

    def _stop(self) -> None:
        for worker in self._workers.values():
            self._kill(worker, signal.SIGTERM)
        end = time.monotonic() + _PATIENCE
        while self._workers and time.monotonic() < end:
            self._dead()
            time.sleep(0.02)
        for worker in self._workers.values():
            self._kill(worker, signal.SIGKILL)
            os.waitpid(worker.pid, 0)

    @staticmethod
    def _kill(worker: _Worker, sign: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, sign)

    def _end(self, *_: object) -> None:
        self._ended = True
