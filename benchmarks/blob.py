"""Uploading a package to Azure's emulator: against the client's own upload, what is sent again, and the memory.

npm ci --prefix tests/azurite --ignore-scripts
.venv/bin/python benchmarks/blob.py
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from budgets import Figure

EMULATOR = Path(__file__).parents[1] / "tests" / "azurite" / "node_modules" / ".bin" / "azurite-blob"
ACCOUNT = "devstoreaccount1"
# The emulator's one account: its key stands in its documentation, and is nobody's secret.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
MIB = 1 << 20


@contextmanager
def emulator(folder: Path) -> Iterator[str]:
    """Run the emulator; give its connection string."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    options = ["--location", str(folder), "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    started = subprocess.Popen([EMULATOR, *options, "--blobPort", str(port)], stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
        yield f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"
    finally:
        started.terminate()
        started.wait()


def uploading(mebibytes: int = 1024, rounds: int = 3) -> Iterator[Figure]:
    """Measure in turns, and take the best of each: the machine may have other work."""
    from mlopskit_blob.storage import BlobStorage

    if not EMULATOR.exists():
        print("The emulator of Azure's storage is not installed: npm ci --prefix tests/azurite --ignore-scripts")
        return
    with tempfile.TemporaryDirectory() as temporary, emulator(Path(temporary, "store")) as connection:
        os.environ["AZURE_STORAGE_CONNECTION_STRING"] = connection
        big = Path(temporary, "big")
        with big.open("wb") as opened:
            for _ in range(mebibytes):
                opened.write(os.urandom(MIB))
        service = _service(connection)
        storage = BlobStorage(f"az://{ACCOUNT}/bench/ours")
        files = {"big": big, "manifest.json": b"{}"}
        theirs, ours = [], []
        for number in range(rounds):
            theirs.append(_seconds(lambda: _bare(service, big)))
            ours.append(_seconds(lambda number=number: storage.commit(f"push/{number}", files, last="manifest.json")))
            _clear(service)
        yield Figure(
            what=f"uploading {mebibytes} MiB to Azure's emulator: speed, times the client's own upload_blob",
            measured=min(theirs) / min(ours),
            budget=0.8,
            unit="x",
            at_least=True,
        )
        yield from _again(storage, files)


def _again(storage: Any, files: dict[str, Path | bytes]) -> Iterator[Figure]:
    """Measure what a second push of the same sends, and by how much memory grows in a first one."""
    sent = 0
    resting = _resident()
    with _peak() as peak:
        storage.commit("push/again", files, last="manifest.json")
    real = storage._upload  # noqa: SLF001  # what would send bytes

    def counted(key: str, data: Path | bytes, options: Any) -> None:
        nonlocal sent
        sent += len(data) if isinstance(data, bytes) else data.stat().st_size
        real(key, data, options)

    storage._upload = counted  # noqa: SLF001
    storage.commit("push/again", files, last="manifest.json")
    yield Figure(what="the same again: bytes sent", measured=sent, budget=0, unit="bytes")
    yield Figure(
        what="uploading it: memory, beyond that at rest", measured=(peak[0] - resting) / MIB, budget=200, unit="MiB"
    )


def _service(connection: str) -> Any:
    from azure.storage.blob import BlobServiceClient

    # The same sizes of parts as ours.
    sizes = {"max_single_put_size": 8 * MIB, "max_block_size": 8 * MIB}
    service = BlobServiceClient.from_connection_string(connection, api_version="2025-11-05", **sizes)
    service.create_container("bench")
    return service


def _bare(service: Any, big: Path) -> None:
    with big.open("rb") as opened:
        service.get_blob_client("bench", f"bare/{uuid.uuid4().hex}").upload_blob(opened, max_concurrency=8)


def _clear(service: Any) -> None:
    container = service.get_container_client("bench")
    for name in container.list_blob_names():
        container.delete_blob(name)


def _seconds(act: Any) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@contextmanager
def _peak() -> Iterator[list[int]]:
    """Give the largest resident memory while the block runs, in bytes."""
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], _resident())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    figures = list(uploading(*map(int, sys.argv[1:])))
    for figure in figures:
        print(f"{figure.what}: {figure.measured:.3g} {figure.unit} ({'kept' if figure.kept else 'NOT KEPT'})")
    sys.exit(not all(figure.kept for figure in figures))
