"""Measure every figure that the documentation names, print them, and write docs/reference/figures.md.

    make prove

The budgets are measured as ratios in this run. The tests run all, the slow ones too, under branch coverage; what they
count (kills survived, flips found, races decided) they report themselves, as properties of their JUnit report.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from blob import uploading
from budgets import Figure, all_figures
from graphs import graph_figures
from portable import portable_figures
from scoring import million_rows

from mlopskit.tables import Table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "figures.md"
# It takes as long as all others; `make prove` runs it apart, and it writes a page of its own.
ZOO = ("--deselect", "tests/e2e/test_zoo.py::test_all_but_a_few_answer_from_a_package_as_they_did")


def main() -> int:
    """Measure, print, write; return 1 if a budget is not kept or a test fails."""
    figures = []
    for figure in itertools.chain(all_figures(), portable_figures(), graph_figures(), million_rows(), uploading()):
        print(f"{figure.what}: {figure.measured:.3g} {figure.unit}", flush=True)
        figures.append(figure)
    counted, passed = tests()
    rows = [(one.what, f"{one.measured:.3g} {one.unit}", _budget(one), one.kept) for one in figures]
    table = Table(("what", "measured", "budget", "kept"), [*rows, *counted])
    print(table.text())
    PAGE.write_text(_page(table), encoding="utf-8")
    return 0 if passed and all(figure.kept for figure in figures) else 1


def _budget(figure: Figure) -> str:
    return f"{'at least' if figure.at_least else 'at most'} {figure.budget:g} {figure.unit}"


def tests() -> tuple[list[tuple[str, str, str, bool]], bool]:
    """Run all tests under branch coverage; return what they counted, and whether all passed."""
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary, "junit.xml")
        longer = {"MLOPSKIT_CHAOS_SECONDS": "300", "COVERAGE_FILE": str(Path(temporary, "coverage"))}
        environment = {**os.environ, **longer}
        start = time.perf_counter()
        command = ["-m", "pytest", "-q", "-n", "auto", "-m", "slow or not slow", *ZOO, "--cov", f"--junit-xml={report}"]
        done = subprocess.run([sys.executable, *command, "--cov-report="], check=False, cwd=ROOT, env=environment)
        seconds = time.perf_counter() - start
        total = subprocess.run(
            [sys.executable, "-m", "coverage", "report", "--format=total", "--precision=1"],
            check=True, cwd=ROOT, env=environment, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        suite = ET.parse(report).getroot()[0]  # noqa: S314  # written by pytest a moment ago
    passed = done.returncode == 0
    ran = f"{suite.get('tests')} run, {suite.get('failures')} failed, {suite.get('skipped')} skipped"
    rows = [("all tests, the slow ones too", f"{ran}, {seconds:.0f} s", "none fails", passed)]
    rows.append(("branch coverage of src/mlopskit", f"{total} %", "at least 95 %", float(total) >= 95))  # noqa: PLR2004
    return [*rows, *_counted(suite)], passed


def _counted(suite: ET.Element) -> Iterator[tuple[str, str, str, bool]]:
    """Yield what tests counted: `record_property("figure: WHAT", VALUE)`."""
    for case in suite.iter("testcase"):
        ok = case.find("failure") is None and case.find("error") is None
        for one in case.iter("property"):
            kind, _, what = (one.get("name") or "").partition(": ")
            if kind == "figure":
                yield what, one.get("value") or "", "as the test asserts", ok


def _page(table: Table) -> str:
    when = dt.datetime.now(dt.UTC).date().isoformat()
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return (
        "# Figures\n\nWritten by `make prove`; `x` is a ratio to what the line names, measured in the same run.\n\n"
        f"Measured on {when}, on {machine}.\n\n{table.markdown()}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
