"""The commands that judge: a package again, and the gates themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from mlopskit.cli.commands import _REFERENCE, _open, _verb
from mlopskit.cli.output import progress, show, write_file
from mlopskit.errors import UsageError
from mlopskit.tables import Table


@click.group("gates")
def gates() -> None:
    """Look at the gates of a project."""


@_verb("selftest")
def selftest(context: click.Context, *, as_json: bool) -> int:
    """Show the gates models that are bad on purpose, and say which gate refuses which."""
    project = _open(context)
    with progress("gates selftest") as step:
        found = project.selftest(progress=step)
    show(found.as_table(), found.text(), as_json=as_json)
    return 0 if found.passed else 1


@_verb(
    "evaluate",
    _REFERENCE,
    click.option("--junit", metavar="FILE", help="Also write the verdict as JUnit XML, for a build system."),
    click.option("--answers", metavar="FILE", help="Also write each test row with its answer, as .csv or .jsonl."),
)
def evaluate(
    context: click.Context, *, reference: str | None, junit: str | None, answers: str | None, as_json: bool
) -> int:
    """Judge a package (the last run's, or REFERENCE) again, on the present test rows and gates."""
    from mlopskit.junit import junit as as_junit

    project = _open(context)
    written = None if answers is None else _form_of_answers(answers)
    with progress("evaluate"):
        judged = project.evaluate(reference)
    verdict = judged.verdict
    if junit is not None:
        write_file(Path(junit), as_junit(verdict, judged.cases))
    if answers is not None and written is not None:
        write_file(Path(answers), written(judged.answers()))
    outcome = "passed" if verdict.passed else "refused"
    lines = [verdict.table().text(), f"{outcome}: {verdict.name} {verdict.digest}"]
    if not verdict.findings:
        lines = ["There is no gate, and without one no verdict passes.", lines[-1]]
    show(
        {**verdict.as_table(), "passed": verdict.passed, "cases": dict(judged.cases)}, "\n".join(lines), as_json=as_json
    )
    return 0 if verdict.passed else 1


def _form_of_answers(file: str) -> Callable[[Table], str]:
    forms = {".csv": Table.csv, ".jsonl": Table.json_lines}
    form = forms.get(Path(file).suffix.lower())
    if form is None:
        raise UsageError(
            f"{file!r} has none of the suffixes .csv and .jsonl.",
            remedy="Write .csv for a spreadsheet, .jsonl for a program.",
        )
    return form


gates.add_command(selftest)
ALL = (evaluate, gates)
