"""Push and activate under faults: killed or failing at every step of the disk, and killed at random moments."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit.builtin.folder import FolderStorage
from mlopskit.bundles import check_folder, seal
from mlopskit.deployment import Deploying
from mlopskit.disk import DISK, Disk
from mlopskit.errors import StorageError
from mlopskit.runtime import canonical
from mlopskit.storage import Place, Storage
from mlopskit.testing import faults

NAME = "mood"


@dataclass(frozen=True, kw_only=True)
class FaultyShare(mk.FileShare):
    """A file share on a disk of the test's choice."""

    disk: Disk = field(default=DISK)

    def _storage(self) -> Storage:
        return FolderStorage(self.to, disk=self.disk)


@dataclass(frozen=True, kw_only=True)
class QuickShare(FaultyShare):
    """A faulty share that is asked in this process, so that the whole loop takes milliseconds."""

    def ask(self, bundle: Path, rows: Sequence[mk.Row], /) -> mk.Answer:
        package = mk.ModelPackage.open(bundle)
        return mk.Answer(rows=[one.expected for one in package.golden], digest=package.digest, runtime={})


@pytest.fixture
def bundles(package: mk.ModelPackage, other: mk.ModelPackage, tmp_path: Path) -> list[mk.Bundle]:
    made = []
    for number, one in enumerate((package, other)):
        folder = tmp_path / f"bundle{number}"
        folder.mkdir()
        share = mk.FileShare(to=Place(""))
        share.build(one, None, folder)
        made.append(seal(folder, share, one, None))
    return made


def share_at(place: Path, disk: Disk = DISK) -> FaultyShare:
    return FaultyShare(to=Place(str(place)), disk=disk)


def deploy(share: FaultyShare, bundle: mk.Bundle) -> None:
    """What the deploy loop does of pushing and switching."""
    at = share.push(bundle)
    before = share.live(NAME)
    if before != at:
        share.activate(NAME, at, instead_of=before, why="")


def live_and_complete(place: Path) -> str | None:
    """Return the digest that is live, after checking every byte of its package and of every package in sight."""
    for folder in sorted(Path(place, NAME, "packages").glob("*")):
        check_folder(folder, listing="manifest.json", digest=f"sha256:{folder.name}")
    live = share_at(place).live(NAME)
    return None if live is None else live["bundle"]


@pytest.fixture
def before(bundles: list[mk.Bundle], tmp_path: Path) -> Path:
    """Return a share where the first package is live."""
    deploy(share_at(tmp_path / "before"), bundles[0])
    return tmp_path / "before"


def at_every_step(
    before: Path,
    bundle: mk.Bundle,
    tmp_path: Path,
    moments: tuple[str, ...],
    check: Callable[[Path, Disk], None],
    error: int | None,
) -> int:
    counting = tmp_path / "counting"
    shutil.copytree(before, counting)
    steps = faults.steps_of(lambda disk: deploy(share_at(counting, disk), bundle))
    for at in range(1, len(steps) + 1):
        for moment in moments:
            place = tmp_path / f"{at}-{moment}"
            shutil.copytree(before, place)
            check(place, faults.FaultyDisk(at, faults.Fault(error=error, moment=moment)))
            shutil.rmtree(place)
    return len(steps) * len(moments)


def test_killed_at_any_step_the_alias_answers_with_a_whole_package_and_the_second_run_completes(
    before: Path, bundles: list[mk.Bundle], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seen = set()

    def check(place: Path, disk: Disk) -> None:
        assert faults.dies(lambda: deploy(share_at(place, disk), bundles[1]))
        seen.add(live_and_complete(place))
        deploy(share_at(place), bundles[1])
        assert live_and_complete(place) == bundles[1].digest

    count = at_every_step(before, bundles[1], tmp_path, faults.MOMENTS, check, None)
    record_property("figure: SIGKILL at every step of push and activate", f"{count} points, 0 broken")
    assert seen == {bundles[0].digest, bundles[1].digest}
    assert count > 30


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_failing_step_is_said_and_the_second_run_completes(
    before: Path, bundles: list[mk.Bundle], tmp_path: Path, number: int
) -> None:
    def check(place: Path, disk: Disk) -> None:
        with contextlib.suppress(StorageError):  # a hint that fails is no failure: the records are the truth
            deploy(share_at(place, disk), bundles[1])
        assert live_and_complete(place) in {bundles[0].digest, bundles[1].digest}
        deploy(share_at(place), bundles[1])
        assert live_and_complete(place) == bundles[1].digest

    at_every_step(before, bundles[1], tmp_path, (faults.BEFORE, faults.SHORT), check, number)


def test_killed_at_any_step_of_the_whole_loop_the_second_run_completes(
    package: mk.ModelPackage,
    other: mk.ModelPackage,
    registry: mk.Registry,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Deploying, and rolling back, which is the same loop with an earlier package."""

    def loop(place: Path, disk: Disk, one: mk.ModelPackage, *, rollback: bool = False) -> mk.Deployment:
        share = QuickShare(to=Place(str(place / "share")), disk=disk)
        home = mk.Registry(FolderStorage(str(place / "registry"), disk=disk))
        return Deploying(package=one, deployer=share, registry=home, endpoint="e", rollback=rollback).run()

    def state(place: Path) -> tuple[str | None, list[str]]:
        home = mk.Registry.at(place / "registry")
        return live_and_complete(place / "share"), [one.package for one in home.deployments(NAME, "e")]

    def moves(place: Path) -> int:
        share = QuickShare(to=Place(str(place / "share")))
        return len(share._alias(NAME).history())

    count = 0
    first = tmp_path / "first"
    shutil.copytree(registry.storage.uri, first / "registry")
    loop(first, DISK, package)
    second = tmp_path / "second"
    shutil.copytree(first, second)
    loop(second, DISK, other)
    for start, one, rollback in ((first, other, False), (second, package, True)):
        counting = tmp_path / f"counting {rollback}"
        shutil.copytree(start, counting)
        steps = len(faults.steps_of(lambda disk: loop(counting, disk, one, rollback=rollback)))  # noqa: B023
        old = state(start)
        for at in range(1, steps + 1):
            place = tmp_path / f"{at} {rollback}"
            shutil.copytree(start, place)
            disk = faults.FaultyDisk(at, faults.Fault(moment=faults.AFTER))
            assert faults.dies(lambda: loop(place, disk, one, rollback=rollback))  # noqa: B023
            live, recorded = state(place)
            assert live in {old[0], one.digest}
            assert recorded in (old[1], [*old[1], one.digest])
            assert loop(place, DISK, one, rollback=rollback).receipt.passed
            assert state(place) == (one.digest, [*old[1], one.digest]), "two runs are one deployment"
            assert moves(place) == moves(start) + 1
            shutil.rmtree(place)
        count += steps
    record_property("figure: SIGKILL at every step of the deploy loop and of rollback", f"{count} points, 0 broken")


def variant(bundle: mk.Bundle, folder: Path) -> mk.Bundle:
    """Make a package of its own out of a bundle, by another model card."""
    manifest = json.loads((bundle.folder / "manifest.json").read_bytes())
    card = folder.name.encode()
    manifest["files"]["README.md"] = {"sha256": hashlib.sha256(card).hexdigest(), "size": len(card)}
    shutil.copytree(bundle.folder, folder)
    (folder / "README.md").write_bytes(card)
    (folder / "manifest.json").write_bytes(canonical.dumps(manifest))
    return replace(bundle, folder=folder, digest=canonical.digest_of(canonical.dumps(manifest)))


def test_killed_at_random_moments_nothing_is_ever_half_there(
    before: Path, bundles: list[mk.Bundle], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """At least 200 real kills of a child that only commits, pushes and activates ever new packages."""
    generator, kills, during = random.Random(0), 220, 0
    names = itertools.count()

    def go_on(begin: Callable[[int], None]) -> None:
        made = variant(bundles[0], tmp_path / f"{os.getpid()}-{next(names)}")
        begin(1)
        deploy(share_at(before), made)
        begin(0)

    for _ in range(kills):
        during += faults.killed_after(generator.uniform(0.001, 0.02), go_on)
        assert live_and_complete(before) is not None
        deploy(share_at(before), bundles[1])
        assert live_and_complete(before) == bundles[1].digest
    record_property("figure: real kills at random moments", f"{kills}, {during} inside push or activate, 0 broken")
    assert during >= kills // 2
