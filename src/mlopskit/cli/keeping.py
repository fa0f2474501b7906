"""The commands that keep a registry: verify what it holds, copy packages to another one, remove what nobody needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlopskit.cli.commands import _open, _verb
from mlopskit.cli.output import progress, show

if TYPE_CHECKING:
    from mlopskit.registry import Registry

_REGISTRY = click.option("--registry", metavar="PLACE", help="The registry, or share; by default the project's.")
_MODEL = click.option("--model", metavar="NAME", help="Only this model of the registry.")


def _registry(context: click.Context, place: str | None) -> Registry:
    """Return the registry at a place, or that of the project; without a project, the one in this folder."""
    from mlopskit.registry import home

    if place is not None:
        return _at(place)
    file = context.obj.project
    return _open(context).registry if Path(file).exists() or file != "mlopskit.toml" else home()


def _at(place: str) -> Registry:
    from mlopskit.registry import Registry
    from mlopskit.storage import resolve_place

    return Registry.at(resolve_place(place, Path()))


@_verb(
    "verify",
    click.argument("endpoint", required=False),
    _REGISTRY,
    _MODEL,
    click.option("--repair-from", metavar="PLACE", help="A sound copy, from which damaged packages are taken."),
)
def verify(
    context: click.Context,
    *,
    endpoint: str | None,
    registry: str | None,
    model: str | None,
    repair_from: str | None,
    as_json: bool,
) -> int:
    """Ask what is live at an endpoint for its golden rows; without ENDPOINT, read all of the registry again."""
    from mlopskit import verifying

    if endpoint is not None:
        _refuse_with(endpoint, registry, model, repair_from)
        return _verify_endpoint(context, endpoint, as_json=as_json)
    with progress("verify") as step:
        copy = None if repair_from is None else _at(repair_from)
        audit = verifying.verify(_registry(context, registry), name=model, repair_from=copy, progress=step)
    show(audit.as_table(), audit.text(), as_json=as_json)
    return 0 if audit.sound else 1


def _refuse_with(endpoint: str, *options: str | None) -> None:
    from mlopskit.errors import UsageError

    if any(one is not None for one in options):
        raise UsageError(
            f"An endpoint ({endpoint!r}) was named together with an option about the registry.",
            remedy="Leave out the one or the other: 'mlopskit verify ENDPOINT', or 'mlopskit verify --registry PLACE'.",
        )


def _verify_endpoint(context: click.Context, endpoint: str, *, as_json: bool) -> int:
    project = _open(context)
    with progress(f"verify {endpoint}"):
        package, receipt = project.verify(endpoint)
    text = f"{endpoint} answers as {package.digest}: {receipt.rows} golden rows, no mismatch."
    show(receipt.as_table(), text, as_json=as_json)
    return 0


@_verb(
    "copy",
    click.argument("references", metavar="[REFERENCE]...", nargs=-1),
    click.option("--to", required=True, metavar="PLACE", help="The other registry."),
    click.option("--all", "everything", is_flag=True, help="All packages instead of those named."),
    _REGISTRY,
    _MODEL,
)
def copy(
    context: click.Context,
    *,
    references: tuple[str, ...],
    to: str,
    everything: bool,
    registry: str | None,
    model: str | None,
    as_json: bool,
) -> int:
    """Copy packages to another registry, with the verdicts on them, checked there byte by byte."""
    from mlopskit import copying
    from mlopskit.errors import UsageError

    if bool(references) == everything:
        raise UsageError("It is not said which packages to copy.", remedy="Name them by REFERENCE, or say --all.")
    with progress("copy") as step:
        source, name = _registry(context, registry), model or _name(context)
        wanted = None if everything else references
        made = copying.copy(wanted, to=_at(to), registry=source, name=name, progress=step)
    show(made.as_table(), made.text(), as_json=as_json)
    return 0


def _name(context: click.Context) -> str | None:
    """Return the name of the project's model, None where there is no project."""
    return _open(context).name if Path(context.obj.project).exists() else None


@_verb(
    "gc",
    click.option("--older-than", default="7d", show_default=True, metavar="TIME", help="The grace time: 7d, 12h, 0s."),
    click.option("--keep", type=click.IntRange(min=1), default=10, show_default=True, help="Packages of each place."),
    click.option("--dry-run", is_flag=True, help="Say what would be removed, and write nothing."),
    _REGISTRY,
)
def gc(
    context: click.Context, *, older_than: str, keep: int, dry_run: bool, registry: str | None, as_json: bool
) -> int:
    """Remove packages, bundles and runtimes that nothing needs, a grace time after they were found to be garbage."""
    from mlopskit import collecting

    seconds = _seconds(older_than)
    with progress("gc") as step:
        place = _registry(context, registry)
        found = collecting.gc(place, older_than=seconds, keep=keep, dry_run=dry_run, progress=step)
    show(found.as_table(), found.text(), as_json=as_json)
    return 0


def _seconds(text: str) -> float:
    """Return the seconds of a time such as 7d, 12h, 30m or 0s."""
    from mlopskit.errors import UsageError

    match = re.fullmatch(r"([0-9]{1,6})([dhms])", text)
    if match is None:
        raise UsageError(
            f"{text!r} is no time.", remedy="Give a number and d, h, m or s for days, hours, minutes or seconds: 7d."
        )
    return float(match[1]) * {"d": 86_400, "h": 3_600, "m": 60, "s": 1}[match[2]]


ALL = (verify, copy, gc)
