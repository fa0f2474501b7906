"""A proxy before a service that speaks HTTP on this machine, which lets single requests fail as networks do."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Kind = Literal["reset", "cut", "status", "drop", "late status", "truncate", "flip", "delay"]
# Headers that are the business of one connection alone.
_HOP = ("connection", "keep-alive", "transfer-encoding")
_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class NetworkFault:
    """What happens to requests, after `skip` of those that match have gone through, to as many as `times` says.

    Before the service: "reset" closes the connection, "cut" does so after `size` bytes of the body, which the service
    gets, "status" answers with `status`, and with `retry_after` if that is given. Behind it, when it has done what was
    asked: "drop" closes the connection, "late status" answers with `status`, "truncate" ends the answer after `size`
    bytes, "flip" changes its last byte, "delay" waits `seconds`. One that `follows` waits until another has happened.
    """

    kind: Kind
    method: str = "PUT"
    path: str = ""
    skip: int = 0
    times: int = 1
    size: int = 0
    status: int = 503
    retry_after: str = ""
    seconds: float = 0.0
    follows: bool = False


@dataclass
class FaultProxy:
    """A proxy on a port of its own before `upstream`, a port of this machine.

    `seen` are the requests since the faults were set: when each came by the monotonic clock, its method and its path.
    """

    upstream: int
    faults: Sequence[NetworkFault] = ()
    seen: list[tuple[float, str, str]] = field(default_factory=list)
    _matched: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    port: int = 0

    def set(self, *faults: NetworkFault) -> None:
        """Let these happen from now on, and no others."""
        with self._lock:
            self.faults, self._matched = faults, {}
            self.seen.clear()

    def hit(self, method: str, path: str) -> NetworkFault | None:
        """Return what happens to a request that came now."""
        with self._lock:
            self.seen.append((time.monotonic(), method, path))
            for number, fault in enumerate(self.faults):
                if fault.follows and not self._happened():
                    continue
                if re.fullmatch(fault.method, method) and re.search(fault.path, path):
                    before = self._matched.get(number, 0)
                    self._matched[number] = before + 1
                    if fault.skip <= before < fault.skip + fault.times:
                        return fault
        return None

    @property
    def happened(self) -> int:
        """How many requests met a fault."""
        with self._lock:
            return self._happened()

    def _happened(self) -> int:
        counts = [(self._matched.get(number, 0) - fault.skip, fault.times) for number, fault in enumerate(self.faults)]
        return sum(max(0, min(count, times)) for count, times in counts)

    @contextlib.contextmanager
    def running(self) -> Iterator[FaultProxy]:
        """Listen while the block runs."""
        server = _Server(self)
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: FaultProxy) -> None:
        super().__init__(("127.0.0.1", proxy.port), _Handler)
        self.proxy = proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away: it may have been killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._pass
        raise AttributeError(name)

    def _pass(self) -> None:
        try:
            self._handle(self.server.proxy.hit(self.command, self.path))
        except OSError:  # one of the two is away: so that the other does not wait for it
            with contextlib.suppress(OSError):
                self._reset()

    def _handle(self, fault: NetworkFault | None) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if fault is None:
            self._answer(*self._ask(self.rfile.read(length)))
        elif fault.kind == "reset":
            self._reset()
        elif fault.kind == "cut":
            self._half(self.rfile.read(min(length, fault.size)))
            self._reset()
        elif fault.kind == "status":
            self.rfile.read(length)
            self._answer(fault.status, [("Retry-After", fault.retry_after)] if fault.retry_after else [], b"")
        else:
            self._spoil(fault, *self._ask(self.rfile.read(length)))

    def _spoil(self, fault: NetworkFault, status: int, headers: Sequence[tuple[str, str]], answer: bytes) -> None:
        if fault.kind == "drop":
            self._reset()
        elif fault.kind == "late status":
            self._answer(fault.status, [], b"")
        elif fault.kind == "truncate":
            self._answer(status, headers, answer, most=fault.size)
        else:
            time.sleep(fault.seconds)
            changed = bytes([answer[-1] ^ 1]) if fault.kind == "flip" and answer else answer[-1:]
            self._answer(status, headers, answer[:-1] + changed)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = HTTPConnection("127.0.0.1", self.server.proxy.upstream, timeout=_SECONDS)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP]
            return answer.status, headers, answer.read()
        except HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    def _half(self, body: bytes) -> None:
        """Let the service see the beginning of a request whose end never comes."""
        lines = [
            f"{self.command} {self.path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        with socket.create_connection(("127.0.0.1", self.server.proxy.upstream), _SECONDS) as service:
            service.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def _answer(self, status: int, headers: Sequence[tuple[str, str]], body: bytes, *, most: int | None = None) -> None:
        self.send_response_only(status)
        told = {name.lower() for name, _ in headers}
        for name, value in headers:
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD" or "content-length" not in told:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:most])
        if most is not None and most < len(body):
            self._reset()

    def _reset(self) -> None:
        """Close the connection at once, so that the other side is told of it."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
