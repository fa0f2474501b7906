"""The commands by which a build system knows when to run."""

from __future__ import annotations

import click

from mlopskit.cli.commands import _open, _verb
from mlopskit.cli.output import show


@_verb("changed", click.option("--exit-code", is_flag=True, help="End with 1 if something changed."))
def changed(context: click.Context, *, exit_code: bool, as_json: bool) -> int:
    """Say what changed since the last run that was judged: data, code, settings, environment."""
    found = _open(context).changed()
    text = "\n".join(found) or "Nothing changed since the last run that was judged."
    show({"changed": found}, text, as_json=as_json)
    return 1 if exit_code and found else 0


ALL = (changed,)
