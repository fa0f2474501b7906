"""One connection of HTTP/1.1: bytes → requests → answers, within limits of size and time. Parsed by llhttp."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import httptools

from .. import http, problems

_SMALL = 16 << 10  # a body up to this many bytes is answered at once, where it came in
_PIPELINED = 64
_LINGER = 1.0
_REASONS = {200: "OK", 202: "Accepted", **problems.TITLES}
_CLOSE = "Close the connection, and send the request again as RFC 9112 has it."


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that connections may take: bytes of a body and of headers, seconds, and how many at once.

    `receive` are the seconds in which a request has to be there whole, and an answer to be read; `idle` those between
    two requests; `answer` those that a model may take. `waiting` are the large requests that may wait for their turn,
    `held` the bytes of all bodies that are not answered yet.
    """

    body: int = http.MAX_BODY
    header: int = 64 << 10
    headers: int = 100
    receive: float = 30.0
    idle: float = 75.0
    answer: float = 30.0
    connections: int = 1000
    waiting: int = 32
    held: int = 64 << 20


class Asked(NamedTuple):
    """A request as it came in."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    keep: bool


@dataclass(kw_only=True)
class Hub:
    """What the connections of a process share."""

    answer: Callable[[Asked], http.Response]
    limits: Limits
    loop: asyncio.AbstractEventLoop
    pool: Executor
    connections: set[Connection] = field(default_factory=set)
    waiting: int = 0
    held: int = 0
    stopping: bool = False
    date: str = ""

    def problem(self, status: int, detail: str, remedy: str) -> http.Response:
        """Return a problem that was found before there was a request."""
        return http.problem(http.request_id(None), status, detail, remedy=remedy)

    def sweep(self) -> None:
        """End connections whose time is over."""
        now = self.loop.time()
        for connection in [one for one in self.connections if one.due < now]:
            connection.expire()

    def is_stuck(self) -> bool:
        """Say whether a request is being answered for longer than a model may take."""
        return any(one.busy_since < self.loop.time() - self.limits.answer for one in self.connections if one.busy)


class Connection(asyncio.Protocol):
    """A connection; the names of its methods that begin with `on_` are the parser's."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.due = math.inf
        self.busy, self.busy_since = False, math.inf
        self._held = 0
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Asked] = deque()
        self._refusal: http.Response | None = None
        self._ended = self._last = False
        self.on_message_begin()
        self._receiving = False

    # --- asyncio's side ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, or say that there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        if self.hub.stopping or len(self.hub.connections) >= self.hub.limits.connections:
            said = self.hub.problem(503, "The server has too many connections.", "Connect again in a while.")
            self.hub.connections.add(self)
            self._end(said._replace(headers=(*said.headers, ("retry-after", "1"))))
            return
        self.hub.connections.add(self)
        self.due = self.hub.loop.time() + self.hub.limits.receive

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        del exc
        self.hub.connections.discard(self)
        self._waiting.clear()
        self._let_go()

    def data_received(self, data: bytes) -> None:
        """Parse what came in; each request in it is answered, in their order."""
        if self._ended:
            return
        self._raw += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end(self.hub.problem(400, "The connection cannot be another protocol's.", "Speak HTTP/1.1."))
        except httptools.HttpParserError:
            self._end(self._refusal or self.hub.problem(400, "The request is no HTTP.", _CLOSE))
        else:
            self._check_raw()

    def _check_raw(self) -> None:
        """End a message whose wrapping grows without an end: a header, a trailer, chunks of nothing."""
        limits = self.hub.limits
        most = limits.header + (2 * limits.body + (1 << 20) if self._headed else 1 << 18)
        if self._receiving and self._raw > most:
            self._end(self.hub.problem(431, "The headers are too long.", "Send fewer of them."))

    def eof_received(self) -> bool:
        """Say whether somebody who sends no more still waits for an answer."""
        self._last = True
        return (self.busy or bool(self._waiting)) and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        """Read no more of a client that does not read its answers."""
        self._transport.pause_reading()
        self.due = self.hub.loop.time() + self.hub.limits.receive

    def resume_writing(self) -> None:
        """Read again."""
        self._idle()
        if not self.busy:
            self._transport.resume_reading()

    def expire(self) -> None:
        """End the connection: its time is over."""
        if self._receiving:
            self._end(self.hub.problem(408, "The request did not come in time.", "Send it again, faster."))
        elif self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def stop(self) -> None:
        """Close the connection, at once if nothing is asked."""
        if not (self.busy or self._receiving or self._waiting):
            self._transport.close()

    # --- the parser's side ------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._target: list[bytes] = []
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = self._raw = self._count = 0
        self._headed, self._receiving = False, True
        self.due = self.hub.loop.time() + self.hub.limits.receive

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._target.append(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one that stands there twice is a list. What follows a body is no header of ours."""
        if self._headed:
            return
        self._count += 1
        if self._count > self.hub.limits.headers or len(value) > self.hub.limits.header:
            self._refuse(431, "The headers are too long or too many.", "Send fewer of them.")
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        if key in self._headers:
            if key == "host":
                self._refuse(400, "The request has two hosts.", _CLOSE)
            text = f"{self._headers[key]}, {text}"
        self._headers[key] = text

    def on_headers_complete(self) -> None:
        """Refuse what will be too long before it is sent."""
        self._headed = True
        if int(self._headers.get("content-length") or 0) > self.hub.limits.body:
            self._too_long()
        if "expect" in self._headers and self._headers["expect"].lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        self._size += len(part)
        if self._size > self.hub.limits.body:
            self._too_long()
        self._held += len(part)
        self.hub.held += len(part)
        if self.hub.held > max(self.hub.limits.held, 2 * self.hub.limits.body):
            self._refuse(503, "The server holds too many large requests.", "Send it again in a while.")
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Answer the request, or let it wait for the one before."""
        self._receiving = False
        parser, body, self._body = self._parser, self._body, []
        keep = parser.should_keep_alive() and not self.hub.stopping and parser.get_http_version() == "1.1"
        if keep and "host" not in self._headers:
            self._refuse(400, "The request has no host.", _CLOSE)
        asked = Asked(
            parser.get_method().decode("latin-1"),
            b"".join(self._target).decode("latin-1"),
            self._headers,
            body[0] if len(body) == 1 else b"".join(body),
            keep,
        )
        if not self.busy and not self._waiting:
            self._take(asked)
        elif len(self._waiting) >= _PIPELINED:
            self._refuse(429, "Too many requests wait on one connection.", "Read the answers first.")
        else:
            self._waiting.append(asked)

    def _too_long(self) -> None:
        limit = f"{self.hub.limits.body:,} bytes"
        self._refuse(413, f"The body has more than {limit}.", f"Send at most {limit} at once.")

    def _refuse(self, status: int, detail: str, remedy: str) -> None:
        self._refusal = self.hub.problem(status, detail, remedy)
        raise ValueError(detail)  # which the parser hands on to whoever feeds it

    # --- answering --------------------------------------------------------------------------------------------------

    def _take(self, asked: Asked) -> None:
        if len(asked.body) <= _SMALL:
            self._send(self.hub.answer(asked), asked)
        elif self.hub.waiting >= self.hub.limits.waiting:
            said = self.hub.problem(429, "Too many large requests wait.", "Send it again in a while.")
            self._send(said._replace(headers=(*said.headers, ("retry-after", "1"))), asked)
        else:
            self._answer_apart(asked)

    def _answer_apart(self, asked: Asked) -> None:
        """Answer a large request in a thread, so that small ones need not wait for it."""
        self.busy, self.busy_since, self.due = True, self.hub.loop.time(), math.inf
        self.hub.waiting += 1
        self._transport.pause_reading()
        future = self.hub.loop.run_in_executor(self.hub.pool, self.hub.answer, asked)
        future.add_done_callback(lambda done: self._answered(done, asked))

    def _answered(self, done: asyncio.Future[http.Response], asked: Asked) -> None:
        self.busy = False
        self.hub.waiting -= 1
        if self._ended or self._transport.is_closing():
            return
        self._send(done.result(), asked)
        while self._waiting and not self.busy:
            self._take(self._waiting.popleft())
        if self.busy or self._transport.is_closing():
            return
        if self._last:
            self._transport.close()
        else:
            self._transport.resume_reading()

    def _let_go(self) -> None:
        """Hold no body any more."""
        self.hub.held -= self._held
        self._held = 0

    def _idle(self) -> None:
        if not self._receiving:
            self.due = self.hub.loop.time() + self.hub.limits.idle

    def _send(self, response: http.Response, asked: Asked) -> None:
        self._idle()
        self._let_go()
        self._transport.write(self._bytes(response, keep=asked.keep, head=asked.method == "HEAD"))
        if not asked.keep:
            self._transport.close()

    def _end(self, response: http.Response) -> None:
        """Send a last answer and close the connection."""
        self._receiving, self._ended = False, True
        self._waiting.clear()
        self._body.clear()
        self._let_go()
        response = http.worded(b"".join(self._target).decode("latin-1"), response)
        self._transport.write(self._bytes(response, keep=False, head=False))
        # Who is told while still sending would lose what is told, were the connection closed at once.
        try:
            self._transport.write_eof()
            self.due = self.hub.loop.time() + _LINGER
        except (OSError, NotImplementedError):  # nobody is there any more; TLS knows no half of a connection
            self._transport.close()

    def _bytes(self, response: http.Response, *, keep: bool, head: bool) -> bytes:
        lines = "".join([f"{name}: {value}\r\n" for name, value in response.headers])
        length = "" if head else f"content-length: {len(response.body)}\r\n"
        close = "" if keep else "connection: close\r\n"
        status = response.status
        first = f"HTTP/1.1 {status} {_REASONS[status]}\r\ndate: {self.hub.date}\r\n"
        return f"{first}{length}{close}{lines}\r\n".encode("latin-1") + response.body
