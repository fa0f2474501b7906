"""What commands print: tables for people, JSON for machines, progress on a terminal only."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from mlopskit import steps
from mlopskit.errors import MlopskitError
from mlopskit.runtime.errors import printable


def show(value: Any, text: str, /, *, as_json: bool) -> None:
    """Print a value as JSON, or the text that says the same."""
    click.echo(json.dumps(value, sort_keys=True) if as_json else printable(text))


def write_file(file: Path, text: str, /) -> None:
    """Write a file whole, or not at all.

    Raises:
        StorageError: it cannot be written; what was there before still is.
    """
    from mlopskit.disk import storage_error

    temporary = file.with_name(f".{uuid.uuid4().hex}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise storage_error(error, root=file.parent) from error


def say_error(error: MlopskitError, /, *, as_json: bool) -> int:
    """Print an error with its remedy; return its exit code."""
    step, notes = getattr(error, "step", ""), list(getattr(error, "__notes__", ()))
    if as_json:
        about = {"error": error.message, "remedy": error.remedy, "kind": type(error).__name__, "step": step}
        click.echo(json.dumps({**about, "notes": notes, "exit_code": error.exit_code}, sort_keys=True))
        return error.exit_code
    label = click.style(_LABELS.get(error.exit_code, "Error"), fg="red", bold=True)
    # Further lines are indented: what a message quotes can begin no line that looks like one of ours.
    message = textwrap.indent(printable(error.message), "  ").lstrip()
    click.echo(f"{label}{f' at {step!r}' if step else ''}: {message}", err=True)
    for line in (error.remedy, *notes):
        click.echo(textwrap.indent(printable(line), "  "), err=True)
    return error.exit_code


_LABELS = {1: "Refused", 130: "Interrupted"}


@contextmanager
def progress(what: str, /) -> Iterator[Callable[[str], None]]:
    """Give a function that shows the step at work on a terminal, and does nothing in a pipe."""
    with _prints_on_stderr(), steps.progress(what) as step:
        yield step


@contextmanager
def _prints_on_stderr() -> Iterator[None]:
    """Let what a model's code or a library prints meanwhile go to standard error: the other is for the result alone."""
    if sys.stdout is None or sys.stderr is None:  # closed by who started us
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
