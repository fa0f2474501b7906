"""Publishers, promoters, readers and gc at once on one registry, some killed again and again: `chaos.py SETUP`.

SETUP is the JSON of a `Setup`. Each worker is a process, which writes what it came to into a journal of its own, a line
of JSON each; what the conductor did to them is printed at the end.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlopskit as mk
from mlopskit.bundles import BundleDeployer, local_folder
from mlopskit.errors import MlopskitError, PackageError
from mlopskit.promoting import Promotion, RegistryDeployer
from mlopskit.runtime import alias as records
from mlopskit.runtime import canonical, open_package, watch
from mlopskit.runtime.errors import StorageError
from mlopskit.runtime.names import hex_of
from mlopskit.storage import Place

NAME = "mood"
# How often each is moved: one stays where it is for longer than gc's grace time.
ALIASES = {"candidate": 20, "production": 15, "stable": 1}
KEEP = 3
# Those whose requests go by way of the proxy meet its faults; readers meet none, so that each failure of theirs counts.
WORKERS = (
    ("publisher", True),
    ("publisher", False),
    ("promoter", True),
    ("promoter", False),
    ("promoter", False),
    ("collector", False),
    ("reader", False),
    ("reader", False),
    ("watcher", False),
)
# How often each is killed; gc goes through all that there is, and would never come to its end.
KILLED = {"publisher": 4, "promoter": 4, "collector": 1}
LAST_WORK = 90.0  # seconds that a worker may need for what it is at when the time is over


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Where and how long: connection strings, past the proxy and by it, and what a reader over http needs.

    `grace` is gc's time, longer than any request has to wait until the service is there again; `turn` counts the runs
    on one registry.
    """

    place: str
    seconds: float
    folder: str
    direct: str
    proxied: str
    address: str
    query: str
    grace: float
    seed: int
    turn: int


def passes(number: int) -> bool:
    """Say whether the package of this number gets a passing verdict."""
    return number % 7 != 0


def package_of(number: int, folder: Path) -> mk.ModelPackage:
    """Write the package of a number, of 100 bytes to 9 MiB; its model answers with the number."""
    chance = random.Random(number)
    size = 9 << 20 if number % 41 == 0 else chance.choice([100, 10_000, 300_000])
    parts = {f"parts/{part}.bin": chance.randbytes(chance.randint(1, 5_000)) for part in range(chance.randint(0, 3))}
    golden = canonical.dumps({"expected": {"prediction": float(number)}, "row": {"x": 1.0}}) + b"\n"
    files = {"model.skops": b"%d\n" % number + chance.randbytes(size), "golden.jsonl": golden, **parts}
    plain = {"additionalProperties": False, "type": "object"}
    inputs, outputs = (
        {**plain, "required": [one], "properties": {one: {"type": "number"}}} for one in ("x", "prediction")
    )
    manifest = {
        "environment": {},
        "evaluation": None,
        "files": {
            path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in files.items()
        },
        "format_version": 1,
        "golden": {"file": "golden.jsonl", "from": "file", "rows": 1, "scale": 1.0, "tolerance": 0.0},
        "models": [
            {"files": ["model.skops"], "format": "skops", "frame": "arrays", "preprocess": [], "requires": []},
        ],
        "name": NAME,
        "provenance": {},
        "schema": {"inputs": inputs, "outputs": outputs},
        "task": "regression",
    }
    for path, data in {**files, "manifest.json": canonical.dumps(manifest)}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return mk.ModelPackage.open(folder, digest="unpinned")


def verdict_on(package: mk.ModelPackage, number: int) -> mk.Verdict:
    finding = mk.Finding(gate="accuracy >= 0.75", passed=passes(number), reached=0.9, n=100, reason="")
    return mk.Verdict(name=NAME, digest=package.digest, dataset="sha256:" + "d" * 64, findings=(finding,))


@dataclass(frozen=True, kw_only=True)
class Quick(RegistryDeployer):
    """Asks a package in this process, which takes milliseconds, and leaves the many files of the runtime out."""

    def push(self, bundle: mk.Bundle, /) -> mk.Locator:
        return BundleDeployer.push(self, bundle)

    def ask(self, bundle: Path, rows: Sequence[mk.Row], /) -> mk.Answer:
        del rows
        package = mk.ModelPackage.open(bundle)
        return mk.Answer(rows=[one.expected for one in package.golden], digest=package.digest, runtime={})


@dataclass(frozen=True, kw_only=True)
class Full(Quick):
    """Publishes the runtime too."""

    push = RegistryDeployer.push


@dataclass(frozen=True, kw_only=True)
class Promoting(Promotion):
    deployer: type[Quick] = Quick

    def _deployer(self) -> Quick:
        return self.deployer(to=Place(self.registry.storage.uri), registry=self.registry, alias=self.alias)


class Answers:
    """Loads and is a model that answers with its number."""

    def __init__(self, number: float = 0.0) -> None:
        self.number = number

    def load(self, files: Mapping[str, bytes], spec: Mapping[str, Any], /) -> Answers:
        del spec
        return Answers(float(files["model.skops"].partition(b"\n")[0]))

    def score(self, rows: mk.Columns, /) -> mk.Columns:
        return {"prediction": [self.number] * len(rows["x"])}


@dataclass
class Worker:
    setup: Setup
    slot: int
    say: Callable[..., None]
    registry: mk.Registry
    chance: random.Random
    seen: dict[str, records.AliasRecord] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)

    def publisher(self) -> None:
        # All publishers make the same one now and then, at once as a rule.
        number = int(time.time()) if self.chance.random() < 0.3 else self.chance.getrandbits(40)
        with tempfile.TemporaryDirectory() as folder:
            package = package_of(number, Path(folder))
            added = self.registry.add(package)
            self.registry.add_verdict(verdict_on(package, number))
            _drop(added)
        self.say(said="done", digest=package.digest, passed=passes(number))

    def promoter(self) -> None:
        deployer = Full if self.chance.random() < 0.1 else Quick
        [alias] = self.chance.choices([*ALIASES], [*ALIASES.values()])
        if self.chance.random() < 0.3 and self._newest("stable") is None:
            alias = "stable"
        promoting = Promoting(registry=self.registry, name=NAME, alias=alias, deployer=deployer)
        why = f"{self.slot}-{os.getpid()}-{self.chance.getrandbits(40)}"
        self.about = {"why": why}
        if self.chance.random() < 0.15:
            deployment = promoting.rollback(why=why)
        else:
            digests = self.registry.digests(NAME)
            if not digests:
                time.sleep(0.1)
                return
            package = self.registry.package(NAME, self.chance.choice(digests))
            try:
                deployment = promoting.promote(package, why=why)
            finally:
                _drop(package)
        self.say(said="done", digest=deployment.package, why=why)

    def collector(self) -> None:
        found = mk.gc(self.registry, older_than=self.setup.grace, keep=KEEP)
        self.say(said="done", removed=sum(one.state == "removed" for one in found.garbage))
        time.sleep(0.2)

    def reader(self) -> None:
        alias = self.chance.choice([*ALIASES])
        record = self._newest(alias)
        if record is None or record.digest is None:
            time.sleep(0.1)
            return
        try:
            number = self._number(record.digest)
        except PackageError:
            # What an alias has named, gc may take only when so many others were named since.
            newest = self._newest(alias)
            if newest is None or newest.seq < record.seq + KEEP:
                raise
            self.say(said="overtaken", by=newest.seq - record.seq)
            return
        verdict = self.registry.verdict(NAME, record.digest)
        if verdict is None or not verdict.deployable or not passes(number):
            raise AssertionError(f"{alias} names {record.digest}, number {number}, with the verdict {verdict}")
        self.say(said="done", seq=record.seq)

    def _newest(self, alias: str) -> records.AliasRecord | None:
        def get(key: str) -> bytes | None:
            return self.registry.storage.read(key, limit=records.MAX_RECORD)

        record = records.follow(get, f"{NAME}/aliases", name=NAME, alias=alias, last=self.seen.get(alias))
        if record is not None:
            self.seen[alias] = record
        return record

    def _number(self, digest: str) -> int:
        with local_folder(self.registry.storage, f"{NAME}/packages/{hex_of(digest)}") as folder:
            files = open_package(folder, digest=digest, keep=lambda path: path == "model.skops").files
        return int(files["model.skops"].partition(b"\n")[0])

    def watcher(self) -> None:
        """Read over http, without mlopskit's storages, until the end."""
        options = {"query": self.setup.query, "loaders": {"skops": Answers}, "every": 0.1}
        live = None
        with watch(self.setup.address, alias="production", folder=os.environ["TMPDIR"], **options) as watched:
            while time.monotonic() < END:
                time.sleep(0.02)
                state = watched.state
                if state.record is None or state.digest is None:
                    continue
                number = watched.predict([{"x": 1.0}])[0]["prediction"]
                away = isinstance(state.failure, StorageError)  # and what was live answers all the same
                if not (state.failure is None or away) or not passes(int(number)):
                    raise AssertionError(f"{state} answers {number}")
                if state.record != live:
                    live = state.record
                    self.say(said="done", seq=live.seq)


END = 0.0


def _drop(package: mk.ModelPackage) -> None:
    """Remove the private copy of a bucket's package: here they would be thousands."""
    shutil.rmtree(package.folder.parent, ignore_errors=True)


def journal(file: Path) -> Callable[..., None]:
    opened = os.open(file, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
    return lambda **said: os.write(opened, json.dumps(said).encode() + b"\n") and None


def work(setup: Setup, slot: int, turn: int) -> None:
    """Do a worker's work until the time is over."""
    role, proxied = WORKERS[slot]
    own = Path(setup.folder, f"{role}-{setup.turn}-{slot}-{turn}")
    own.mkdir()
    tempfile.tempdir = os.environ["TMPDIR"] = str(own)
    os.environ["AZURE_STORAGE_CONNECTION_STRING"] = setup.proxied if proxied else setup.direct
    say = journal(own.with_suffix(".jsonl"))
    chance = random.Random(f"{setup.seed} {setup.turn} {slot} {turn}")
    worker = Worker(setup, slot, say, mk.Registry.at(setup.place), chance)
    while time.monotonic() < END:
        try:
            getattr(worker, role)()
        except MlopskitError as error:
            broken = role in ("reader", "watcher") or not error.remedy
            say(said="broken" if broken else "refused", error=type(error).__name__, text=str(error), **worker.about)
        except Exception:
            say(said="broken", error="not ours", text=traceback.format_exc())


def start(setup: Setup, slot: int, turn: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        work(setup, slot, turn)
        os._exit(0)
    finally:
        os._exit(1)


@contextlib.contextmanager
def ending(workers: dict[int, int]) -> Iterator[None]:
    """Whatever happens, no worker is left."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        yield
    finally:
        for pid in workers.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def conduct(setup: Setup) -> dict[str, Any]:
    chance = random.Random(setup.seed)
    workers: dict[int, int] = {}
    kills = dict.fromkeys(KILLED, 0)
    with ending(workers):
        for slot in range(len(WORKERS)):
            workers[slot] = start(setup, slot, 0)
        while time.monotonic() < END:
            time.sleep(chance.uniform(0.3, 1.7))
            [slot] = chance.choices(range(len(WORKERS)), [KILLED.get(role, 0) for role, _ in WORKERS])
            os.kill(workers[slot], signal.SIGKILL)
            os.waitpid(workers[slot], 0)
            kills[WORKERS[slot][0]] += 1
            workers[slot] = start(setup, slot, sum(kills.values()))
        statuses = wait(workers)
    return {"kills": kills, "statuses": statuses}


def wait(workers: dict[int, int]) -> list[int]:
    """Return with what the workers ended; those that do not are left over."""
    statuses = []
    while workers and time.monotonic() < END + LAST_WORK:
        for slot, pid in [*workers.items()]:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                statuses.append(status)
                del workers[slot]
        time.sleep(0.05)
    return [*statuses, *[-1] * len(workers)]


if __name__ == "__main__":
    given = Setup(**json.loads(sys.argv[1]))
    import azure.storage.blob  # noqa: F401  # once, before the workers are forked

    END = time.monotonic() + given.seconds
    sys.stdout.write(json.dumps(conduct(given)))
