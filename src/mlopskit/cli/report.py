"""The command that shows a package to whoever decides."""

from __future__ import annotations

from pathlib import Path

import click

from mlopskit.cli.commands import _open, _verb
from mlopskit.cli.output import show, write_file
from mlopskit.log import one_line

_FORMATS = ("html", "markdown")


@_verb(
    "report",
    click.argument("reference", required=False),
    click.option("--output", "-o", metavar="FILE", help="Where to write it; by default to standard output."),
    click.option("--format", "form", type=click.Choice(_FORMATS), help="By default by FILE's suffix."),
    click.option("--against", default="production", show_default=True, help="What is live: an alias or endpoint."),
)
def report(
    context: click.Context, *, reference: str | None, output: str | None, form: str | None, against: str, as_json: bool
) -> int:
    """Report a package (the last run's, or REFERENCE): verdict, gates, figures, slices, plots, data, lineage."""
    from mlopskit.report import html, markdown

    found = _open(context).report(reference, live=against)
    wanted = form or ("markdown" if output and Path(output).suffix in (".md", ".markdown") else "html")
    text = html(found) if wanted == "html" else markdown(found)
    if output is None:
        show({"package": found.package.digest, "outcome": found.outcome, wanted: text}, text, as_json=as_json)
        return 0
    write_file(Path(output), text)
    about = {"package": found.package.digest, "outcome": found.outcome, "file": output}
    show(
        about,
        f"Wrote {one_line(output)}: {found.package.name} {found.package.digest}, {found.outcome}.",
        as_json=as_json,
    )
    return 0


ALL = (report,)
