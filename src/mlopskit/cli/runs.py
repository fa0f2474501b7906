"""The commands that look back: which runs there were, what differs between two, what comes out again."""

from __future__ import annotations

import click

from mlopskit.cli.commands import _open, _verb
from mlopskit.cli.output import progress, show


@_verb("runs")
def runs(context: click.Context, *, as_json: bool) -> int:
    """List the runs, the newest first: when, outcome, package, metrics, number of warnings, and why it came out so."""
    found = _open(context).runs()
    text = found.table().text() if found else "There was no run yet. Make one: mlopskit run"
    show(found.as_table(), text, as_json=as_json)
    return 0


@_verb("diff", click.argument("before", metavar="A"), click.argument("after", metavar="B"))
def diff(context: click.Context, *, before: str, after: str, as_json: bool) -> int:
    """Compare two runs or packages: metrics, measurements, data, warnings, parameters, code, files, environment."""
    found = _open(context).diff(before, after)
    show(found.as_table(), found.text(), as_json=as_json)
    return 0


@_verb(
    "reproduce",
    click.argument("reference", required=False),
    click.option("--here", is_flag=True, help="With what is installed here, whatever it was."),
)
def reproduce(context: click.Context, *, reference: str | None, here: bool, as_json: bool) -> int:
    """Make a package (the last run's, or REFERENCE) again of its commit, and say whether it is the same."""
    project = _open(context)
    with progress("reproduce") as step:
        found = project.reproduce(reference, here=here, progress=step)
    show(found.as_table(), found.text(), as_json=as_json)
    return 0 if found.same else 1


ALL = (runs, diff, reproduce)
