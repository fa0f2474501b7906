from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

EMULATOR = Path(__file__).parents[3] / "tests" / "azurite"
ACCOUNT = "devstoreaccount1"
# The emulator's one account: its key stands in its documentation, and is nobody's secret.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
READY_SECONDS = 60


@dataclass(frozen=True)
class Azurite:
    """A running emulator."""

    port: int
    account: str = ACCOUNT
    key: str = KEY

    def connection(self, port: int | None = None) -> str:
        """Return the connection string, by way of another port if it is given."""
        endpoint = f"http://127.0.0.1:{port or self.port}/{ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"

    def new_container(self) -> str:
        """Make a container, and return its address."""
        from azure.storage.blob import BlobServiceClient

        name = f"test-{uuid.uuid4().hex}"
        with BlobServiceClient.from_connection_string(self.connection(), api_version="2025-11-05") as service:
            service.create_container(name)
        return f"az://{ACCOUNT}/{name}"


def _free_port() -> int:
    """Return a port of this machine where nobody answers."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _start(log: Path, port: int, *, kept: Path | None = None) -> subprocess.Popen[bytes]:
    """Start an emulator, which keeps everything in memory or in a folder, and wait until it answers."""
    command = EMULATOR / "node_modules" / ".bin" / "azurite-blob"
    where = ["--inMemoryPersistence"] if kept is None else ["--location", str(kept)]
    options = [*where, "--silent", "--disableTelemetry", "--blobHost", "127.0.0.1"]
    with log.open("wb") as opened:
        started = subprocess.Popen(
            [command, *options, "--blobPort", str(port)], stdout=opened, stderr=opened, cwd=log.parent
        )
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and started.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return started
        time.sleep(0.05)
    started.kill()
    raise AssertionError(f"the emulator does not answer: {log.read_text()}")


@pytest.fixture(scope="session")
def azurite_installed() -> None:
    """Skip, or fail where services are required, if the emulator is not installed."""
    lacking = [
        what
        for what, there in {
            "node": shutil.which("node"),
            "npm ci --prefix tests/azurite --ignore-scripts": (EMULATOR / "node_modules").is_dir(),
        }.items()
        if not there
    ]
    if lacking and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    assert not lacking, f"not installed: {', '.join(lacking)}"


@pytest.fixture(scope="session")
def azurite(azurite_installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Return an emulator on a port of its own."""
    port = _free_port()
    started = _start(tmp_path_factory.mktemp("azurite") / "log", port)
    yield Azurite(port=port)
    started.terminate()
    started.wait()


@pytest.fixture
def container(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of a new container, whose credentials are in the environment."""
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection())
    return azurite.new_container()


@pytest.fixture
def free_port() -> int:
    """Return a port of this machine where nobody answers."""
    return _free_port()


@pytest.fixture
def start_azurite(azurite_installed: None, free_port: int) -> Callable[..., tuple[Azurite, subprocess.Popen[bytes]]]:
    """Return what starts an emulator of a test's own, at the same port each time."""
    return lambda log, kept: (Azurite(port=free_port), _start(log, free_port, kept=kept))
