"""A function in awslambdaric: its forms of HTTP, direct invocations, and what goes wrong.

Of the list of threats: D3 (what is too large), D4 (too many rows), D5 and D11 (test_lambda_events), A13 and A19 (what
never ends is cut off, the next is answered), A17 (a damaged model is refused at the start). A18 and A20 are the
formats': a loader sets those parameters wherever it runs.
"""

from __future__ import annotations

import base64
import gzip
import importlib
import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from mlopskit_serverless import awslambda, events, processes
from mlopskit_serverless.functions import LambdaZip
from mlopskit_serverless.running import Launch
from mlopskit_serverless.runtimeapi import LARGEST

import mlopskit as mk
from mlopskit.errors import DeployError, LimitError
from mlopskit.runtime import http, load, open_package
from mlopskit.testing.packages import shared_packages

FORMS = ("rest", "http", "url")
JSON = {"content-type": "application/json"}
CSV = {"content-type": "text/csv"}
ROW = {"height": 0.5, "weight": 1}
TENSORS = json.dumps(
    {
        "inputs": [
            {"name": "height", "shape": [1], "datatype": "FP64", "data": [0.5]},
            {"name": "weight", "shape": [1], "datatype": "INT64", "data": [1]},
        ],
        "parameters": {"binary_data_output": True},
    }
).encode()
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
TRICKS = Path(__file__).with_name("lambda_function") / "tricks.py"


def body_of(*rows):
    return json.dumps({"rows": rows}).encode()


@pytest.fixture(scope="module")
def launch(package, home):
    """Return what starts the function of a small classifier; its handler does tricks if it is asked for them."""
    deployer = LambdaZip(to="place", form="portable", python=HERE)
    folder = home.unzipped(deployer, package)
    (folder / "lambda_function.py").rename(folder / "answering.py")
    shutil.copy(TRICKS, folder / "lambda_function.py")
    site = home.runtime(deployer, package)

    def made(folder=folder, **options):
        return Launch(folder=folder, site=site, command=(sys.executable,), **options)

    return made


@pytest.fixture(scope="module")
def function(launch):
    with awslambda.start(launch()) as one:
        yield one


@pytest.fixture(scope="module")
def service(package):
    """The same package, as every server around it answers."""
    loaders = {"portable": lambda: importlib.import_module("mlopskit.builtin.portable.loader")}
    return http.Service.of(load(open_package(package.folder, digest=package.digest), loaders=loaders))


def invoked(function, event):
    found = function.invoke(json.dumps(event).encode())
    return json.loads(found.payload), found.error


ASKED = [
    ("POST", "/predict", JSON, body_of(ROW, ROW)),
    ("POST", "/predict?key=1&key=2", {**JSON, "x-request-id": "mine-1"}, body_of(ROW)),
    ("POST", "/predict", CSV, b"height,weight\n0.5,1\n"),
    ("POST", "/predict", {"content-type": "application/octet-stream"}, body_of(ROW)),
    ("POST", "/predict", {**JSON, "content-encoding": "gzip"}, gzip.compress(b" " * 10_000_000)),
    ("POST", "/predict", JSON, b""),
    ("POST", "/predict", {}, b""),
    ("POST", "/predict", JSON, b'{"rows": [{"height": \xff}]}'),
    ("POST", "/predict", JSON, b'{"rows": [{"height": NaN, "weight": 1}]}'),
    ("POST", "/predict", JSON, body_of({"height": "\U0001f969", "weight": 1})),
    ("POST", "/predict", JSON, body_of({"height": 0.5})),
    ("PUT", "/predict", JSON, body_of(ROW)),
    ("POST", "/models/conformance/predict", JSON, body_of(ROW)),
    ("POST", "/v2/models/conformance/infer", {"content-type": "application/octet-stream"}, TENSORS),
    ("POST", "/v2/models/conformance/infer", JSON, TENSORS),
    ("GET", "/schema", {}, b""),
    ("HEAD", "/schema", {}, b""),
    ("GET", "/metadata", {}, b""),
    ("GET", "/health/ready", {}, b""),
    ("GET", "/models", {}, b""),
    ("GET", "/", {}, b""),
    ("GET", "/prod/schema", {}, b""),
    ("OPTIONS", "/predict", {"origin": "http://evil.example"}, b""),
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_answers_as_the_web_api_does(function, service, form):
    for method, path, headers, body in ASKED:
        reply = function.send_as(form, method, path, headers, body)
        id = reply.headers["x-request-id"]
        expected = http.respond(service, http.Request(method, path.partition("?")[0], headers, body, id))
        assert reply == (expected.status, dict(expected.headers), expected.body), (method, path, body)
        assert id == headers.get("x-request-id", id)


def test_a_binary_answer_goes_out_in_base64(function):
    event = events.event_of("url", "POST", "/v2/models/conformance/infer", JSON, TENSORS, "id")
    said, _ = invoked(function, event)
    assert said["isBase64Encoded"]
    assert events.reply_of(said).status == 200


def request(form="url", **changes):
    event = events.event_of(form, "POST", "/predict", JSON, body_of(ROW), "id")
    return {**event, **changes}


def test_the_path_counts_from_where_the_function_stands(function):
    own_domain = {"path": "/scoring/predict", "resource": "/scoring/{proxy+}", "pathParameters": {"proxy": "predict"}}
    staged = {"rawPath": "/prod/predict", "routeKey": "POST /predict", "pathParameters": None}
    bare = {"resource": "/predict", "pathParameters": None, "headers": None}
    for event in (request("rest", **own_domain), request("http", **staged), request("rest", **bare)):
        said, error = invoked(function, event)
        assert (error, said["statusCode"]) == ("", 200), said


def test_headers_come_once_or_several_times_and_in_any_case(function):
    cases = [
        ({"headers": {"Content-Type": "application/json"}, "multiValueHeaders": None}, 200),
        ({"headers": None, "multiValueHeaders": {"CONTENT-TYPE": ["application/json"]}}, 200),
        ({"headers": None, "multiValueHeaders": {"Content-Type": ["application/json", "text/csv"]}}, 415),
        ({"headers": {}, "multiValueHeaders": {}}, 415),
    ]
    for headers, status in cases:
        said, _ = invoked(function, request("rest", **headers))
        assert said["statusCode"] == status, headers


WRONG = [
    {"requestContext": None},
    {"requestContext": 3},
    {"requestContext": {}},
    {"requestContext": {"http": {}}},
    {"requestContext": {"http": {"method": 3, "path": "/"}}},
    {"rawPath": None},
    {"rawPath": ["/predict"]},
    {"headers": ["a"]},
    {"headers": {"content-type": 1}},
    {"headers": {"content-type": None}},
    {"multiValueHeaders": {"content-type": None}},
    {"multiValueHeaders": {"content-type": [1]}},
    {"multiValueHeaders": 3},
    {"body": 3},
    {"body": {"rows": []}},
    {"body": ["a"]},
    {"body": base64.b64encode(body_of(ROW)).decode() + "!", "isBase64Encoded": True},
    {"body": "\u00e9", "isBase64Encoded": True},
    {"body": '{"row": {"wei\ud800ght": 1}}'},
    {"httpMethod": None},
    {"httpMethod": "POST"},
]


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_a_request_of_the_wrong_shape_is_told_so(function, change):
    said, error = invoked(function, request(**change))
    assert (error, said["statusCode"]) == ("", 400), said
    told = json.loads(said["body"])
    assert {"remedy", "request_id"} <= told.keys()


def test_rows_are_invoked_directly(function, service):
    for form, given in (("row", ROW), ("rows", [ROW, ROW]), ("columns", {"height": [0.5], "weight": [1]})):
        said, error = invoked(function, {form: given})
        asked = http.Request("POST", "/predict", JSON, json.dumps({form: given}).encode(), "id")
        expected = json.loads(http.respond(service, asked).body)
        assert (error, said | {"request_id": "id"}) == ("", expected)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({}, "UsageError"),
        ([], "UsageError"),
        (None, "UsageError"),
        ("rows", "UsageError"),
        ({"rows": [ROW], "row": ROW}, "UsageError"),
        ({"rows": ROW}, "UsageError"),
        ({"row": {"height": 0.5}}, "RowError"),
        ({"row": {"height": "\ud800", "weight": 1}}, "RowError"),
        ({"columns": {"height": [0.5] * 100_001, "weight": [1] * 100_001}}, "LimitError"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_what_is_wrong_with_rows_is_the_functions_error(function, event, kind):
    said, error = invoked(function, event)
    assert (error, said["errorType"]) == ("Unhandled", kind)
    assert said["errorMessage"]


def test_a_payload_that_is_no_json_is_an_error_and_the_next_is_answered(function):
    for payload in (b"", b"{", b"\xff", b'{"row": {"height": NaN, "weight": 1}}', b"[" * 100_000):
        assert function.invoke(payload).error == "Unhandled"
    assert invoked(function, {"row": ROW})[1] == ""


def test_after_an_exception_the_same_process_answers(function):
    before = function.pid
    said, error = invoked(function, {"trick": {"fail": "on purpose"}})
    assert (error, said["errorType"], said["errorMessage"]) == ("Unhandled", "RuntimeError", "on purpose")
    assert function.send("POST", "/predict", JSON, body_of(ROW)).status == 200
    assert function.pid == before


def test_six_megabytes_are_taken_and_more_never_reach_the_function(function):
    many = b"height,weight\n" + b"0.5,1\n" * 99_000
    assert function.send("POST", "/predict", CSV, many).status == 200
    full = b'{"row": {"height": 0.5, "weight": 1}}' + b" " * ((6 << 20) - 2000)
    assert function.send("POST", "/predict", JSON, full).status == 200
    assert function.send("POST", "/predict", JSON, full + b" " * 4000).status == 413
    with pytest.raises(LimitError, match="at most 6,291,556"):
        function.invoke(b" " * (LARGEST + 1))


def test_too_many_rows_and_too_long_an_answer_are_told(function):
    more = json.dumps({"columns": {"height": [0.5] * 100_001, "weight": [1] * 100_001}}).encode()
    assert function.send("POST", "/predict", JSON, more).status == 413
    rows = body_of(*[ROW] * 70_000)
    reply = function.send("POST", "/predict", JSON, rows)
    told = json.loads(reply.body)
    assert (reply.status, told["kind"], told["detail"][:10]) == (413, "LimitError", "The answer")
    said, error = invoked(function, {"rows": [ROW] * 70_000})
    assert (error, said["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")
    event = events.event_of("url", "GET", "/schema", {}, b"", "1")
    for text, status in (("\U0001f600" * 5, 200), ("\U0001f600" * 6, 413)):  # twelve bytes of JSON each
        said, error = invoked(function, {**event, "trick": {"answer": text}})
        assert (said.get("statusCode"), error) == (status, "")
    assert function.send("POST", "/predict", JSON, body_of(ROW)).status == 200


def test_what_never_ends_is_cut_off_at_its_deadline_and_the_next_is_answered(launch):
    with awslambda.start(launch(seconds=1.5)) as function:
        before = function.pid
        event = {**request(), "trick": {"say": "now I sleep", "hang": 600}}
        said, error = invoked(function, event)
        assert (error, said["errorType"]) == ("Unhandled", "Sandbox.Timedout")
        assert "Task timed out after 1.50 seconds" in said["errorMessage"]
        assert "now I sleep" in said["errorMessage"]
        assert not Path(f"/proc/{before}").exists()
        assert function.send("POST", "/predict", JSON, body_of(ROW)).status == 200
        assert function.pid != before


def test_a_request_that_takes_too_long_is_a_limit(launch, monkeypatch):
    with awslambda.start(launch(seconds=1.5)) as function:
        made = awslambda.event_of
        monkeypatch.setattr(awslambda, "event_of", lambda *given: {**made(*given), "trick": {"backtrack": 60}})
        with pytest.raises(LimitError, match=r"timed out after 1\.50 seconds"):
            function.send("POST", "/predict", JSON, body_of(ROW))


def test_a_process_that_ends_or_needs_too_much_memory_is_told_and_started_again(launch):
    with awslambda.start(launch(memory=128)) as function:
        for trick, said in (({"exit": 3}, "exit status 3"), ({"memory": 200}, "its limit is 128")):
            told, error = invoked(function, {"trick": trick, "row": ROW})
            assert (error, told["errorType"]) == ("Unhandled", "Runtime.ExitError")
            assert said in told["errorMessage"]
            assert function.send("POST", "/predict", JSON, body_of(ROW)).status == 200


def test_it_finds_what_lambda_sets_and_no_home(launch):
    names = ["HOME", "LANG", "TZ", "LAMBDA_TASK_ROOT", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "_X_AMZN_TRACE_ID", "MINE"]
    with awslambda.start(launch(memory=256, seconds=30, environment={"MINE": "1"})) as function:
        said, _ = invoked(function, {"trick": {"tell": names}})
    trace = said.pop("_X_AMZN_TRACE_ID")
    assert trace.startswith("Root=1-")
    assert 20_000 < said.pop("left") <= 30_000
    folder = str(launch().folder)
    assert said == dict(zip(names[:-2], [None, "C", ":UTC", folder, "256"], strict=True)) | {"MINE": "1"}


def test_a_locale_without_letters_changes_nothing(launch):
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    with awslambda.start(launch(environment=plain)) as function:
        reply = function.send("POST", "/predict", JSON, '{"row": {"h\u00f6he": 1}}'.encode())
        assert (reply.status, json.loads(reply.body)["extra"]) == (422, ["h\u00f6he"])


def test_it_can_write_below_its_temporary_folder_alone(launch, tmp_path):
    if not processes.can_seal():
        assert not os.environ.get("MLOPSKIT_REQUIRE_SERVICES")
        pytest.skip("this kernel has no Landlock")
    (tmp_path / "there").write_text("kept")
    with awslambda.start(launch()) as function:
        temporary = invoked(function, {"trick": {"tell": ["TMPDIR"]}})[0]["TMPDIR"]
        folder = str(launch().folder)
        for path in (f"{folder}/new", f"{folder}/answering.py", str(tmp_path / "new"), str(tmp_path / "there")):
            said, error = invoked(function, {"trick": {"write": [path]}, "row": ROW})
            assert (error, said["errorType"]) == ("Unhandled", "PermissionError"), path
        assert invoked(function, {"trick": {"write": [f"{temporary}/new", "/dev/null"]}, "row": ROW})[1] == ""
    assert not Path(temporary).exists()
    assert [file.name for file in tmp_path.iterdir()] == ["there"]
    assert not list(launch().folder.rglob("new"))


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        ("raise ValueError('no model today')", "ValueError: no model today"),
        ("def handler(:", "Runtime.UserCodeSyntaxError"),
        ("import nowhere_to_be_found", "Runtime.ImportModuleError: .*nowhere_to_be_found"),
        ("answer = 3", "Runtime.HandlerNotFound"),
        ("import os\nprint('good bye', flush=True)\nos._exit(7)", "exit status 7 Its last words: good bye"),
        ("import time\nprint('still here', flush=True)\ntime.sleep(600)", "timed out .* words: still here"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "signal: SIGSEGV"),
    ],
    ids=["raise", "syntax", "import", "handler", "exit", "hang", "signal"],
)
def test_a_function_that_does_not_start_is_told_with_its_last_words(launch, tmp_path, handler, said):
    (tmp_path / "lambda_function.py").write_text(handler)
    with (
        pytest.raises(DeployError, match=rf"The function did not start: .*{said}"),
        awslambda.start(launch(folder=tmp_path, seconds=2)),
    ):
        pass


def test_a_damaged_package_is_refused_at_the_start(launch, tmp_path):
    folder = shutil.copytree(launch().folder, tmp_path / "function")
    model = folder / "package/model.json"
    model.write_bytes(model.read_bytes().replace(b"0", b"1", 1))
    with (
        pytest.raises(DeployError, match=r"IntegrityError: The file 'model\.json' was changed"),
        awslambda.start(launch(folder=folder)),
    ):
        pass


def test_a_program_that_is_not_there_is_told(launch):
    one = launch()
    nowhere = Launch(folder=one.folder, site=one.site, command=("/nowhere/python",))
    with pytest.raises(DeployError, match="/nowhere/python"), awslambda.start(nowhere):
        pass


def test_nothing_is_left_of_it(launch):
    with awslambda.start(launch()) as function:
        pid = function.pid
        assert time.monotonic() >= function.begun
    assert not Path(f"/proc/{pid}").exists()


def test_it_follows_an_alias_between_invocations(launch, package, tmp_path, tmp_path_factory):
    other = mk.ModelPackage.open(shared_packages(tmp_path_factory) / "other", digest="unpinned")
    share = mk.FileShare(to=str(tmp_path / "share"))

    def publish(one):
        mk.deploy(one, share, registry=tmp_path / "registry", override="a test")

    def answers(expected):
        until = time.monotonic() + 60
        while (reply := function.send("POST", "/predict", JSON, body_of(ROW))).headers["x-model-digest"] != expected:
            assert reply.status == 200
            assert time.monotonic() < until, function.send("GET", "/metadata", {}, b"")
            time.sleep(0.05)

    publish(other)
    uri = f"{tmp_path / 'share'}/{package.name}@production"
    with awslambda.start(launch(environment={"MODEL_URI": uri, "MODEL_EVERY": "0.2"}, memory=128)) as function:
        answers(other.digest)
        (tmp_path / "share").rename(tmp_path / "away")
        time.sleep(0.3)
        answers(other.digest)
        (tmp_path / "away").rename(tmp_path / "share")
        publish(package)
        answers(package.digest)


FAILS_FIRST = """
import answering

ASKED = []


def handler(event, context):
    ASKED.append(event)
    return answering.handler(event, context) if ASKED[1:] else {"statusCode": 500, "body": "{}"}
"""


def test_a_function_whose_first_answer_is_none_is_refused(package, home, tmp_path):
    """All golden rows come next: they would not show it, and the time of a failure is no measurement."""
    deployer = LambdaZip(to="place", form="portable", python=HERE)
    folder = home.unzipped(deployer, package)
    (folder / "lambda_function.py").rename(folder / "answering.py")
    (folder / "lambda_function.py").write_text(FAILS_FIRST)
    files = {one.relative_to(folder).as_posix(): one for one in folder.rglob("*") if one.is_file()}
    mk.write_zip(files, tmp_path / "function.zip")
    home.runtime(deployer, package)
    with home.entered(), pytest.raises(DeployError, match="The function answered 500"):
        deployer.ask(tmp_path, [golden.row for golden in package.golden])
