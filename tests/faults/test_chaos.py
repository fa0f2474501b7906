"""Publishers, promoters, readers and gc at once against a real service, with kills and lost answers: no broken read.

It takes 20 seconds, or as many as MLOPSKIT_CHAOS_SECONDS says; `chaos.py` beside is what the processes do. In a run of
a minute or more the service is ended and started again, too: ended, not killed, for what it has taken must be there.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import mlopskit as mk
from mlopskit.testing.faultproxy import FaultProxy, NetworkFault

HERE = Path(__file__)
SECONDS = float(os.environ.get("MLOPSKIT_CHAOS_SECONDS", "20"))
TURNS = 3
LONG, BETWEEN_RESTARTS = 60, 20
KINDS = ("reset", "cut", "status", "drop", "late status", "truncate", "flip", "delay")


def _module(name, file):
    spec = importlib.util.spec_from_file_location(name, file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


emulator = _module("blob_emulator", HERE.parents[2] / "plugins/mlopskit-blob/tests/conftest.py")
chaos = _module("chaos", HERE.with_name("chaos.py"))
azurite_installed, free_port, start_azurite = emulator.azurite_installed, emulator.free_port, emulator.start_azurite


@dataclass
class Service:
    """An emulator that can be ended and started again; what it has kept is there again."""

    start: Callable[..., Any]
    log: Path
    kept: Path | None
    restarts: int = 0

    def __post_init__(self):
        self.azurite, self.process = self.start(self.log, self.kept)

    def end(self):
        self.process.terminate()
        self.process.wait()

    def restart(self):
        self.end()
        self.restarts += 1
        _, self.process = self.start(self.log, self.kept)

    def freeze(self):
        """Let it stand still for a moment."""
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(0.4)
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture
def service(start_azurite, tmp_path, monkeypatch):
    """Return an emulator of this test's own; in a long run it keeps all in a folder, and can be started again."""
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    made = Service(start_azurite, tmp_path / "log", tmp_path / "kept" if SECONDS >= LONG else None)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", made.azurite.connection())
    yield made
    made.end()


def _signature(azurite, container):
    """Return the query by which a reader over http may read a container."""
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    return generate_container_sas(
        azurite.account, container, account_key=azurite.key, permission=ContainerSasPermissions(read=True),
        expiry=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1), version="2025-11-05",
    )  # fmt: skip


@contextlib.contextmanager
def _faults(service, seed) -> Iterator[tuple[int, Counter[str]]]:
    """Give the port of a proxy where again and again a request of some kind fails, and what failed, counted."""
    chance, over, happened = random.Random(seed), threading.Event(), Counter()

    def go_on(proxy):
        again = time.monotonic() + BETWEEN_RESTARTS
        while not over.wait(chance.uniform(0.1, 1.0)):
            happened.update({one.kind: proxy.happened for one in proxy.faults})
            kind, method = chance.choice(KINDS), chance.choice(["GET", "HEAD", "PUT", "PUT", "DELETE"])
            more = {"status": chance.choice([429, 500, 503]), "size": chance.randrange(200), "seconds": 0.2}
            proxy.set(NetworkFault(kind=kind, method=method, skip=chance.randrange(4), **more))
            if chance.random() < 0.05:
                service.freeze()
            if service.kept and time.monotonic() > again:
                service.restart()
                again = time.monotonic() + BETWEEN_RESTARTS

    with FaultProxy(upstream=service.azurite.port).running() as proxy:
        thread = threading.Thread(target=go_on, args=(proxy,))
        thread.start()
        try:
            yield proxy.port, happened
        finally:
            over.set()
            thread.join()


def _conducted(setup) -> dict:
    """Run it; however this ends, so does the conductor, and with it all that it has started."""
    command = [sys.executable, HERE.with_name("chaos.py"), json.dumps(vars(setup))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as conductor:
        try:
            said, _ = conductor.communicate(timeout=setup.seconds + chaos.LAST_WORK + 60)
        finally:
            if conductor.poll() is None:
                conductor.send_signal(signal.SIGTERM)
    assert conductor.returncode == 0
    return json.loads(said)


def _journals(folder) -> dict[str, list[dict]]:
    """Return what the workers of each role said."""
    said: dict[str, list[dict]] = {}
    for file in sorted(folder.glob("*.jsonl")):
        lines = [json.loads(line) for line in file.read_text().split("\n")[:-1]]
        said.setdefault(file.name.partition("-")[0], []).extend(lines)
    return said


def _check_records(registry, promoted, refused):
    """Each chain has every number once; a success that was told is there once, and what lost a race is not there."""
    deployed = [
        one for endpoint in registry.endpoints(chaos.NAME) for one in registry.deployments(chaos.NAME, endpoint)
    ]
    recorded = Counter(one.why for one in deployed)
    moved: Counter[str] = Counter()
    judged = {}
    for name in chaos.ALIASES:
        history = registry.alias(chaos.NAME, name).history()
        start = f"{chaos.NAME}/aliases/{name}/"
        numbers = sorted(int(key.removeprefix(start).split("/")[0]) for key, _ in registry.storage.list(start[:-1]))
        assert numbers == [record.seq for record in history] == [*range(1, len(history) + 1)]
        assert len({record.operation for record in history}) == len(history)
        moved.update(record.why for record in history if not record.why.startswith("undo: "))
        for digest in {record.digest for record in history if record.digest}:
            judged[digest] = registry.verdict(chaos.NAME, digest)
    assert all(verdict and verdict.deployable for verdict in judged.values())
    assert {why for why, times in moved.items() if times > 1} == set()
    assert {one["why"]: recorded[one["why"]] for one in promoted if recorded[one["why"]] != 1} == {}
    lost = {one["why"] for one in refused if "was moved meanwhile" in one["text"]}
    assert lost & moved.keys() == set()
    return sum(moved[one["why"]] for one in promoted)


def _check_verdicts(registry, published):
    for one in published:
        verdict = registry.verdict(chaos.NAME, one["digest"])
        assert verdict is not None, one
        assert verdict.passed == one["passed"]


def _counted(done, moves, kills, happened) -> dict[str, int]:
    return {
        "publishes": len(done["publisher"]),
        "promotions": len(done["promoter"]),
        "moves of an alias": moves,
        "reads": len(done["reader"]),
        "reloads over http": len(done["watcher"]),
        "packages removed by gc": sum(one["removed"] for one in done["collector"]),
        "kills": kills,
        "faults of the network": sum(happened.values()),
    }


def _check(registry, said) -> tuple[dict[str, list[dict]], int]:
    """Return of each role what was done, and how often an alias moved, if nothing is broken."""
    broken = [one["text"] for lines in said.values() for one in lines if one["said"] == "broken"]
    assert broken == [], "\n".join(broken[:5])
    done = {role: [one for one in said.get(role, []) if one["said"] == "done"] for role, _ in chaos.WORKERS}
    refused = [one for one in said.get("promoter", []) if one["said"] == "refused"]
    moves = _check_records(registry, done["promoter"], refused)
    _check_verdicts(registry, done["publisher"])
    audit = mk.verify(registry)
    assert audit.sound, audit.text()
    return done, moves


@pytest.mark.live
@pytest.mark.timeout(TURNS * SECONDS + 300)
def test_in_chaos_no_read_is_broken_and_no_success_is_lost(service, tmp_path, record_property):
    seed, kills, counts, azurite = random.randrange(1 << 32), 0, {}, service.azurite
    container = azurite.new_container()
    place, name = f"{container}/registry", container.rpartition("/")[2]
    with _faults(service, seed) as (port, happened):
        # On a busy machine something may not have happened at all yet; then all go on with what they have made.
        for turn in range(TURNS):
            conducted = _conducted(chaos.Setup(
                place=place, seconds=SECONDS, folder=str(tmp_path), seed=seed, turn=turn,
                direct=azurite.connection(), proxied=azurite.connection(port), query=_signature(azurite, name),
                address=f"http://127.0.0.1:{azurite.port}/{azurite.account}/{name}/registry/{chaos.NAME}",
                grace=20.0 if service.kept else 5.0,
            ))  # fmt: skip
            assert {*conducted["statuses"]} == {0}, "a worker crashed, or did not end"
            kills += sum(conducted["kills"].values())
            done, moves = _check(mk.Registry.at(place), _journals(tmp_path))
            counts = _counted(done, moves, kills, happened)
            if all(counts.values()):
                break
    assert all(counts.values()), counts
    told = ", ".join(f"{count} {what}" for what, count in {**counts, "restarts": service.restarts}.items())
    record_property(f"figure: {(turn + 1) * SECONDS:.0f} seconds of chaos on Azurite", f"{told}; 0 broken reads")
