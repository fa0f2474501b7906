"""Progress: which step is at work, shown in place on a terminal or in a notebook, and logged."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

from mlopskit.log import logger, one_line

_log = logger()
Progress = Callable[[str], None]


def quiet(step: str) -> None:
    """Say nothing of a step."""
    del step


_at_work: ContextVar[Progress] = ContextVar("at_work", default=quiet)
_PAUSE = 0.2  # seconds: nobody reads faster


@contextmanager
def telling(progress: Progress, step: str, /) -> Iterator[None]:
    """Let those far below a step tell how far they are, in this thread."""
    before = _at_work.set(lambda detail: progress(f"{step}: {detail}"))
    try:
        yield
    finally:
        _at_work.reset(before)


def sending(size: int, /) -> Callable[[int], None]:
    """Return what a storage calls, from any thread, with how many of `size` bytes it has sent by now.

    The step at work shows it.

    >>> with telling(print, "push"):
    ...     sent = sending(2_000_000_000)
    ...     sent(2_000_000_000)
    push: 2,000 of 2,000 MB sent
    """
    tell, told = _at_work.get(), [0.0]

    def sent(done: int) -> None:
        now = time.monotonic()
        if now - told[0] >= _PAUSE or done >= size:
            told[0] = now
            tell(f"{done / 1e6:,.0f} of {size / 1e6:,.0f} MB sent")

    return sent


def logged(what: str, progress: Progress, /) -> Progress:
    """Return a function that logs a step at work, at INFO, and tells it on."""

    def tell(step: str) -> None:
        _log.info("%s: %s", what, step)
        progress(step)

    return tell


@contextmanager
def progress(what: str, /) -> Iterator[Progress]:
    """Give a function that shows the step at work; in a notebook below the cell, on a terminal on standard error.

    Where standard error is a pipe or a file, it does nothing: the steps are logged, too, which is what other programs
    read. Give it to what takes `progress`:

        with mk.progress("run") as step:
            project.run(progress=step)
    """
    if _in_notebook():
        yield from _notebook(what)
    elif _is_terminal(sys.stderr):
        yield from _terminal(what)
    else:
        yield lambda _: None


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _in_notebook() -> bool:
    """Say whether this process is a notebook's kernel, without importing IPython where nobody did."""
    running: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(running, "kernel")


def _terminal(what: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(f"{one_line(what)} …")) as status:
        yield lambda step: status.update(Text(f"{one_line(what)}: {one_line(step)} …"))


def _notebook(what: str) -> Iterator[Progress]:
    """Show one line that changes, and stays with the time that all took."""
    display: Callable[..., Any] = sys.modules["IPython"].display.display
    start = time.perf_counter()
    shown = display(_line(f"{what} …"), raw=True, display_id=True)
    said = "failed"
    try:
        yield lambda step: shown.update(_line(f"{what}: {step} …"), raw=True)
        said = "done"
    finally:
        shown.update(_line(f"{what}: {said} after {time.perf_counter() - start:.1f} s"), raw=True)


def _line(text: str) -> dict[str, str]:
    return {"text/plain": text, "text/html": f"<i>{html.escape(text)}</i>"}
