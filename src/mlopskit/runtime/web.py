"""A model's folder at a web address: plain GET of known keys, bounded in size and time, and led nowhere else."""

from __future__ import annotations

import contextlib
import functools
import http.client
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .errors import StorageError, UsageError
from .fetching import bounded
from .names import check_name
from .package import Package
from .places import fetched_package

SILENCE = 10.0  # seconds that a server may say nothing
PATIENCE = 60.0  # seconds for an answer; for a package's file one more for each so many bytes:
_SLOWEST = 16 << 10
_OK, _UNCHANGED, _ABSENT = 200, 304, 404
_UNKNOWN, _DENIED = 401, 403
_ADDRESS = re.compile(
    r"(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?((?:/[A-Za-z0-9_~$][A-Za-z0-9._~$-]*)+)/?", re.ASCII
)
_QUERY = re.compile(r"[!-~]*", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9_-]+:[ -~]*", re.ASCII)
_LOOPBACK = ("127.0.0.1", "[::1]", "localhost")
_PORTS = 1 << 16
_CHECK = "Check the address, the network, and the right to read; a redirection is not followed."


def web_place(
    address: str, /, *, headers: Mapping[str, str], query: str, limit: int, form: str | None = None
) -> WebPlace:
    """Return the place at an http(s) address of a model's folder.

    Raises:
        UsageError: it is none, or holds more than plain names.
    """
    own, last = checked_address(address)
    parts = {f"header {name!r}": _HEADER.fullmatch(f"{name}:{value}") for name, value in headers.items()}
    for what, sent in {"query": _QUERY.fullmatch(query), **parts}.items():
        if not sent:
            raise UsageError(f"The {what} cannot be sent.", remedy="Use plain ASCII, and percent-encode the query.")
    name, fixed = check_name(last, kind="name of a model's folder"), dict(headers)
    return WebPlace(address.rstrip("/"), name, limit, own, lambda: fixed, query.removeprefix("?"), form=form)


def checked_address(address: str, /) -> tuple[bool, str]:
    """Return whether an http(s) address is of this machine, and its last part.

    Raises:
        UsageError: it is none, or holds more than plain names.
    """
    found = _ADDRESS.fullmatch(address)
    if not found or int((found[3] or ":0")[1:]) >= _PORTS:
        # What is wrong is shown neither here nor by those who ask: it may be a secret.
        raise UsageError(
            "The address of the model's folder is not of the form https://host/plain/names.",
            remedy="Give it without user, query and encoded characters; what gives access stands in headers or query.",
        )
    return found[2].lower() in _LOOPBACK, found[4].rpartition("/")[2]


@dataclass(frozen=True)
class WebPlace:
    """A model's folder at a web address. What gives access to it is sent, and never shown.

    `own` says that the address is of this machine: then no proxy stands between. `headers` is asked at each request,
    and `forget` called when they were not accepted. `right` says what to do where reading is denied. With a `form`
    packages are read for it alone.
    """

    address: str
    name: str
    limit: int
    own: bool = False
    headers: Callable[[], Mapping[str, str]] = field(default=dict, repr=False)
    query: str = field(default="", repr=False)
    silence: float = SILENCE
    patience: float = PATIENCE
    form: str | None = None
    right: str = "Get the right to read it, and to list it: without that a place denies also what is not there."
    forget: Callable[[], None] = field(default=lambda: None, repr=False)
    _last: dict[str, tuple[str, bytes]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def get(self, key: str, /, *, limit: int) -> bytes | None:
        """Return at most `limit` + 1 bytes of a file, None if there is none.

        The file that was read last is asked for by its ETag.
        """
        tag, known = self._last.get(key, ("", b""))
        with _Answer(self, key, seconds=self.patience, tag=tag) as answer:
            if answer.status == _UNCHANGED:
                return known[: limit + 1]
            if answer.status == _ABSENT:
                return None
            data = b"".join(answer.chunks(limit + 1))
        if answer.tag and len(data) <= limit:
            self._last.clear()
            self._last[key] = (answer.tag, data)
        return data

    @contextlib.contextmanager
    def read(self, key: str, /, *, size: int) -> Iterator[Iterator[bytes] | None]:
        """Give the chunks of a file, at most `size` + 1 bytes; None if there is none."""
        with _Answer(self, key, seconds=self.patience + size / _SLOWEST) as answer:
            yield None if answer.status == _ABSENT else answer.chunks(size + 1)

    def package(self, digest: str, /, *, kept: Path) -> Package:
        """Return a package with every byte checked, downloaded below a folder unless it stands there."""
        return fetched_package(self, self.name, digest, kept=kept, limit=self.limit, form=self.form)


class _Answer:
    """A server's answer to one GET: status 200; 404; or 304 to a tag that was given."""

    def __init__(self, place: WebPlace, key: str, *, seconds: float, tag: str = "") -> None:
        self._place = place
        self._key = key
        self._tag = tag
        self._clock = _Clock(seconds)
        self._taken = contextlib.ExitStack()
        self.status = 0
        self.tag = ""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._clock)
            with self._explained():
                self._answer = stack.enter_context(self._ask())
            self.status, self.tag = self._answer.status, self._answer.headers.get("ETag", "")
            if self.status in (_UNKNOWN, _DENIED):
                self._place.forget()
                why = f"the status is {self.status}, and so it cannot be told whether it is there"
                raise self._away(why, self._place.right)
            if self.status not in (_OK, _ABSENT) and not (self._tag and self.status == _UNCHANGED):
                raise self._away(f"the status is {self.status}, expected {_OK}")
            if self.status == _OK and self._answer.headers.get("Content-Encoding", "identity") != "identity":
                raise self._away("it is encoded, which was not asked for")
            self._taken = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._taken.close()

    def chunks(self, most: int) -> Iterator[bytes]:
        """Yield at most so many bytes of the body."""

        def read(size: int) -> bytes:
            with self._explained():
                chunk: bytes = self._answer.read1(size)
            return chunk

        told, size = self._answer.length, 0
        for chunk in bounded(read, most):
            size += len(chunk)
            yield chunk
        if self._clock.over:
            raise self._away(self._clock.told)
        # A server that ends in the middle closes the connection, which http.client takes for the end of the body.
        if told is not None and size < min(told, most):
            raise self._away("it ended early")

    def _ask(self) -> Any:
        place = self._place
        url = f"{place.address}/{self._key}{'?' if place.query else ''}{place.query}"
        headers = {"Accept-Encoding": "identity", "User-Agent": "mlopskit", **place.headers()}
        headers |= {"If-None-Match": self._tag} if self._tag else {}
        request = urllib.request.Request(url, headers=headers)  # noqa: S310  # the scheme was checked
        handlers: list[urllib.request.BaseHandler] = [_Led(), _Timed(self._clock)]
        handlers += [urllib.request.ProxyHandler({})] if place.own else []
        try:
            return urllib.request.build_opener(*handlers).open(request, timeout=place.silence)
        except urllib.error.HTTPError as error:
            return error

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException, ValueError) as error:
            # From None, and no more than the kind of what is not the system's: it may show what gives access.
            why = str(getattr(error, "reason", None) or error) if isinstance(error, OSError) else type(error).__name__
            raise self._away(self._clock.told if self._clock.over else why) from None

    def _away(self, why: str, remedy: str = _CHECK) -> StorageError:
        return StorageError(f"{self._place.address}/{self._key} cannot be read: {why}.", remedy=remedy)


class _Clock:
    """Cuts a connection when its time is over, however little at a time the server sends."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self.told = f"it was not complete after {seconds:.0f} seconds"
        self.socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()

    def _cut(self) -> None:
        self.over = True
        if self.socket is not None:
            with contextlib.suppress(OSError):  # it is closed already
                # The plain one's: that of an encrypted socket takes its state away under the reader.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class _Plain(http.client.HTTPConnection):
    def __init__(self, *positions: Any, clock: _Clock, **options: Any) -> None:
        super().__init__(*positions, **options)
        self._clock = clock

    def connect(self) -> None:
        super().connect()
        self._clock.socket = self.sock


class _Encrypted(_Plain, http.client.HTTPSConnection):
    """The same over TLS: the clock then holds the socket that encrypts."""


class _Timed(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens connections that the clock can cut."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_Plain, clock=self._clock), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_Encrypted, clock=self._clock), req)


class _Led(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: another place may be anybody's."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Return nothing, so that the redirection is the answer."""
