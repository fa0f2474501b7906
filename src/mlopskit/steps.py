"""Progress: which step is at work, shown in place on a terminal or in a notebook, and logged."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from mlopskit.log import logger, one_line

_log = logger()
Progress = Callable[[str], None]


def quiet(step: str) -> None:
    """Say nothing of a step."""
    del step


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
