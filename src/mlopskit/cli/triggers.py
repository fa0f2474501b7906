"""The commands by which a build system knows when to run, and what."""

from __future__ import annotations

import contextlib
import logging
import re
import signal
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlopskit.cli.commands import _open, _verb, _write_new
from mlopskit.cli.output import progress, show
from mlopskit.log import one_line

if TYPE_CHECKING:
    from mlopskit.project import Project
    from mlopskit.records import Run

_PLACES = {
    "github": ".github/workflows/mlopskit.yml",
    "azure-pipelines": "azure-pipelines.yml",
    "gitlab": ".gitlab-ci.yml",
}
_ENDPOINTS = ("validation", "production")
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
_INSTALLS = {
    "requirements.lock": "--require-hashes --requirement requirements.lock",
    "requirements.txt": "--requirement requirements.txt",
}


@_verb("changed", click.option("--exit-code", is_flag=True, help="End with 1 if something changed."))
def changed(context: click.Context, *, exit_code: bool, as_json: bool) -> int:
    """Say what changed since the last run that was judged: data, code, settings, environment."""
    found = _open(context).changed()
    text = "\n".join(map(one_line, found)) or "Nothing changed since the last run that was judged."
    show({"changed": found}, text, as_json=as_json)
    return 1 if exit_code and found else 0


@_verb(
    "watch",
    click.option(
        "--every", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds between two looks."
    ),
    click.option("--once", is_flag=True, help="Wait until what changed has settled, run, and end."),
)
def watch(context: click.Context, *, every: float, once: bool, as_json: bool) -> int:
    """Run whenever data, code, settings or environment changed and have settled, until it is stopped."""
    from mlopskit.watching import Watch

    watching = Watch(file=Path(context.obj.project), every=every, run=_run)
    with _stopping():
        if once:
            run = watching.once()
            said = "Nothing changed." if run is None else _said(run)
            show(None if run is None else run.as_table(), said, as_json=as_json)
            return 0 if run is None or run.outcome == "passed" else 1
        with contextlib.suppress(KeyboardInterrupt):
            for run in watching.runs():
                show(run.as_table(), _said(run), as_json=as_json)
    return 0


def _run(project: Project) -> Run:
    with progress("run") as step:
        return project.run(progress=step)


def _said(run: Run) -> str:
    return f"Run {run.id} {run.outcome}: {run.name} {run.digest}"


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """Log to standard error, and let SIGTERM end all as Ctrl-C does."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@_verb(
    "ci",
    click.argument("system", type=click.Choice([*_PLACES]), metavar="SYSTEM"),
    click.option("--branch", default="main", show_default=True, help="The branch that is deployed."),
    click.option("--stdout", is_flag=True, help="Print the file, and write nothing."),
)
def ci(context: click.Context, *, system: str, branch: str, stdout: bool, as_json: bool) -> int:
    """Write the pipeline of a build system: train, judge, report, deploy to validation and, approved, to production."""
    project = _open(context)
    _check(project, branch)
    template = Path(__file__).with_name("templates") / f"{system}.yml"
    text = _filled(template.read_text(encoding="utf-8"), project.root, branch)
    if stdout:
        show({"file": None, "text": text}, text.removesuffix("\n"), as_json=as_json)
        return 0
    file = project.root / _PLACES[system]
    file.parent.mkdir(parents=True, exist_ok=True)
    _write_new(file, text)
    show({"file": str(file), "text": text}, f"Wrote {_PLACES[system]}. Read it, then commit it.", as_json=as_json)
    return 0


def _check(project: Project, branch: str) -> None:
    from mlopskit.errors import ConfigError

    if not _BRANCH.fullmatch(branch):
        raise ConfigError(f"{ascii(branch)} is no name of a branch.", remedy="Use letters, digits and ._/- in it.")
    root = project.root
    below = not (root / ".git").exists() and any((above / ".git").exists() for above in root.parents)
    if below or project.file.name != "mlopskit.toml":
        raise ConfigError(
            f"{str(project.file)!r} is not the mlopskit.toml at the top of its repository.",
            remedy="Move it there, or write the pipeline by hand after docs/how-to/run-in-ci.md.",
        )
    for name in _ENDPOINTS:
        if name not in project.config.endpoint:
            raise ConfigError(
                f"{project.file.name} has no [endpoint.{name}].",
                remedy=f"Add it: the pipeline deploys to {' and then to '.join(_ENDPOINTS)}.",
            )


def _filled(text: str, root: Path, branch: str) -> str:
    """Return the text of a template for a project; all that is put into it is of letters, digits and ._/=- alone."""
    found = next((name for name in _INSTALLS if (root / name).is_file()), None)
    wanted = _INSTALLS.get(found or "", f"mlopskit=={metadata.version('mlopskit')}")
    values = {
        "BRANCH": branch,
        "DEPENDENCIES": found or "mlopskit.toml",
        "INSTALL": f"python -m pip install {wanted}",
        "PYTHON": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
    return re.sub("@([A-Z]+)@", lambda match: values[match[1]], text)


ALL = (changed, watch, ci)
