from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlopskit as mk
from mlopskit.errors import ManifestError
from mlopskit.runtime import canonical

# As the first release wrote it.
OLD = {
    "id": "1",
    "name": "mood",
    "outcome": "passed",
    "digest": "sha256:" + "0" * 64,
    "changed": ["new: settings"],
    "fingerprint": {"settings": "sha256:" + "1" * 64},
    "seconds": {"read": 0.1},
    "error": None,
    "who": "ada",
    "when": "2026-01-01T00:00:00Z",
}


def test_a_record_of_an_earlier_release_is_read() -> None:
    run = mk.Run.from_table(OLD)
    assert (run.digest, run.metrics, run.verdict, run.why) == (OLD["digest"], {}, None, "new: settings")
    assert run.table().rows == [("1", OLD["when"], "passed", OLD["digest"], None, None, "new: settings")]


@given(st.dictionaries(st.text(max_size=9), st.none() | st.integers() | st.lists(st.text())))
def test_fields_of_a_later_release_are_passed_over(more: dict) -> None:
    assert mk.Run.from_table({**more, **OLD, "rows": {}}) == mk.Run.from_table({**OLD, **_known(more)})


def _known(table: dict) -> dict:
    return {name: value for name, value in table.items() if name in vars(mk.Run.from_table(OLD)) and name != "rows"} | {
        name: OLD[name] for name in OLD
    }


@pytest.mark.parametrize("field", ["id", "name", "outcome"])
def test_a_record_that_says_nothing_is_named(field: str) -> None:
    with pytest.raises(ManifestError, match=f"no '{field}'"):
        mk.Run.from_table({name: value for name, value in OLD.items() if name != field})


def test_why_a_run_came_out_so() -> None:
    failed = {"passed": False, "gates": 2, "failed": {"accuracy >= 0.9": "the bound 0.8"}}
    assert mk.Run.from_table({**OLD, "error": "train: no"}).why == "train: no"
    assert mk.Run.from_table({**OLD, "verdict": failed}).why == "accuracy >= 0.9: the bound 0.8"
    assert mk.Run.from_table({**OLD, "changed": []}).why == "forced"


def test_the_newest_run_stands_first_and_slices_are_left_out() -> None:
    metrics = {"accuracy": 0.91234, "accuracy[source=a]": 0.5, "recall": 1.0}
    runs = mk.Runs([mk.Run.from_table(OLD), mk.Run.from_table({**OLD, "id": "2", "metrics": metrics})])
    assert [row[0] for row in runs.table().rows] == ["2", "1"]
    assert runs.table().rows[0][4] == "accuracy 0.9123, recall 1"
    assert [one["id"] for one in runs.as_table()] == ["1", "2"]


def test_a_run_records_what_it_took_and_made(project: mk.Project) -> None:
    first, second = project.runs()
    assert first.rows["train"] + first.rows["test"] == 120
    package = project.package(first.digest)
    assert first.data == package.manifest["provenance"]["data"]
    assert (first.settings["train"]["parameters"], second.settings["train"]["parameters"]) == ({"C": 1.0}, {"C": 10.0})
    accuracy = package.evaluation.find("accuracy", "source=b")  # type: ignore[union-attr]
    assert first.metrics["accuracy[source=b]"] == accuracy.value  # type: ignore[union-attr]
    sizes = {file.name: file.stat().st_size for file in package.folder.rglob("*") if file.name != "manifest.json"}
    expected = {"skops_bytes": sizes["model.skops"], "package_bytes": sum(sizes.values())}
    assert {name: first.measurements[name] for name in expected} == expected
    verdict = project.verdict(package.digest)
    assert {one.metric for one in verdict.measurements} <= first.measurements.keys()  # type: ignore[union-attr]
    assert first.verdict == {"passed": True, "gates": 2, "failed": {}}
    assert first.seconds.keys() == {"read", "train", "package and judge"}


def test_the_record_is_the_table_in_the_registry(project: mk.Project) -> None:
    run = project.runs()[0]
    file = Path(".mlopskit/registry/mood/runs/1/record.json")
    assert canonical.dumps(run.as_table()) == file.read_bytes()
    file.write_bytes(canonical.dumps({**json.loads(file.read_text()), "of_a_later_release": [1]}))
    assert project.runs()[0] == run


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("target", "the target (C)"),
        ("local", "the target, run here (C)"),
        ("emulated", "the target, emulated (C on armv7l)"),
        ("elsewhere", "elsewhere (C)"),
    ],
)
def test_a_receipt_says_in_words_what_answered(place: str, words: str) -> None:
    runtime = {"engine": "C", "machine": "armv7l"}
    receipt = mk.Receipt(
        package="sha256:", place=place, rows=1, ties=0, mismatches=(), largest_difference=0.0, runtime=runtime
    )
    assert receipt.answered_by == receipt.facts()["answered by"] == words


def test_a_receipt_keeps_what_was_measured_and_one_of_an_earlier_release_has_nothing_measured() -> None:
    measured = {"cold_start_ms": 84.0, "bundle_mb": 1.5}
    receipt = mk.Receipt(
        package="sha256:", place="local", rows=1, ties=0, mismatches=(), largest_difference=0.0, runtime={},
        measurements=measured,
    )  # fmt: skip
    table = json.loads(canonical.dumps(receipt.as_table()))
    assert mk.Receipt.from_table(table).measurements == measured
    assert receipt.facts().items() >= measured.items()
    assert "cold_start_ms" in receipt._repr_html_()
    del table["measurements"]
    earlier = mk.Receipt.from_table(table)
    assert (earlier, earlier.measurements) == (receipt, {}), "times are others each time: they make no other receipt"
