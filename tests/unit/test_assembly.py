"""What a project does where the test rows are not what they should be."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit.errors import DataError
from mlopskit.report import html

HEAD = "text,source,label\n"


def with_test(project: Path, rows: list[str] | None) -> mk.Project:
    """Let a project take its test rows from a file of these rows; None: an empty one."""
    (project / "test.csv").write_text("" if rows is None else HEAD + "".join(rows))
    file = project / "mlopskit.toml"
    settings = file.read_text().replace('file_column = "source"\n', 'test = { uri = "test.csv" }\n')
    file.write_text(settings.replace(', "accuracy[source=b] >= 0.5"', ""))
    for data in (project / "data").glob("*.csv"):
        lines = data.read_text().splitlines()[1:]
        data.write_text(HEAD + "".join(line.replace(",", f",{data.stem},") + "\n" for line in lines))
    return mk.Project(file)


@pytest.mark.parametrize(("rows", "message"), [(None, "test.csv"), ([], "test.csv")])
def test_an_empty_test_file_is_refused_by_name(fresh_project: Path, rows: list[str] | None, message: str) -> None:
    project = with_test(fresh_project, rows)
    with pytest.raises(DataError, match=message):
        project.run()
    assert project.runs()[-1].outcome == "failed"
    with pytest.raises(DataError, match=message):
        project.test_data()


def test_a_tiny_test_file_proves_too_little(fresh_project: Path) -> None:
    project = with_test(
        fresh_project, [f"{word} thing,a,{mood}\n" for word, mood in [("good", "Up"), ("bad", "Down")] * 2]
    )
    run = project.run()
    assert run.outcome == "refused"
    assert run.verdict["failed"]["accuracy >= 0.75"].startswith("the 95 % lower bound 0.4729 of the value 1 on 4 rows")
    assert "4 rows" in html(project.report())


def test_a_test_file_that_is_the_training_data_is_refused(fresh_project: Path) -> None:
    training = [f"{word} {n} a,a,{mood}\n" for n in range(30) for word, mood in (("good", "Up"), ("bad", "Down"))]
    project = with_test(fresh_project, training)
    with pytest.raises(DataError, match="60 of 60 test rows stand in the training rows"):
        project.run()
    assert not project.registry.names() or not [run for run in project.runs() if run.digest]
