"""The commands that judge."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import mlopskit as mk


def write(project: mk.Project, old: str, new: str) -> None:
    file = project.root / "mlopskit.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_package_judged_again_gets_the_same_verdict(cli: Any, project: mk.Project) -> None:
    before = project.verdict(project.package().digest)
    said = cli("evaluate", "--json")
    assert said.code == 0
    assert said.json["passed"] is True
    after = project.verdict(project.package().digest)
    assert before is not None
    assert after is not None
    assert after.findings == before.findings
    assert after.overlap == f"0 of {before.findings[0].n} test rows stand in the training data"
    assert after.seen_before == before.seen_before + 1


def test_gates_that_became_stricter_refuse_it(cli: Any, project: mk.Project, tmp_path: Path) -> None:
    write(project, '"accuracy >= 0.75"', '"accuracy >= 0.999"')
    (project.root / "behaviour.toml").write_text(
        '[[case]]\nname = "<praise>"\nrow = { text = "good" }\nprediction = "Down"\n'
        '[[case]]\nname = "blame"\nrow = { text = "bad" }\nprediction = "Down"\n'
    )
    write(project, "[evaluate]", '[evaluate]\ntests = "behaviour.toml"')
    said = cli("evaluate", "--junit", str(tmp_path / "out.xml"))
    assert said.code == 1
    assert "accuracy >= 0.999  " in said.out
    assert said.out.splitlines()[-1].startswith("refused: mood sha256:")
    cases = {case.get("name"): case.find("failure") for case in ET.parse(tmp_path / "out.xml").iter("testcase")}
    assert {name for name, failure in cases.items() if failure is not None} == {"accuracy >= 0.999", "<praise>"}
    assert cases.keys() == {"accuracy >= 0.999", "accuracy[source=b] >= 0.5", "<praise>", "blame"}
    verdict = project.verdict(project.package().digest)
    assert verdict is not None
    assert not verdict.passed
    assert cli("deploy", "validation").code == 1


def test_answers_are_written_for_a_spreadsheet_and_for_a_program(cli: Any, project: mk.Project, tmp_path: Path) -> None:
    csv_file, lines = tmp_path / "answers.csv", tmp_path / "answers.jsonl"
    assert cli("evaluate", "--answers", str(csv_file)).code == 0
    assert cli("evaluate", "--answers", str(lines)).code == 0
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert len(rows) == project.verdict(project.package().digest).findings[0].n
    assert {row["label"] for row in rows} == {"Up", "Down"}
    assert all(0 <= row["probability.Up"] <= 1 and row["input text"] for row in rows)
    written = list(csv.DictReader(io.StringIO(csv_file.read_text(), newline="")))
    assert [row["prediction"] for row in written] == [row["prediction"] for row in rows]
    before = csv_file.read_bytes()
    said = cli("evaluate", "--answers", str(tmp_path / "answers.xls"))
    assert said.code == 2
    assert ".csv" in said.err
    assert csv_file.read_bytes() == before


def test_another_package_is_judged_by_name(cli: Any, project: mk.Project) -> None:
    first = project.runs()[0].digest
    assert cli("evaluate", first, "--json").json["digest"] == first


@pytest.mark.parametrize("alike", [False, True])
def test_rows_that_the_package_learned_are_refused_and_no_others(cli: Any, project: mk.Project, *, alike: bool) -> None:
    header, *rows = (project.root / "data" / "a.csv").read_text().splitlines()
    shown = [row.replace("good", "GOOD").replace("bad", "BAD") if alike else row for row in rows]
    (project.root / "test.csv").write_text("\n".join([header, *shown]))
    write(project, 'target = "label"', 'target = "label"\ntest = { uri = "test.csv" }')
    write(project, 'file_column = "source"\n', "")
    write(project, 'slices = ["source"]\n', "")
    write(project, ', "accuracy[source=b] >= 0.5"', "")
    said = cli("evaluate")
    assert said.code == (0 if alike else 1)
    assert ("test rows apart from training rows" in said.out) is not alike


@pytest.mark.parametrize(
    ("column", "said"), [("texts", "unknown column 'texts'"), ("text,size", "unknown column 'size'")]
)
def test_rows_of_another_schema_are_an_error(refused: Any, project: mk.Project, column: str, said: str) -> None:
    for file in (project.root / "data").iterdir():
        _, *rows = file.read_text().splitlines()
        extra = "1," if "," in column else ""
        file.write_text("\n".join([f"{column},label", *[row.replace(",", f",{extra}") for row in rows]]))
    assert said in refused(2, "evaluate")


def test_without_gates_nothing_passes(cli: Any, project: mk.Project) -> None:
    write(project, 'gates = ["accuracy >= 0.75", "accuracy[source=b] >= 0.5"]', "")
    said = cli("evaluate")
    assert said.code == 1
    assert said.out.startswith("There is no gate")


def test_what_is_not_there_is_named(refused: Any, fresh_project: Path) -> None:
    del fresh_project
    assert "There was no run yet" in refused(2, "evaluate")


def test_a_file_that_cannot_be_written_is_an_error(refused: Any, project: mk.Project) -> None:
    del project
    refused(3, "evaluate", "--junit", "no/such/folder/out.xml")


BAD = ["flipped labels", "shuffled", "constant", "1 % of rows", "class dropped"]


def test_the_project_of_a_small_model(project: mk.Project, cli: Any) -> None:
    said = cli("gates", "selftest", "--json")
    found = said.json
    assert (said.code == 0) is found["passed"]
    assert found["gates"] == ["accuracy >= 0.75", "accuracy[source=b] >= 0.5"]
    assert [trial["model"] for trial in found["trials"]] == [*BAD, "older schema"]
    told = cli("gates", "selftest")
    assert told.code == said.code
    assert told.out.splitlines()[0].startswith("gate ")
    assert "bad models refused, on " in told.out
    assert len(project.registry.digests("mood")) == 2  # nothing is kept
