"""The kit's process deployer keeps the contract of deployers; and what only a thing that runs can get wrong."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlopskit.errors import DeployError, NotReadyError
from mlopskit.runtime.names import hex_of
from mlopskit.testing import DeployerConformance, ProcessDeployer
from mlopskit.testing.packages import NAME


def running(deployer):
    return Path(deployer.to) / NAME / "process" / "running"


def record_of(deployer, at):
    return json.loads((running(deployer) / f"{hex_of(at['bundle'])}.json").read_bytes())


class TestProcessDeployer(DeployerConformance):
    @pytest.fixture
    def deployer(self, tmp_path):
        deployer = ProcessDeployer(to=str(tmp_path / "place"), owner=os.getpid(), lifetime=300.0)
        yield deployer
        deployer.stop()

    def tamper(self, deployer, at, other):
        # Whoever asks for the one is from now on sent to the port of the other.
        port = record_of(deployer, deployer.push(other))["port"]
        record = running(deployer) / f"{hex_of(at['bundle'])}.json"
        record.write_text(json.dumps({**record_of(deployer, at), "port": port}))

    def test_one_process_for_one_bundle(self, stage, package):
        at = stage.push(package)
        first = record_of(stage.deployer, at)
        stage.push(package)
        assert record_of(stage.deployer, at) == first

    def test_says_that_it_is_not_ready(self, stage, package):
        at = stage.push(package)
        with pytest.raises(NotReadyError, match="does not answer yet"):
            stage.deployer.predict(NAME, [package.golden[0].row], at)

    def test_live_says_what_answers_at_the_port(self, stage, package, other_package):
        one, other = stage.deploy(package), stage.push(other_package)
        stage.ask_golden(other_package, other)
        switch = running(stage.deployer).parent / "live.json"
        by_hand = {"bundle": one["bundle"], "port": record_of(stage.deployer, other)["port"]}
        switch.write_text(json.dumps(by_hand))
        assert stage.live() == other

    def test_what_died_is_still_live_and_can_be_replaced(self, stage, package, other_package):
        one, other = stage.deploy(package), stage.push(other_package)
        os.kill(record_of(stage.deployer, one)["pid"], signal.SIGKILL)
        while stage.deployer.fault(NAME, one) is None:
            time.sleep(0.01)
        with pytest.raises(DeployError, match="does not run"):
            stage.deployer.predict(NAME, [package.golden[0].row], None)
        assert stage.live() == one
        stage.activate(other, one)
        assert stage.live() == other

    def test_what_died_comes_back_by_a_push(self, stage, package):
        at = stage.deploy(package)
        before = record_of(stage.deployer, at)
        os.kill(before["pid"], signal.SIGKILL)
        while stage.deployer.fault(NAME, at) is None:
            time.sleep(0.01)
        assert stage.push(package) == at
        assert record_of(stage.deployer, at)["pid"] != before["pid"]
        assert stage.ask_golden(package, None).digest == package.digest

    def test_remove_ends_no_process_but_its_own(self, stage, package):
        at = stage.push(package)
        pid = record_of(stage.deployer, at)["pid"]
        stage.deployer.remove(NAME, at)
        stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        try:
            # The number was given to another process: its record is old, and no lock is held.
            old = running(stage.deployer) / f"{hex_of(at['bundle'])}.json"
            old.write_text(json.dumps({"pid": stranger.pid, "port": 1}))
            stage.deployer.remove(NAME, at)
            assert stranger.poll() is None
            assert stranger.pid != pid
        finally:
            stranger.communicate(b"\n")

    def test_server_ends_with_its_owner(self, stage, package, tmp_path):
        owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        deployer = ProcessDeployer(to=str(tmp_path / "place"), owner=owner.pid)
        at = deployer.push(stage.build(package))
        assert deployer.fault(NAME, at) is None
        owner.communicate(b"\n")
        end = time.monotonic() + 5
        while deployer.fault(NAME, at) is None:
            assert time.monotonic() < end
            time.sleep(0.05)

    def test_server_answers_what_is_no_request(self, stage, package):
        at = stage.push(package)
        stage.ask_golden(package, at)
        kind = {"Content-Type": "application/json"}
        for headers, body, status in (({}, b"{}", 415), (kind, b"{", 400), (kind, b'{"rows": []}', 422)):
            connection = http.client.HTTPConnection("127.0.0.1", record_of(stage.deployer, at)["port"], timeout=10)
            connection.request("POST", "/predict", body, headers)
            reply = connection.getresponse()
            said = json.loads(reply.read())
            assert (reply.status, said["status"], bool(said["remedy"])) == (status, status, True)
            connection.close()
        assert '"POST /predict HTTP/1.1" 422' in stage.deployer.logs(NAME, at)
