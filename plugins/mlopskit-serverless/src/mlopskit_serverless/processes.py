"""Processes as function services run them: all files are read-only but those below one folder, memory is counted."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from mlopskit.errors import DeployError

# Landlock, https://docs.kernel.org/userspace-api/landlock.html: the numbers are the same on every processor.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_NO_NEW_PRIVILEGES = 38
_WORDS = 2000  # bytes
_BENEATH = 1
_WRITE_FILE = 1 << 1
# To remove and make files and folders of any kind; to move between folders (since version 2), to cut off (3).
_WRITE = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))
_SINCE = {2: 1 << 13, 3: 1 << 14}


class _Rule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def can_seal() -> bool:
    """Say whether this machine's kernel has Landlock: without it a process may write whatever its user may."""
    return _version() >= 1


def spawn(
    command: Sequence[str],
    /,
    *,
    cwd: Path,
    env: Mapping[str, str],
    writable: Path,
    output: IO[bytes],
    inherit: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process, in a group of its own, that can write below the folder `writable` alone, though root runs it.

    What it prints goes into `output`; the descriptors `inherit` stay open in it.

    Raises:
        DeployError: it cannot be started.
    """
    started: list[subprocess.Popen[bytes] | OSError] = []

    def start() -> None:
        # What is forbidden to a thread is forbidden to the processes that it starts: this one has no other work.
        try:
            _seal(writable)
            # No `with`: whoever called ends it.
            started.append(
                subprocess.Popen(
                    [*command],
                    cwd=cwd,
                    env={**env},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=inherit,
                    start_new_session=True,
                )
            )
        except OSError as error:
            started.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    (one,) = started
    if isinstance(one, OSError):
        remedy = "Check that it is there and may run."
        raise DeployError(f"{command[0]} cannot be started: {one}", remedy=remedy) from one
    return one


def compile_all(folder: Path, command: Sequence[str], /) -> None:
    """Write the bytecode of a service's runtime beside it, as the service has it: a sealed process cannot.

    An emulator is not waited for: what is asked in one is not asked how fast it starts.
    """
    if len(command) == 1:
        # -I: whatever our own variables say, it stands beside.
        silent = [*command, "-I", "-S", "-m", "compileall", "-qq", str(folder)]
        with contextlib.suppress(OSError):  # what cannot run is told when it shall
            subprocess.run(silent, check=False, stdin=subprocess.DEVNULL, capture_output=True)


def end(process: subprocess.Popen[bytes], /) -> int:
    """End a process with all that it started, and return its exit code, negative if it is a signal's number."""
    # Though it has ended by itself, what it started may run on; its number is nobody else's as long as that is so.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


class Memory:
    """What a process, with others if `pids` names them, may have resident at its peak: `most` MiB (2^20 bytes).

    That is how services count: the limit of an address space would refuse engines that reserve more than they use.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        /,
        *,
        most: float | None,
        pids: Callable[[], Iterable[int]] | None = None,
    ) -> None:
        self._process, self._most = process, most
        self._pids = pids or (lambda: [process.pid])
        self._used = 0.0

    @property
    def fault(self) -> str:
        """What is wrong, in a sentence; empty if the process was not ended by this."""
        return f"it used {self._used:.0f} MiB of memory, its limit is {self._most}" if self._used else ""

    def check(self) -> bool:
        """End the process if it had more memory than it may; say whether it did."""
        if self._most is None or self._used:
            return bool(self._used)
        used = sum(peak_mib(pid) or 0.0 for pid in self._pids())
        if used > self._most:
            self._used = used
            end(self._process)
        return bool(self._used)

    @contextlib.contextmanager
    def watched(self, every: float = 0.05) -> Iterator[None]:
        """Check every so many seconds, as long as this is open."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(every) and not self.check():
                pass

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def last_words(output: Path, /) -> str:
    """Return the end of what a process printed into a file; it may have printed nothing."""
    with output.open("rb") as opened:
        opened.seek(max(0, output.stat().st_size - _WORDS))
        return opened.read().decode(errors="replace").strip()


def peak_mib(pid: int, /) -> float | None:
    """Return the most memory that a process had resident at once, in MiB (2^20 bytes); None where nobody can tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, LookupError, ValueError):
        return None


def _version() -> int:
    return _call(_CREATE, None, 0, 1)


def _seal(writable: Path) -> None:
    """Forbid this thread, and what it starts, to write anywhere but below a folder, and to devices as /dev/null."""
    version = _version()
    if version < 1:
        return
    every = _WRITE | sum(right for since, right in _SINCE.items() if version >= since)
    handled = ctypes.c_uint64(every)
    with _open(_done(_call(_CREATE, ctypes.byref(handled), ctypes.sizeof(handled), 0))) as rules:
        for folder, allowed in ((writable, every), (Path("/dev"), _WRITE_FILE)):
            with _open(os.open(folder, os.O_PATH | os.O_CLOEXEC)) as opened:
                rule = _Rule(allowed, opened)
                _done(_call(_ADD, rules, _BENEATH, ctypes.byref(rule), 0))
        _done(ctypes.CDLL(None, use_errno=True).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _done(_call(_RESTRICT, rules, 0))


def _call(*arguments: Any) -> int:
    try:
        called = ctypes.CDLL(None, use_errno=True).syscall
    except (OSError, AttributeError):  # no Linux
        return -1
    called.restype = ctypes.c_long
    return int(called(*(ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)))


def _done(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return result


@contextlib.contextmanager
def _open(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
