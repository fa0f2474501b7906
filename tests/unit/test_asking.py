from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlopskit as mk
from mlopskit.errors import ConfigError, DeployError, MlopskitError, NotReadyError

SAID = {"rows": [{"y": 1}], "digest": "sha256:1", "runtime": {"engine": "e"}, "request_id": "r"}


class Server(HTTPServer):
    """A server that says what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, str | None, bytes]] = []
        self.says(200, json.dumps(SAID).encode())

    def says(self, status: int, body: bytes, **headers: str) -> None:
        self.said = (status, body, headers)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/predict"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.asked.append((self.command, self.path, self.headers["authorization"], body))
        status, said, headers = self.server.said
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def running() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


server = pytest.fixture(running, name="server")
other = pytest.fixture(running, name="other")


def test_rows_are_posted_and_the_answer_is_the_servers(server: Server) -> None:
    answer = mk.ask_over_http(server.address, [{"x": 1, "t": "ü"}], token="a-token")
    assert answer == mk.Answer(rows=[{"y": 1}], digest="sha256:1", runtime={"engine": "e"})
    method, path, token, body = server.asked[0]
    assert (method, path, token) == ("POST", "/predict", "Bearer a-token")
    assert json.loads(body) == {"rows": [{"x": 1, "t": "ü"}]}


def test_without_a_token_none_is_sent_and_a_query_goes_along(server: Server) -> None:
    mk.ask_over_http(f"{server.address}?code=1", [])
    assert [one[1:3] for one in server.asked] == [("/predict?code=1", None)]


def test_what_a_server_says_of_itself_is_read(server: Server) -> None:
    assert mk.read_over_http(server.address, token="t") == SAID
    assert [one[:3] for one in server.asked] == [("GET", "/predict", "Bearer t")]
    server.says(404, b"{}")
    with pytest.raises(DeployError, match="answered 404: no problem details"):
        mk.read_over_http(server.address)


def test_neither_a_proxy_nor_another_server_gets_the_token(
    server: Server, other: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{other.server_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    server.says(307, b"", location=other.address)
    with pytest.raises(DeployError, match="answered 307"):
        mk.ask_over_http(server.address, [], token="t")
    assert len(server.asked) == 1
    assert other.asked == []


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_status_may_mean_not_yet(server: Server, status: int) -> None:
    server.says(status, b'{"detail": "warming up"}')
    with pytest.raises(NotReadyError, match=rf"127.0.0.1:\d+ answered {status}: warming up"):
        mk.ask_over_http(server.address, [])
    with pytest.raises(DeployError, match=f"answered {status}: warming up") as refused:
        mk.ask_over_http(server.address, [], not_yet=())
    assert not isinstance(refused.value, NotReadyError)


def test_where_nothing_answers_or_an_answer_breaks_off_it_is_not_ready(server: Server) -> None:
    with pytest.raises(NotReadyError, match=r"127\.0\.0\.1:1 cannot be asked: ConnectionRefusedError"):
        mk.ask_over_http("http://127.0.0.1:1/predict", [])
    server.says(200, b'{"rows": [', **{"content-length": "500"})
    with pytest.raises(NotReadyError, match="IncompleteRead"):
        mk.ask_over_http(server.address, [])


def test_who_does_not_answer_in_time_is_not_ready(server: Server) -> None:
    held = threading.Event()
    finish = Handler.do_POST
    try:
        Handler.do_POST = lambda _: held.wait(10)  # type: ignore[assignment, method-assign]
        with pytest.raises(NotReadyError, match="TimeoutError: timed out"):
            mk.ask_over_http(server.address, [], timeout=0.05)
    finally:
        held.set()
        Handler.do_POST = finish  # type: ignore[method-assign]


def test_an_answer_without_end_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlopskit.asking._LARGEST", 1000)
    server.says(200, b" " * 1001)
    with pytest.raises(DeployError, match="with more than 1,000 bytes"):
        mk.ask_over_http(server.address, [])


@pytest.mark.parametrize(
    "address",
    [
        "", "127.0.0.1:80", "file:///etc/passwd", "ftp://h/", "http://", "http:///p", "http://u:s3cret@h/p",
        "http://[s3cret/p", "http://h:99999/p", "http://h:s3cret/p", "http://h/ü",
        "http://127.0.0.1:1/a?sig=s3 cret", "http://127.0.0.1:1/s3cret\0", "http://s3 cret/p", "http://s3cret..h/p",
        f"http://s3cret{'h' * 60}/p", "http://s3crét/p",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(ConfigError, match="address") as refused:
        mk.ask_over_http(address, [])
    assert not any(part in str(refused.value) for part in ("s3c", "cret"))


@pytest.mark.parametrize("address", ["http://[::1]:1/p", "http://localhost.:1/p", "http://a_b.invalid:1/p?a=%20&b=[1]"])
def test_an_address_that_could_be_one_is_asked(address: str) -> None:
    with pytest.raises(NotReadyError, match="cannot be asked"):
        mk.ask_over_http(address, [], timeout=1)


@pytest.mark.parametrize("token", ["s3cret\n", "s3cret\r\nX-Other: 1", "s3crét", "s3cret\x00"])
def test_a_token_that_no_header_may_hold_is_not_shown(server: Server, token: str) -> None:
    with pytest.raises(ConfigError, match="token of a server") as refused:
        mk.ask_over_http(server.address, [], token=token)
    assert "s3cr" not in str(refused.value)
    assert server.asked == []


def test_a_path_with_a_line_end_sends_nothing_more(server: Server) -> None:
    with pytest.raises(MlopskitError):
        mk.ask_over_http(f"{server.address} HTTP/1.1\r\nX-Other: 1\r\n\r\n", [])
    assert server.asked == []


def test_a_refusal_says_the_servers_reason_on_one_line() -> None:
    body = json.dumps({"detail": "No\r\n\x1b[2J", "remedy": "Send one."}).encode()
    with pytest.raises(DeployError) as refused:
        mk.answer_of(401, body, "it")
    assert (refused.value.message, refused.value.remedy) == (r"it answered 401: No\r\n\x1b[2J", "Send one.")
    with pytest.raises(DeployError) as refused:
        mk.answer_of(500, b"<html>", "it", remedy="Look.")
    assert (refused.value.message, refused.value.remedy) == ("it answered 500: no problem details", "Look.")


@pytest.mark.parametrize(
    ("said", "lacks"),
    [
        ([], "rows and digest and runtime"),
        ({**SAID, "rows": None}, "rows"),
        ({**SAID, "rows": [1]}, "rows that are tables"),
        ({**SAID, "digest": 5}, "digest"),
        ({**SAID, "runtime": []}, "runtime"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(said: Any, lacks: str) -> None:
    with pytest.raises(DeployError, match=f"gave an answer without {lacks}") as refused:
        mk.answer_of(200, json.dumps(said).encode(), "it")
    assert "Another program" in refused.value.remedy


@given(st.integers(100, 599), st.one_of(st.binary(), st.sampled_from([b"[" * 100_000, b'{"rows": NaN}', b"{}" * 3])))
def test_whatever_is_answered_is_an_answer_or_an_error_of_ours(status: int, body: bytes) -> None:
    with pytest.raises(DeployError):
        mk.answer_of(status, body, "it")


def test_what_was_measured_and_where_goes_along() -> None:
    answer = mk.answer_of(200, json.dumps(SAID).encode(), "it", place="local", measurements={"memory_mb": 1.5})
    assert (answer.place, answer.measurements) == ("local", {"memory_mb": 1.5})
