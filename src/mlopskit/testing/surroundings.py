"""Other surroundings for a piece of work, and a look at what it touches."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Audit events that change a disk (docs.python.org, "Audit events table"), and where their paths stand.
_CHANGES = {
    "os.chmod": (0,),
    "os.link": (1,),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.symlink": (1,),
    "os.utime": (0,),
}
_NETWORK = (
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
    "socket.sendmsg",
    "socket.sendto",
)


@dataclass
class Watch:
    """What was touched: the paths written, and the network events."""

    written: list[Path] = field(default_factory=list)
    network: list[str] = field(default_factory=list)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note an audit event."""
        if event in _NETWORK:
            self.network.append(f"{event} {arguments[1:]!r}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            self._note(arguments[0])
        elif event in _CHANGES and arguments[-1] in (-1, None):  # not relative to an open folder, as in rmtree
            for position in _CHANGES[event]:
                self._note(arguments[position])

    def _note(self, path: object) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            place = Path(os.path.realpath(os.fsdecode(path)))
            if "__pycache__" not in place.parts and place != Path(os.devnull):
                self.written.append(place)


@contextlib.contextmanager
def watched() -> Iterator[Watch]:
    """Watch what this process writes and which network calls it makes, by Python's audit events.

    What a subprocess does, and what compiled code does without telling Python, is not seen.
    """
    watch = Watch()
    listeners = _listeners()
    listeners.append(watch.hear)
    try:
        yield watch
    finally:
        listeners.remove(watch.hear)


@functools.cache
def _listeners() -> list[Callable[[str, tuple[Any, ...]], None]]:
    """Return who hears audit events. A hook can never be taken away, so there is one, made when first needed."""
    listeners: list[Callable[[str, tuple[Any, ...]], None]] = []

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        for listener in listeners:
            listener(event, arguments)

    sys.addaudithook(hear)
    return listeners


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[None]:
    """Let this be the folder of temporary files, and the current one."""
    before, current = tempfile.tempdir, Path.cwd()
    folder.mkdir()
    tempfile.tempdir = str(folder)
    os.chdir(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        os.chdir(current)


@contextlib.contextmanager
def another_day() -> Iterator[None]:
    """Let the local date be another one, and the time at least a second later."""
    before = os.environ.get("TZ")
    time.sleep(1.0 - time.time() % 1.0)
    # 26 hours lie between these: one of them has another date than any third zone.
    here = time.strftime("%d")
    try:
        for zone in ("EAST-14", "WEST+12"):
            _set_zone(zone)
            if time.strftime("%d") != here:
                break
        yield
    finally:
        _set_zone(before)


def _set_zone(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    if hasattr(time, "tzset"):
        time.tzset()


def elsewhere(act: Callable[[], Any], /) -> Any:
    """Do this in a process of its own with an empty home, as another machine would; return its value, which is JSON.

    What this process remembers, in memory or below its home, does not learn of it.

    Raises:
        AssertionError: it failed there.
    """
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork a process")
    source, target = os.pipe()
    with warnings.catch_warnings():
        # Python warns of threads; the child uses none, and nothing of the parent but what it is given.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _do_elsewhere(act, target)
    os.close(target)
    with os.fdopen(source, "rb") as opened:
        said = json.loads(opened.read() or b'{"error": "it died"}')
    os.waitpid(child, 0)
    assert "error" not in said, f"In another process: {said['error']}"
    return said["value"]


def _do_elsewhere(act: Callable[[], Any], target: int) -> None:
    said = json.dumps({"error": "it was interrupted"})
    try:
        with tempfile.TemporaryDirectory() as home:
            os.environ |= {"HOME": home, "XDG_STATE_HOME": home}
            said = json.dumps({"value": act()})
    except Exception:
        said = json.dumps({"error": traceback.format_exc()})
    finally:
        with os.fdopen(target, "wb") as opened:
            opened.write(said.encode())
        os._exit(0)  # nothing of the parent, its tests least of all, goes on here


def at_once(acts: Sequence[Callable[[], None]], /) -> None:
    """Do these in threads; an error of one is raised when all are done."""
    errors: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def contents(folder: Path, /) -> dict[str, bytes]:
    """Return the bytes of every file below a folder, by its path there."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
