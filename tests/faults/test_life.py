"""The life of a registry against a simple model, with faults at any call of its storage."""

import dataclasses
import hashlib
import itertools
import json
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import mlopskit as mk
from mlopskit.aliases import RECORD
from mlopskit.buckets import BucketStorage
from mlopskit.commits import MAKING
from mlopskit.config import PromoteTable
from mlopskit.errors import ConflictError, MlopskitError, RefusedError, StorageError, UnknownNameError
from mlopskit.promoting import Promotion, RegistryDeployer
from mlopskit.runtime import canonical
from mlopskit.testing.memory import MemoryBucket, MemoryStorage

NAME = "mood"
DAY = 86_400.0
NUMBERS = st.integers(0, 3)
ALIASES = st.sampled_from(["candidate", "production"])
MEMORY = Path("/dev/shm")


class KilledError(BaseException):
    """The process is gone: nothing of it runs any more, no clean-up either."""


@dataclass(frozen=True)
class Fault:
    """What happens at a call of the storage, counted from 0, before it has its effect or after.

    A place that is "down" may be so for this call alone, or for all that follow; a process that is "killed" makes none
    any more. "lost" is an answer that the client itself asks for again: it is told that what it wrote was there before.
    """

    at: int
    kind: str
    after: bool
    lasting: bool


FAULTS = st.none() | st.builds(
    Fault,
    at=st.integers(0, 60),
    kind=st.sampled_from(["down", "killed", "lost"]),
    after=st.booleans(),
    lasting=st.booleans(),
)


class Faulty:
    """A place with a clock of its own, and a fault to come."""

    now = 0.0

    def expect(self, fault):
        self.fault, self.calls, self.commits = fault, itertools.count(), itertools.count()

    def _call(self, act):
        number, fault = next(self.calls), self.fault
        if fault is None or fault.kind == "lost" or number < fault.at:
            return act()
        if number > fault.at and fault.kind == "down" and not fault.lasting:
            return act()
        if fault.after and number == fault.at:
            act()
        if fault.kind == "killed":
            raise KilledError
        raise StorageError("The place is down.", remedy="Wait.")

    def _lost(self):
        """Say whether the answer to a write is lost."""
        return self.fault is not None and self.fault.kind == "lost" and self.fault.at % 4 == next(self.commits)


class FaultyStorage(Faulty, MemoryStorage):
    """Files in a dictionary, a folder of them in one step."""

    def __init__(self):
        super().__init__(clock=lambda: self.now)
        self.expect(None)

    def open(self, key, /):
        return self._call(lambda: MemoryStorage.open(self, key))

    def stat(self, key, /):
        return self._call(lambda: MemoryStorage.stat(self, key))

    def list(self, prefix, /):
        return self._call(lambda: iter([*MemoryStorage.list(self, prefix)]))

    def commit(self, prefix, files, /, *, last):
        made = self._call(lambda: MemoryStorage.commit(self, prefix, files, last=last))
        return made and not self._lost()

    def hint(self, key, data, /):
        self._call(lambda: MemoryStorage.hint(self, key, data))

    def delete(self, prefix, /):
        self._call(lambda: MemoryStorage.delete(self, prefix))

    def raw(self):
        """Return what stands there, file by file."""
        return self._files

    def spoil(self, key, *, gone):
        """Change a file behind everybody's back, or lose it."""
        changed = {} if gone else {key: self._files[key] + b"x"}
        self._files = {one: data for one, data in self._files.items() if one != key} | changed


class FaultyBucket(Faulty, BucketStorage):
    """Single objects, as in a bucket: a folder is made in many steps, and each may fail."""

    schemes = ("faulty-bucket",)
    uri = "faulty-bucket://"
    patience = 0.0

    def __init__(self):
        self.inner = MemoryBucket()
        self.expect(None)

    def find(self, key, /):
        return self._call(lambda: self.inner.find(key))

    def fetch(self, key, /):
        return self._call(lambda: self.inner.fetch(key))

    def store(self, key, data, facts, /, *, over):
        def act():
            done = self.inner.store(key, data, facts, over=over)
            if done:
                known, content = self.inner.objects[key]
                self.inner.objects[key] = (dataclasses.replace(known, modified=self.now), content)
            return done

        made = self._call(act)
        return made and not self._lost()

    def scan(self, start, /):
        return self._call(lambda: iter([*self.inner.scan(start)]))

    def discard(self, key, /):
        self._call(lambda: self.inner.discard(key))

    def raw(self):
        """Return what stands there, object by object, but for those that are being made."""
        return {key: data for key, (known, data) in self.inner.objects.items() if MAKING not in known.facts}

    def spoil(self, key, *, gone):
        """Change an object behind everybody's back, or lose it."""
        known, data = self.inner.objects.pop(key)
        if not gone:
            self.inner.objects[key] = (dataclasses.replace(known, size=known.size + 1), data + b"x")


@dataclass(frozen=True, kw_only=True)
class Quick(RegistryDeployer):
    """Asks a package in this process: it answers as its golden rows say, if every byte of it is right."""

    def ask(self, bundle, rows, /):
        package = mk.ModelPackage.open(bundle)
        return mk.Answer(rows=[one.expected for one in package.golden], digest=package.digest, runtime={})


class QuickPromotion(Promotion):
    """Moves an alias without starting processes."""

    def _deployer(self):
        return Quick(**vars(super()._deployer()))


def files_below(storage, prefix):
    start = f"{prefix}/"
    return {key.removeprefix(start): data for key, data in storage.raw().items() if key.startswith(start)}


class Life(RuleBasedStateMachine):
    """A registry, its copy, and what a simple model says of them."""

    place = FaultyStorage
    packages = ()
    verdict_on = None

    def __init__(self):
        super().__init__()
        # Where packages are read that have no real path: thousands of small folders, in memory where that is possible.
        self.copies = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(tempfile, "tempdir", self.copies.name)
        self.storage, self.backup = type(self).place(), mk.Registry(MemoryStorage())
        self.registry = mk.Registry(self.storage)
        self.passed = {}  # of each package, whether its newest verdict passed
        self.heads = {}  # of each alias, the digest that it names
        self.events = Counter()

    def attempt(self, act, fault=None):
        """Do something under a fault; return what it raised."""
        self.storage.expect(fault)
        try:
            act()
        except (MlopskitError, KilledError) as error:
            return error
        finally:
            self.storage.expect(None)
        return None

    def surely(self, act, fault):
        """Do something under a fault, and again without; return what the last one raised.

        Where gc was broken off, it has to be ended first: whoever needs what it was removing is told so.
        """
        error = self.attempt(act, fault)
        if fault is not None and error is not None:
            self.events["faults"] += 1
            error = self.attempt(act)
        if isinstance(error, ConflictError) and "is being removed" in error.message:
            assert self.attempt(lambda: mk.gc(self.registry, older_than=0)) is None
            error = self.attempt(act)
        return error

    @initialize()
    def begin(self):
        """Three packages passed and one did not; two of them went live, and all are in a backup."""
        for number, package in enumerate(self.packages):
            self.registry.add(package)
            self.judge(number, number > 0, None)
        self.promote(1, "production", None)
        self.promote(2, "production", None)
        self.copy(None)

    # --- what people do -------------------------------------------------------------------------------------------

    @rule(number=NUMBERS, fault=FAULTS)
    def publish(self, number, fault):
        package = self.packages[number]
        assert self.surely(lambda: self.registry.add(package), fault) is None
        assert self.registry.package(NAME, package.digest).digest == package.digest

    @rule(number=NUMBERS, passed=st.booleans(), fault=FAULTS)
    def judge(self, number, passed, fault):
        package = self.packages[number]
        if not passed and package.digest in self.heads.values():
            return
        made = type(self).verdict_on(package, passed=passed)
        assert self.surely(lambda: self.registry.add_verdict(made), fault) is None
        self.passed[package.digest] = passed

    @rule(number=NUMBERS, alias=ALIASES, fault=FAULTS)
    def promote(self, number, alias, fault):
        digest = self.packages[number].digest
        promotion = QuickPromotion(registry=self.registry, name=NAME, alias=alias)
        error = self.surely(lambda: promotion.promote(self.registry.package(NAME, digest)), fault)
        held = f"{NAME}/packages/{digest[7:]}/manifest.json" in self.storage.raw()
        if not held:
            assert isinstance(error, UnknownNameError)
        elif not self.passed.get(digest):
            assert isinstance(error, RefusedError)
        else:
            assert error is None
            self.heads[alias] = digest
            self.events["promoted"] += 1

    @rule(alias=ALIASES, fault=FAULTS)
    def rollback(self, alias, fault):
        promotion = QuickPromotion(registry=self.registry, name=NAME, alias=alias, policy=PromoteTable(approvals=9))
        before = self.head(alias)
        error = self.attempt(promotion.rollback, fault)
        after = self.head(alias)
        if error is None:
            assert after != before
            self.events["rolled back"] += 1
        elif fault is None:
            assert isinstance(error, RefusedError | UnknownNameError | ConflictError)
            assert after == before
        self.heads[alias] = after

    @rule(alias=ALIASES, fault=FAULTS)
    def approve(self, alias, fault):
        package = self.packages[0]
        promotion = QuickPromotion(registry=self.registry, name=NAME, alias=alias)
        self.surely(lambda: promotion.approve(package, why="good"), fault)
        assert len(self.registry.approvers(NAME, package.digest, alias)) == 1

    @rule(older_than=st.sampled_from([0.0, DAY]), keep=st.integers(1, 3), dry_run=st.booleans(), fault=FAULTS)
    def collect(self, older_than, keep, dry_run, fault):
        held = set(self.registry.digests(NAME))
        error = self.attempt(lambda: mk.gc(self.registry, older_than=older_than, keep=keep, dry_run=dry_run), fault)
        left = set(self.registry.digests(NAME))
        self.events["removed"] += len(held - left)
        assert left <= held
        assert {digest for digest in self.heads.values() if digest} <= left
        if dry_run:
            assert left == held
        if error is None and not dry_run and older_than == 0:
            assert mk.gc(self.registry, older_than=0, keep=keep).garbage == ()

    @rule(days=st.floats(0.0, 2.0))
    def wait(self, days):
        self.storage.now += days * DAY

    @rule(fault=FAULTS)
    def copy(self, fault):
        if self.surely(lambda: mk.copy(None, to=self.backup, registry=self.registry), fault) is None:
            assert set(self.registry.digests(NAME)) <= set(self.backup.digests(NAME))
        assert mk.verify(self.backup).sound
        assert self.backup.aliases(NAME) == []

    @precondition(lambda self: set(self.registry.digests(NAME)) & set(self.backup.digests(NAME)))
    @rule(pick=st.integers(0, 3), file=st.integers(0, 3), gone=st.booleans(), fault=FAULTS)
    def corrupt_and_repair(self, pick, file, gone, fault):
        both = sorted(set(self.registry.digests(NAME)) & set(self.backup.digests(NAME)))
        prefix = f"{NAME}/packages/{both[pick % len(both)][7:]}"
        files = sorted(files_below(self.storage, prefix))
        key = f"{prefix}/{files[file % len(files)]}"
        self.storage.spoil(key, gone=gone and not key.endswith("manifest.json"))
        assert [one.key for one in mk.verify(self.registry).damages] == [prefix]
        self.attempt(lambda: mk.verify(self.registry, repair_from=self.backup), fault)
        mk.verify(self.registry, repair_from=self.backup)
        audit = mk.verify(self.registry)
        assert audit.sound, audit.text()
        self.events["repaired"] += 1
        if not files_below(self.storage, prefix):  # the repair was broken off where nobody needs the package any more
            assert prefix.rpartition("/")[2] not in {digest[7:] for digest in self.heads.values() if digest}
            digest = both[pick % len(both)]
            back = lambda: mk.copy([digest], to=self.registry, registry=self.backup, name=NAME)  # noqa: E731
            assert self.surely(back, None) is None

    # --- what must hold -------------------------------------------------------------------------------------------

    def head(self, alias):
        """Return what an alias names, by the bytes of its records alone."""
        records = files_below(self.storage, f"{NAME}/aliases/{alias}")
        newest = max(records, key=lambda path: int(path.split("/")[0]), default=None)
        return None if newest is None else json.loads(records[newest])["digest"]

    @invariant()
    def every_alias_names_a_whole_package_that_passed(self):
        for alias, digest in self.heads.items():
            assert self.head(alias) == digest
        for alias in ("candidate", "production"):
            digest = self.head(alias)
            if digest is None:
                continue
            files = files_below(self.storage, f"{NAME}/packages/{digest[7:]}")
            assert canonical.digest_of(files["manifest.json"]) == digest
            listed = json.loads(files["manifest.json"])["files"]
            assert files.keys() == {*listed, "manifest.json"}
            for path, entry in listed.items():
                assert hashlib.sha256(files[path]).hexdigest() == entry["sha256"]
            assert self.passed[digest]

    @invariant()
    def the_numbers_of_records_have_no_gap_and_no_double(self):
        chains, operations = {}, Counter()
        for key, data in self.storage.raw().items():
            match = re.fullmatch(rf"(.+)/([0-9]+)/{RECORD}", key)
            if match:
                chains.setdefault(match[1], []).append(int(match[2]))
                operations[json.loads(data).get("operation")] += 1
        for chain, numbers in chains.items():
            assert sorted(numbers) == [*range(1, len(numbers) + 1)], chain
        del operations[None]
        assert set(operations.values()) <= {1}

    def teardown(self):
        try:
            assert mk.verify(self.registry).sound
            assert mk.verify(self.backup).sound
        finally:
            self.patch.undo()
            self.copies.cleanup()


def live(small, verdict_on, sequences, steps, place=FaultyStorage):
    """Run so many sequences of at most so many steps; return how many there were, and how many steps in all."""
    counted = Counter()

    class Tried(Life):
        def __init__(self):
            super().__init__()
            counted["sequences"] += 1

        def teardown(self):
            super().teardown()
            counted.update(self.events)

    Tried.place = place
    Tried.packages = tuple(map(small, range(4)))
    Tried.verdict_on = staticmethod(verdict_on)
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    options = {"deadline": None, "suppress_health_check": checks, "database": None}
    run_state_machine_as_test(Tried, settings=settings(max_examples=sequences, stateful_step_count=steps, **options))
    return counted


@pytest.mark.parametrize("place", [FaultyStorage, FaultyBucket])
def test_a_registry_lives_through_faults(small, verdict_on, place):
    counted = live(small, verdict_on, 25, 20, place)
    assert counted["faults"] > 0
    assert counted["promoted"] > counted["sequences"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("place", "sequences"), [(FaultyStorage, 2_000), (FaultyBucket, 500)])
def test_a_registry_lives_through_thousands_of_sequences_of_faults(
    small, verdict_on, record_property, place, sequences
):
    counted = live(small, verdict_on, sequences, 20, place)
    assert counted["sequences"] >= sequences
    assert min(counted[one] for one in ("faults", "promoted", "rolled back", "removed", "repaired")) > sequences // 50
    kind = "files" if place is FaultyStorage else "objects of a bucket"
    record_property(
        f"figure: publish, judge, promote, roll back, copy, collect, corrupt and repair under faults, on {kind}",
        f"{counted['sequences']} sequences, {counted['faults']} acts interrupted, 0 broken",
    )
