"""What others made to ask such services: schemathesis by the document, Triton's client by the protocol."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

OUTSIDE = Path(__file__).parent / "outside"
BIN = Path(__file__).parents[3] / ".engines" / "bin"
pytestmark = pytest.mark.live


@pytest.fixture(scope="module", autouse=True)
def _installed():
    if not BIN.exists():
        assert not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"), "make engines was not run"
        pytest.skip("make engines was not run")


@pytest.fixture(scope="module")
def open_to_few(tmp_path_factory, open_shop, start):
    """A server that wants a token, and takes feedback."""
    folder = tmp_path_factory.mktemp("few")
    shop = open_shop(folder)
    # A model that answers its own input: any finite one has a finite answer.
    shop.move(shop.package(1.0))
    (folder / "token").write_text("a-token\n")
    options = ["--token-file", str(folder / "token"), "--log", str(folder / "predictions")]
    with start(f"{shop.folder}@production", *options, log=folder / "log") as server:
        yield server


def examined(server, folder, *options):
    """Let schemathesis ask a server; return what it says. It keeps files in the folder that it runs in."""
    for name in ("schemathesis.toml", "hooks.py"):
        shutil.copy(OUTSIDE / name, folder)
    config = ["--config-file", "schemathesis.toml"]
    quiet = ["--no-color", "--generation-database", "none", "--warnings", "off"]
    asked = ["run", f"{server.address}/openapi.json", "-H", "Authorization: Bearer a-token"]
    command = [str(BIN / "st"), *config, *asked, *quiet, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=1500)
    return done.returncode, done.stdout + done.stderr


def test_schemathesis_finds_nothing(open_to_few, tmp_path):
    code, said = examined(open_to_few, tmp_path, "--seed", "1", "-n", "10")
    assert code == 0, said
    assert "Operations:       " in said
    generated = int(said.partition(" generated, ")[0].split()[-1])
    assert generated > 500


@pytest.mark.slow
@pytest.mark.timeout(1600)
def test_schemathesis_finds_nothing_for_long(open_to_few, tmp_path, record_property):
    code, said = examined(open_to_few, tmp_path, "-n", "200")
    assert code == 0, said
    generated = int(said.partition(" generated, ")[0].split()[-1])
    record_property("figure: requests of schemathesis, with all its checks, and none failed", generated)
    assert generated > 3000


def test_the_public_client_of_triton_infers(served):
    command = [str(BIN / "python"), str(OUTSIDE / "triton.py"), served.address.removeprefix("http://")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    digest = served.digest()
    assert said["live"] is said["ready"] is True
    assert said["server"] == ["binary_tensor_data"]
    assert said["about"]["versions"] == [digest]
    tensors = {one["name"]: one["datatype"] for one in said["about"]["inputs"]}
    assert tensors == {"text": "BYTES", "number": "FP64", "whole": "INT64"}
    assert said["model ready"] == [True, True]
    assert said["no such model"] is False
    assert said["json"] == said["binary"] == said["by digest"] == [[3.0, -4.0], digest, "mine"]
    status, message = said["refused"]
    assert status == "422"
    assert message.startswith("The data lacks the column 'number'")
