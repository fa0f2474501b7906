"""The example's model in functions-framework: its answers, many of them, and what it costs beside an empty function."""

from __future__ import annotations

import json
import random
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from mlopskit_serverless import google, processes
from mlopskit_serverless.functions import GoogleFunctions
from mlopskit_serverless.running import Launch

import mlopskit as mk

# With nothing to do it is an empty function: what it imports, the framework has imported.
EMPTY = Path(__file__).with_name("google_function")
STARTS = 3
JSON = {"content-type": "application/json"}
WORDS = ["the", "steak", "was", "bad", "good", "great", "awful", "food", "film", "boring", "loved", "never", "tasty"]


class Event(NamedTuple):
    """A request, and the status of its answer."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int


def _post(body, status, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Event("POST", "/predict", {**JSON, **named}, body, status)


ROW = b'{"row": {"Comment": "The steak was bad!"}}'
MALFORMED = [
    _post(b"", 400),
    _post(ROW[:-1], 400),
    _post(b"\xff\xfe", 400),
    _post(b'{"row": NaN}', 400),
    _post(b'{"row": {"Comment": "a", "Comment": "b"}}', 400),
    _post(b'{"row": {"Comment": "\\ud800"}}', 400),
    _post(b"[" * 100 + b"]" * 100, 413),
    _post(b"null", 422),
    _post(b'{"rows": {}}', 422),
    _post(b'{"row": {}}', 422),
    _post(b'{"row": {"Comment": 1e999}}', 400),
    _post(b'{"row": {"Comment": 7}}', 422),
    _post(b'{"row": {"Comment": "a", "more": 1}}', 422),
    _post(ROW, 415, content_type="text/plain"),
    _post(ROW, 415, content_encoding="gzip"),
    _post(ROW, 415, content_type="application/json; charset=latin-1"),
    Event("GET", "/predict", {}, b"", 405),
    Event("DELETE", "/schema", {}, b"", 405),
    Event("POST", "/nothing", JSON, ROW, 404),
    Event("GET", "/models/none/schema", {}, b"", 404),
]


def events(count):
    """Yield so many requests for the model of the example, the same each time; one of a hundred is malformed."""
    chosen = random.Random(9)
    for number in range(count):
        if number % 100 == 50:
            yield MALFORMED[number // 100 % len(MALFORMED)]
        elif number % 10 == 7:
            yield Event("GET", chosen.choice(["/health/live", "/health/ready", "/schema", "/metadata"]), {}, b"", 200)
        else:
            rows = [{"Comment": " ".join(chosen.choices(WORDS, k=8))} for _ in range(chosen.choice([1, 1, 1, 20]))]
            yield _post(json.dumps({"rows": rows}).encode(), 200)


@pytest.fixture(scope="module")
def launch(home, package, sentiment):
    """Return what starts a function here: that of the example's model, or the empty one."""
    site = home.runtime(GoogleFunctions(to="place"), package)
    folder = home.unzipped(GoogleFunctions(to="place", form="portable"), sentiment)
    command = mk.interpreter_for("linux/x86_64", "3.11").command
    return lambda at=folder: Launch(folder=at, site=site, command=command)


@pytest.fixture(scope="module")
def function(launch):
    with google.start(launch()) as running:
        yield running


def test_the_steak_was_bad(function, sentiment):
    said = function.send("POST", "/predict", JSON, ROW)
    assert said.status == 200
    assert json.loads(said.body)["row"]["prediction"] == "Negative"
    assert said.headers["x-model-digest"] == sentiment.digest
    # In the C locale, too.
    other = '{"row": {"Comment": "Das Fleisch war z\u00e4h \U0001f622 \u8089"}}'.encode()
    assert function.send("POST", "/predict", JSON, other).status == 200


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_every_event_gets_its_status_and_none_ends_it(function, count, record_property):
    assert function.send("GET", "/health/live", {}, b"").status == 200
    pid, malformed = function.pid, 0
    for event in events(count):
        said = function.send(event.method, event.path, event.headers, event.body)
        assert said.status == event.status, event
        assert b"Traceback" not in said.body
        malformed += event in MALFORMED
    assert (function.pid, malformed) == (pid, count // 100)
    record_property(
        f"figure: {count:,} events of Google's form of HTTP in functions-framework, each with its right status",
        f"{count:,}, {malformed} of them malformed",
    )


def test_it_costs_little_more_than_an_empty_function(launch, record_property):
    starts = [(first_answer(launch()), first_answer(launch(EMPTY))) for _ in range(STARTS)]
    for what, unit, most, more in (
        ("first answer", "ms", 100, statistics.median(ours.ms - empty.ms for ours, empty in starts)),
        ("peak memory", "MiB", 15, statistics.median(ours.mib - empty.mib for ours, empty in starts)),
    ):
        name = f"figure: {what} of the portable sentiment model in functions-framework, over that of an empty function"
        record_property(name, f"{more:.1f} {unit} (at most {most}), median of {STARTS} starts")
    assert more <= most


class Cost(NamedTuple):
    ms: float
    mib: float


def first_answer(launch):
    """Return how long a function takes to its first answer, and the most memory it had by then."""
    with google.start(launch) as function:
        assert function.send("POST", "/predict", JSON, ROW).status == 200
        return Cost((time.monotonic() - function.begun) * 1000, processes.peak_mib(function.pid))
