"""Hold a published port, and give each connection to the container that a file names: Python alone is needed.

    python forward.py FOLDER listen 8000     what a forwarder's container runs
    python forward.py FOLDER turn OLD NEW    make NEW the destination if OLD is live; end with 3 if something else is

OLD is a locator, NEW a destination: {"live": LOCATOR, "host": …, "port": …}; both are JSON, and null is nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sys
from typing import Any

CONNECT_SECONDS = 5.0
ANOTHER_IS_LIVE = 3


def destination(folder: str) -> Any:
    """Return where connections go, None if nowhere."""
    try:
        with open(f"{folder}/destination.json", "rb") as opened:
            return json.load(opened)
    except FileNotFoundError:
        return None


def turn(folder: str, old: object, new: object) -> int:
    """Compare and set, in one step: whoever comes second finds another live."""
    with open(f"{folder}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        now = destination(folder)
        if (now or {}).get("live") != old:
            return ANOTHER_IS_LIVE
        if now != new:
            with open(f"{folder}/next.json", "w") as opened:
                json.dump(new, opened)
                opened.flush()
                os.fsync(opened.fileno())
            os.rename(f"{folder}/next.json", f"{folder}/destination.json")
            whole = os.open(folder, os.O_RDONLY)
            os.fsync(whole)
            os.close(whole)
    return 0


class Side(asyncio.Protocol):
    """One of two connections; what it receives goes out of the other, no faster than that takes it."""

    transport: asyncio.Transport

    def __init__(self, other: Side | None = None) -> None:
        self.ended = False
        # One that has no other yet is its own: it is closed twice, which is as good as once.
        self.other = other or self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what it sends by."""
        self.transport = transport  # type: ignore[assignment]  # TCP's

    def data_received(self, data: bytes) -> None:
        """Hand on what was received."""
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        """Let the other receive no more, until this one has sent what it has."""
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Let the other receive again."""
        self.other.transport.resume_reading()

    def eof_received(self) -> bool:
        """Hand on the end of one way; after both, asyncio closes this one, and that the other."""
        self.ended = True
        self.other.transport.write_eof()
        return not self.other.ended

    def connection_lost(self, _: Exception | None) -> None:
        """Close the other, after it has sent what it has."""
        self.other.transport.close()


class Client(Side):
    """The connection that somebody made: it waits until there is one to the destination of this moment."""

    def __init__(self, folder: str, tasks: set[asyncio.Task[None]]) -> None:
        super().__init__()
        self.folder, self.tasks = folder, tasks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to connect."""
        super().connection_made(transport)
        task = asyncio.get_running_loop().create_task(self._connect())
        self.tasks.add(task)  # asyncio itself does not keep it
        task.add_done_callback(self.tasks.discard)

    async def _connect(self) -> None:
        self.transport.pause_reading()  # not before: until now asyncio (3.11.2) would have begun to read regardless
        to = destination(self.folder)
        try:
            # By name each time: an address may be another container's by now.
            await asyncio.wait_for(self._pair(to), CONNECT_SECONDS)
        except (OSError, TimeoutError) as error:
            print(f"No connection to {to}: {error!r}", file=sys.stderr, flush=True)
            self.transport.close()

    async def _pair(self, to: Any) -> None:
        if to is None:
            self.transport.close()
            return
        loop = asyncio.get_running_loop()
        _, self.other = await loop.create_connection(lambda: Side(self), to["host"], to["port"])
        if self.transport.is_closing():
            self.other.transport.close()
        self.transport.resume_reading()


async def listen(folder: str, port: int) -> None:
    """Forward until told to end."""
    loop, told, tasks = asyncio.get_running_loop(), asyncio.Event(), set[asyncio.Task[None]]()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await loop.create_server(lambda: Client(folder, tasks), "0.0.0.0", port, backlog=1024)  # noqa: S104  # a container's
    print(f"Forwarding port {port}", flush=True)
    await told.wait()


if __name__ == "__main__":
    if sys.argv[2] == "turn":
        sys.exit(turn(sys.argv[1], json.loads(sys.argv[3]), json.loads(sys.argv[4])))
    asyncio.run(listen(sys.argv[1], int(sys.argv[3])))
