"""The forwarder's program, as its container runs it: what it forwards, and who may turn it."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlopskit_docker
import pytest

PROGRAM = Path(mlopskit_docker.__file__).with_name("templates") / "forward.py"
LIVE = {name: {"bundle": f"sha256:{name * 64}"} for name in "ab"}


class Answering:
    """A server that says its name in answer to whatever it receives, and reads until the end is said."""

    def __init__(self, name: str) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.name, self.destination = name, {"live": LIVE[name], "host": "127.0.0.1", "port": self.port}
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.listening.getsockname()[1])

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=self.listening.accept()[:1], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            read = 0
            while data := connection.recv(65536):
                read += len(data)
            connection.sendall(f"{self.name} read {read} ".encode() + b"." * read)


def turn(folder: Path, old: object, new: object) -> int:
    command = [sys.executable, "-I", "-B", PROGRAM, folder, "turn", json.dumps(old), json.dumps(new)]
    return subprocess.run(command, check=False, capture_output=True).returncode


@pytest.fixture
def servers():
    made = [Answering(name) for name in "ab"]
    yield {one.name: one for one in made}
    for one in made:
        one.listening.close()


@pytest.fixture
def listening(tmp_path, port):
    """The port of a forwarder."""
    command = [sys.executable, "-I", "-B", PROGRAM, tmp_path, "listen", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        yield port
        process.terminate()
        assert process.wait(30) == 0
        assert b"Traceback" not in process.stderr.read()


def said(port: int, data: bytes) -> bytes:
    connection = socket.create_connection(("127.0.0.1", port), 30)
    with connection, contextlib.suppress(OSError):  # closed at once, where it leads nowhere
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


def test_what_is_sent_arrives_whole_and_the_ends_of_both_ways_too(tmp_path, listening, servers):
    turn(tmp_path, None, servers["a"].destination)
    for size in (0, 1, 70_000, 20_000_000):
        assert said(listening, b"x" * size) == f"a read {size} ".encode() + b"." * size


def test_each_new_connection_goes_where_the_file_says_now(tmp_path, listening, servers):
    assert said(listening, b"") == b""
    turn(tmp_path, None, servers["a"].destination)
    with socket.create_connection(("127.0.0.1", listening), 30) as old:
        old.sendall(b"..")
        assert said(listening, b"x") == b"a read 1 ."
        turn(tmp_path, LIVE["a"], servers["b"].destination)
        assert said(listening, b"x") == b"b read 1 ."
        old.shutdown(socket.SHUT_WR)
        assert old.recv(10).startswith(b"a")
    turn(tmp_path, LIVE["b"], None)
    assert said(listening, b"x") == b""


def test_a_destination_that_is_gone_closes_the_connection(tmp_path, listening):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nobody = gone.getsockname()[1]
    turn(tmp_path, None, {"live": LIVE["a"], "host": "127.0.0.1", "port": nobody})
    assert said(listening, b"") == b""


def test_it_turns_only_from_what_is_live(tmp_path, servers):
    a, b = (servers[name].destination for name in "ab")
    assert turn(tmp_path, LIVE["a"], b) == 3
    assert turn(tmp_path, None, a) == 0
    assert turn(tmp_path, None, b) == 3
    assert json.loads((tmp_path / "destination.json").read_bytes()) == a
    before = (tmp_path / "destination.json").stat()
    assert turn(tmp_path, LIVE["a"], a) == 0
    assert (tmp_path / "destination.json").stat() == before


def test_one_of_many_at_once_turns_it(tmp_path, servers):
    new = [servers[name].destination for name in "ab"] * 4
    with ThreadPoolExecutor(len(new)) as pool:
        codes = [*pool.map(lambda one: turn(tmp_path, None, one), new)]
    assert sorted(codes) == [0] + [3] * 7
    assert json.loads((tmp_path / "destination.json").read_bytes()) == new[codes.index(0)]
