from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlopskit as mk
from mlopskit import difference
from mlopskit.difference import Side, compare_sides
from mlopskit.errors import TrainingError, UnknownNameError

VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
SETTINGS = st.dictionaries(st.text("abc", min_size=1, max_size=3), VALUES, max_size=5)


def run_of(settings: dict) -> mk.Run:
    return mk.Run(id="1", name="m", outcome="failed", settings={"train": {"parameters": settings}})


@given(SETTINGS, SETTINGS)
def test_exactly_the_parameters_that_differ_are_named(old: dict, new: dict) -> None:
    found = compare_sides(Side(label="a", run=run_of(old)), Side(label="b", run=run_of(new)))
    named = {one.name.removeprefix("train.parameters.") for one in found.changes}
    if "parameter" in found.unknown:
        assert not old or not new
    else:
        assert named == {name for name in old | new if old.get(name) != new.get(name)}
    assert found.same == (not found.changes)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (0.5, 0.75, "+0.25"),
        (3, 1, "-2"),
        (1, 1, None),
        (None, 1, "new"),
        ("x", None, "gone"),
        ("x", "y", "changed"),
        (True, False, "changed"),
    ],
)
def test_a_change_in_a_word(before: object, after: object, said: object) -> None:
    assert mk.Change(kind="metric", name="n", before=before, after=after).change == said  # type: ignore[arg-type]


def test_two_packages_differ_in_their_model(package: mk.ModelPackage, other: mk.ModelPackage) -> None:
    found = compare_sides(Side(label="a", package=package), Side(label="b", package=other))
    named = {(one.kind, one.name) for one in found.changes}
    assert ("file", "model.skops") in named
    assert ("metric", "accuracy") in named
    assert not [one for one in found.changes if one.kind in ("data", "environment", "parameter")]
    itself = compare_sides(Side(label="a", package=package), Side(label="a", package=package))
    assert itself.same
    assert {one.kind for one in itself.changes} == {"metric"}
    assert "Nothing that both know differs." in itself.text()


def test_two_runs_are_compared_by_all_that_they_left(project: mk.Project) -> None:
    found = project.diff("1", "2")
    assert (found.before, found.after, found.unknown) == ("run 1", "run 2", ())
    changed = {(one.kind, one.name): one for one in found.changes}
    assert changed["parameter", "train.parameters.C"].change == "+9"
    assert changed["metric", "accuracy[source=a]"].change is None
    assert ("file", "model.skops") in changed
    assert not [name for kind, name in changed if kind in ("code", "data")]
    assert found.as_table()["changes"][0].keys() == {"kind", "name", "before", "after"}


def test_runs_digests_and_aliases_mean_the_same_package(project: mk.Project) -> None:
    digest = str(project.runs()[1].digest)
    for reference in ("2", digest, digest.removeprefix("sha256:")[:10], "candidate"):
        assert project.diff("2", reference).same
    for wrong in ("7", "candidat", "0" * 64):
        with pytest.raises(UnknownNameError):
            project.diff("1", wrong)


def test_changed_code_and_data_are_named(project: mk.Project) -> None:
    Path("model.py").write_text(Path("model.py").read_text() + "\n\nLATER = 1\n")
    Path("data/a.csv").write_text(Path("data/a.csv").read_text() + "good more,Up\n")
    project.run()
    changed = {(one.kind, one.name) for one in project.diff("2", "3").changes}
    assert ("code", "model.py") in changed
    assert changed & {("data", "train"), ("data", "test")}


def test_a_failed_run_has_what_was_known_until_then(project: mk.Project) -> None:
    settings = Path("mlopskit.toml")
    settings.write_text(settings.read_text().replace("C = 10.0", "C = -1.0"))
    with pytest.raises(TrainingError):
        mk.Project().run()
    failed = project.runs()[-1]
    assert (failed.outcome, failed.rows, failed.data) == ("failed", project.runs()[0].rows, project.runs()[0].data)
    assert failed.seconds.keys() == {"read", "train"}
    found = project.diff("2", "3")
    assert found.unknown == ("metric", "file", "environment")
    assert "Not known of both: metric, file, environment." in found.text()
    assert {one.name for one in found.changes if one.kind == "parameter"} == {"train.parameters.C"}


def test_a_run_whose_package_is_gone_is_compared_by_its_record(project: mk.Project) -> None:
    run = dataclasses.replace(project.runs()[0], metrics={"accuracy": 0.5})
    found = compare_sides(Side(label="a", run=run), Side(label="b", package=project.package()))
    assert next(one for one in found.changes if one.name == "accuracy").before == 0.5
    assert found.unknown == ("measurement", "warning", "file", "environment")


def test_lists_are_one_value() -> None:
    assert dict(difference._flat({"a": {"b": ["x", ("y", 1)]}, "c": None})) == {"a.b": '["x",["y",1]]', "c": None}


def test_a_warning_is_the_same_though_it_is_said_of_other_rows(project: mk.Project) -> None:
    first, *_ = project.runs()
    before = dataclasses.replace(first, warnings=["rows: few", "x: odd (a) ones (a.csv:1)"])
    after = dataclasses.replace(first, warnings=["rows: few", "x: odd (a) ones (a.csv:2)", "y: new (b"])
    found = compare_sides(Side(label="a", run=before), Side(label="b", run=after))
    assert [(one.name, one.before, one.after) for one in found.changes if one.kind == "warning"] == [
        ("x: odd (a) ones", "a.csv:1", "a.csv:2"),
        ("y: new (b", None, "warned"),
    ]
