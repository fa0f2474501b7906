"""What holds a process as a service would: where it may write, the memory of it and of others, its end."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from mlopskit_serverless import processes

from mlopskit.errors import DeployError

NEEDS = "import sys, time; kept = b'x' * (int(sys.argv[1]) << 20); print('there', flush=True); time.sleep(600)"
CHILD = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def spawn(tmp_path):
    """Return what starts Python on some code, with a folder to write to, and waits for its first words."""
    started = []

    def start(code, *arguments):
        folder = tmp_path / str(len(started))
        folder.mkdir()
        log = tmp_path / f"{folder.name}.log"
        command = [sys.executable, "-S", "-c", code, *arguments]
        with log.open("wb") as output:
            started.append(processes.spawn(command, cwd=folder, env={}, writable=folder, output=output))
        until = time.monotonic() + 30
        while not log.read_text().endswith("\n") and started[-1].poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        return started[-1], log.read_text()

    yield start
    for process in started:
        processes.end(process)


def test_a_process_within_its_memory_is_left_alone(spawn):
    process, _ = spawn(NEEDS, "20")
    memory = processes.Memory(process, most=64)
    assert not memory.check()
    assert memory.fault == ""
    assert not processes.Memory(process, most=None).check()
    assert process.poll() is None
    assert 20 < processes.peak_mib(process.pid) < 64


def test_several_processes_share_one_limit(spawn):
    (one, _), (other, _) = spawn(NEEDS, "30"), spawn(NEEDS, "30")
    assert not processes.Memory(one, most=60).check()
    memory = processes.Memory(one, most=60, pids=lambda: [one.pid, other.pid])
    assert memory.check()
    assert memory.check()
    assert one.poll() is not None
    assert memory.fault.endswith("its limit is 60")


def test_whoever_is_watched_is_ended(spawn):
    process, _ = spawn(NEEDS, "60")
    memory = processes.Memory(process, most=40)
    with memory.watched(every=0.01):
        assert process.wait(timeout=30) < 0
    assert "its limit is 40" in memory.fault


def test_a_process_that_is_no_more_has_no_memory(spawn):
    process, _ = spawn("pass")
    process.wait(timeout=30)
    assert processes.peak_mib(process.pid) is None
    assert not processes.Memory(process, most=1).check()


def test_what_a_process_started_ends_with_it(spawn):
    process, said = spawn(CHILD)
    child = int(said)
    processes.end(process)
    assert process.returncode < 0
    until = time.monotonic() + 30
    while _runs(child):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert processes.end(process) == process.returncode


def test_what_a_process_started_ends_though_that_has_ended_by_itself(spawn):
    process, said = spawn(CHILD.replace("time.sleep(600)\n", "sys.exit(3)\n"))
    process.wait(timeout=30)
    child = int(said)
    assert _runs(child)
    assert processes.end(process) == 3
    until = time.monotonic() + 30
    while _runs(child):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert processes.end(process) == 3


def test_bytecode_stands_beside_whatever_our_own_variables_say(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "elsewhere"))
    (tmp_path / "site").mkdir()
    (tmp_path / "site/module.py").write_text("x = 1\n")
    processes.compile_all(tmp_path / "site", (sys.executable,))
    assert [one.suffix for one in tmp_path.rglob("*.pyc")] == [".pyc"]
    assert (tmp_path / "site/__pycache__").is_dir()


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_rest_of_this_process_may_write_on(spawn, tmp_path):
    writes = "import sys; sys.stdout.write(open('here', 'w').name + '\\n'); open(sys.argv[1], 'w')"
    process, said = spawn(writes, str(tmp_path / "there"))
    assert "here" in said.splitlines()
    assert (process.wait(timeout=30) != 0) is processes.can_seal()
    (tmp_path / "mine").write_text("x")


def test_a_program_that_is_not_there_is_told(tmp_path):
    with (
        pytest.raises(DeployError, match="/nowhere cannot be started") as caught,
        (tmp_path / "log").open("wb") as output,
    ):
        processes.spawn(["/nowhere"], cwd=tmp_path, env={**os.environ}, writable=tmp_path, output=output)
    assert isinstance(caught.value.__cause__, OSError)
