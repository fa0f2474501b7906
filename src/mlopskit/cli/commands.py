"""The verbs. Each is a few lines around `mlopskit.project.Project`."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlopskit.cli.output import progress, show
from mlopskit.log import one_line

if TYPE_CHECKING:
    from mlopskit.project import Project
    from mlopskit.records import Deployment

_TEMPLATE = Path(__file__).with_name("templates") / "mlopskit.toml"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of all commands."""

    debug: bool
    project: str


def _open(context: click.Context) -> Project:
    from mlopskit.project import Project

    return Project(context.obj.project)


def _verb(name: str, *options: Callable[[Any], Any]) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command of a function that takes the context and its options, and returns the exit code."""

    def make(function: Callable[..., int]) -> click.Command:
        debug = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
        decorated = click.option("--json", "as_json", is_flag=True, help="Print JSON.")(debug(function))
        for option in reversed(options):
            decorated = option(decorated)
        return click.command(name)(click.pass_context(decorated))

    return make


_WHY = click.option("--why", default="", metavar="TEXT", help="The reason, kept in the record.")
_OVERRIDE = click.option(
    "--override", metavar="REASON", help="Go on without a passing verdict; the reason is recorded."
)
_ENDPOINT = click.argument("endpoint")
_PLACE = click.argument("place", metavar="ENDPOINT|ALIAS")
_ALIAS = click.option("--alias", is_flag=True, help="The alias is meant, though an endpoint is called so too.")
_REFERENCE = click.argument("reference", required=False)


@_verb("init", click.option("--name", default="model", show_default=True, help="The model's name."))
def init(context: click.Context, *, name: str, as_json: bool) -> int:
    """Write a mlopskit.toml to begin with."""
    from mlopskit.runtime.names import check_name

    file = Path(context.obj.project)
    _write_new(file, string.Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(name=check_name(name)))
    show({"file": str(file)}, f"Wrote {one_line(str(file))}. Edit it, then: mlopskit run", as_json=as_json)
    return 0


def _write_new(file: Path, text: str) -> None:
    from mlopskit.disk import storage_error
    from mlopskit.errors import ConfigError

    try:
        opened = file.open("x", encoding="utf-8")
    except FileExistsError as error:
        raise ConfigError(f"{str(file)!r} is there already.", remedy="Edit it, or remove it first.") from error
    except OSError as error:
        raise storage_error(error, root=file.parent) from error
    try:
        with opened:
            opened.write(text)
    except OSError as error:
        file.unlink()
        raise storage_error(error, root=file.parent) from error


@_verb("run", click.option("--force", is_flag=True, help="Run although nothing changed."))
def run(context: click.Context, *, force: bool, as_json: bool) -> int:
    """Train, package, judge and register, if data, code or settings changed."""
    project = _open(context)
    with progress("run") as step:
        done = project.run(force=force, progress=step)
    verdict = project.verdict(done.digest) if done.digest else None
    why = _listed(done.changed) or ("forced" if force else "")
    lines = [f"Run {done.id}: {why}" if why else f"Nothing changed since run {done.id}."]
    lines += [one_line(f"Data check: {text}") for text in done.warnings]
    if verdict:
        table = verdict.table().text()
        # A narrow terminal cuts the reasons off; those of failures are told in full.
        cut = [one for one in verdict.findings if not one.passed and one.reason not in table]
        lines += [table, *[one_line(f"Failed: {one.gate}: {one.reason}") for one in cut]]
        lines += _left_out(project, str(done.digest)) if why else []
        lines += [f"{done.outcome}: {project.name} {done.digest}"]
        if verdict.seen_before:
            lines.append(f"Earlier verdicts on these test rows: {verdict.seen_before}.")
    show({**done.as_table(), "verdict": verdict.as_table() if verdict else None}, "\n".join(lines), as_json=as_json)
    return 0 if done.outcome == "passed" else 1


def _left_out(project: Project, digest: str) -> list[str]:
    """Return a line for each form that a package does not hold."""
    refusals = project.registry.manifest(project.name, digest)["provenance"].get("refusals", {})
    return [one_line(f"Form left out: {form}: {' '.join(reasons)}") for form, reasons in refusals.items()]


def _listed(changed: Any) -> str:
    most = 5
    shown = ", ".join(map(one_line, list(changed)[:most]))
    return shown if len(changed) <= most else f"{shown} and {len(changed) - most} more"


@_verb(
    "build",
    _ENDPOINT,
    _REFERENCE,
    click.option("--into", required=True, metavar="DIR", help="A folder that is not there yet."),
)
def build(context: click.Context, *, endpoint: str, reference: str | None, into: str, as_json: bool) -> int:
    """Build the bundle of an endpoint into a folder, and push nothing."""
    bundle = _open(context).build(endpoint, Path(into), reference)
    about = {"digest": bundle.digest, "package": bundle.package, "folder": into, "files": list(bundle.files)}
    show(about, f"Built {bundle.digest} in {one_line(into)} ({len(bundle.files)} files).", as_json=as_json)
    return 0


@_verb(
    "fetch",
    _ENDPOINT,
    _REFERENCE,
    click.option("--upgrade", is_flag=True, help="Choose the newest wheels anew, whatever the lock names."),
)
def fetch(context: click.Context, *, endpoint: str, reference: str | None, upgrade: bool, as_json: bool) -> int:
    """Download the wheels that the bundle of an endpoint needs, by the hashes of mlopskit.lock, which it writes."""
    from mlopskit.fetching import Fetching
    from mlopskit.wheellock import LOCK

    project = _open(context)
    with progress(f"fetch {endpoint}") as step:
        found = Fetching(
            package=project.package(reference),
            deployer=project.deployer(endpoint),
            endpoint=endpoint,
            lock=project.root / LOCK,
            upgrade=upgrade,
            progress=step,
        ).run()
    show(found.as_table(), found.text(), as_json=as_json)
    return 0


@_verb(
    "sysroot",
    click.argument("folder", required=False),
    click.option("--platform", default="linux/aarch64", show_default=True, help="The kind of machine."),
    click.option("--python", default="3.11", show_default=True, help="The version of Python in it."),
    click.option("--mirror", metavar="URL", help="The mirror of Debian; by default Debian's own."),
)
def sysroot(
    context: click.Context, *, folder: str | None, platform: str, python: str, mirror: str | None, as_json: bool
) -> int:
    """Make a folder with Python for another processor, which bundles are asked in; nothing is installed."""
    from mlopskit import sysroot as sysroots

    del context
    made = Path(folder) if folder else sysroots.default_folder(platform, python)
    with progress(f"sysroot {platform}"):
        sysroots.make(made, platform, python, mirror=mirror or sysroots.MIRROR)
    show({"folder": str(made)}, str(made), as_json=as_json)
    return 0


@_verb(
    "eject",
    click.argument("folder", metavar="DIR"),
    _REFERENCE,
    click.option("--as", "language", required=True, metavar="LANGUAGE", help="python, javascript or c."),
    click.option("--publish-rows", is_flag=True, help="Let golden rows go along that were taken from the test data."),
)
def eject(
    context: click.Context, *, folder: str, reference: str | None, language: str, publish_rows: bool, as_json: bool
) -> int:
    """Write a package's model (the last run's, or REFERENCE) and its scorer as plain files that need no mlopskit."""
    from mlopskit import ejecting

    project = _open(context)
    package = project.package(reference)
    made = ejecting.eject(package, folder, language=language, publish_rows=publish_rows)
    verdict = project.verdict(package.digest)
    rows = "golden rows" if made.golden else "rows that were made up (the golden rows are test data: --publish-rows)"
    text = (
        f"Ejected {package.name} {package.digest} as {language} to {one_line(folder)} ({len(made.files)} files).\n"
        f"Its self-test asks for {rows}."
    )
    if verdict is None or not verdict.passed:
        text += "\nIt has no passing verdict: no target would take it."
    show(made.as_table(), text, as_json=as_json)
    return 0


@_verb("deploy", _ENDPOINT, _REFERENCE, _WHY, _OVERRIDE)
def deploy(
    context: click.Context, *, endpoint: str, reference: str | None, why: str, override: str | None, as_json: bool
) -> int:
    """Deploy a package (the last run's, or REFERENCE) to an endpoint, verified before and after the switch."""
    project = _open(context)
    with progress(f"deploy {endpoint}") as step:
        deployment = project.deploy(endpoint, reference, why=why, override=override, progress=step)
    return _show_deployment(deployment, "Deployed", endpoint, as_json=as_json)


@_verb(
    "promote",
    click.argument("reference"),
    click.option("--to", required=True, metavar="ALIAS", help="The alias."),
    _WHY,
    _OVERRIDE,
)
def promote(context: click.Context, *, reference: str, to: str, why: str, override: str | None, as_json: bool) -> int:
    """Move an alias of the registry to a package, verified like every deployment."""
    project = _open(context)
    with progress(f"promote to {to}") as step:
        deployment = project.promote(reference, to=to, why=why, override=override, progress=step)
    return _show_deployment(deployment, "Promoted", to, as_json=as_json)


@_verb(
    "approve",
    click.argument("reference"),
    click.option("--for", "alias", required=True, metavar="ALIAS", help="The alias."),
    _WHY,
)
def approve(context: click.Context, *, reference: str, alias: str, why: str, as_json: bool) -> int:
    """Record that you approve a package for an alias of the registry."""
    approval = _open(context).approve(reference, alias=alias, why=why)
    text = f"Approved for {alias} by {approval.who}: {approval.name} {approval.digest}."
    show(approval.as_table(), text, as_json=as_json)
    return 0


@_verb("rollback", _PLACE, click.option("--to", metavar="REFERENCE", help="The package to go back to."), _WHY, _ALIAS)
def rollback(context: click.Context, *, place: str, to: str | None, why: str, alias: bool, as_json: bool) -> int:
    """Make live again what was live before at an endpoint or under an alias, verified like every deployment."""
    project = _open(context)
    with progress(f"roll back {place}") as step:
        deployment = project.rollback(place, to=to, why=why or "rollback", alias=alias, progress=step)
    return _show_deployment(deployment, "Rolled back", place, as_json=as_json)


def _show_deployment(deployment: Deployment, verb: str, place: str, *, as_json: bool) -> int:
    receipt = deployment.receipt
    text = (
        f"{verb}: {deployment.name} {deployment.package} to {place}.\n"
        f"Receipt: {receipt.rows} golden rows answered by {receipt.answered_by}, {len(receipt.mismatches)} mismatches, "
        f"{receipt.ties} ties, largest difference {receipt.largest_difference:.3g}."
    )
    if receipt.measurements:
        text += "\nMeasured: " + ", ".join(f"{name} {value:.4g}" for name, value in receipt.measurements.items()) + "."
    show(deployment.as_table(), text, as_json=as_json)
    return 0


@_verb("status")
def status(context: click.Context, *, as_json: bool) -> int:
    """Show the last run, and what is live where, as the targets say it."""
    found = _open(context).status()
    show(found.as_table(), found.text(), as_json=as_json)
    return 0


@_verb("history", _PLACE, _ALIAS)
def history(context: click.Context, *, place: str, alias: bool, as_json: bool) -> int:
    """Show what was live at an endpoint, or under an alias of the registry: since when, by whom, why."""
    table = _open(context).history(place, alias=alias)
    show([dict(zip(table.columns, row, strict=True)) for row in table.rows], table.text(), as_json=as_json)
    return 0


@_verb("plugins")
def plugins(context: click.Context, *, as_json: bool) -> int:
    """List what is plugged in, and what is broken."""
    from mlopskit import plugins as found

    del context
    listing = found.listing()
    show([vars(one) for one in listing], found.table(listing).text(), as_json=as_json)
    return 3 if any(one.problem for one in listing) else 0


ALL = (init, run, fetch, sysroot, build, eject, deploy, promote, approve, rollback, status, history, plugins)
