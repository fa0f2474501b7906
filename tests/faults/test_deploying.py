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
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit.builtin.folder import FolderStorage
from mlopskit.bundles import check_folder, seal
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
