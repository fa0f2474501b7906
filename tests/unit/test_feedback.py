from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mlopskit as mk
from mlopskit.assembly import Parts
from mlopskit.errors import DataError
from mlopskit.feedback import asked, with_feedback
from mlopskit.steps import quiet

DATA = mk.Dataset(columns={"text": ["a", "b"], "length": [1.5, 2.0], "label": ["Up", "Down"]}, target="label")
ROW = {"text": "c", "length": 3}


def told(tmp_path: Path, *tables: Any) -> str:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in tables]
    (tmp_path / "one.jsonl").write_text("\n".join(lines))
    return "*.jsonl"


def test_rows_with_a_label_stand_behind_the_data(tmp_path: Path) -> None:
    whole = {"prediction": "Up", "digest": "sha256:1", "when": "2026-01-31"}
    unknown = [{"row": ROW}, {"row": ROW, "label": None}]
    uri = told(tmp_path, {"row": ROW, "label": "Down", **whole}, "", *unknown)
    found = with_feedback(DATA, uri, tmp_path)
    assert found.rows() == [*DATA.rows(), {"text": "c", "length": 3.0, "label": "Down"}]
    assert type(found.columns["length"][-1]) is float
    assert with_feedback(DATA, told(tmp_path, *unknown), tmp_path) is DATA


def test_where_there_is_none_yet_the_data_stay_as_they_are(tmp_path: Path) -> None:
    assert with_feedback(DATA, "feedback/*.jsonl", tmp_path) is DATA
    assert with_feedback(DATA, told(tmp_path), tmp_path) is DATA


def test_of_several_targets_all_must_be_known(tmp_path: Path) -> None:
    data = mk.Dataset(columns={"x": [1, 2], "a": [1, 2], "b": ["u", "v"]}, target=("a", "b"))
    uri = told(
        tmp_path, {"row": {"x": 3}, "label": {"a": 3, "b": "u"}}, {"row": {"x": 4}, "label": {"a": 1, "b": None}}
    )
    assert with_feedback(data, uri, tmp_path).rows()[2:] == [{"x": 3, "a": 3, "b": "u"}]
    with pytest.raises(DataError, match="as 'label'"):
        with_feedback(data, told(tmp_path, {"row": {"x": 3}, "label": {"a": 1}}), tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "is no JSON: "),
        ("[]", "is no JSON object"),
        ('{"row": {"text": "c", "length": NaN}, "label": "Up"}', "NaN is no JSON number"),
        ('{"row": {}, "row": {}}', "a key stands there twice"),
        ("[" * 100_000, "is no JSON: "),
        ({"label": "Up"}, "has no table as 'row'"),
        ({"row": {"text": "c"}, "label": "Up"}, "has 'text' as 'row'"),
        ({"row": {**ROW, "more": 1}, "label": "Up"}, "has 'text', 'length', 'more' as 'row'"),
        ({"row": {**ROW, "length": "3"}, "label": "Up"}, "has '3' in 'length'"),
        ({"row": {**ROW, "length": True}, "label": "Up"}, "has True in 'length'"),
        ({"row": ROW, "label": 1}, "has 1 in 'label'"),
        ({"row": ROW, "label": "Up", "lable": 1}, "has the unknown key 'lable'"),
        ({"row": ROW, "when": 3}, "has 3 as 'when', which is no text"),
    ],
)
def test_a_line_of_another_form_is_named(tmp_path: Path, line: Any, said: str) -> None:
    uri = told(tmp_path, {"row": ROW, "label": "Up"}, "", line)
    with pytest.raises(DataError) as caught:
        with_feedback(DATA, uri, tmp_path)
    assert caught.value.message.startswith("Feedback one.jsonl:3 ")
    assert said in caught.value.message


def test_rows_that_were_asked_are_read_with_a_label_or_without(tmp_path: Path) -> None:
    told(tmp_path, {"row": ROW, "label": "Up"}, "", {"row": {"text": None, "more": 1}})
    file = tmp_path / "one.jsonl"
    assert asked(file, "one.jsonl") == {"text": ["c", None], "length": [3, None], "more": [None, 1]}
    for other in ('{"text": "c"}', '{"row": 3}', ""):
        file.write_text(other)
        assert asked(file, "one.jsonl") is None
    assert asked(file.rename(tmp_path / "one.csv"), "one.csv") is None


@pytest.mark.parametrize(
    "line", ['{"row": 3}', '{"text": "c"}', '{"row": {"text": ["c"]}}', '{"row": {"text": 1e999}}']
)
def test_a_row_that_was_asked_and_is_none_is_named(tmp_path: Path, line: str) -> None:
    told(tmp_path, {"row": ROW}, line)
    with pytest.raises(DataError):
        asked(tmp_path / "one.jsonl", "one.jsonl")


def test_feedback_at_an_address_is_asked_for_as_it_is_given(fresh_project: Path, shop: Any) -> None:
    told_there = json.dumps({"row": {"text": "fine indeed"}, "label": "Up"})
    shop.folder.mkdir()
    (shop.folder / "one.jsonl").write_text(told_there)
    settings = Path("mlopskit.toml")
    text = settings.read_text().replace("[data]", f'[data]\nfeedback = "{shop.address}/one.jsonl?key=hunter2"')
    settings.write_text(text)
    found = mk.Project().fingerprint()
    assert [key for key in found if "one.jsonl" in key] == [f"data {shop.address}/one.jsonl"]
    assert {path for path, _ in shop.asked} == {"/one.jsonl?key=hunter2"}


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_bytes(b'{"row": "\xff"}')
    with pytest.raises(DataError, match="jsonl:1 is no JSON: "):
        with_feedback(DATA, "one.jsonl", tmp_path)


def test_feedback_counts_as_data_and_moves_no_row_that_is_there(fresh_project: Path) -> None:
    settings = Path("mlopskit.toml")
    settings.write_text(settings.read_text().replace("[data]", '[data]\nfeedback = "feedback/*.jsonl"'))
    project = mk.Project()

    def split() -> tuple[list[Any], list[Any]]:
        train, test, _ = Parts(project.config, fresh_project)._read(project.registry, quiet)
        return train.rows(), test.rows()

    before, seen = split(), project.fingerprint()
    Path("feedback").mkdir()
    rows = [{"row": {"text": f"fine {n} indeed"}, "label": "Up"} for n in range(20)]
    Path("feedback/april.jsonl").write_text("\n".join(map(json.dumps, rows)))
    after = split()
    for old, new in zip(before, after, strict=True):
        assert new[: len(old)] == old
    assert sum(map(len, after)) == sum(map(len, before)) + 20
    assert {row["source"] for row in after[0]} == {"a", "b", "april"}
    assert {*project.fingerprint()} - {*seen} == {"data feedback/april.jsonl"}
    train, test, _ = Parts(project.config, fresh_project)._read(project.registry, quiet)
    assert project.test_data().digest == test.digest  # judged again on what a run judges on
    assert train.places is not None
    assert train.places[len(train) - 1].startswith("feedback/april.jsonl:")
    assert train.places[0].startswith("data/")


def test_a_label_that_is_told_later_finds_its_row_in_any_file(tmp_path: Path) -> None:
    asked_for = {"request": "an-id", "prediction": "Up", "digest": "sha256:1", "when": "2026-01-31"}
    lines = [{**asked_for, "number": number, "row": {**ROW, "text": text}} for number, text in enumerate("cde")]
    told(tmp_path, *lines)
    labels = [("an-id", 2, "Up"), ("an-id", 0, "Up"), ("an-id", 0, "Down"), ("another", 1, "Up"), ("an-id", 9, "Up")]
    keys = ("request", "number", "label")
    text = "\n".join(json.dumps(dict(zip(keys, one, strict=True))) for one in labels)
    for name in ("a-labels.jsonl", "z-labels.jsonl"):
        (tmp_path / name).write_text(text)
        found = with_feedback(DATA, "*.jsonl", tmp_path).rows()[2:]
        assert found == [{"text": "c", "length": 3.0, "label": "Down"}, {"text": "e", "length": 3.0, "label": "Up"}]
        (tmp_path / name).unlink()
    assert with_feedback(DATA, "*.jsonl", tmp_path) is DATA


@pytest.mark.parametrize(
    "line", [{"request": "a", "label": "Up"}, {"request": 1, "number": 0, "label": "Up"}, {"number": 0, "label": "Up"}]
)
def test_a_label_of_no_request_is_no_row(tmp_path: Path, line: Any) -> None:
    with pytest.raises(DataError, match=r"as 'request'|has no table as 'row'"):
        with_feedback(DATA, told(tmp_path, line), tmp_path)
