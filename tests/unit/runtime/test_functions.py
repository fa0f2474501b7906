import json
import logging
import subprocess
import sys

import pytest

import mlopskit as mk
from mlopskit.runtime import canonical, http, open_package
from mlopskit.runtime.errors import IntegrityError, LimitError, PackageError, RowError, UsageError
from mlopskit.runtime.functions import Function

JSON = {"Content-Type": "application/json"}


class Times:
    """A loader of packages that multiply by a number, and divide by one if it is asked for -1."""

    def load(self, files, spec):
        factor = json.loads(files["model.json"])["factor"]
        return type("Scorer", (), {"score": lambda _, rows: {"prediction": [factor * x for x in rows["x"]]}})()


LOADERS = {"portable": Times}


@pytest.fixture
def function(published):
    """The function of the first package."""
    return begin(published)


def begin(published, digest=None, **options):
    digest = digest or published.one
    folder = published.folder / "packages" / digest.removeprefix("sha256:")
    return Function(folder, digest=digest, format="portable", **{"loaders": LOADERS, **options})


def test_it_answers_as_every_server_around_a_model(function, published):
    said = function.respond("POST", "/predict?x=1", {**JSON, "X-Request-Id": "one"}, b'{"row":{"x":3}}')
    assert (said.status, dict(said.headers)["x-model-digest"]) == (200, published.one)
    assert json.loads(said.body)["row"] == {"prediction": 3}
    assert json.loads(said.body)["request_id"] == "one"
    assert function.respond("GET", "/health/ready", {}, b"").status == 200
    assert function.respond("GET", "/schema", {}, b"").status == 200
    assert json.loads(function.respond("GET", "/metadata", {}, b"").body)["digest"] == published.one
    ready = function.respond("GET", "/v2/models/sentiment/ready", {}, b"")
    assert json.loads(ready.body) == {"name": "sentiment", "ready": True}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/predict", b"", 400),
        ("POST", "/predict", b'{"row":{"x":"y"}}', 422),
        ("GET", "/predict", b"", 405),
        ("GET", "/../etc/passwd", b"", 404),
        ("POST", "/predict", b" " * (http.MAX_BODY + 1), 413),
    ],
)
def test_what_is_wrong_with_a_request_is_a_response(function, method, path, body, status):
    said = function.respond(method, path, JSON, body)
    assert said.status == status
    assert json.loads(said.body)["status"] == status


def test_an_event_that_is_no_request_is_answered_as_its_body_would_be(function, published):
    assert function.direct({"row": {"x": 3}})["row"] == {"prediction": 3}
    said = function.direct({"rows": [{"x": 1}, {"x": 2}]})
    assert (said["rows"], said["digest"]) == ([{"prediction": 1}, {"prediction": 2}], published.one)
    assert function.direct({"columns": {"x": [1, 2]}})["columns"] == {"prediction": [1, 2]}


@pytest.mark.parametrize("event", [None, 1, "row", [], {}, {"row": {"x": 1}, "more": 1}, {"rows": {"x": 1}}])
def test_an_event_of_another_form_is_refused(function, event):
    with pytest.raises(UsageError):
        function.direct(event)


def test_an_event_that_no_body_could_be_is_refused(function):
    for cell in (float("nan"), float("inf"), b"1", 10**400, {"x": 1}, object()):
        with pytest.raises(RowError):
            function.direct({"row": {"x": cell}})
    with pytest.raises(LimitError):
        function.direct({"rows": [{"x": 1}] * (http.MAX_ROWS + 1)})


def test_a_fault_is_logged_and_not_told(function, caplog, monkeypatch):
    def fails(*_):
        raise RuntimeError("a secret")

    monkeypatch.setattr("mlopskit.runtime.http.find", fails)
    with caplog.at_level(logging.ERROR):
        said = function.respond("GET", "/metadata", {}, b"")
    assert said.status == 500
    assert b"secret" not in said.body
    assert "a secret" in caplog.text


def test_openapi_shows_rows_that_anybody_may_see(published):
    golden = {"file": "golden.jsonl", "from": "file", "rows": 1, "scale": 1.0, "tolerance": 1e-6}
    open_to_all = published.package(3, golden=golden)
    assert b'{"rows":[{"x":1}]}' in begin(published, open_to_all).respond("GET", "/openapi.json", {}, b"").body
    assert b'{"rows":[{"x":1}]}' not in begin(published).respond("GET", "/openapi.json", {}, b"").body


def test_openapi_is_told_where_the_rows_to_try_are_gone(published):
    golden = {"file": "golden.jsonl", "from": "file", "rows": 1, "scale": 1.0, "tolerance": 1e-6}
    digest = published.package(3, golden=golden)
    function = begin(published, digest)
    published.file(digest, "golden.jsonl").unlink()
    assert function.respond("GET", "/openapi.json", {}, b"").status == 200


def test_a_changed_package_is_refused_at_the_start(published):
    published.file(published.one, "model.json").write_bytes(b'{"factor":9}')
    with pytest.raises(IntegrityError):
        begin(published)


@pytest.mark.parametrize(
    ("extra", "starts"),
    [
        ("code/__pycache__/steps.cpython-311.pyc", True),
        ("code/deep/__pycache__/steps.cpython-311.pyc", True),
        ("code/__pycache__/steps.py", False),
        ("code/steps.pyc", False),
        ("__pycache__/steps.cpython-311.pyc", False),
    ],
)
def test_bytecode_that_a_service_made_beside_code_is_overlooked_and_nothing_else(published, extra, starts):
    file = published.file(published.one, "model.json").parent / extra
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no bytecode at all")
    if starts:
        assert begin(published).respond("GET", "/health/live", {}, b"").status == 200
    else:
        with pytest.raises(IntegrityError, match="is not listed"):
            begin(published)


def test_a_form_without_its_loader_is_refused_at_the_start(published):
    with pytest.raises(PackageError, match="has no loader here"):
        begin(published, loaders={"onnx": Times})


# --- its start ------------------------------------------------------------------------------------------------------

ASKS = """
import sys
sys.path.insert(0, sys.argv[1])
from _mlopskit_runtime.functions import Function
said = Function(sys.argv[2], digest=sys.argv[3], format="portable").respond(
    "POST", "/predict", {"content-type": "application/json"}, sys.argv[4].encode())
print(said.body.decode())
print(*sys.modules)
"""
# Each takes more time or memory than a model that answers once has.
SLOW = {
    *("argparse", "ast", "asyncio", "dataclasses", "datetime", "email", "http.client", "importlib.metadata", "inspect"),
    *("logging", "pathlib", "random", "selectors", "shutil", "socket", "ssl", "subprocess", "tempfile", "threading"),
    *("traceback", "urllib", "urllib.request", "uuid", "zipfile"),
}


def test_its_start_loads_nothing_that_the_first_answer_does_not_need(package, tmp_path):
    for path, data in mk.runtime_files(["portable"]).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    asked = canonical.dumps({"row": {next(iter(package.manifest["schema"]["inputs"]["properties"])): "good 1"}})
    arguments = [str(tmp_path), str(package.folder), package.digest, asked.decode()]
    command = [sys.executable, "-I", "-S", "-c", ASKS, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer, loaded = done.stdout.splitlines()
    assert json.loads(answer)["row"]["prediction"] == "Positive"
    assert not SLOW & {*loaded.split()}


def test_it_holds_no_byte_of_the_package(function, published):
    held = function._package.files  # what is kept of them is the manifest's, which says what the rest is
    assert {*open_package(published.file(published.one, "")).files} > {*held} == {"manifest.json"}
