"""A function of Azure follows an alias in a private container, which a signature opens."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlopskit_serverless import azure
from mlopskit_serverless.functions import AzureFunctions
from mlopskit_serverless.running import Launch

import mlopskit as mk
from mlopskit.testing.packages import shared_packages

pytestmark = pytest.mark.live
EMULATOR = Path(__file__).parents[3] / "tests" / "azurite"
ACCOUNT = "devstoreaccount1"
# The emulator's one account: its key stands in its documentation, and is nobody's secret.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
ROW = json.dumps({"row": {"height": 1.0, "weight": 2}}).encode()
SECONDS = 60


@pytest.fixture
def endpoint(tmp_path, needs):
    """The emulator's process and address."""
    needs("node")
    if not (EMULATOR / "node_modules").is_dir() and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip("not installed: npm ci --prefix tests/azurite --ignore-scripts")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    command = [EMULATOR / "node_modules/.bin/azurite-blob", "--inMemoryPersistence", "--silent", "--disableTelemetry"]
    with (tmp_path / "azurite").open("wb") as log:
        process = subprocess.Popen([*command, "--blobPort", str(port)], stdout=log, stderr=log, cwd=tmp_path)
    until(lambda: answers(port))
    yield process, f"http://127.0.0.1:{port}/{ACCOUNT}"
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()


def answers(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def until(act):
    """Return what an act returns, when that is something."""
    end = time.monotonic() + SECONDS
    while not (said := act()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return said


def signature(container):
    """Return what lets one read and list a container."""
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    return generate_container_sas(
        ACCOUNT,
        container,
        account_key=KEY,
        permission=ContainerSasPermissions(read=True, list=True),
        expiry=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1),
        protocol="https,http",
    )


def test_it_follows_each_promotion_and_answers_while_the_container_is_away(
    endpoint, home, tmp_path, tmp_path_factory, monkeypatch
):
    from azure.storage.blob import BlobServiceClient

    emulator, address = endpoint
    connection = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={address};"
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    with BlobServiceClient.from_connection_string(connection, api_version="2025-11-05") as service:
        service.create_container("models")
    place, packages = f"az://{ACCOUNT}/models", shared_packages(tmp_path_factory)
    one, other = (mk.ModelPackage.open(packages / name, digest="unpinned") for name in ("one", "other"))
    deployer = AzureFunctions(to=str(tmp_path / "place"), form="portable", model_uri=f"{place}/conformance@production")
    query = signature("models")
    environment = {
        "MODEL_URI": deployer.model_uri,
        "MODEL_QUERY": query,
        "MODEL_EVERY": "0.1",
        "AZURE_STORAGE_BLOB_ENDPOINT": address,
    }
    launch = Launch(
        folder=home.unzipped(deployer, one),
        site=home.runtime(deployer, one),
        command=(sys.executable,),
        environment=environment,
    )
    mk.promote(other, to="production", registry=place, override="a test")
    with azure.start(launch) as function:

        def digest():
            reply = function.send("POST", "/predict", {"content-type": "application/json"}, ROW)
            assert reply.status == 200, reply.body
            return json.loads(reply.body)["digest"]

        until(lambda: digest() == other.digest)
        mk.promote(one, to="production", registry=place, override="a test")
        until(lambda: digest() == one.digest)
        emulator.kill()
        emulator.wait()
        said = until(
            lambda: (
                (one := function.send("GET", "/health/ready", {}, b"")).status == 200
                and b"degraded" in one.body
                and one
            )
        )
        assert digest() == one.digest
        metadata = function.send("GET", "/metadata", {}, b"")
        assert query.rpartition("sig=")[2].encode() not in said.body + metadata.body
