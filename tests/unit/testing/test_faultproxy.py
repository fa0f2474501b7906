from __future__ import annotations

import socket
import threading
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlopskit.testing import FaultProxy, NetworkFault


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    got: list[bytes] = []  # noqa: RUF012  # of the service below alone

    def log_message(self, format, *args):
        pass

    def do_PUT(self):
        self.got.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"done!")

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()


@pytest.fixture
def proxy():
    Echo.got.clear()
    service = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=service.serve_forever, args=(0.05,))
    thread.start()
    with FaultProxy(upstream=service.server_address[1]).running() as proxy:
        yield proxy
    service.shutdown()
    service.server_close()
    thread.join()


def put(proxy, method="PUT"):
    connection = HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    try:
        connection.request(method, "/x?y", body=b"0123456789")
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("Retry-After")
    except (OSError, HTTPException) as error:
        return type(error)
    finally:
        connection.close()


def test_what_no_fault_is_meant_for_goes_through(proxy):
    proxy.set(NetworkFault(kind="reset", method="DELETE"), NetworkFault(kind="reset", path="other"))
    assert put(proxy) == (200, b"done!", None)
    assert put(proxy, "HEAD")[0] == 200
    assert [(method, path) for _, method, path in proxy.seen] == [("PUT", "/x?y"), ("HEAD", "/x?y")]
    assert proxy.happened == 0


@pytest.mark.parametrize(
    ("fault", "got", "said"),
    [
        (NetworkFault(kind="reset"), 0, None),
        (NetworkFault(kind="cut", size=3), 0, None),
        (NetworkFault(kind="status", status=429, retry_after="7"), 0, (429, b"", "7")),
        (NetworkFault(kind="drop"), 1, None),
        (NetworkFault(kind="late status", status=500), 1, (500, b"", None)),
        (NetworkFault(kind="truncate", size=2), 1, None),
        (NetworkFault(kind="flip"), 1, (200, b"done ", None)),
        (NetworkFault(kind="delay", seconds=0.01), 1, (200, b"done!", None)),
    ],
)
def test_each_fault_happens_once_before_the_service_or_behind_it(proxy, fault, got, said):
    proxy.set(fault)
    answer = put(proxy)
    assert answer == said if said else isinstance(answer, type)
    whole = [data for data in Echo.got if data == b"0123456789"]
    assert len(whole) == got
    assert proxy.happened == 1
    assert put(proxy) == (200, b"done!", None)


def test_a_fault_waits_for_its_turn_and_ends(proxy):
    proxy.set(NetworkFault(kind="status", skip=1, times=2))
    assert [put(proxy)[0] for _ in range(4)] == [200, 503, 503, 200]
    assert proxy.happened == 2


def test_a_fault_that_follows_waits_for_another(proxy):
    proxy.set(NetworkFault(kind="status", skip=1), NetworkFault(kind="status", status=418, times=9, follows=True))
    assert [put(proxy)[0] for _ in range(4)] == [200, 503, 418, 418]


def test_who_asks_while_the_service_is_away_is_told_at_once():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with FaultProxy(upstream=nobody.getsockname()[1]).running() as proxy:
            assert issubclass(put(proxy), ConnectionError)
