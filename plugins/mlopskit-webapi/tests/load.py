"""Callers of a server: clients, load, and what its processes do meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Self


class Client:
    """A caller that keeps its connection, and opens another when that was closed."""

    def __init__(self, port: int) -> None:
        self._port, self._socket = port, None

    def ask(self, body: bytes, path: str = "/predict") -> tuple[int, bytes]:
        """Return status and body of an answer; a ConnectionError means that there was none."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        try:
            self._socket.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            return self._answer()
        except OSError as error:
            self.close()
            raise ConnectionError(str(error)) from error

    def _answer(self) -> tuple[int, bytes]:
        said = b""
        while b"\r\n\r\n" not in said:
            said += self._more()
        head, _, body = said.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
        while len(body) < length:
            body += self._more()
        if b"connection: close" in head:
            self.close()
        return int(head[9:12]), body

    def _more(self) -> bytes:
        part = self._socket.recv(1 << 16)
        if not part:
            raise ConnectionResetError("closed")
        return part

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Load:
    """Callers that ask again and again, and compare each answer with that of the digest which it names.

    `asked` are bodies, `good` the answers to them by digest. `wrong` gathers whatever else was said, `lost` counts the
    connections that ended without an answer, `times` are seconds an answer, `seen` the digests that answered. Each
    pauses for `pause` seconds.
    """

    def __init__(
        self, port: int, asked: list[bytes], good: dict[str, list], clients: int = 8, pause: float = 0.0
    ) -> None:
        self.asked, self.good = asked, good
        self.times: list[float] = []
        self.wrong: list[object] = []
        self.seen: dict[str, int] = {}
        self.last = ""
        self.lost = 0
        self._pause = pause
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(Client(port), one)) for one in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, client: Client, at: int) -> None:
        while not self._stop.is_set():
            at = (at + 1) % len(self.asked)
            begun = time.perf_counter()
            try:
                status, body = client.ask(self.asked[at])
            except ConnectionError:
                self.lost += 1
                time.sleep(0.01)
                continue
            self.times.append(time.perf_counter() - begun)
            said = json.loads(body)
            digest = said.get("digest", "")
            if status != 200 or digest not in self.good or said["row"] != self.good[digest][at]:
                self.wrong.append((status, said))
            self.seen[digest] = self.seen.get(digest, 0) + 1
            self.last = digest
            self._stop.wait(self._pause)
        client.close()


class Trials:
    """Counts the processes in which a server's processes try packages."""

    def __init__(self, *workers: int) -> None:
        self.seen: set[int] = set()
        self._workers = workers
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.03):
            for worker in self._workers:
                self.seen |= {pid for pid in children(worker) if b"isolated_child" in command_of(pid)}


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text().split())
    return [one for one in found if one != os.getpid()]


def command_of(pid: int) -> bytes:
    """Return a process's command line."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def percentile(times: list[float], share: float) -> float:
    """Return the time that this share of answers did not exceed."""
    return sorted(times)[min(int(share * len(times)), len(times) - 1)]
