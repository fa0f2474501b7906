"""A real server process, asked over real sockets."""

import contextlib
import json
import os
import runpy
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

ALIAS = "production"
ROW = {"text": "a", "number": 1.5, "whole": 3}
HOSTILE = runpy.run_path(str(Path(__file__).parents[3] / "tests" / "vectors" / "hostile.py"))


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return [one for one in found if one != os.getpid()]


def sent(port, data, *, seconds=20.0, end=False):
    """Send bytes to a server; return all that it says until it closes, or until it is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as one:
        one.sendall(data)
        if end:
            one.shutdown(socket.SHUT_WR)
        said = b""
        while part := one.recv(1 << 20):
            said += part
        return said


def raw(method="POST", path="/predict", body=b"", headers=(("content-type", "application/json"),), *, close=True):
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers] + (["connection: close"] if close else [])
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def test_rows_are_answered_and_all_about_them(served):
    status, headers, said = served.ask("/predict", {"row": ROW}, x_request_id="mine")
    assert (status, said["row"], said["request_id"]) == (200, {"prediction": 3.0}, "mine")
    assert headers["x-model-digest"] == said["digest"]
    about = served.ask("/metadata")[2]
    assert (about["alias"], about["record"], about["digest"], about["fault"]) == (ALIAS, 1, said["digest"], None)
    assert about["live_since"].endswith("+00:00")
    assert served.ask("/health/ready")[2]["status"] == "ready"
    assert "/metrics" in served.ask("/openapi.json")[2]["paths"]


def test_what_starts_the_processes_loads_little(served):
    maps = Path(f"/proc/{served.process.pid}/maps").read_text()
    assert "libpython" in maps or "python3" in maps
    assert not [library for library in ("libcrypto", "libssl", "numpy", "polars") if library in maps]


def test_a_large_request_is_answered_beside_small_ones(served):
    rows = [ROW] * 5000
    status, _, said = served.ask("/predict", {"rows": rows})
    assert (status, len(said["rows"])) == (200, 5000)


def test_hostile_requests_are_no_fault_of_the_server(served):
    requests = HOSTILE["requests_of"]("shop", ROW)
    for one in requests:
        said = sent(served.port, raw(one.method, one.path, one.body, one.headers.items()), end=True)
        status = int(said.split(b" ", 2)[1])
        assert 200 <= status < 500, (one.id, said[:300])
        for word in (b"Traceback", b"site-packages", b'File "', f"{Path.home()}/".encode(), b"mlopskit/runtime"):
            assert word not in said, one.id
    assert len(requests) >= 300
    records = [json.loads(line) for line in served.log.read_text().split("\n")[:-1]]
    assert all(one["level"] != "ERROR" for one in records)
    assert served.ask("/predict", {"row": ROW})[0] == 200


SECOND = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
SMUGGLED = {
    "both lengths": b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    "list of lengths": b"content-length: 3, 3\r\n\r\nabc",
    "signed length": b"content-length: +3\r\n\r\nabc",
    "unknown coding": b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked, then another": b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "blank before colon": b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "hexadecimal sign": b"transfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    "line feeds alone": b"transfer-encoding: chunked\r\n\r\n3\nabc\n0\n\n",
    "folded header": b"x: a\r\n b: c\r\n\r\n",
    "carriage return in a value": b"x: a\rb\r\n\r\n",
    "two hosts": b"host: other\r\ncontent-length: 0\r\n\r\n",
    "another protocol": b"upgrade: h2c\r\nconnection: upgrade, http2-settings\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("rest", SMUGGLED.values(), ids=SMUGGLED.keys())
def test_what_two_servers_could_read_in_two_ways_is_answered_once_and_closed(served, rest):
    said = sent(served.port, b"POST /predict HTTP/1.1\r\nhost: localhost\r\n" + rest + SECOND)
    assert said.startswith(b"HTTP/1.1 4")
    assert said.count(b"HTTP/1.1 ") == 1 or b'"live"' not in said
    assert b"connection: close" in said


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
        (b"GET /health/live HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /health/live HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n", b"400"),
        (b"GET /health/live HTTP/1.0\r\nhost: localhost\r\n\r\n", b"200"),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\n" + b"x: y\r\n" * 200 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 900_000, b"431"),
        (b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999\r\n\r\n", b"413"),
        (b"POST /predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
         b"80000\r\n" + b"a" * 0x80000 + b"\r\n" + b"90000\r\n" + b"a" * 0x90000 + b"\r\n", b"413"),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_what_is_no_request_or_too_much_of_one_is_refused(served, data, status):
    assert sent(served.port, data).startswith(b"HTTP/1.1 " + status)


def test_a_body_that_is_too_long_is_refused_in_the_words_of_the_protocol(served):
    said = sent(
        served.port, b"POST /v2/models/shop/infer HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999\r\n\r\n"
    )
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error"].startswith("The body has more than")


def test_a_body_in_chunks_and_requests_one_behind_the_other_are_answered_in_order(served):
    body = json.dumps({"row": ROW}).encode()
    head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n"
    chunks = b"transfer-encoding: chunked\r\n\r\n" + b"%x;a=b\r\n%s\r\n0\r\nx: y\r\n\r\n" % (len(body), body)
    large = json.dumps({"rows": [ROW] * 1000}).encode()
    said = sent(served.port, head + chunks + raw(body=large, close=False) + raw("GET", "/health/live"))
    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert said.count(b"HTTP/1.1 200 OK") == 3
    assert said.index(b'"row"') < said.index(b'"rows"') < said.index(b'"live"')


def test_a_head_is_answered_without_a_body(served):
    said = sent(served.port, raw("HEAD", "/health/ready"))
    assert said.startswith(b"HTTP/1.1 200 OK")
    assert said.endswith(b"\r\n\r\n")


def test_who_sends_slowly_is_cut_off_and_others_are_answered(served):
    slow = [socket.create_connection(("127.0.0.1", served.port), timeout=20) for _ in range(30)]
    for number, one in enumerate(slow):
        one.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"[: 90 - number])
    silent = [socket.create_connection(("127.0.0.1", served.port), timeout=20) for _ in range(10)]
    assert served.ask("/predict", {"row": ROW})[0] == 200
    assert all(one.recv(1 << 16).startswith(b"HTTP/1.1 408") for one in slow)
    assert [one.recv(1) for one in silent] == [b""] * 10
    for one in (*slow, *silent):
        one.close()


def test_of_too_many_connections_the_last_are_told_so(served):
    many = [socket.create_connection(("127.0.0.1", served.port), timeout=20) for _ in range(200)]
    told = [one for one in many if one.recv(1 << 16).startswith(b"HTTP/1.1 503")]
    assert len(told) >= 140
    for one in many:
        one.close()
    served.until(lambda: served.ask("/health/live")[0] == 200)


def test_what_is_asked_is_answered_when_it_ends_and_a_dead_process_is_started_again(shop, start, tmp_path):
    shop.move(shop.package(2.0))
    with start(f"{shop.folder}@{ALIAS}", "--processes", "2", log=tmp_path / "log") as server:
        before = {*children(server.process.pid)}
        assert len(before) == 2
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        server.until(lambda: len({*children(server.process.pid)} - before) == 2)
        assert server.ask("/predict", {"row": ROW})[0] == 200
        body = json.dumps({"rows": [ROW] * 10_000}).encode()
        said = []
        asking = threading.Thread(
            target=lambda: said.append(sent(server.port, raw(body=body, close=False), seconds=60))
        )
        idle = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        asking.start()
        time.sleep(0.05)
        server.process.send_signal(signal.SIGTERM)
        asking.join()
        assert said[0] == b"" or said[0].startswith(b"HTTP/1.1 200 OK")
        assert server.process.wait(timeout=30) == 0
        assert idle.recv(1) == b""
        idle.close()
