"""Answer rows over HTTP from the package beside this file, in the background, until told to end.

    python -I server.py RECORD LIFETIME OWNER

`POST /predict` and all else is answered as by `mlopskit.runtime.http`; `GET /` says which bundle answers. RECORD is the
file that tells others the port and the process; the process holds RECORD.lock for as long as it lives. It ends after
LIFETIME seconds, or when the process OWNER has ended (0: nobody's). Standard library alone, and the runtime beside this
file; POSIX, for its locks.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socketserver
import sys
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LISTING = HERE / "bundle.json"
PAUSE = 0.2


class Server(socketserver.ThreadingMixIn, HTTPServer):
    """A server on a spare port of this machine. It answers when its model is loaded; until then it refuses."""

    daemon_threads = True

    def __init__(self) -> None:
        """Take a port, and refuse whoever calls."""
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.server_bind()

    def load(self) -> None:
        """Load the model of the bundle, and answer from now on."""
        sys.path.insert(0, str(HERE))
        from _mlopskit_runtime import http, load, open_package  # type: ignore[import-not-found]

        data = LISTING.read_bytes()
        digest = json.loads(data)["package"]
        # The core has asked whether its code may run before it was built into this bundle.
        model: Any = load(open_package(HERE / "package", digest=digest), trust_code=[digest])
        self.bundle = f"sha256:{hashlib.sha256(data).hexdigest()}"
        service = http.Service.of(model)
        self.longest = service.body

        def respond(method: str, path: str, headers: Any, body: bytes) -> Any:
            return http.respond(service, http.Request(method, path, headers, body, http.request_id(None)))

        self.respond = respond
        self.server_activate()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    timeout = 30

    def do_GET(self) -> None:
        """Say which bundle answers here, or what the runtime says."""
        if self.path == "/":
            body = json.dumps({"bundle": self.server.bundle}).encode()
            self._send(200, [("content-type", "application/json")], body)
        else:
            self._respond(b"")

    def do_POST(self) -> None:
        """Answer rows."""
        length = self.headers.get("Content-Length", "")
        if length.isdecimal():
            # One byte beyond the limit is enough to be refused.
            self._respond(self.rfile.read(min(int(length), self.server.longest + 1)))
        else:
            self._send(411, [], b"")

    def _respond(self, body: bytes) -> None:
        said = self.server.respond(self.command, self.path, self.headers, body)
        self._send(said.status, said.headers, said.body)

    def _send(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in (*headers, ("content-length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main(record: Path, lifetime: float, owner: int) -> None:
    """Go into the background, take a port, say so, load, answer."""
    if os.fork():
        return
    os.setsid()
    with record.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        threading.Thread(target=end_in_time, args=(lifetime, owner), daemon=True).start()
        with Server() as server:
            new = record.with_suffix(".new")
            new.write_text(json.dumps({"pid": os.getpid(), "port": server.server_port}), encoding="utf-8")
            new.replace(record)
            # Whoever started this reads our output: that it ends means that the record is there.
            log(record.with_suffix(".log"))
            server.load()
            server.serve_forever()


def log(file: Path) -> None:
    """Write all output to a file from now on."""
    with file.open("ab") as opened:
        os.dup2(opened.fileno(), 1)
        os.dup2(opened.fileno(), 2)


def end_in_time(lifetime: float, owner: int) -> None:
    """End this process after its lifetime, or with its owner."""
    end = time.monotonic() + lifetime
    while time.monotonic() < end and (not owner or is_running(owner)):
        time.sleep(PAUSE)
    os._exit(0)


def is_running(pid: int) -> bool:
    """Say whether there is a process with this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
