"""A process that publishes is stopped at any step, gc runs, and it goes on: no alias names what is gone."""

import contextlib
import os
import shutil
import signal
from dataclasses import dataclass

import pytest

import mlopskit as mk
from mlopskit.builtin.folder import FolderStorage
from mlopskit.bundles import seal
from mlopskit.disk import DISK
from mlopskit.errors import MlopskitError
from mlopskit.promoting import RegistryDeployer
from mlopskit.storage import Place
from mlopskit.testing import faults

NAME = "sentiment"


@dataclass(frozen=True, kw_only=True)
class Sleep(faults.Fault):
    """The process stops until somebody lets it go on."""

    def happen(self):
        os.kill(os.getpid(), signal.SIGSTOP)


def registry_at(root, disk=DISK):
    return mk.Registry(FolderStorage(str(root), disk=disk))


def packages(folder, package_files):
    """Return two packages in folders of their own."""
    found = []
    for number in (1, 2):
        for path, data in package_files(number).items():
            (folder / str(number) / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / str(number) / path).write_bytes(data)
        found.append(mk.ModelPackage.open(folder / str(number), digest="unpinned"))
    return found


def publish(registry, package):
    """Push a package and make it live, as the deploy loop does."""
    deployer = RegistryDeployer(to=Place(registry.storage.uri), registry=registry)
    bundle = seal(package.folder, deployer, package, None)
    before = deployer.live(NAME)
    deployer.activate(NAME, deployer.push(bundle), instead_of=before, why="")


def live(registry):
    """Return the digest that is live, of a package whose every byte was checked."""
    head = registry.alias(NAME, "production").head()
    return registry.package(NAME, head.digest).digest


def slept(act, meanwhile):
    """Do this in a child that stops itself; do the other thing then, let it go on, and wait for its end."""

    def work():
        with contextlib.suppress(MlopskitError):
            act()

    child = faults._fork(work)
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    meanwhile()
    os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    assert status == 0


@pytest.mark.parametrize("there", ["new", "garbage", "marked"])
def test_a_writer_that_slept_while_gc_ran_names_nothing_that_is_gone(tmp_path, package_files, record_property, there):
    first, second = packages(tmp_path / "made", package_files)
    start = tmp_path / "start"
    publish(registry_at(start), first)
    if there != "new":
        registry_at(start).add(second)
    if there == "marked":
        mk.gc(registry_at(start))
    shutil.copytree(start, tmp_path / "counting")
    steps = faults.steps_of(lambda disk: publish(registry_at(tmp_path / "counting", disk), second))
    seen = set()
    for at in range(1, len(steps) + 1):
        for moment in (faults.BEFORE, faults.AFTER):
            place = tmp_path / f"{at}-{moment}"  # what this machine has seen of one is nothing to another
            shutil.copytree(start, place)
            disk = faults.FaultyDisk(at, Sleep(moment=moment))
            slept(
                lambda place=place, disk=disk: publish(registry_at(place, disk), second),
                lambda place=place: mk.gc(registry_at(place), older_than=0),
            )
            seen.add(live(registry_at(place)))
            assert mk.verify(registry_at(place)).sound, (at, steps[at - 1], moment)
            publish(registry_at(place), second)
            assert live(registry_at(place)) == second.digest
            shutil.rmtree(place)
    assert second.digest in seen
    record_property(f"figure: gc while a writer of a {there} package is stopped", f"{2 * len(steps)} points, 0 broken")
