"""What goes wrong around a server: callers that are many, slow or gone, places that are away, disks that are full."""

import contextlib
import functools
import http.server
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

ALIAS = "production"
ROW = {"text": "a", "number": 1.5, "whole": 3}
MIB = 1 << 20
BODY = 4 * MIB
TCP_REPAIR = 19


def memory_of(pid, what="VmRSS"):
    """Return bytes of memory that a process has, or had at most (VmHWM)."""
    lines = dict(line.split(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(lines[what].split()[0]) << 10


def grown(pid, act):
    """Return by how many bytes a process grew at most while something was done, and what came of that."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = memory_of(pid)
    said = act()
    return memory_of(pid, "VmHWM") - before, said


def connections_of(server):
    text = server.text("/metrics")
    return float(text.partition("\nmlopskit_connections ")[2].split()[0])


@pytest.fixture(scope="module", autouse=True)
def _many_files():
    """Let this process open as many sockets as it needs, and not only 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 8192), hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def busy(tmp_path_factory, tools):
    """A server for many callers, started where a process may open 1,024 files unless it asks for more."""
    folder = tmp_path_factory.mktemp("busy")
    shop = tools.Shop(folder)
    shop.move(shop.package(2.0))
    options = ("--receive", "3", "--max-body", str(BODY // MIB), "--connections", "2500")
    before = ("prlimit", "--nofile=1024:8192")
    with tools.serving(f"{shop.folder}@{ALIAS}", *options, log=folder / "log", before=before) as one:
        (one.worker,) = tools.children(one.process.pid)
        yield one
        assert tools.children(one.process.pid) == [one.worker], "it was started again"


def test_two_thousand_connections_are_answered_at_once(busy, record_property):
    def ask():
        with contextlib.ExitStack() as stack:
            many = [
                stack.enter_context(socket.create_connection(("127.0.0.1", busy.port), timeout=60)) for _ in range(2000)
            ]
            for one in many:
                one.sendall(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
            said = [one.recv(1 << 12) for one in many]
            return said, connections_of(busy)

    more, (said, held) = grown(busy.worker, ask)
    assert all(one.startswith(b"HTTP/1.1 200") for one in said)
    assert held >= 2000
    assert more < 64 * MIB
    record_property("figure: memory of 2,000 connections", f"{more / MIB:.0f} MiB")
    busy.until(lambda: connections_of(busy) < 100)


def test_slow_senders_are_cut_off_and_slow_nobody_down(busy, tools, record_property):
    body = json.dumps({"row": ROW}).encode()

    def times(until):
        client, found = tools.Client(busy.port), []
        while until(len(found)):
            begun = time.perf_counter()
            assert client.ask(body)[0] == 200
            found.append(time.perf_counter() - begun)
        client.close()
        return found

    calm = times(lambda count: count < 500)
    slow = [socket.create_connection(("127.0.0.1", busy.port), timeout=60) for _ in range(200)]
    ended = threading.Event()

    def drip():
        head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10000\r\n\r\n" + b" " * 10000
        for at in range(len(head)):
            for one in slow:
                with contextlib.suppress(OSError):
                    one.send(head[at : at + 1])
            if ended.wait(0.2):
                return

    dripping = threading.Thread(target=drip)
    dripping.start()
    end = time.monotonic() + 3
    beside = times(lambda _: time.monotonic() < end)
    assert [one.recv(1 << 12)[:12] for one in slow] == [b"HTTP/1.1 408"] * 200
    ended.set()
    dripping.join()
    for one in slow:
        one.close()
    ratio = tools.percentile(beside, 0.99) / tools.percentile(calm, 0.99)
    record_property("figure: p99 beside 200 slow senders, to that without", round(ratio, 2))


def chunked(port, size):
    """Send a body in chunks, without its length before; return the status."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as one:
        one.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(size // (1 << 16) + 1):
                one.sendall(b"10000\r\n" + b" " * (1 << 16) + b"\r\n")
        return one.recv(1 << 12)[9:12]


def test_a_body_without_end_takes_no_more_than_the_limit(busy, record_property):
    chunked(busy.port, BODY)
    more, said = grown(busy.worker, lambda: [chunked(busy.port, 4 * BODY) for _ in range(3)])
    assert said == [b"413"] * 3
    assert more < 2 * BODY
    record_property("figure: memory for a body without end, to the limit of a body", round(more / BODY, 2))


def test_many_large_bodies_at_once_take_no_more_than_some(busy, record_property):
    def fill():
        with contextlib.ExitStack() as stack:
            found = []
            for _ in range(60):
                one = stack.enter_context(socket.create_connection(("127.0.0.1", busy.port), timeout=60))
                one.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % BODY)
                with contextlib.suppress(OSError):
                    one.sendall(b" " * (BODY - 1))
                found.append(one)
            return [one.recv(1 << 12)[9:12] for one in found]

    more, said = grown(busy.worker, fill)
    assert set(said) == {b"408", b"503"}
    assert more < 64 * MIB + 4 * BODY
    record_property("figure: memory for 60 bodies of 4 MiB at once", f"{more / MIB:.0f} MiB")
    assert busy.ask("/predict", {"row": ROW})[0] == 200


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() != 0, reason="a socket vanishes without a word by root's hand alone"
)
def test_callers_that_vanished_are_forgotten(busy):
    for at in range(50):
        one = socket.create_connection(("127.0.0.1", busy.port), timeout=60)
        one.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"[: 20 + at])
        one.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)  # closed so, it tells the other side nothing
        one.close()
    assert connections_of(busy) >= 50
    busy.until(lambda: connections_of(busy) < 20)


# --- the place ------------------------------------------------------------------------------------------------


def asked_and_good(shop, factors):
    """Return bodies, and the answers to them of packages with these factors."""
    numbers = [0.5, 1.5, -2.0, 8.25]
    asked = [json.dumps({"row": {**ROW, "number": number}}).encode() for number in numbers]
    good = {shop.package(factor): [{"prediction": factor * number} for number in numbers] for factor in factors}
    return asked, good


def status_of(server):
    return server.ask("/health/ready")[2]["status"]


def test_an_alias_may_move_often_and_its_place_go_away_under_load(shop, start, tools, tmp_path):
    asked, good = asked_and_good(shop, (1.0, 2.0, 3.0))
    *digests, last = good
    shop.move(last)
    with (
        start(f"{shop.folder}@{ALIAS}", log=tmp_path / "log") as server,
        tools.Load(server.port, asked, good, clients=4) as load,
    ):
        for number in range(50):
            shop.move(digests[number % 2])
        shop.move(last)
        server.until(lambda: server.ask("/metadata")[2]["record"] == 52)
        assert server.digest() == last
        away = shop.folder.rename(tmp_path / "away")
        server.until(lambda: status_of(server) == "degraded")
        assert "it is not there" in server.ask("/metadata")[2]["fault"]
        answered = len(load.times)
        server.until(lambda: len(load.times) > answered + 100)
        away.rename(shop.folder)
        server.until(lambda: status_of(server) == "ready")
    assert (load.wrong, load.lost) == ([], 0)


@contextlib.contextmanager
def published(folder):
    """Give the files of a folder at an address; `hang` lets the server answer nobody until it is cleared."""
    hang, freed = threading.Event(), threading.Event()

    class Files(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            if hang.is_set():
                freed.wait(60)
            with contextlib.suppress(OSError):
                super().do_GET()

        def log_message(self, *_):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=folder))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", hang
    finally:
        freed.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_place_that_hangs_is_told_and_what_is_kept_answers_after_a_restart(shop, start, tools, tmp_path):
    asked, good = asked_and_good(shop, (2.0,))
    shop.move(*good)
    own = ("--folder", str(tmp_path / "own"))
    with published(shop.folder.parent) as (address, hang):
        reference = f"{address}/{shop.folder.name}@{ALIAS}"
        with (
            start(reference, "--max-age", "1", *own, log=tmp_path / "log") as server,
            tools.Load(server.port, asked, good, clients=2) as load,
        ):
            server.until(lambda: status_of(server) == "ready")
            hang.set()
            server.until(lambda: status_of(server) == "degraded")
            assert server.ask("/predict", {"row": ROW})[0] == 200
            assert server.ask("/metadata")[2]["checked"]
        assert (load.wrong, load.lost) == ([], 0)
    with start(reference, *own, log=tmp_path / "log") as server:
        assert status_of(server) == "degraded"
        assert server.ask("/predict", {"row": ROW})[2]["row"] == {"prediction": 3.0}
    with start(reference, log=tmp_path / "log") as server:
        status, _, said = server.ask("/health/ready")
        assert (status, said["status"]) == (503, "not ready")
        assert "cannot be read" in said["models"]["shop"]["fault"]
        assert server.ask("/health/live")[0] == 200
        assert server.ask("/predict", {"row": ROW})[0] == 503


def test_a_full_disk_keeps_a_new_package_out_until_there_is_room(shop, start, tools, tmp_path):
    if subprocess.run(["unshare", "-Urm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("a disk of its own needs 'unshare -Urm'")
    asked, good = asked_and_good(shop, (2.0, 3.0))
    first, second = good
    shop.move(first)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = 'mount -t tmpfs -o size=300k none "$0" && exec "$@"'
    before = ("unshare", "-Urm", "sh", "-c", mount, str(disk))
    with (
        published(shop.folder.parent) as (address, _),
        start(
            f"{address}/{shop.folder.name}@{ALIAS}", "--folder", str(disk), log=tmp_path / "log", before=before
        ) as one,
        tools.Load(one.port, asked, good, clients=2) as load,
    ):
        inside = Path("/proc", str(one.process.pid), "root", *disk.parts[1:])
        with contextlib.suppress(OSError), (inside / "rest").open("wb", buffering=0) as rest:
            while True:
                rest.write(b" " * 1024)
        shop.move(second)
        fault = one.until(lambda: one.ask("/metadata")[2]["fault"])
        assert "There is no space left here" in fault
        assert one.digest() == first
        assert status_of(one) == "degraded"
        (inside / "rest").unlink()
        one.until(lambda: one.digest() == second and status_of(one) == "ready")
    assert (load.wrong, load.lost) == ([], 0)


# --- its own processes ----------------------------------------------------------------------------------------


def test_killed_under_load_it_answers_again_and_told_to_end_it_ends(shop, start, tools, tmp_path):
    asked, good = asked_and_good(shop, (2.0,))
    shop.move(*good)
    with start(f"{shop.folder}@{ALIAS}", log=tmp_path / "log") as server:
        with tools.Load(server.port, asked, good) as load:
            for _ in range(2):
                (worker,) = tools.children(server.process.pid)
                answered = len(load.times)
                server.until(lambda answered=answered: len(load.times) > answered + 100)
                os.kill(worker, signal.SIGKILL)
                server.until(lambda worker=worker: worker not in tools.children(server.process.pid))
                server.until(lambda: tools.children(server.process.pid))
            answered = len(load.times)
            server.until(lambda: len(load.times) > answered + 100)
            assert load.lost >= 2
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(timeout=30) == 0
        assert load.wrong == []


def test_without_its_supervisor_a_process_ends(shop, start, tools, tmp_path):
    shop.move(shop.package(2.0))
    with start(f"{shop.folder}@{ALIAS}", "--processes", "2", log=tmp_path / "log") as server:
        workers = tools.children(server.process.pid)
        assert len(workers) == 2
        server.process.kill()
        server.process.wait()
        end = time.monotonic() + 60
        while any(Path(f"/proc/{worker}").exists() for worker in workers):
            assert time.monotonic() < end
            time.sleep(0.05)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)
        shutil.rmtree(shop.folder)
