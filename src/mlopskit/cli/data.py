"""The commands about data."""

from __future__ import annotations

import click

from mlopskit.cli.commands import _open, _verb
from mlopskit.cli.output import progress, show


@click.group("data")
def data() -> None:
    """Look at the data of a project."""


@_verb("check")
def check(context: click.Context, *, as_json: bool) -> int:
    """Say what is wrong with the data, before training."""
    project = _open(context)
    with progress("data check"):
        report = project.check_data()
    counts = "" if report.train is None else f"{report.train:,} rows to train on, {report.test:,} to test on."
    refused, warned = len(report.refusals), len(report.findings) - len(report.refusals)
    said = f"{refused} refuse, {warned} warn." if report.findings else "Nothing to say against them."
    lines = [*([report.table().text()] if report.findings else []), " ".join(filter(None, (counts, said)))]
    show(report.as_table(), "\n".join(lines), as_json=as_json)
    return 0 if report.passed else 1


@_verb(
    "drift",
    click.argument("uri", required=False),
    click.option("--against", metavar="REFERENCE", help="The package whose training rows to compare with."),
    click.option("--least", type=float, default=0.1, show_default=True, help="The share that must have moved."),
)
def drift(context: click.Context, *, uri: str | None, against: str | None, least: float, as_json: bool) -> int:
    """Say in which columns the rows of URI, or of [data] incoming, are not like the training rows any more."""
    found = _open(context).drift(uri, against, least=least)
    said = "The rows have drifted." if found.alarm else "No alarm."
    show(found.as_table(), f"{found.table().text()}\n{found.rows:,} rows. {said}", as_json=as_json)
    return 1 if found.alarm else 0


data.add_command(check)
data.add_command(drift)
ALL = (data,)
