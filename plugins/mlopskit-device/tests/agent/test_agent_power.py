"""Power cuts of a device: the agent killed at random moments and at each of its steps, and what a disk then holds."""

import collections
import os
import random
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

KILLED = -signal.SIGKILL
LONG = [pytest.mark.slow, pytest.mark.timeout(3600)]  # minutes where others work, too
FIGURE = 200  # cuts, from which on they are a figure
STEPS = "rename,renameat,renameat2,symlink,symlinkat,mkdir,mkdirat,fsync,fdatasync,write,unlink,unlinkat,rmdir"
TRACED = f"{STEPS},open,openat,creat,ftruncate,link,linkat,pwrite64,writev,copy_file_range,sendfile,truncate"


@pytest.fixture
def strace():
    found = shutil.which("strace")
    works = (
        found and subprocess.run([found, "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0
    )
    if not works and os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.fail("strace does not work here")
    if not works:
        pytest.skip("strace is missing, or may not trace: install it to see what is on a disk when the power fails")
    return found


# --- at random moments ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cuts", [60, pytest.param(FIGURE, marks=LONG)])
def test_cut_at_random_moments_it_always_answers_old_or_new_and_ends_with_the_new(site, cuts, record_property):
    chance = random.Random(7)
    site.run()
    began = time.monotonic()
    site.move(site.two)
    site.run()
    whole = time.monotonic() - began
    old, new = site.two, site.one
    site.move(new)
    seen = collections.Counter()
    for number in range(1, cuts + 1):
        ended = cut_after(site, chance.uniform(0, whole))
        answers = site.answers()
        assert answers in {old, new}
        seen[ended, answers == new] += 1
        if number % 10 == 0:
            assert site.run()[0] == 0
            answers = site.answers()
            assert answers == new, "what was cut short is done by the next run that is not"
        if answers == new:
            old, new = new, old
            site.move(new)
    assert site.run()[0] == 0
    assert site.answers() == new
    killed = seen[KILLED, False] + seen[KILLED, True]
    if cuts >= FIGURE:
        record_property(
            "figure: power cuts (SIGKILL) of a device's agent at random moments",
            f"{cuts}: {killed} while it worked, the old answered {seen[KILLED, False] + seen[0, False]} times, the new "
            f"{seen[KILLED, True] + seen[0, True]} times, 0 broken",
        )
    assert killed >= cuts // 2
    assert seen[KILLED, False] > 0
    assert seen[KILLED, True] + seen[0, True] > 0


def cut_after(site, seconds):
    """Kill the agent, and whatever it started, after some seconds; return how it ended."""
    agent = subprocess.Popen(site.command("--once"), stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        agent.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(agent.pid, signal.SIGKILL)
    return agent.wait()


# --- at each step ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [40, pytest.param(1, marks=LONG)])
def test_cut_at_its_steps_it_answers_old_or_new(site, strace, every, record_property):
    """Each `every`th of all calls that change a disk, and every one that renames or links."""
    before = ready(site)
    seen, points = collections.Counter(), 0
    for call, times in counted(site, strace).items():
        rare = "rename" in call or "symlink" in call
        for number in range(1, times + 1, 1 if rare else every):
            restore(site, before)
            inject = f"inject={call}:signal=KILL:when={number}"
            command = [strace, "-o", os.devnull, "-e", f"trace={call}", "-e", inject, *map(str, site.command("--once"))]
            done = subprocess.run(command, capture_output=True, check=False)
            assert done.returncode in {KILLED, 128 + signal.SIGKILL}, (call, number)
            answers = site.answers()
            assert answers in {site.one, site.two}, (call, number)
            seen[answers == site.two] += 1
            points += 1
            if points % 20 == 0:
                assert site.run()[0] == 0
                assert site.answers() == site.two
                assert site.kept() == {site.one, site.two}
    if every == 1:
        record_property(
            "figure: SIGKILL at each call of a device's agent that changes the disk",
            f"{points}: answered by the old {seen[False]} times, by the new {seen[True]} times, 0 broken",
        )
    assert min(seen[False], seen[True]) > 0


@pytest.mark.parametrize("every", [30, pytest.param(1, marks=LONG)])
def test_a_disk_that_fails_at_its_steps_is_said_and_changes_nothing(site, strace, every, record_property):
    before = ready(site)
    calls = {call: times for call, times in counted(site, strace).items() if call in {"fsync", "rename", "symlink"}}
    seen, points = collections.Counter(), 0
    for call, times in calls.items():
        for number in range(1, times + 1, every if call == "fsync" else max(1, every // 10)):
            restore(site, before)
            inject = f"inject={call}:error=EIO:when={number}"
            command = [strace, "-o", os.devnull, "-e", f"trace={call}", "-e", inject, *map(str, site.command("--once"))]
            done = subprocess.run(command, capture_output=True, check=False)
            assert b"Traceback" not in done.stderr, (call, number)
            # What is removed another time is not said.
            assert b"Input/output error" in done.stderr or done.returncode == 0, (call, number)
            answers = site.answers()
            assert answers == site.two or (answers == site.one and done.returncode != 0), (call, number)
            assert answers == site.one or site.run()[0] == 0, (call, number)
            seen[answers == site.two] += 1
            points += 1
    restore(site, before)
    assert site.run()[0] == 0
    if every == 1:
        record_property(
            "figure: an error of the disk at a call of a device's agent",
            f"{points}: the old answered {seen[False]} times, the new {seen[True]} times, 0 broken",
        )


def ready(site):
    """Let the first bundle answer, and a third one be kept beside that has to go; then name the second."""
    site.run()
    third = site.put(site.built[1], lambda folder: (folder / "more").write_bytes(b"x"))
    site.move(third)
    site.run()
    site.move(site.one)
    site.run()
    site.move(site.two)
    before = site.root / "before"
    shutil.copytree(site.device, before, symlinks=True)
    return before


def restore(site, before):
    shutil.rmtree(site.device)
    shutil.copytree(before, site.device, symlinks=True)


def trace(site, strace):
    """Return the lines of an undisturbed run, those calls that succeeded and change a disk."""
    log = site.root / "log"
    command = [strace, "-y", "-s", "0", "-o", log, "-e", f"trace={TRACED}", *map(str, site.command("--once"))]
    subprocess.run(command, check=True, capture_output=True)
    return log.read_text().splitlines()


def counted(site, strace):
    names = collections.Counter(line.partition("(")[0] for line in trace(site, strace))
    return {call: names[call] for call in STEPS.split(",") if names[call]}


# --- what a disk holds then -----------------------------------------------------------------------------------------


@dataclass
class Node:
    """A file, a link or a folder as it is, and what of it would be left if the power failed now."""

    kind: str
    whole: bool = True  # a file's bytes are on the disk
    target: str = ""
    names: dict = field(default_factory=dict)
    durable: dict = field(default_factory=dict)


class Disk:
    """Replays calls; a name is on the disk once its folder was synced, a file's bytes once it was."""

    def __init__(self, root):
        self.root = str(root)
        self.top = self._read(Path(root))
        self.moved = []

    def _read(self, path):
        if path.is_symlink():
            return Node("link", target=str(path.readlink()))
        if not path.is_dir():
            return Node("file")
        names = {entry.name: self._read(entry) for entry in path.iterdir()}
        return Node("folder", names=names, durable=dict(names))

    def at(self, path):
        """Return the folder that holds a path, and the name in it; None for what is elsewhere."""
        if not path.startswith(f"{self.root}/"):
            return None
        *folders, name = path.removeprefix(f"{self.root}/").split("/")
        node = self.top
        for one in folders:
            node = node.names[one]
        return node, name

    def node(self, path):
        if path == self.root:
            return self.top
        found = self.at(path)
        return found and found[0].names.get(found[1])

    def play(self, line):
        """Replay a line of strace."""
        call, _, rest = line.partition("(")
        if not re.search(r"= \d+", rest) or "..." in rest.partition("(")[0][:3]:
            return
        paths, held = re.findall(r'"([^"]*)"', rest), re.findall(r"(?:\d+|AT_FDCWD)<([^>]*)>", rest)
        if call.endswith("at"):
            paths = [path if path.startswith("/") else f"{held[0]}/{path}" for path in paths]
        getattr(self, f"_{call.removesuffix('at2').removesuffix('at')}", self._unknown)(paths, held, rest)

    def _unknown(self, paths, held, rest):
        assert not any(path.startswith(self.root) for path in [*paths, *held[:1]]), f"not known here: {rest}"

    def _open(self, paths, held, rest):
        found = self.at(paths[0])
        if not found or "O_CREAT" not in rest:
            assert not found or "O_WRONLY" not in rest, rest
            return
        folder, name = found
        if name not in folder.names:
            folder.names[name] = Node("file")
        elif "O_TRUNC" in rest:
            folder.names[name].whole = False

    def _write(self, paths, held, rest):
        node = held and held[0].startswith(self.root) and self.node(held[0])
        if node:
            node.whole = False

    def _fsync(self, paths, held, rest):
        node = self.node(held[0])
        if node is not None:
            node.whole, node.durable = True, dict(node.names)

    def _mkdir(self, paths, held, rest):
        if found := self.at(paths[0]):
            found[0].names[found[1]] = Node("folder")

    def _symlink(self, paths, held, rest):
        target = re.search(r'"([^"]*)"', rest)[1]
        if found := self.at(paths[-1]):
            found[0].names[found[1]] = Node("link", target=target)

    def _rename(self, paths, held, rest):
        before, after = self.at(paths[0]), self.at(paths[1])
        if before and after:
            after[0].names[after[1]] = before[0].names.pop(before[1])
            self.moved.append(after[1])

    def _unlink(self, paths, held, rest):
        if found := self.at(paths[0]):
            del found[0].names[found[1]]

    _rmdir = _unlink

    def pending(self, node=None):
        """Return the folders whose names are not all on the disk."""
        node = node or self.top
        reached = {id(one): one for one in (*node.names.values(), *node.durable.values()) if one.kind == "folder"}
        below = [folder for one in reached.values() for folder in self.pending(one)]
        return [*([node] if node.names != node.durable else []), *below]

    def images(self):
        """Yield what may be left: of each folder either the names of its last sync, or those of now."""
        pending = self.pending()
        sets = [[], pending, *[[one] for one in pending], *[[o for o in pending if o is not one] for one in pending]]
        for kept in sets:
            kept_ids = {id(one) for one in kept}
            yield lambda node, ids=kept_ids: node.names if id(node) in ids else node.durable

    def answering(self, names):
        """Return the bundle that `current` names, if each of its files is whole, else what is wrong."""
        link = names(self.top).get("current")
        if link is None:
            return "no current"
        folder, node = self.top, self.top
        for one in link.target.split("/"):
            node = names(folder).get(one)
            if node is None:
                return f"{link.target} is not there"
            folder = node
        return link.target, frozenset(self._files(node, names))

    def _files(self, node, names, below=""):
        for name, one in names(node).items():
            if one.kind == "folder":
                yield from self._files(one, names, f"{below}{name}/")
            else:
                yield f"{below}{name}", one.whole


def whole(site, digest):
    """Return what is found of a bundle that is whole."""
    there = site.there(digest)
    files = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    return f"bundles/{there.name}", frozenset((path, True) for path in files)


@pytest.mark.parametrize("change", ["the first of all", "an update", "a rollback"])
def test_whatever_is_lost_with_the_power_current_names_a_whole_bundle(site, strace, change, record_property):
    """At each call: what was not synced is gone, of any one folder, of all but one, of all, or of none."""
    if change == "the first of all":
        site.device.mkdir()
        before = site.root / "before"
        before.mkdir()
    else:
        before = ready(site)
    old, new = whole(site, site.one) if change != "the first of all" else "no current", site.alias.head().digest
    if change == "a rollback":
        [new] = site.kept() - {site.one}
        site.move(new)
    lines = trace(site, strace)
    assert site.current.resolve() == site.here(new)
    restore(site, before)
    disk, seen, images, new = Disk(site.device), collections.Counter(), 0, whole(site, new)
    for line in lines:
        disk.play(line)
        for names in disk.images():
            found = disk.answering(names)
            assert found in (old, new), (line, found if isinstance(found, str) else found[1] ^ new[1])
            seen[found == new] += 1
            images += 1
    assert disk.moved.count("current") == 1
    assert min(seen[False], seen[True]) > 1
    assert disk.answering(lambda node: node.durable) == new, "it is there for good"
    record_property(
        f"figure: states of a device's disk when the power fails in {change}, what was not synced lost",
        f"{images} at {len(lines)} calls, {seen[False]} with the old, {seen[True]} with the new, 0 broken",
    )


def test_a_disk_that_loses_what_was_not_synced_is_told(tmp_path):
    """The model itself can fail: a folder renamed before it was synced is found empty."""
    (tmp_path / "d" / "bundles").mkdir(parents=True)
    root = str(tmp_path / "d")
    disk = Disk(root)
    for line in (
        f'mkdir("{root}/bundles/a", 0777) = 0',
        f'openat(AT_FDCWD</x>, "{root}/bundles/a/f", O_WRONLY|O_CREAT|O_EXCL, 0666) = 3<{root}/bundles/a/f>',
        f'write(3<{root}/bundles/a/f>, ""..., 5) = 5',
        f'symlink("bundles/a", "{root}/current") = 0',
    ):
        disk.play(line)
    now = disk.answering(lambda node: node.names)
    assert now == ("bundles/a", frozenset({("f", False)}))
    disk.play(f"fsync(3<{root}/bundles/a/f>) = 0")
    found = [disk.answering(names) for names in disk.images()]
    assert ("bundles/a", frozenset({("f", True)})) in found
    assert "bundles/a is not there" in found
    assert "no current" in found
    assert ("bundles/a", frozenset()) in found
