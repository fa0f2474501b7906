import json
import time
import types

import pytest

import mlopskit as mk
from mlopskit.feedback import asked, with_feedback
from mlopskit.runtime import Model
from mlopskit.runtime.serving import Asked, Journal, Logging, Metrics, Site, Source

DIGEST = "sha256:" + "0" * 64
ROW = {"text": "a good one", "number": 1.5}
DATA = mk.Dataset(columns={"text": ["x", "y"], "number": [1.0, 2.0], "label": ["Up", "Down"]}, target="label")


def schema_of(**columns):
    return {"additionalProperties": False, "properties": columns, "required": [*columns], "type": "object"}


MODEL = Model(
    name="shop",
    digest=DIGEST,
    format="portable",
    schema={
        "inputs": schema_of(text={"type": "string"}, number={"type": "number"}),
        "outputs": schema_of(prediction={"type": "string"}),
    },
    scorer=types.SimpleNamespace(score=lambda columns: {"prediction": ["Up"] * len(columns["text"])}),
)


class Written:
    """A site that writes into a folder."""

    def __init__(self, folder, **options):
        self.folder, self.metrics = folder, Metrics(1)
        self.journal = Journal(Logging(folder=folder, **options), process=0, dropped=self.metrics.drop)
        sources = [Source("shop", MODEL)]
        self.site = Site(sources, metrics=self.metrics, body=1 << 20, rows=50_000, journal=self.journal)

    def post(self, path, body, id="an-id", media="application/json"):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        headers = {"content-type": media, "x-request-id": id}
        return self.site.answer(Asked("POST", path, headers, data, keep=True)).status

    def lines(self, name="predictions-*"):
        self.journal.close()
        return [json.loads(line) for file in sorted(self.folder.glob(name)) for line in file.read_text().splitlines()]

    def dropped(self):
        asked = Asked("GET", "/metrics", {}, b"", keep=True)
        return self.site.answer(asked).body.decode().split()[-1]


@pytest.fixture
def written(tmp_path):
    made = []

    def make(**options):
        made.append(Written(tmp_path / "log", **options))
        return made[-1]

    yield make
    for one in made:
        one.journal.close()


def test_rows_in_any_form_are_written_with_what_answered(written):
    log = written()
    assert log.post("/predict", {"row": ROW}, "one") == 200
    assert log.post("/predict", {"columns": {name: [cell, cell] for name, cell in ROW.items()}}, "two") == 200
    assert log.post("/predict", "text,number\nx,2\n", "three", "text/csv") == 200
    tensors = [
        {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["y"]},
        {"name": "number", "shape": [1], "datatype": "FP64", "data": [3]},
    ]
    assert log.post("/v2/models/shop/infer", {"inputs": tensors}, "four") == 200
    assert log.post("/predict", {"row": {}}, "five") == 422
    found = log.lines()
    assert [(one["request"], one["number"]) for one in found] == [
        ("one", 0), ("two", 0), ("two", 1), ("three", 0), ("four", 0)
    ]  # fmt: skip
    assert [one["row"]["text"] for one in found] == ["a good one"] * 3 + ["x", "y"]
    assert {(one["prediction"], one["digest"]) for one in found} == {("Up", DIGEST)}
    assert log.folder.stat().st_mode & 0o777 == 0o700


def test_what_was_told_later_is_learned_from_and_all_that_was_asked_is_read(written, tmp_path):
    log = written()
    log.post("/predict", {"rows": [ROW, {**ROW, "text": "b"}]}, "one")
    log.post("/predict", {"row": {**ROW, "text": "c"}}, "two")
    assert log.post("/feedback", {"request_id": "one", "labels": ["Down", "Up"]}) == 202
    assert log.post("/feedback", {"request_id": "never", "label": "Up"}) == 202
    log.journal.close()
    found = with_feedback(DATA, "log/*.jsonl", tmp_path).rows()[2:]
    assert found == [{**ROW, "label": "Down"}, {**ROW, "text": "b", "label": "Up"}]
    (file,) = log.folder.glob("predictions-*")
    assert asked(file, file.name)["text"] == ["a good one", "b", "c"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ({}, 422),
        ({"request_id": "a"}, 422),
        ({"request_id": "a\n", "label": 1}, 422),
        ({"request_id": 1, "label": 1}, 422),
        ({"request_id": "a", "label": None}, 422),
        ({"request_id": "a", "label": [1]}, 422),
        ({"request_id": "a", "label": {"a": {}}}, 422),
        ({"request_id": "a", "label": "x" * 1001}, 422),
        ({"request_id": "a", "labels": []}, 422),
        ({"request_id": "a", "labels": {}}, 422),
        ({"request_id": "a", "label": 1, "more": 1}, 422),
        ({"request_id": "a", "label": {"a": 1, "b": "x"}}, 202),
        ({"request_id": "a", "label": True}, 202),
    ],
    ids=lambda value: str(value)[:40],
)
def test_feedback_of_another_form_is_refused(written, body, status):
    assert written().post("/feedback", body) == status


def test_without_a_log_there_is_no_feedback():
    site = Site([Source("shop", MODEL)], metrics=Metrics(1), body=1 << 20, rows=10)
    assert site.answer(Asked("POST", "/feedback", {}, b"{}", keep=True)).status == 404


def test_columns_are_left_out_or_hashed_with_the_folders_key(written, tmp_path):
    log = written(omit=frozenset({"number"}), hash=frozenset({"text"}))
    log.post("/predict", {"rows": [ROW, ROW]})
    first, second = log.lines()
    assert first["row"] == second["row"]
    assert first["row"].keys() == {"text"}
    assert len(first["row"]["text"]) == 32
    assert (log.folder / "key").stat().st_mode & 0o777 == 0o600
    again = written(hash=frozenset({"text"}))
    again.post("/predict", {"row": ROW})
    assert again.lines()[-1]["row"]["text"] == first["row"]["text"]


def test_it_takes_no_more_room_than_it_may_and_goes_on(written):
    log = written(size=40_000)
    for number in range(40):
        log.post("/predict", {"rows": [{**ROW, "text": f"{number} " + "x" * 100}] * 10}, f"id-{number}")
        if number % 4 == 0:
            time.sleep(0.25)
    sizes = [file.stat().st_size for file in log.folder.iterdir()]
    found = log.lines()
    assert sum(sizes) < 60_000
    assert found[-1]["request"] == "id-39"
    assert found[0]["request"] != "id-0"
    labels = ["x" * 1000] * 100
    assert log.post("/feedback", {"request_id": "a", "labels": labels}) == 503


def test_what_the_queue_or_the_disk_does_not_take_is_counted(written):
    log = written()
    assert log.post("/predict", {"columns": {"text": ["a"] * 30_000, "number": [1] * 30_000}}) == 200
    assert log.dropped() == "30000"
    log.folder.rename(log.folder.with_name("gone"))
    log.post("/predict", {"row": ROW})
    log.journal.close()
    assert log.dropped() == "30001"


def test_a_share_of_the_requests_is_written(written):
    log = written(share=0.0)
    assert log.post("/predict", {"row": ROW}) == 200
    assert log.lines() == []


def test_large_requests_take_no_more_room_either(written):
    log = written(size=40_000)
    rows = [{**ROW, "text": "x" * 1000}] * 1000
    assert log.post("/predict", {"rows": rows}) == 200
    assert log.post("/predict", {"row": {**ROW, "text": "x" * 500_000}}) == 200
    log.journal.close()
    assert sum(file.stat().st_size for file in log.folder.iterdir()) <= 40_000
    assert len(log.lines()) + int(log.dropped()) >= 30
    assert int(log.dropped()) >= 1


def test_what_waits_is_bounded_by_its_bytes_too(written):
    log = written()
    log.journal.close()  # nothing is written any more
    row = {**ROW, "text": "x" * 1_000_000}
    for _ in range(40):
        assert log.post("/predict", {"row": row}) == 200
    assert int(log.dropped()) >= 15
