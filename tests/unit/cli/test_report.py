from __future__ import annotations

from pathlib import Path
from typing import Any

import mlopskit as mk
from mlopskit.evidence import Evidence


def test_a_report_is_written_beside_what_is_live(cli: Any, project: mk.Project) -> None:
    said = cli("report", "-o", "report.html")
    assert (said.code, said.err) == (0, "")
    digest = project.package().digest
    assert said.out == f"Wrote report.html: mood {digest}, passed.\n"
    page = Path("report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    for words in ("ROC curve", "Confusion matrix", "source=b", "Data", "This package is what is live under"):
        assert words in page
    assert not [path for path in Path.cwd().iterdir() if path.name.startswith(".") and len(path.name) > 30]


def test_of_an_earlier_package_against_another_name(cli: Any, project: mk.Project) -> None:
    first = project.runs()[0].digest
    text = cli("report", str(first), "--format", "markdown").out
    assert text.startswith("### ✅ mood: passed")
    assert "Beside what is live under 'production'" in text
    assert "| metric | value | lower | upper | rows | production | difference | method |" in text
    assert "Nothing is live under 'canary' yet" in cli("report", "--against", "canary", "--format", "markdown").out
    cli("report", "-o", "report.md")
    assert Path("report.md").read_text(encoding="utf-8").startswith("### ✅")
    as_json = cli("report", "--json", "-o", "report.html").json
    assert as_json == {"package": project.package().digest, "outcome": "passed", "file": "report.html"}


def test_what_cannot_be_written_or_found_is_told(refused: Any, project: mk.Project) -> None:
    Path("report.html").write_text("before")
    assert "no such file or directory" in refused(3, "report", "-o", "nowhere/report.html")
    assert "There is no endpoint or alias 'nope'" in refused(2, "report", "nope", "-o", "report.html")
    assert Path("report.html").read_text() == "before"


def test_a_package_of_an_older_registry_has_no_evidence(cli: Any, project: mk.Project) -> None:
    digest = project.package().digest
    project.registry.storage.delete(f"mood/evidence/{digest.removeprefix('sha256:')}")
    assert project.registry.evidence("mood", digest) == Evidence()
    assert cli("report").out.startswith("<!doctype html>")


def test_no_cell_that_a_single_training_row_has_is_in_package_or_report(cli: Any, fresh_project: Path) -> None:
    with Path("data/a.csv").open("a") as opened:
        opened.writelines(f"canary{number} was here a,Up\n" for number in range(40))
    assert cli("run").code in (0, 1)
    project = mk.Project()
    train = [row for row in range(40) if not _in_test(project, row)]
    assert train
    package = project.package()
    texts = [path.read_text("utf-8") for path in package.paths().values() if path.suffix in (".json", ".jsonl", ".md")]
    shown = cli("report").out
    for number in train:
        assert not any(f"canary{number} was" in text for text in [*texts, shown])


def _in_test(project: mk.Project, number: int) -> bool:
    from mlopskit.assembly import Parts

    parts = Parts(project.config, project.root)
    _, test = parts._split(parts._dataset(project.config.data.uri))
    return any(str(cell).startswith(f"canary{number} ") for cell in test.columns["text"])
