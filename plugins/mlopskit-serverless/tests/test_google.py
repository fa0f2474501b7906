"""A function in functions-framework: what reaches it, what it answers, and what happens where it fails."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path

import pytest
from mlopskit_serverless import google, processes
from mlopskit_serverless.functions import GoogleFunctions
from mlopskit_serverless.running import Launch

import mlopskit as mk
from mlopskit.errors import DeployError, LimitError
from mlopskit.runtime.http import MAX_BODY
from mlopskit.testing.packages import shared_packages

TOLD = Path(__file__).with_name("google_function")
ROW = {"height": 1.0, "weight": -1.0}
JSON = {"content-type": "application/json"}
MIB = 1 << 20
BAD_STARTS = {
    "its own error": ("raise ValueError('no model here')", "ValueError: no model here"),
    "no Python": ("def (", "SyntaxError"),
    "a module that is not there": ("import numpy", "No module named 'numpy'"),
    "no function": ("x = 1", "is expected to contain a function named 'answer'"),
    "it leaves": ("import os\nprint('bye', flush=True)\nos._exit(7)", "ended with code 7"),
}


@pytest.fixture(scope="session")
def launch(home, package):
    """Return what starts the function of a folder, here."""
    site = home.runtime(GoogleFunctions(to="place"), package)
    command = mk.interpreter_for("linux/x86_64", "3.11").command

    def made(folder=TOLD, **options):
        return Launch(folder=folder, site=site, command=command, **options)

    return made


@pytest.fixture(scope="module")
def told(launch):
    """The function that does as it is told, running."""
    with google.start(launch()) as running:
        yield running


@pytest.fixture(scope="module")
def model(launch, home, package):
    """The function of a small classifier, running."""
    with google.start(launch(home.unzipped(GoogleFunctions(to="place"), package))) as running:
        yield running


def predicted(function, value, **headers):
    return function.send("POST", "/predict", {**JSON, **headers}, json.dumps(value).encode())


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_runs_as_in_the_cloud(told):
    said = json.loads(told.send("GET", "/surroundings", {}, b"").body)
    assert said["environment"].pop("PORT") == str(told.port)
    assert said["environment"] == {"LC_ALL": "C", "K_SERVICE": "function", "FUNCTION_TARGET": "answer"}
    assert said["encoding"] == "utf-8"
    assert said["server"] == ["gunicorn.workers.gthread"]
    assert not said["written"] or not processes.can_seal()
    assert not (TOLD / "new").exists() or not processes.can_seal()


def test_what_is_asked_is_the_worker_that_answers(told):
    assert told.send("GET", "/", {}, b"").status == 200
    assert told.workers() == [told.pid]
    assert told.pid != told.process.pid


def test_a_request_after_a_failure_is_answered(told):
    assert told.send("GET", "/fail", {}, b"").status == 500
    assert told.send("GET", "/", {}, b"").status == 200


@pytest.mark.parametrize("name", BAD_STARTS)
def test_a_bad_start_says_why(name, launch, tmp_path):
    source, said = BAD_STARTS[name]
    (tmp_path / "main.py").write_text(source)
    with pytest.raises(DeployError, match=said), google.start(launch(tmp_path)):
        raise AssertionError


def test_a_start_that_never_ends_is_ended(launch, tmp_path):
    (tmp_path / "main.py").write_text("import time\ntime.sleep(60)")
    with pytest.raises(LimitError, match="did not start within 1 s"), google.start(launch(tmp_path, seconds=1.0)):
        raise AssertionError


def test_what_takes_too_long_or_leaves_is_said_and_all_ends(launch):
    with google.start(launch(seconds=2.0)) as function:
        with pytest.raises(LimitError, match="did not answer within 2 s"):
            function.send("GET", "/wait", {}, b"")
        with pytest.raises(DeployError, match="going away"):
            function.send("GET", "/leave", {}, b"")
        pids = [function.process.pid, *function.workers()]
    assert not [pid for pid in pids if is_running(pid)]


def test_what_takes_too_much_memory_is_ended_and_said(launch):
    with google.start(launch(memory=128)) as function, pytest.raises(DeployError, match="its limit is 128"):
        function.send("GET", "/eat", {}, b"")


def test_it_answers_as_the_web_api_does(model, package):
    said = predicted(model, {"row": ROW})
    assert (said.status, json.loads(said.body)["row"]["prediction"]) == (200, "above")
    assert said.headers["x-model-digest"] == package.digest
    assert said.headers["content-type"] == "application/json"
    for path in ("/health/live", "/health/ready", "/models", "/openapi.json", "/schema", "/metadata", "/v2"):
        assert model.send("GET", path, {}, b"").status == 200, path
    assert model.send("GET", "/nothing", {}, b"").status == 404
    assert model.send("GET", "/predict", {}, b"").headers["allow"] == "POST"
    csv = model.send("POST", "/predict", {"content-type": "text/csv"}, b"height,weight\n1.0,-1.0\n")
    assert csv.body.startswith(b"prediction,")
    assert model.send("GET", "/schema?x=1", {"x-request-id": "mine"}, b"").headers["x-request-id"] == "mine"


def test_head_says_what_get_would_without_a_body(model):
    said = model.send("HEAD", "/schema", {}, b"")
    assert (said.status, said.body) == (200, b"")
    got = model.send("GET", "/schema", {}, b"")
    assert said.headers["content-length"] == got.headers["content-length"] != "0"
    assert "x-model-digest" in said.headers


def test_bad_requests_are_refused_and_the_next_is_answered(model):
    rows = b'{"rows": [' + b",".join([json.dumps(ROW).encode()] * 200_000) + b"]}"
    assert len(rows) > 6 * MIB
    assert model.send("POST", "/predict", JSON, rows).status == 413
    asked = {
        b"": 400, b"{": 400, b"[]": 422, b'{"row": {"height": NaN}}': 400, b"\xff": 400, b"[" * 100 + b"]" * 100: 413,
        b'{"row": {"height": 1}}': 422, b'{"row": {"height": "x", "weight": 1}}': 422,
    }  # fmt: skip
    for body, status in asked.items():
        said = model.send("POST", "/predict", JSON, body)
        assert (said.status, said.headers["content-type"]) == (status, "application/problem+json"), body[:40]
        assert b"Traceback" not in said.body
    assert model.send("POST", "/predict", {"content-type": "text/plain"}, b"{}").status == 415
    assert model.send("POST", "/predict", {**JSON, "content-encoding": "gzip"}, b"{}").status == 415
    assert predicted(model, {"row": ROW}).status == 200


def test_a_body_without_a_length_is_read(model):
    said = predicted(model, {"row": ROW}, **{"transfer-encoding": "chunked"})
    assert said.status == 200


def test_a_body_that_is_too_long_is_refused_and_not_held(model):
    before = processes.peak_mib(model.pid)
    for headers in (JSON, {**JSON, "transfer-encoding": "chunked"}):
        said = model.send("POST", "/predict", headers, b" " * (MAX_BODY + 8 * MIB))
        assert (said.status, json.loads(said.body)["detail"]) == (413, "The body has more than 16,777,216 bytes.")
    assert processes.peak_mib(model.pid) < before + 64


def test_a_declared_length_that_never_comes_holds_nobody_up(model):
    connection = http.client.HTTPConnection("127.0.0.1", model.port, timeout=20)
    connection.putrequest("POST", "/predict")
    connection.putheader("content-length", str(10**10))
    connection.endheaders(b"{")
    assert predicted(model, {"row": ROW}).status == 200
    connection.close()


@pytest.mark.slow
def test_it_follows_an_alias_between_requests(launch, home, package, tmp_path_factory, tmp_path):
    other = mk.ModelPackage.open(shared_packages(tmp_path_factory) / "other", digest="unpinned")
    share = mk.FileShare(to=str(tmp_path / "share"))
    mk.deploy(package, share, registry=tmp_path / "registry", override="a test")
    environment = {"MODEL_URI": f"{tmp_path}/share/{package.name}@production", "MODEL_EVERY": "0.001"}
    built = launch(home.unzipped(GoogleFunctions(to="place"), package), environment=environment)
    with google.start(built) as function:
        assert answering(function) == package.digest
        mk.deploy(other, share, registry=tmp_path / "registry", override="a test")
        until = time.monotonic() + 60  # a request waits for 2 s at most, a trial's process takes its time
        while answering(function) != other.digest and time.monotonic() < until:
            time.sleep(0.1)
        (tmp_path / "share").rename(tmp_path / "away")
        assert answering(function) == other.digest
        fault = json.loads(function.send("GET", "/metadata", {}, b"").body)["fault"]
    assert "share" in fault


def answering(function):
    said = predicted(function, {"row": ROW})
    assert said.status == 200
    return said.headers["x-model-digest"]
