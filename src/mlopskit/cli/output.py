"""What commands print: tables for people, JSON for machines, progress on a terminal only."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from mlopskit.errors import MlopskitError


def show(value: Any, text: str, /, *, as_json: bool) -> None:
    """Print a value as JSON, or the text that says the same."""
    click.echo(json.dumps(value, ensure_ascii=False, sort_keys=True) if as_json else text)


def say_error(error: MlopskitError, /, *, as_json: bool) -> int:
    """Print an error with its remedy; return its exit code."""
    step = getattr(error, "step", "")
    if as_json:
        about = {"error": error.message, "remedy": error.remedy, "kind": type(error).__name__, "step": step}
        click.echo(json.dumps({**about, "exit_code": error.exit_code}))
    else:
        label = "Refused" if error.exit_code == 1 else "Error"
        click.echo(
            f"{click.style(label, fg='red', bold=True)}{f' at {step!r}' if step else ''}: {error.message}", err=True
        )
        click.echo(f"  {error.remedy}", err=True)
        for note in getattr(error, "__notes__", ()):
            click.echo(f"  {note}", err=True)
    return error.exit_code


@contextmanager
def progress(what: str, /) -> Iterator[Callable[[str], None]]:
    """Give a function that shows the step at work on a terminal, and does nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{what} …") as status:
        yield lambda step: status.update(f"{what}: {step} …")
