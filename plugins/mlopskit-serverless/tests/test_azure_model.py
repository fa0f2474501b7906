"""The zip of a model in Azure's Python worker: it answers as every server does, whatever is asked, and starts soon."""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import sys
import time
from pathlib import Path

import pytest
from mlopskit_serverless import azure, processes
from mlopskit_serverless.functions import AzureFunctions
from mlopskit_serverless.running import Launch

import mlopskit as mk
from mlopskit.errors import DeployError
from mlopskit.loading import installed_loaders
from mlopskit.runtime.functions import Function

AZURE = AzureFunctions(to="place", form="portable")
MANY = 10_000
EMPTY = Path(__file__).with_name("azure_empty")


@pytest.fixture(scope="module")
def launch(home, package):
    """Return what starts a function of a folder, here."""
    site = home.runtime(AZURE, package)

    def made(folder, **options):
        return Launch(folder=folder, site=site, command=(sys.executable,), **options)

    return made


@pytest.fixture(scope="module")
def built(home, package):
    """The unpacked zip of the package."""
    return home.unzipped(AZURE, package)


@pytest.fixture(scope="module")
def model(launch, built):
    """The function of the package, running."""
    with azure.start(launch(built)) as running:
        yield running


@pytest.fixture(scope="module")
def expected(built, package):
    """What answers here as every server around a model does."""
    return Function(built / "package", digest=package.digest, format="portable", loaders=installed_loaders())


JSON = {"content-type": "application/json", "x-request-id": "1"}
ROW = b'{"row": {"height": 1.0, "weight": 2.0}}'
REQUESTS = {
    "a row": ("POST", "/predict", JSON, ROW),
    "rows": (
        "POST",
        "/predict?x=1",
        JSON,
        b'{"rows": [{"height": 1.0, "weight": 2.0}, {"height": -1.0, "weight": 0.0}]}',
    ),
    "CSV": ("POST", "/predict", {**JSON, "Content-Type": "text/csv"}, b"height,weight\n1,2\n"),
    "metadata": ("GET", "/metadata", JSON, b""),
    "HEAD": ("HEAD", "/health/ready", JSON, b""),
    "tensors": ("GET", "/v2/models/conformance", JSON, b""),
    "OpenAPI": ("GET", "/openapi.json", JSON, b""),
    "no body": ("POST", "/predict", JSON, b""),
    "6 MB of no JSON": ("POST", "/predict", JSON, b"{" * 6_000_000),
    "too large": ("POST", "/predict", JSON, b" " * ((16 << 20) + 1)),
    "not UTF-8": ("POST", "/predict", JSON, b"\xff\xfe"),
    "half of it": ("POST", "/predict", JSON, ROW[:-5]),
    "another shape": ("POST", "/predict", JSON, b"[1, 2]"),
    "a column too few": ("POST", "/predict", JSON, b'{"row": {"height": 1.0}}'),
    "a text for a number": ("POST", "/predict", JSON, b'{"row": {"height": "1", "weight": 2.0}}'),
    "NaN": ("POST", "/predict", JSON, b'{"row": {"height": NaN, "weight": 2.0}}'),
    "another content": ("POST", "/predict", {**JSON, "content-type": "text/html"}, ROW),
    "no content type": ("POST", "/predict", {"x-request-id": "1"}, ROW),
    "packed": ("POST", "/predict", {**JSON, "content-encoding": "gzip"}, ROW),
    "another method": ("DELETE", "/predict", JSON, b""),
    "no such path": ("GET", "/../etc/passwd%00", JSON, b""),
    "the root": ("GET", "/", JSON, b""),
    "an id of its own": ("GET", "/health/live", {"X-Request-Id": "abc"}, b""),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_it_answers_as_every_server_around_a_model(name, model, expected):
    said, wanted = model.send(*REQUESTS[name]), expected.respond(*REQUESTS[name])
    assert (said.status, said.body) == (wanted.status, wanted.body)
    assert {*said.headers.items()} == {*wanted.headers}


def test_every_such_answer_is_one_of_a_kind_that_is_told(model):
    statuses = {model.send(*request).status for request in REQUESTS.values()}
    assert statuses == {200, 400, 404, 405, 413, 415, 422}


def test_a_package_that_was_changed_does_not_start(built, launch, tmp_path):
    shutil.copytree(built, tmp_path / "function")
    with (tmp_path / "function" / "package" / "golden.jsonl").open("a") as file:
        file.write(" ")
    with pytest.raises(DeployError, match=r"golden\.jsonl"), azure.start(launch(tmp_path / "function")):
        raise AssertionError("it started")


def malformed(chance):
    """Return a request that is wrong, and what it is answered."""
    body = chance.choice(
        [b"", b"{", ROW[: chance.randrange(1, 39)], b"[]", b"\xff", b'{"row": {"height": "x"}}', b"9" * 5000]
    )
    wrong = ("POST", "/predict", JSON, body), ("GET", "/predict", JSON, b""), ("POST", "/none", JSON, ROW)
    return chance.choices(wrong, [8, 1, 1])[0]


@pytest.mark.parametrize("count", [1_000, pytest.param(MANY, marks=pytest.mark.slow)])
def test_one_in_a_hundred_is_wrong_and_each_is_answered_rightly(count, model, expected, record_property):
    chance, before, seen = random.Random(count), model.pid, {}  # the same each time
    for _ in range(count):
        height, weight = chance.uniform(-9, 9), chance.randrange(-9, 9)
        row = json.dumps({"row": {"height": height, "weight": weight}}).encode()
        asked = malformed(chance) if chance.random() < 0.01 else ("POST", "/predict", JSON, row)
        said, wanted = model.send(*asked), expected.respond(*asked)
        assert (said.status, said.body) == (wanted.status, wanted.body)
        seen[said.status] = seen.get(said.status, 0) + 1
    assert model.pid == before
    assert seen[200] >= count * 0.98
    assert len(seen) > 1
    if count == MANY:
        told = ", ".join(f"{status}: {times:,}" for status, times in sorted(seen.items()))
        record_property("figure: 10,000 events through Azure's worker, 1 % malformed, answers by status", told)


def test_the_steak_was_bad_says_what_answered_all_golden_rows_in_azures_worker(home, sentiment, tmp_path):
    deployer = AzureFunctions(to=str(tmp_path / "place"))
    with home.entered():
        mk.fetch(sentiment, deployer)
        receipt = mk.deploy(sentiment, deployer, registry=sentiment.folder.parents[2], why="test").receipt
        answer = deployer.predict("sentiment", [{"Comment": "The steak was bad!"}], None)
    assert receipt.passed
    assert (receipt.place, receipt.rows) == ("local", len(sentiment.golden))
    assert answer.rows[0]["prediction"] == "Negative"
    assert answer.digest == sentiment.digest


def first_answer(launch, request):
    """Return the seconds from the start of the process to its first answer, by the clock and the processor; its MiB."""
    with azure.start(launch) as function:
        assert function.send(*request).status == 200
        seconds = time.monotonic() - function.begun
        user, system = Path(f"/proc/{function.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return seconds, (int(user) + int(system)) / os.sysconf("SC_CLK_TCK"), processes.peak_mib(function.pid)


@pytest.mark.slow
def test_it_starts_little_later_than_an_empty_function_and_takes_little_more(launch, home, sentiment, record_property):
    body = json.dumps({"row": {"Comment": "The steak was bad!"}}).encode()
    asked, ours = ("POST", "/predict", {"content-type": "application/json"}, body), home.unzipped(AZURE, sentiment)
    taken = {folder: [] for folder in (EMPTY, ours)}
    for _ in range(9):
        for folder, each in taken.items():
            each.append(first_answer(launch(folder), asked))
    empty, full = ([*map(statistics.median, zip(*each, strict=True))] for each in taken.values())
    what = "Azure's worker, sentiment, portable, over an empty function"
    for name, unit, one, other in zip(
        ("first answer", "that of the processor", "memory"), ("s", "s", "MiB"), empty, full, strict=True
    ):
        record_property(f"figure: {what}: {name}", f"{other - one:+.2f} {unit} over {one:.2f} {unit}")
    # Other work on this machine makes each start longer; the processor's own time it hardly changes.
    assert full[1] - empty[1] <= 0.1
    assert full[2] - empty[2] <= 15
