from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator

import pytest

READY_SECONDS = 60


@pytest.fixture(scope="session")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Return the port of an S3 server that keeps everything in memory."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as opened:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=opened, stderr=opened
        )
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    else:
        server.kill()
        raise AssertionError(f"the server does not answer: {log.read_text()}")
    yield port
    server.terminate()
    server.wait()


@pytest.fixture
def bucket(s3_port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of a new bucket, whose settings are in the environment."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret-canary")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3_port}")
    name = f"test-{uuid.uuid4().hex}"
    request = urllib.request.Request(
        f"http://127.0.0.1:{s3_port}/{name}",
        method="PUT",
        headers={"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    return f"s3://{name}"


@pytest.fixture
def by_way_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return what sets the port by whose way the server is asked."""
    return lambda port: monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
