"""Run a server: a socket, processes that answer at it, and the log."""

from __future__ import annotations

import json
import logging
import os
import resource
import socket
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .supervisor import Supervisor

if TYPE_CHECKING:
    import ssl

    from .journal import Journal
    from .metrics import Metrics
    from .site import Source

_log = logging.getLogger(__name__)
_LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
_MIB = 1 << 20
_FILES = 100  # besides connections
_SHORTEST = 5.0  # a machine that has much to do lets a process be silent for a while


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where a server listens, who may ask, and how much.

    `unix` is the path of a socket to listen at instead of `host` and `port`; `max_body` and `log_size` are MiB;
    `receive` and `answer` are seconds. What else they mean stands in docs/how-to/serve.md.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    unix: Path | None = None
    processes: int = 1
    max_body: int = 16
    max_rows: int = 100_000
    connections: int = 1000
    receive: float = 30.0
    answer: float = 30.0
    token_file: Path | None = None
    allow_host: Sequence[str] = ()
    tls: tuple[str, str] | None = None
    log: Path | None = None
    log_share: float = 1.0
    log_size: int = 64
    log_omit: Sequence[str] = ()
    log_hash: Sequence[str] = ()


def run(settings: Settings, sources: Callable[[int], Sequence[Source]], /, *, what: str) -> int:
    """Serve until SIGTERM or SIGINT; return an exit code.

    `sources` is called in each process, with its number. `what` is told, with the address, once all answer.

    Raises:
        UsageError: the server cannot be started so.
    """
    from .metrics import Metrics

    _log_lines()
    _allow_files(settings.connections + _FILES)
    token = None if settings.token_file is None else _token(settings.token_file)
    tls = None if not settings.tls else _tls(*settings.tls)
    metrics = Metrics(settings.processes)
    with _listening(settings) as listening:
        address = _address(settings, listening)

        def work(number: int, pipe: int) -> int:
            metrics.take(number)
            return _work(settings, listening, metrics, token, tls, sources(number), number, pipe)

        return Supervisor(
            processes=settings.processes,
            work=work,
            silence=max(settings.answer, _SHORTEST),
            ready=lambda: print(f"Serving {what} at {address}", flush=True),  # noqa: T201  # for whoever started it
        ).run()


def _work(
    settings: Settings,
    listening: socket.socket,
    metrics: Metrics,
    token: str | None,
    tls: ssl.SSLContext | None,
    sources: Sequence[Source],
    number: int,
    pipe: int,
) -> int:
    """Answer, in a process of its own."""
    from . import process
    from .connection import Limits
    from .site import Site

    body, hosts = settings.max_body * _MIB, frozenset(name.lower() for name in _hosts(settings))
    journal = None if settings.log is None else _journal(settings, settings.log, metrics, number)
    site = Site(sources, metrics=metrics, body=body, rows=settings.max_rows, hosts=hosts, token=token, journal=journal)
    limits = Limits(body=body, connections=settings.connections, receive=settings.receive, answer=settings.answer)
    try:
        process.serve(listening, site, limits=limits, tls=tls, beat=process.beater(pipe))
    finally:
        for source in sources:
            source.close()
        if journal is not None:
            journal.close()
    return 0


def _journal(settings: Settings, folder: Path, metrics: Metrics, number: int) -> Journal:
    from .journal import Journal, Logging

    how = Logging(
        folder=folder,
        share=settings.log_share,
        size=settings.log_size * _MIB,
        omit=frozenset(settings.log_omit),
        hash=frozenset(settings.log_hash),
    )
    return Journal(how, process=number, dropped=metrics.drop)


def _hosts(settings: Settings) -> Sequence[str]:
    """Return the names that it may be called by; on this machine alone, those of this machine."""
    if settings.unix is None and settings.host in _LOOPBACK:
        return (*_LOOPBACK, *settings.allow_host)
    return settings.allow_host


def _address(settings: Settings, listening: socket.socket) -> str:
    if settings.unix is not None:
        return str(settings.unix)
    scheme = "https" if settings.tls else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{listening.getsockname()[1]}"


def _allow_files(wanted: int) -> None:
    """Let each process open so many files, as far as the system lets it: a connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        if most < wanted:
            _log.warning("A process may open %d files: fewer connections than --connections says.", most)


def _listening(settings: Settings) -> socket.socket:
    if settings.unix is not None:
        return _listening_at(settings.unix)
    host, port = settings.host, settings.port
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise UsageError(
            f"The port {port} of {host!r} cannot be taken: {error.strerror or error}.",
            remedy="End what holds it, or give another --port.",
        ) from error


def _listening_at(path: Path) -> socket.socket:
    """Listen at a path; a socket that an earlier server left there goes."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
        listening.bind(str(path))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise UsageError(
            f"No socket can be made at {str(path)!r}: {error.strerror or error}.", remedy="Give another path."
        ) from error
    return listening


def _token(file: Path) -> str:
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The token in {str(file)!r} cannot be read.", remedy="Give a file that can be.") from error
    if not token or not token.isascii():
        raise UsageError(f"{str(file)!r} holds no token.", remedy="Write one line of ASCII into it.")
    return token


def _tls(certificate: str, key: str) -> ssl.SSLContext:
    import ssl  # some megabytes, which a supervisor seldom needs

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"The certificate {certificate!r} cannot be used: {error}.", remedy="Give a PEM certificate and its key."
        ) from error
    return context


class _Lines(logging.Formatter):
    """Log records as one line of JSON each, whatever they quote."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's line."""
        said = {"when": self.formatTime(record), "level": record.levelname, "process": os.getpid()}
        said |= {"about": record.name, "message": record.getMessage()}
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said)


def _log_lines() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(__name__.partition(".")[0]).setLevel(logging.INFO)
