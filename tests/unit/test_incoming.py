from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import mlopskit as mk
from mlopskit import pipeline
from mlopskit.errors import ConfigError, DataError
from mlopskit.incoming import CACHE
from mlopskit.watching import Watch

SETTINGS = Path("mlopskit.toml")
INCOMING = Path("incoming")
SHORT = [f"{word} {n} a" for n in range(30) for word in ("good", "bad")]
LONG = [f"{word} {'so ' * 30}{n}" for n in range(30) for word in ("good", "bad")]


def settings(old: str, new: str) -> None:
    SETTINGS.write_text(SETTINGS.read_text().replace(old, new))


def comes_in(name: str, texts: Sequence[str], column: str = "text") -> None:
    INCOMING.mkdir(exist_ok=True)
    (INCOMING / name).write_text("\n".join([column, *texts, ""]))


def changed() -> list[str]:
    return mk.Project().changed()


def learn(texts: Sequence[str]) -> None:
    rows = [f"{text},{'Up' if text.startswith('good') else 'Down'}\n" for text in texts]
    Path("data/c.csv").write_text("text,label\n" + "".join(rows))


@pytest.fixture(scope="module")
def asked_made(project_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a project whose last run knows where incoming rows will stand."""
    folder = tmp_path_factory.mktemp("made") / "project"
    shutil.copytree(project_made, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder.parent / "state"))
        patch.chdir(folder)
        settings("[data]", '[data]\nincoming = "incoming/*.csv"')
        assert mk.Project().run().changed == ["changed: settings"]
    return folder


@pytest.fixture
def asked(asked_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> mk.Project:
    """Return a copy of that project, to be changed at will; its folder is the working directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    shutil.copytree(asked_made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return mk.Project()


def test_an_alarm_counts_as_changed_data_and_rows_that_are_like_the_others_do_not(asked: mk.Project) -> None:
    assert changed() == []
    INCOMING.mkdir()
    assert changed() == []
    comes_in("monday.csv", SHORT)
    assert changed() == []
    comes_in("tuesday.csv", LONG)
    assert changed() == ["new: drift text"]
    assert mk.Project().fingerprint()["drift text"] == asked.runs()[-1].data["train"]
    assert asked.report().incoming == asked.drift()
    (INCOMING / "tuesday.csv").unlink()
    assert changed() == []


def test_a_run_answers_an_alarm_once_and_is_the_same_model_if_nothing_else_is_new(asked: mk.Project) -> None:
    comes_in("monday.csv", LONG)
    before = asked.package().digest
    run = mk.Project().run()
    assert (run.changed, run.digest) == (["new: drift text"], before)
    # It still drifts, and more of it comes in: to train on the same rows once more would help nobody.
    assert changed() == []
    comes_in("tuesday.csv", LONG)
    assert changed() == []
    (INCOMING / "tuesday.csv").write_bytes(b"text\n\xff\n")
    with pytest.raises(DataError, match=r"tuesday\.csv"):
        changed()
    for file in INCOMING.iterdir():
        file.unlink()
    # What is over is no change.
    assert changed() == []
    assert mk.Project().run().changed == ()


def test_when_the_training_rows_are_others_an_alarm_is_another_one(asked: mk.Project) -> None:
    comes_in("monday.csv", [*SHORT, *LONG])
    assert changed() == ["new: drift text"]
    learn([text.replace("so", word) for text in LONG for word in ("so", "oh")])
    run = mk.Project().run()
    assert run.changed == ["new: data data/c.csv", "new: drift text"]
    assert not [key for key in run.fingerprint if key.startswith("drift ")]
    assert changed() == []
    comes_in("monday.csv", SHORT)
    assert changed() == ["new: drift text"]


def test_an_alarm_that_stands_when_a_run_ends_is_answered_by_it(asked: mk.Project) -> None:
    learn(["good " + text for text in SHORT])
    comes_in("monday.csv", SHORT)
    assert changed() == ["new: data data/c.csv"]
    run = mk.Project().run()
    # The rows to train on have changed, those that come in have not.
    assert run.fingerprint["drift text"] == run.data["train"]
    assert changed() == []


def test_an_absent_column_is_named_and_no_character_of_it_is_more_than_text(
    asked: mk.Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    comes_in("monday.csv", SHORT, "te\x1bxt")
    assert changed() == ["new: drift text"]
    found = asked.drift()
    assert (found.alarms, found.absent) == (["text"], ("text",))
    monkeypatch.setattr(type(found), "alarms", property(lambda _: ["te\x1b\nxt"]))
    (Path(".mlopskit/cache") / CACHE).unlink()
    assert changed() == ["new: drift te\ufffd\ufffdxt"]


def test_what_was_found_is_remembered_until_anything_changes(
    asked: mk.Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    comes_in("monday.csv", LONG)
    assert changed() == ["new: drift text"]
    read: list[str] = []

    def reading(_: Any, uri: str) -> Mapping[str, Sequence[Any]]:
        read.append(uri)
        return {"text": SHORT}

    monkeypatch.setattr("mlopskit.assembly.Parts._asked", reading)
    assert changed() == ["new: drift text"]
    assert read == []
    comes_in("monday.csv", SHORT)
    assert changed() == []
    assert changed() == []
    assert read == ["incoming/monday.csv"]
    for wrong in ("", "[]", "{}", json.dumps({"key": 1, "columns": 1}), "[" * 100_000):
        (Path(".mlopskit/cache") / CACHE).write_text(wrong)
        assert changed() == []
    assert len(read) == 6


def test_files_may_be_empty_and_a_column_that_one_lacks_is_missing_there(asked: mk.Project) -> None:
    INCOMING.mkdir()
    (INCOMING / "sunday.csv").touch()
    assert changed() == []
    with pytest.raises(DataError, match="Nothing has come in yet"):
        asked.drift()
    comes_in("monday.csv", SHORT)
    assert changed() == []
    assert (asked.drift().rows, asked.drift().alarm) == (60, False)
    comes_in("tuesday.csv", SHORT, "other")
    found = asked.drift()
    assert found.rows == 120
    assert found.columns[0].most == "missing: 0.0% before, 50.0% now"


def test_they_may_be_lines_of_feedback(asked: mk.Project) -> None:
    settings("incoming/*.csv", "incoming/*.jsonl")
    mk.Project().run()
    INCOMING.mkdir()
    lines = [{"row": {"text": text}, "prediction": "Up", "when": "2026-01-31"} for text in LONG]
    (INCOMING / "monday.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert mk.Project().drift().rows == 60
    assert changed() == ["new: drift text"]
    (INCOMING / "monday.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in LONG))
    assert changed() == ["new: drift text"]


def test_they_may_stand_at_an_address(asked: mk.Project, shop: Any) -> None:
    shop.folder.mkdir()
    (shop.folder / "asked.csv").write_text("\n".join(["text", *LONG]))
    settings("incoming/*.csv", f"{shop.address}/asked.csv?key=hunter2")
    assert changed() == ["changed: settings", "new: drift text"]
    assert mk.Project().drift().alarms == ["text"]
    assert {path for path, _ in shop.asked} == {"/asked.csv?key=hunter2"}


def test_without_counts_it_is_said_that_nobody_knows(asked: mk.Project, caplog: pytest.LogCaptureFixture) -> None:
    comes_in("monday.csv", LONG)
    for file in Path(".mlopskit/registry/mood/columns").rglob("counts.json"):
        file.unlink()
    assert changed() == []
    assert "whether incoming/*.csv has drifted is not seen" in caplog.text


def test_to_keep_no_counts_and_to_look_for_drift_is_no_plan(fresh_project: Path) -> None:
    settings("[data]", '[data]\nincoming = "incoming/*.csv"\nrow_hashes = false')
    with pytest.raises(ConfigError, match="row_hashes = false keeps none"):
        mk.Project()


def test_watch_runs_for_an_alarm_once(asked: mk.Project) -> None:
    comes_in("monday.csv", LONG)
    watch = Watch(file=SETTINGS, every=1, wait=lambda _: comes_in("tuesday.csv", LONG))
    run = watch.once()
    assert run is not None
    assert run.changed == ["new: drift text"]
    assert watch.once() is None


def test_an_alarm_that_is_over_is_no_change() -> None:
    assert pipeline.changes({"drift a": "1", "data a": "1"}, {"drift b": "2"}) == ["new: drift b", "gone: data a"]
