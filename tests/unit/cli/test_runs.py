from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mlopskit as mk
from mlopskit.reproduction import Reproduction


def test_runs_lists_what_there_was_the_newest_first(cli: Any, project: mk.Project) -> None:
    Path("model.py").write_text("raise ValueError('broken')\n")
    assert cli("run").code == 2
    said = cli("runs")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines] == ["run", "3", "2", "1"]
    assert "failed" in lines[1]
    assert "'model' cannot be imported: ValueError: broken" in lines[1]
    assert "accuracy 1" in lines[2]
    assert lines[2].endswith("changed: settings")
    as_json = cli("runs", "--json").json
    assert [one["outcome"] for one in as_json] == ["passed", "passed", "failed"]
    assert as_json[0]["verdict"] == {"passed": True, "gates": 2, "failed": {}}


def test_before_the_first_run_there_is_none(cli: Any, fresh_project: Path) -> None:
    assert cli("runs").out == "There was no run yet. Make one: mlopskit run\n"
    assert cli("runs", "--json").json == []


def test_diff_compares_runs_digests_and_aliases(cli: Any, refused: Any, project: mk.Project) -> None:
    said = cli("diff", "1", "candidate")
    assert (said.code, said.err) == (0, "")
    head, *lines = said.out.splitlines()
    assert head.split() == ["what", "name", "run", "1", "candidate", "change"]
    assert any(line.split() == ["parameter", "train.parameters.C", "1", "10", "+9"] for line in lines)
    assert "Nothing that both know differs." in cli("diff", "2", "candidate").out
    as_json = cli("diff", "2", "candidate", "--json").json
    assert (as_json["same"], as_json["unknown"]) == (True, [])
    assert "There is no run '9'. Known: 1, 2." in refused(2, "diff", "1", "9").replace("\n  ", " ")


def test_reproduce_says_whether_the_package_is_the_same(
    cli: Any, refused: Any, project: mk.Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No run is known that made sha256:" in refused(2, "reproduce")
    known = {"run": "1", "commit": "a" * 40, "clean": True, "inputs": (), "environment": (), "digest": "x"}
    for made, files, code in (("x", (), 0), ("y", ("manifest.json",), 1)):
        found = Reproduction(**known, made=made, files=files)
        monkeypatch.setattr(mk.Project, "reproduce", lambda *_, found=found, **__: found)
        said = cli("reproduce", "candidate")
        assert (said.code, said.out) == (code, f"{found.text()}\n")
        as_json = cli("reproduce", "--here", "--json").json
        assert (as_json["same"], as_json["files"]) == (code == 0, list(files))
