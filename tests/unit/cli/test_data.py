"""The commands about data."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import mlopskit as mk
from mlopskit.assembly import Parts


def test_data_without_fault_are_said_to_be_so(cli: Any, fresh_project: Path) -> None:
    said = cli("data", "check")
    assert (said.code, said.err) == (0, "")
    assert "to train on" in said.out
    assert cli("data", "check", "--json").json["passed"] is True
    assert not (fresh_project / ".mlopskit").exists()  # nothing is trained, nothing written


def test_what_is_wrong_is_listed_with_file_and_line(cli: Any, fresh_project: Path) -> None:
    file = fresh_project / "data" / "a.csv"
    file.write_text(file.read_text() + "no label,\ngood 0 a,Up\n")
    said = cli("data", "check")
    assert said.code == 1
    assert "data/a.csv:62" in said.out
    assert "1 refuse" in said.out
    found = {one["check"]: one for one in cli("data", "check", "--json").json["findings"]}
    assert found["target"]["rows"] == ["data/a.csv:62"]
    assert (found["duplicates"]["severity"], found["duplicates"]["count"]) == ("warn", 1)


def test_what_cannot_be_read_is_a_finding(cli: Any, fresh_project: Path) -> None:
    (fresh_project / "data" / "b.csv").write_text("text,label\ngood,Up\nbad\n")
    said = cli("data", "check", "--json")
    assert said.code == 1
    assert [(one["check"], one["rows"]) for one in said.json["findings"]] == [("reading", ["data/b.csv:3"])]


def test_data_without_any_target_are_named_so(cli: Any, fresh_project: Path) -> None:
    for file in (fresh_project / "data").iterdir():
        file.write_text("text,label\ngood,\nbad,\n")
    said = cli("data", "check", "--json")
    assert said.code == 1
    found = said.json["findings"][0]
    assert (found["check"], found["reason"]) == ("target", "no row has the target 'label'")
    assert found["rows"] == ["data/a.csv:2", "data/a.csv:3", "data/b.csv:2", "data/b.csv:3"]


def test_a_wrong_column_is_wrong_configuration(refused: Any, fresh_project: Path) -> None:
    settings = fresh_project / "mlopskit.toml"
    settings.write_text(settings.read_text().replace('"label"', '"lable"'))
    assert "Did you mean 'label'" in refused(2, "data", "check")


def test_a_run_trains_nothing_on_data_that_are_refused(refused: Any, fresh_project: Path) -> None:
    settings = fresh_project / "mlopskit.toml"
    (fresh_project / "test.csv").write_text("text,label\ngood 0 a,Up\nbad new,Down\n")
    settings.write_text(
        settings.read_text()
        .replace("[train]\n", 'test = { uri = "test.csv" }\n[train]\n')
        .replace('file_column = "source"\n', "")
        .replace('slices = ["source"]\n', "")
    )
    said = refused(3, "run")
    assert "1 of 2 test rows stand in the training rows" in said
    assert "test.csv:2" in said
    run = mk.Project().registry.runs("mood")[-1]
    assert (run.outcome, run.digest, list(run.seconds)) == ("failed", None, ["read"])


def test_a_schema_that_changed_is_refused_until_it_is_allowed(cli: Any, project: mk.Project) -> None:
    for file in (project.root / "data").iterdir():
        header, *rows = file.read_text().splitlines()
        file.write_text("\n".join([f"{header},size", *[f"{row},{len(row)}" for row in rows]]))
    said = cli("data", "check", "--json")
    assert said.code == 1
    (found,) = [one for one in said.json["findings"] if one["check"] == "drift"]
    assert "'size' is new" in found["reason"]
    settings = project.root / "mlopskit.toml"
    settings.write_text(settings.read_text().replace('target = "label"', 'target = "label"\nallow = ["drift"]'))
    assert cli("data", "check").code == 0


def test_a_run_says_that_there_are_warnings(fresh_project: Path) -> None:
    file = fresh_project / "data" / "a.csv"
    file.write_text(file.read_text() + "good 0 a,Up\n")
    project, said = mk.Project(), []
    train, _, report = Parts(project.config, project.root)._read(project.registry, said.append)
    assert len(train)
    assert report.warnings()[-1].startswith("duplicates: 1 of 121 rows repeat an earlier row (data/a.csv:62)")
    assert said[0] == "check data"
    assert "warnings, which 'mlopskit data check' lists" in said[1]


def test_warnings_stand_in_the_record_in_what_run_prints_and_in_what_runs_and_diff_show(
    cli: Any, project: mk.Project
) -> None:
    file = project.root / "data" / "a.csv"
    file.write_text(file.read_text() + "good 0 a,Up\n")
    warning = "duplicates: 1 of 121 rows repeat an earlier row (data/a.csv:62)"
    said = cli("run")
    assert f"Data check: {warning}\n" in said.out
    assert warning in cli("run", "--json").json["warnings"]
    assert warning in project.runs()[-1].warnings
    assert "duplicates: 1 of 121" in project.runs()[-1]._repr_html_()
    head, newest, *_ = cli("runs").out.splitlines()
    assert "warnings" in head.split()
    assert f"  {len(project.runs()[-1].warnings)}  " in newest
    change = {"kind": "warning", "name": warning.partition(" (")[0], "before": None, "after": "data/a.csv:62"}
    assert change in cli("diff", "2", "3", "--json").json["changes"]
    (project.root / "model.py").write_text("raise ValueError('broken')\n")
    assert cli("run").code == 2
    assert project.runs()[-1].outcome == "failed"
    assert warning in project.runs()[-1].warnings


def test_new_rows_are_compared_with_the_training_rows(cli: Any, refused: Any, project: mk.Project) -> None:
    new = project.root / "new.csv"
    new.write_text("text\n" + "".join(f"{word} {n} a\n" for n in range(30) for word in ("good", "bad")))
    said = cli("data", "drift", "new.csv")
    assert (said.code, said.err) == (0, "")
    assert "60 rows. No alarm." in said.out
    new.write_text("text\n" + "a text of another kind and much longer\n" * 60)
    said = cli("data", "drift", "new.csv", "--json")
    assert said.code == 1
    assert said.json["alarm"] is True
    assert said.json["columns"][0]["column"] == "text"
    assert "The rows have drifted." in cli("data", "drift", "new.csv", "--against", "candidate").out
    assert cli("data", "drift", "new.csv", "--least", "1.1").code == 0
    new.write_text("txt\nx\n")
    assert cli("data", "drift", "new.csv", "--json").json["absent"] == ["text"]
    assert "No rows are named." in refused(2, "data", "drift")
    settings = project.root / "mlopskit.toml"
    settings.write_text(settings.read_text().replace("[data]", '[data]\nincoming = "new.csv"'))
    assert cli("data", "drift").code == 1
    shutil.rmtree(project.root / ".mlopskit/registry/mood/columns")
    assert "no counts were kept" in refused(2, "data", "drift", "new.csv")
