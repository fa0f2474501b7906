"""AWS Lambda's Runtime API on loopback: what a runtime asks for its next invocation, and tells its result.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

# What Lambda takes and hands on at most: 6 MiB and 100 bytes.
LARGEST = (6 << 20) + 100
_ROOT = "/2018-06-01/runtime/"
REGION = "eu-central-1"
_ARN = f"arn:aws:lambda:{REGION}:123456789012:function:model"


class Invocation(NamedTuple):
    """What a runtime is given: an id, a payload of JSON, and its deadline in milliseconds since 1970."""

    id: str
    payload: bytes
    deadline: int

    @property
    def headers(self) -> dict[str, str]:
        """The headers that it comes with."""
        trace = self.id.replace("-", "")
        return {
            "content-type": "application/json",
            "lambda-runtime-aws-request-id": self.id,
            "lambda-runtime-deadline-ms": str(self.deadline),
            "lambda-runtime-invoked-function-arn": _ARN,
            "lambda-runtime-trace-id": f"Root=1-{trace[:8]}-{trace[8:]};Parent={trace[:16]};Sampled=0",
        }


class Invoked(NamedTuple):
    """What came of an invocation, as Lambda tells it: the payload of JSON, and "Unhandled" if the function failed."""

    payload: bytes
    error: str = ""


class Started(NamedTuple):
    """A runtime asked for its first invocation, or told in JSON why it never will."""

    error: bytes | None = None


class RuntimeApi(ThreadingHTTPServer):
    """The Runtime API for one process: `pending` is what it will be given, `told` what it said.

    A process whose response was `refused` ends: that is what awslambdaric does.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.pending: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self.told: queue.SimpleQueue[Started | Invoked] = queue.SimpleQueue()
        self.started = self.refused = False
        self.current = ""

    @property
    def address(self) -> str:
        """Host and port, as AWS_LAMBDA_RUNTIME_API has them."""
        return f"127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a runtime that is ended in the midst of a request is no fault of this server."""


@contextlib.contextmanager
def served() -> Iterator[RuntimeApi]:
    """Serve a Runtime API as long as this is open."""
    with RuntimeApi() as api:
        thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            api.pending.put(None)
            api.shutdown()
            thread.join()


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: RuntimeApi

    def do_GET(self) -> None:
        if self.path != f"{_ROOT}invocation/next":
            self._say(404)
            return
        if not self.server.started:
            self.server.started = True
            self.server.told.put(Started())
        one = self.server.pending.get()
        if one is None:
            self.close_connection = True
            return
        self.server.current = one.id
        self._say(200, one.payload, one.headers)

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        of, _, what = self.path.removeprefix(_ROOT).removeprefix("invocation/").partition("/")
        if (of, what) == ("init", "error"):
            self._tell(Started(self.rfile.read(length)))
        elif of != self.server.current or what not in ("response", "error"):
            self.close_connection = True
            self._say(400, b'{"errorType": "InvalidRequestID", "errorMessage": "This is not asked for."}')
        elif length > LARGEST:
            self.close_connection = self.server.refused = True
            said = failed(
                "Function.ResponseSizeTooLarge", f"The response has {length} bytes, at most {LARGEST} may be."
            )
            self._tell(said, status=413)
        else:
            self._tell(Invoked(self.rfile.read(length), "Unhandled" if what == "error" else ""))

    def log_message(self, *_: Any) -> None:
        """Say nothing: the process's own log is what counts."""

    def _tell(self, said: Started | Invoked, *, status: int = 202) -> None:
        self.server.current = ""
        self._say(status, b'{"status": "OK"}')
        self.server.told.put(said)

    def _say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def failed(kind: str, message: str, /) -> Invoked:
    """Return what Lambda tells of a function that failed without saying so itself."""
    return Invoked(json.dumps({"errorType": kind, "errorMessage": message}).encode(), "Unhandled")
