"""The commands by which a build system knows when to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlopskit as mk


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
