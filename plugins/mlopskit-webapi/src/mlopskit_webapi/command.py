"""The command `serve`."""

from __future__ import annotations

import functools
import json
import logging
import os
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mlopskit_webapi.journal import Journal
    from mlopskit_webapi.metrics import Metrics

_LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
_MIB = 1 << 20


def _options() -> list[Callable[[Any], Any]]:
    option = functools.partial(click.option, show_default=True)
    return [
        click.argument("references", nargs=-1, required=True, metavar="REFERENCE..."),
        option("--host", default="127.0.0.1", help="The address to listen at."),
        option("--port", default=8000, type=click.IntRange(0, 65535), help="The port; 0 takes a spare one."),
        option("--processes", default=1, type=click.IntRange(1, 256), help="So many, sharing nothing but the port."),
        option("--every", default=5.0, type=click.FloatRange(0.01), help="Seconds between two looks at an alias."),
        option("--folder", type=click.Path(path_type=Path), help="Remember here what was seen and downloaded."),
        option("--beside", metavar="ALIAS", help="Answer for what this alias names, too, by its digest."),
        option("--trial-seconds", default=60.0, type=click.FloatRange(0.1), help="A new package's time to answer in."),
        option("--trial-memory", default=4096, type=click.IntRange(64), help="MiB that a new package may need."),
        option("--max-body", default=16, type=click.IntRange(1, 1024), help="MiB that a request may have."),
        option("--max-rows", default=100_000, type=click.IntRange(1), help="Rows that a request may have."),
        option("--connections", default=1000, type=click.IntRange(1), help="Connections of a process at once."),
        option("--receive", default=30.0, type=click.FloatRange(0.1), help="Seconds for a request to come in."),
        option("--answer", default=30.0, type=click.FloatRange(1), help="Seconds after which a process is stuck."),
        option("--token-file", type=click.Path(exists=True, path_type=Path), help="Callers must show this token."),
        option("--allow-host", multiple=True, metavar="NAME", help="A name by which it may be called; all, if none."),
        option("--tls", nargs=2, type=click.Path(exists=True), metavar="CERT KEY", help="Speak HTTPS."),
        option("--log", type=click.Path(path_type=Path), help="Write rows and answers into this folder."),
        option("--log-share", default=1.0, type=click.FloatRange(0, 1), help="The share of requests written down."),
        option("--log-size", default=64, type=click.IntRange(1), help="MiB that each process may fill there."),
        option("--log-omit", multiple=True, metavar="COLUMN", help="Leave this column out."),
        option("--log-hash", multiple=True, metavar="COLUMN", help="Write a keyed hash of this column."),
        option("--trust-code", multiple=True, metavar="DIGEST", help="Let this package run its code."),
        click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."),
    ]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command's options, by their names."""

    references: Sequence[str]
    project: str
    host: str
    port: int
    processes: int
    every: float
    folder: Path | None
    beside: str | None
    trial_seconds: float
    trial_memory: int
    max_body: int
    max_rows: int
    connections: int
    receive: float
    answer: float
    token_file: Path | None
    allow_host: Sequence[str]
    tls: tuple[str, str] | None
    log: Path | None
    log_share: float
    log_size: int
    log_omit: Sequence[str]
    log_hash: Sequence[str]
    trust_code: Sequence[str]


@click.command("serve")
@click.pass_context
def serve(context: click.Context, /, **given: Any) -> int:
    """Answer requests over HTTP with models that follow their aliases."""
    return _serve(Options(project=context.obj.project, **given))


for _option in _options():
    serve = _option(serve)


def _serve(options: Options) -> int:
    from mlopskit_webapi.metrics import Metrics
    from mlopskit_webapi.supervisor import Supervisor

    _log_lines()
    token = None if options.token_file is None else _token(options.token_file)
    tls = None if not options.tls else _tls(*options.tls)
    metrics = Metrics(options.processes)
    with _listening(options.host, options.port) as listening:
        scheme = "https" if tls else "http"
        host = f"[{options.host}]" if ":" in options.host else options.host
        address = f"{scheme}://{host}:{listening.getsockname()[1]}"
        return Supervisor(
            processes=options.processes,
            work=lambda number, pipe: _work(options, listening, metrics, token, tls, number, pipe),
            silence=options.answer + 5.0,
            ready=lambda: print(f"Serving {', '.join(options.references)} at {address}", flush=True),  # noqa: T201  # for whoever started it
        ).run()


def _work(
    options: Options,
    listening: socket.socket,
    metrics: Metrics,
    token: str | None,
    tls: ssl.SSLContext | None,
    number: int,
    pipe: int,
) -> int:
    """Load the models and answer, in a process of its own."""
    from mlopskit import Trial
    from mlopskit_webapi import server
    from mlopskit_webapi.connection import Limits
    from mlopskit_webapi.references import Following, sources_of
    from mlopskit_webapi.site import Site

    metrics.take(number)
    trial = Trial(seconds=options.trial_seconds, memory=options.trial_memory * _MIB)
    folder = options.folder and options.folder / str(number)
    following = Following(
        every=options.every, folder=folder, trial=trial, trust_code=options.trust_code, beside=options.beside
    )
    sources = sources_of(options.references, options.project, following)
    body, hosts = options.max_body * _MIB, frozenset(name.lower() for name in _hosts(options))
    journal = None if options.log is None else _journal(options, options.log, metrics, number)
    site = Site(sources, metrics=metrics, body=body, rows=options.max_rows, hosts=hosts, token=token, journal=journal)
    limits = Limits(body=body, connections=options.connections, receive=options.receive, answer=options.answer)
    try:
        server.serve(listening, site, limits=limits, tls=tls, beat=server.beater(pipe))
    finally:
        for source in sources:
            source.close()
        if journal is not None:
            journal.close()
    return 0


def _journal(options: Options, folder: Path, metrics: Metrics, number: int) -> Journal:
    from mlopskit_webapi.journal import Journal, Logging

    how = Logging(
        folder=folder,
        share=options.log_share,
        size=options.log_size * _MIB,
        omit=frozenset(options.log_omit),
        hash=frozenset(options.log_hash),
    )
    return Journal(how, process=number, dropped=metrics.drop)


def _hosts(options: Options) -> Sequence[str]:
    """Return the names that it may be called by; on this machine alone, those of this machine."""
    if options.host in _LOOPBACK:
        return (*_LOOPBACK, *options.allow_host)
    return options.allow_host


def _listening(host: str, port: int) -> socket.socket:
    from mlopskit.errors import UsageError

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise UsageError(
            f"The port {port} of {host!r} cannot be taken: {error.strerror or error}.",
            remedy="End what holds it, or give another --port.",
        ) from error


def _token(file: Path) -> str:
    from mlopskit.errors import UsageError

    token = file.read_text("utf-8").strip()
    if not token or not token.isascii():
        raise UsageError(f"{str(file)!r} holds no token.", remedy="Write one line of ASCII into it.")
    return token


def _tls(certificate: str, key: str) -> ssl.SSLContext:
    from mlopskit.errors import UsageError

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
    logging.getLogger("mlopskit").setLevel(logging.INFO)
