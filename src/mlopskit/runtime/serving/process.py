"""A server process: takes connections of a socket, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import gc
import os
import signal
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from .connection import Connection, Hub, Limits
from .site import Site
from .supervisor import STUCK, WORKS

_SWEEP = 0.5
DRAIN = 10.0

Beat = Callable[[bool], None]


def serve(listening: socket.socket, site: Site, *, limits: Limits, tls: ssl.SSLContext | None, beat: Beat) -> None:
    """Answer until SIGTERM or SIGINT; then let what is asked be answered, for some seconds.

    `beat` is told twice a second whether requests are answered.
    """

    async def until_told() -> None:
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        await answer(listening, site, limits=limits, tls=tls, beat=beat, ended=ended)

    gc.freeze()  # what is loaded stays; looking through it again and again costs answers
    asyncio.run(until_told())


async def answer(
    listening: socket.socket,
    site: Site,
    *,
    limits: Limits,
    tls: ssl.SSLContext | None,
    beat: Beat,
    ended: asyncio.Event,
) -> None:
    """Answer until an event; then let what is asked be answered."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="large") as pool:
        hub = Hub(answer=site.answer, limits=limits, loop=loop, pool=pool)
        site.connections = lambda: len(hub.connections)
        ticking = loop.create_task(_tick(hub, beat))
        # Before a greeting of TLS has ended, no connection is there that `sweep` could end.
        greeting = limits.receive if tls else None
        server = await loop.create_server(
            lambda: Connection(hub), sock=listening, ssl=tls, backlog=1024, ssl_handshake_timeout=greeting
        )
        await ended.wait()
        server.close()
        await _drained(hub)
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking


async def _tick(hub: Hub, beat: Beat) -> None:
    while True:
        hub.date = email.utils.formatdate(usegmt=True)
        hub.sweep()
        beat(not hub.is_stuck())
        await asyncio.sleep(_SWEEP)


async def _drained(hub: Hub) -> None:
    """Wait until nothing is asked any more, or until it took too long."""
    hub.stopping = True
    end = hub.loop.time() + DRAIN
    while hub.connections and hub.loop.time() < end:
        for connection in [*hub.connections]:
            connection.stop()
        await asyncio.sleep(0.02)


def beater(pipe: int, /) -> Beat:
    """Return what tells a supervisor at the other end of a pipe whether this process works."""

    def beat(works: bool, /) -> None:  # noqa: FBT001  # it is told one thing alone
        try:
            os.write(pipe, WORKS if works else STUCK)
        except BlockingIOError:
            pass
        except BrokenPipeError:  # the supervisor was killed: nobody would end this process
            signal.raise_signal(signal.SIGTERM)

    os.set_blocking(pipe, False)
    return beat
