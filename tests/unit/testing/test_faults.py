import errno
import os
import time

import pytest

from mlopskit.disk import DISK
from mlopskit.testing.faults import AFTER, BEFORE, MOMENTS, SHORT, Fault, FaultyDisk, dies, killed_after, steps_of


def act(disk, folder):
    (folder / "source").write_bytes(b"from a file")
    disk.mkdir(folder / "a")
    disk.write(folder / "a" / "x", b"0123456789")
    disk.write(folder / "a" / "y", folder / "source")
    disk.sync(folder / "a")
    disk.rename(folder / "a", folder / "b")
    disk.replace(folder / "b" / "x", folder / "b" / "z")
    disk.remove(folder / "b")


STEPS = ["mkdir", "write", "write", "sync", "rename", "replace", "remove"]


def seen(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")} - {"source"}


def test_it_counts_the_steps_and_does_them(tmp_path):
    assert steps_of(lambda disk: act(disk, tmp_path)) == STEPS
    assert seen(tmp_path) == set()


@pytest.mark.parametrize(("at", "before", "after"), [
    (1, set(), {"a"}),
    (2, {"a"}, {"a", "a/x"}),
    (4, {"a", "a/x", "a/y"}, {"a", "a/x", "a/y"}),
    (5, {"a", "a/x", "a/y"}, {"b", "b/x", "b/y"}),
    (6, {"b", "b/x", "b/y"}, {"b", "b/z", "b/y"}),
    (7, {"b", "b/z", "b/y"}, set()),
])  # fmt: skip
def test_it_fails_before_or_after_the_step(tmp_path, at, before, after):
    for moment, expected in ((BEFORE, before), (AFTER, after)):
        folder = tmp_path / moment
        folder.mkdir()
        disk = FaultyDisk(at, Fault(error=errno.ENOSPC, moment=moment))
        with pytest.raises(OSError, match="No space left") as caught:
            act(disk, folder)
        assert caught.value.errno == errno.ENOSPC
        assert disk.steps == STEPS[:at]
        assert seen(folder) == expected


def test_a_short_write_leaves_half(tmp_path):
    for at, half in ((2, b"01234"), (3, b"from ")):
        folder = tmp_path / str(at)
        folder.mkdir()
        with pytest.raises(OSError, match="No space left"):
            act(FaultyDisk(at, Fault(error=errno.ENOSPC, moment=SHORT)), folder)
        assert (folder / "a" / "xy"[at - 2]).read_bytes() == half


def test_a_step_without_bytes_has_no_half(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        act(FaultyDisk(1, Fault(error=errno.ENOSPC, moment=SHORT)), tmp_path)
    assert seen(tmp_path) == set()


def test_it_fails_once(tmp_path):
    disk = FaultyDisk(1, Fault(error=errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        disk.mkdir(tmp_path / "a")
    disk.mkdir(tmp_path / "a")
    assert disk.steps == ["mkdir", "mkdir"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_it_kills(tmp_path, moment):
    assert dies(lambda: FaultyDisk(1, Fault(moment=moment)).mkdir(tmp_path / "a"))
    assert (tmp_path / "a").exists() == (moment == AFTER)


def test_a_child_that_lives_or_fails_is_told_apart(tmp_path, capfd):
    assert not dies(lambda: DISK.mkdir(tmp_path / "a"))
    assert (tmp_path / "a").exists()
    with pytest.raises(AssertionError, match="ended with the status 256"):
        dies(lambda: 1 / 0)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_child_is_killed_after_a_time_and_says_what_it_was_at():
    def work(at):
        at(7)
        time.sleep(0.001)
        at(8)
        time.sleep(60)

    began = time.monotonic()
    assert killed_after(0.2, work) == 8
    assert time.monotonic() - began < 30
    with pytest.raises(AssertionError, match="ended with the status"):
        killed_after(0.2, lambda _: os._exit(1))
