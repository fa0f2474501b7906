"""A function in Azure's Python worker: what reaches it, what comes back, and what happens where it fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from mlopskit_serverless import azure, processes
from mlopskit_serverless.functions import AzureFunctions
from mlopskit_serverless.running import Launch

from mlopskit.errors import DeployError, LimitError

FUNCTION = Path(__file__).with_name("azure_function")
MIB = 1 << 20
START = """
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
@app.route(route="{*path}")
def answer(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("1")
"""
BAD_STARTS = {
    "its own error": ("raise ValueError('no model here')", "ValueError: no model here"),
    "no Python": ("def (", "SyntaxError"),
    "a module that is not there": (f"import numpy\n{START}", "No module named 'numpy'"),
    "no app": ("x = 1", "Could not find top level function app"),
    "no function": (START.split("@", maxsplit=1)[0], "0 functions"),
    "two functions": (
        START + START.replace("answer", "other").split("app = ", maxsplit=1)[1].split("\n", 1)[1],
        "2 funct",
    ),
    "it leaves": ("import os\nprint('bye', flush=True)\nos._exit(7)", "ended with code 7: bye"),
}


@pytest.fixture(scope="module")
def launch(home, package):
    """Return what starts a function of a folder, here."""
    site = home.runtime(AzureFunctions(to="place", form="portable"), package)

    def made(folder=FUNCTION, **options):
        return Launch(folder=folder, site=site, command=(sys.executable,), **options)

    return made


@pytest.fixture(scope="module")
def function(launch):
    """The function of tests, running."""
    with azure.start(launch()) as running:
        yield running


def asked(function, path, *, method="GET", headers=None, body=b""):
    reply = function.send(method, path, headers or {}, body)
    assert reply.status == 200
    return json.loads(reply.body)


def test_a_request_reaches_it_as_azure_passes_it_on(function):
    said = asked(function, "/a/b%20c?x=1&y=", method="POST", headers={"X-Two": "2"}, body=b"12345")
    assert said == {
        "method": "POST",
        "url": "https://function.azurewebsites.net/a/b%20c?x=1&y=",
        "params": {"x": "1", "y": ""},
        "route": {"path": "a/b c"},
        "headers": {"x-two": "2"},
        "bytes": 5,
    }


def test_an_answer_comes_back_with_lower_header_names_though_it_prints(function):
    reply = function.send("GET", "/", {}, b"")
    assert reply.headers == {"content-type": "application/json", "x-one": "1"}


@pytest.mark.parametrize("size", [0, 6 * MIB])
def test_a_body_of_any_size_reaches_it(function, size):
    assert asked(function, "/", method="POST", body=b"x" * size)["bytes"] == size


def test_a_method_that_its_binding_lacks_is_not_found(function):
    assert function.send("PUT", "/", {}, b"") == (404, {}, b"")


def test_it_finds_what_azure_sets_no_home_the_plainest_locale_and_no_package_of_ours(launch):
    with azure.start(launch(environment={"OURS": "1"})) as function:
        assert asked(function, "/where") == {
            "HOME": None,
            "LC_ALL": "C",
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "OURS": "1",
            "folder": str(FUNCTION),
            "packages": [],
        }


@pytest.mark.skipif(not processes.can_seal(), reason="the kernel has no Landlock")
def test_it_can_write_into_its_temporary_folder_alone(function):
    assert asked(function, "/write") == ["PermissionError", "written"]


def test_after_an_exception_the_next_request_is_answered_by_the_same_process(function):
    before = function.pid
    with pytest.raises(DeployError, match="ValueError: it was told to fail"):
        function.send("GET", "/fail", {}, b"")
    assert asked(function, "/")["method"] == "GET"
    assert function.pid == before


def test_where_it_ends_its_last_words_are_told_and_the_next_request_starts_it_anew(function):
    before = function.pid
    with pytest.raises(DeployError, match=r"(?s)ended with code 3: .*going"):
        function.send("GET", "/leave", {}, b"")
    with pytest.raises(DeployError, match="was ended"):
        _ = function.pid
    assert asked(function, "/")["method"] == "GET"
    assert function.pid != before


@pytest.mark.parametrize("path", ["/meddle", "/half"])
def test_what_writes_on_the_line_of_its_host_is_ended_and_the_next_request_starts_it_anew(path, function):
    with pytest.raises(DeployError, match="no answer"):
        function.send("GET", path, {}, b"")
    assert asked(function, "/")["method"] == "GET"


def test_what_takes_too_long_is_ended_and_the_next_request_starts_it_anew(launch):
    with azure.start(launch(seconds=1)) as function:
        with pytest.raises(LimitError, match="not answered after 1 s"):
            function.send("GET", "/hang", {}, b"")
        assert asked(function, "/")["method"] == "GET"


def test_what_takes_too_much_memory_is_ended_and_the_next_request_starts_it_anew(launch):
    with azure.start(launch(memory=128)) as function:
        with pytest.raises(DeployError, match=r"it used \d+ MiB of memory, its limit is 128"):
            function.send("GET", "/swell", {}, b"")
        assert asked(function, "/")["method"] == "GET"


@pytest.mark.parametrize("name", BAD_STARTS)
def test_a_bad_start_gives_its_last_words(name, launch, tmp_path):
    text, words = BAD_STARTS[name]
    (tmp_path / "function_app.py").write_text(text)
    with pytest.raises(DeployError, match=words), azure.start(launch(tmp_path)):
        raise AssertionError("it started")


def test_nothing_is_left_running(launch):
    with azure.start(launch()) as function:
        pid = function.pid
    assert not Path(f"/proc/{pid}").exists()
