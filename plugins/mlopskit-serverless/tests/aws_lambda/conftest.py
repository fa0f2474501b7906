from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlopskit_serverless.functions import LambdaZip
from mlopskit_serverless.lambdadeployer import AwsLambda

import mlopskit as mk
from mlopskit.testing.faultproxy import FaultProxy
from mlopskit.testing.packages import shared_packages

READY_SECONDS = 60
REGION = "us-east-1"
KEY, SECRET, TOKEN = "AKIATESTKEYID", "secret-key-canary-9d1f", "session-token-canary-77aa"


Pair = tuple[mk.ModelPackage, mk.ModelPackage]


@dataclass(frozen=True)
class Cloud:
    """The stand-in of AWS: its port, a role in it, and what a test wants of it."""

    port: int
    role: str = ""

    def say(self, what: str, **told: Any) -> Any:
        """Tell it something that AWS has no words for."""
        address = f"http://127.0.0.1:{self.port}/test/{what}"
        with urllib.request.urlopen(address, json.dumps(told).encode(), timeout=60) as reply:
            return json.loads(reply.read())

    def fail(self, *faults: dict[str, Any]) -> None:
        """Let requests fail from now on, as AWS words it."""
        self.say("fail", faults=faults)

    def client(self, service: str) -> Any:
        """Return a client as somebody else has it."""
        import boto3

        session = boto3.session.Session(KEY, SECRET, region_name=REGION)
        return session.client(service, endpoint_url=f"http://127.0.0.1:{self.port}")


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory, home: Any, pair: Pair) -> Iterator[Cloud]:
    """Start the stand-in once."""
    site = home.runtime(LambdaZip(to="place"), pair[0])
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    log = tmp_path_factory.mktemp("aws") / "log"
    with log.open("wb") as opened:
        program = Path(__file__).with_name("aws.py")
        server = subprocess.Popen([sys.executable, str(program), str(port), str(site)], stdout=opened, stderr=opened)
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    else:
        server.kill()
        raise AssertionError(f"the stand-in does not answer: {log.read_text()}")
    may = {"Version": "2012-10-17", "Statement": []}
    made = Cloud(port).client("iam").create_role(RoleName="model", AssumeRolePolicyDocument=json.dumps(may))
    yield Cloud(port, made["Role"]["Arn"])
    server.terminate()
    server.wait()


@pytest.fixture
def cloud(started: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    """Return the stand-in, with credentials for it in the environment and in no file."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
    }.items():
        monkeypatch.setenv(name, value)
    yield started
    started.fail()


@pytest.fixture
def made(cloud: Cloud) -> Callable[..., AwsLambda]:
    """Return what makes a deployer of a new function, and with the same name another one of it."""

    def make(**options: Any) -> AwsLambda:
        given = {
            "function": f"test-{uuid.uuid4().hex}",
            "region": REGION,
            "role": cloud.role,
            "endpoint_url": f"http://127.0.0.1:{cloud.port}",
        }
        return AwsLambda(**{**given, **options})

    return make


@pytest.fixture
def proxy(cloud: Cloud) -> Iterator[FaultProxy]:
    """Return a proxy before the stand-in, whose requests can fail as networks do."""
    with FaultProxy(cloud.port).running() as running:
        yield running


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Return two packages of one model."""
    folder = shared_packages(tmp_path_factory)
    one, other = (mk.ModelPackage.open(folder / name, digest="unpinned") for name in ("one", "other"))
    return one, other
