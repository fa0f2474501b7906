"""The commands by which a build system knows when to run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import mlopskit as mk
from mlopskit.watching import Watch

SYSTEMS = {
    "github": Path(".github/workflows/mlopskit.yml"),
    "azure-pipelines": Path("azure-pipelines.yml"),
    "gitlab": Path(".gitlab-ci.yml"),
}


def test_before_the_first_run_all_is_new(cli: Any, fresh_project: Path) -> None:
    said = cli("changed", "--exit-code")
    assert (said.code, said.err) == (1, "")
    assert said.out.splitlines() == [
        "new: data data/a.csv",
        "new: data data/b.csv",
        "new: settings",
        "new: environment",
    ]
    assert not Path(".mlopskit/registry").exists()


def test_changed_says_what_changed_and_only_on_demand_by_its_exit_code(cli: Any, project: mk.Project) -> None:
    unchanged = cli("changed", "--exit-code")
    assert (unchanged.code, unchanged.out) == (0, "Nothing changed since the last run that was judged.\n")
    assert cli("changed", "--json").json == {"changed": []}
    data = Path("data/a.csv")
    data.write_text(data.read_text() + "good again,Up\n")
    assert cli("changed").code == 0
    said = cli("changed", "--exit-code", "--json")
    assert (said.code, said.json) == (1, {"changed": ["changed: data data/a.csv"]})
    assert len(project.runs()) == 2


def test_what_cannot_be_told_is_neither_changed_nor_not(refused: Any, project: mk.Project) -> None:
    for file in Path("data").iterdir():
        file.unlink()
    assert "There is no file 'data/*.csv'" in refused(3, "changed", "--exit-code")
    Path("mlopskit.toml").unlink()
    assert "There is no mlopskit.toml" in refused(2, "changed", "--exit-code")


def test_watch_once_ends_as_its_run_did(cli: Any, fresh_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for outcome, code in (("passed", 0), ("refused", 1)):
        run = mk.Run(id="3", name="mood", outcome=outcome, digest="sha256:1")
        monkeypatch.setattr(Watch, "once", lambda _, run=run: run)
        said = cli("watch", "--once")
        assert (said.code, said.out) == (code, f"Run 3 {outcome}: mood sha256:1\n")
        assert cli("watch", "--once", "--json").json["outcome"] == outcome
    monkeypatch.setattr(Watch, "once", lambda _: None)
    assert cli("watch", "--once").out == "Nothing changed.\n"
    assert cli("watch", "--once", "--json").json is None


def test_watch_looks_no_oftener_than_it_can(refused: Any, fresh_project: Path) -> None:
    assert "0 is not in the range" in refused(2, "watch", "--every", "0")


@pytest.mark.parametrize("system", SYSTEMS)
def test_ci_writes_the_pipeline_to_its_usual_place_once(
    cli: Any, refused: Any, fresh_project: Path, system: str
) -> None:
    said = cli("ci", system)
    assert (said.code, said.err) == (0, "")
    assert said.out == f"Wrote {SYSTEMS[system]}. Read it, then commit it.\n"
    text = SYSTEMS[system].read_text()
    assert YAML(typ="safe", pure=True).load(text)
    assert not re.search("@[A-Z]+@", text)
    assert "pip install mlopskit==" in text
    assert "is there already" in refused(2, "ci", system)
    assert SYSTEMS[system].read_text() == text
    assert cli("ci", system, "--stdout").out == text
    assert cli("ci", system, "--stdout", "--json").json == {"file": None, "text": text}


@pytest.mark.parametrize("system", SYSTEMS)
def test_ci_installs_what_the_project_locks_and_deploys_the_branch_that_is_named(
    cli: Any, fresh_project: Path, system: str
) -> None:
    Path("requirements.txt").touch()
    assert "pip install --requirement requirements.txt" in cli("ci", system, "--stdout").out
    Path("requirements.lock").touch()
    text = cli("ci", system, "--stdout", "--branch", "release/2").out
    assert "pip install --require-hashes --requirement requirements.lock" in text
    assert "release/2" in text
    assert "main" not in text


@pytest.mark.parametrize("branch", ["", "-x", "a b", 'a"', "a\nb", "${{ secrets.X }}", "a'b", "$(id)", "ä"])
def test_ci_takes_no_branch_that_could_be_more_than_a_name(refused: Any, fresh_project: Path, branch: str) -> None:
    assert "is no name of a branch" in refused(2, "ci", "github", "--stdout", f"--branch={branch}")


def test_ci_needs_both_endpoints_and_the_top_of_the_repository(cli: Any, refused: Any, fresh_project: Path) -> None:
    settings = Path("mlopskit.toml")
    text = settings.read_text()
    settings.write_text(text.replace("[endpoint.validation]", "[endpoint.staging]"))
    assert "has no [endpoint.validation]" in refused(2, "ci", "github")
    settings.write_text(text)
    subprocess.run(["git", "init", "--quiet", ".."], check=True)
    assert "is not the mlopskit.toml at the top of its repository" in refused(2, "ci", "github")
    subprocess.run(["git", "init", "--quiet"], check=True)
    assert cli("ci", "github").code == 0
    assert "'circle'" in refused(2, "ci", "circle")
