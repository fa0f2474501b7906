"""Measure every figure that the documentation names, print them, and write docs/reference/figures.md.

    make prove
    make prove PART="portable device"

The budgets are measured as ratios in this run. The tests run all, the slow ones too; what they count (kills survived,
flips found, races decided) they report themselves, as properties of their JUnit report. All parts together take hours:
each has its section of the page, with its own date, and a run of some parts leaves the others as they are. Branch
coverage is told by a run of all.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from blob import uploading
from budgets import Figure, all_figures
from graphs import graph_figures
from portable import portable_figures
from scoring import million_rows
from serving.figures import serving_figures

from mlopskit.tables import Table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "figures.md"
COVERED = 95
_PORTABLE = [f"tests/e2e/test_portable_{one}.py" for one in ("exports", "packages", "zoo", "zoo_c", "zoo_javascript")]

Row = tuple[str, str, str, bool]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some figures and tests that are about one thing: a section of the page. `tests` are paths from the root.

    What `figures` yields as tables stands below those that have a budget.
    """

    title: str
    figures: Callable[[], Iterable[Figure | Table]] = tuple
    tests: Sequence[str] = ()


PARTS = {
    "budgets": Part(title="Budgets", figures=all_figures),
    "rows": Part(title="A million rows", figures=million_rows, tests=("tests/e2e/test_many_rows.py",)),
    "portable": Part(
        title="The portable form",
        figures=portable_figures,
        tests=("tests/unit/builtin/portable", *_PORTABLE),
    ),
    "onnx": Part(title="ONNX", figures=graph_figures, tests=("plugins/mlopskit-onnx",)),
    "device": Part(title="Devices", tests=("plugins/mlopskit-device",)),
    "docker": Part(title="Images and containers", tests=("plugins/mlopskit-docker",)),
    "serverless": Part(title="Functions", tests=("plugins/mlopskit-serverless", "tests/e2e/test_console_trainer.py")),
    "buckets": Part(
        title="Buckets", figures=uploading, tests=("plugins/mlopskit-blob", "plugins/mlopskit-objectstore")
    ),
    "serving": Part(title="Serving", figures=serving_figures),
    "webapi": Part(title="Serving under load and attack", tests=("plugins/mlopskit-webapi",)),
    "faults": Part(title="Faults", tests=("tests/faults",)),
    "zoo": Part(title="The zoo of estimators", tests=("tests/e2e/test_zoo.py",)),
}
# All that no part above has.
REST = Part(title="All other tests", tests=("tests", "plugins"))


def main(names: Sequence[str]) -> int:
    """Measure, print, write; return 1 if a budget is not kept or a test fails."""
    known = {**PARTS, "rest": REST}
    if unknown := sorted({*names} - known.keys()):
        raise SystemExit(f"There is no part {', '.join(unknown)}. Known: {', '.join(known)}.")
    chosen, kept = names or [*known], True
    with tempfile.TemporaryDirectory() as temporary:
        environment = {"MLOPSKIT_CHAOS_SECONDS": "300", **os.environ, "COVERAGE_FILE": str(Path(temporary, "coverage"))}
        for name in chosen:
            more: list[Table] = []
            rows = [*measured(known[name].figures, more), *tested(name, known[name].tests, environment)]
            if name == chosen[-1] and len(chosen) == len(known):
                rows.append(coverage(environment))
            table = Table(("what", "measured", "budget", "kept"), rows)
            print(f"{known[name].title}\n{table.text()}", flush=True)
            write(known[name].title, table, *more)
            kept = kept and all(row[-1] for row in rows)
    return 0 if kept else 1


def measured(figures: Callable[[], Iterable[Figure | Table]], more: list[Table]) -> Iterator[Row]:
    """Measure, print and yield figures; tables among them are added to `more`."""
    for one in figures():
        if isinstance(one, Table):
            print(one.text(), flush=True)
            more.append(one)
            continue
        print(f"{one.what}: {one.measured:.3g} {one.unit}", flush=True)
        budget = f"{'at least' if one.at_least else 'at most'} {one.budget:g} {one.unit}"
        yield one.what, f"{one.measured:.3g} {one.unit}", budget, one.kept


def tested(name: str, paths: Sequence[str], environment: dict[str, str]) -> Iterator[Row]:
    """Run the tests of a part under branch coverage; yield what they counted, and whether all passed."""
    if not paths:
        return
    others = [path for part in PARTS.values() for path in part.tests if name == "rest"]
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary, "junit.xml")
        start = time.perf_counter()
        command = ["-m", "pytest", "-q", "-n", "auto", "-m", "slow or not slow", f"--junit-xml={report}"]
        command += ["--cov", "--cov-append", "--cov-report=", *paths, *(f"--ignore={path}" for path in others)]
        done = subprocess.run([sys.executable, *command], check=False, cwd=ROOT, env=environment)
        seconds = time.perf_counter() - start
        suite = ET.parse(report).getroot()[0]  # noqa: S314  # written by pytest a moment ago
    ran = f"{suite.get('tests')} run, {suite.get('failures')} failed, {suite.get('skipped')} skipped"
    yield f"tests of {' '.join(paths)}", f"{ran}, {seconds:.0f} s", "none fails", done.returncode == 0
    yield from _counted(suite)


def _counted(suite: ET.Element) -> Iterator[Row]:
    """Yield what tests counted: `record_property("figure: WHAT", VALUE)`."""
    for case in suite.iter("testcase"):
        ok = case.find("failure") is None and case.find("error") is None
        for one in case.iter("property"):
            kind, _, what = (one.get("name") or "").partition(": ")
            if kind == "figure":
                yield what, one.get("value") or "", "as the test asserts", ok


def coverage(environment: dict[str, str]) -> Row:
    """Return the branch coverage of all tests together."""
    total = subprocess.run(
        [sys.executable, "-m", "coverage", "report", "--format=total", "--precision=1"],
        check=True, cwd=ROOT, env=environment, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    return "branch coverage of src/mlopskit", f"{total} %", f"at least {COVERED} %", float(total) >= COVERED


def write(title: str, *tables: Table) -> None:
    """Put a section of the page in its place, and leave the others."""
    sections = dict(_sections(PAGE.read_text("utf-8") if PAGE.exists() else ""))
    when = dt.datetime.now(dt.UTC).date().isoformat()
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    sections[title] = "\n\n".join([f"Measured on {when}, on {machine}.", *(table.markdown() for table in tables)])
    titles = [part.title for part in (*PARTS.values(), REST)]
    text = [f"## {one}\n\n{sections[one]}\n" for one in titles if one in sections]
    head = "# Figures\n\nWritten by `make prove`; `x` is a ratio to what the line names, measured in the same run.\n"
    PAGE.write_text("\n".join([head, *text]), encoding="utf-8")


def _sections(page: str) -> Iterator[tuple[str, str]]:
    for one in page.split("\n## ")[1:]:
        title, _, text = one.partition("\n\n")
        yield title, text.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
