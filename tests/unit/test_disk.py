import errno
import os
import shutil
import subprocess
import sys
import time

import pytest

from mlopskit import disk
from mlopskit.disk import ASIDE, DAY, DISK, Disk, commit_folder, remove_folder, replace_file, storage_error
from mlopskit.errors import StorageError

FILES = {"a": b"first", "code/b": b"second"}


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_made_of_bytes_and_files(tmp_path):
    source = tmp_path / "source"
    content = os.urandom((1 << 20) + 1)
    source.write_bytes(content)
    root = tmp_path / "new" / "root"
    assert commit_folder(DISK, root, root / "x" / "y", {**FILES, "big": source, "empty": b""})
    assert files_in(root) == {"x/y/a": b"first", "x/y/code/b": b"second", "x/y/big": content, "x/y/empty": b""}


def test_a_folder_is_made_once(tmp_path):
    assert commit_folder(DISK, tmp_path, tmp_path / "x", FILES)
    assert not commit_folder(DISK, tmp_path, tmp_path / "x", {"a": b"other"})
    assert files_in(tmp_path) == {"x/a": b"first", "x/code/b": b"second"}


def test_an_empty_folder_is_no_folder(tmp_path):
    (tmp_path / "x").mkdir()
    assert commit_folder(DISK, tmp_path, tmp_path / "x", FILES)
    assert (tmp_path / "x" / "a").exists()


class Losing(Disk):
    """A disk on which somebody else makes the folder right before we rename ours."""

    def rename(self, before, after):
        if not after.exists():
            after.mkdir(parents=True)
            (after / "theirs").write_bytes(b"")
        super().rename(before, after)


def test_who_loses_the_race_is_told_and_leaves_nothing(tmp_path):
    assert not commit_folder(Losing(), tmp_path, tmp_path / "x", FILES)
    assert files_in(tmp_path) == {"x/theirs": b""}


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path):
    (tmp_path / "x").write_bytes(b"")
    for target in ("x", "x/y"):
        with pytest.raises(StorageError, match="Nothing was changed"):
            commit_folder(DISK, tmp_path, tmp_path / target, FILES)
    assert files_in(tmp_path) == {"x": b""}


def test_a_source_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(StorageError, match=r"absent' cannot be read: No such file") as caught:
        commit_folder(DISK, tmp_path / "root", tmp_path / "root" / "x", {"a": tmp_path / "absent"})
    assert caught.value.errno == errno.ENOENT
    assert not (tmp_path / "root").exists()


class Recording(Disk):
    """A disk that writes down what it does."""

    def __init__(self):
        self.steps = []

    def write(self, file, source):
        self.steps.append(("write", file.name))
        super().write(file, source)

    def sync(self, folder):
        self.steps.append(("sync", folder.name if ASIDE not in folder.parent.name else "made"))
        super().sync(folder)

    def rename(self, before, after):
        self.steps.append(("rename", after.name))
        super().rename(before, after)


def test_all_is_durable_before_it_is_seen_and_its_name_before_it_is_done(tmp_path):
    recording = Recording()
    root = tmp_path / "root"
    commit_folder(recording, root, root / "x" / "y", FILES)
    assert recording.steps == [
        ("sync", tmp_path.name),
        ("write", "a"),
        ("write", "b"),
        ("sync", "code"),
        ("sync", "made"),
        ("rename", "y"),
        ("sync", "x"),
        ("sync", "root"),
    ]


def test_what_another_has_made_is_made_durable_too(tmp_path):
    commit_folder(DISK, tmp_path, tmp_path / "x" / "y", FILES)
    recording = Recording()
    assert not commit_folder(recording, tmp_path, tmp_path / "x" / "y", FILES)
    assert recording.steps == [("sync", "x"), ("sync", tmp_path.name)]


def test_each_file_is_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_ino))
    DISK.write(tmp_path / "a", b"x")
    DISK.sync(tmp_path)
    assert synced == [(tmp_path / "a").stat().st_ino, tmp_path.stat().st_ino]


def test_short_writes_are_continued(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda number, data: real(number, bytes(data)[:3]))
    (tmp_path / "source").write_bytes(b"0123456789")
    DISK.write(tmp_path / "a", tmp_path / "source")
    DISK.write(tmp_path / "b", b"0123456789")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"0123456789"


def test_a_file_is_never_written_over(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        DISK.write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize(("number", "passes"), [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False)])
def test_a_file_system_without_fsync_for_folders_is_used_all_the_same(tmp_path, monkeypatch, number, passes):
    def fail(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    if passes:
        DISK.sync(tmp_path)
    else:
        with pytest.raises(OSError, match="Input/output"):
            DISK.sync(tmp_path)


def test_windows_syncs_no_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(disk.os, "name", "nt")
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
    Disk.sync(DISK, tmp_path)


# --- files that may be replaced, and folders that go ------------------------------------------------------------------


def test_a_file_is_replaced_whole(tmp_path):
    for data in (b"first", b"second"):
        replace_file(DISK, tmp_path, tmp_path / "x" / "hint", data)
        assert files_in(tmp_path) == {"x/hint": data}


def test_a_folder_in_the_place_of_a_file_is_an_error(tmp_path):
    (tmp_path / "hint").mkdir()
    with pytest.raises(StorageError, match="Nothing was changed"):
        replace_file(DISK, tmp_path, tmp_path / "hint", b"x")
    assert files_in(tmp_path) == {}


def test_a_folder_goes_and_going_again_is_no_error(tmp_path):
    commit_folder(DISK, tmp_path, tmp_path / "x", FILES)
    for _ in range(2):
        remove_folder(DISK, tmp_path, tmp_path / "x")
        assert files_in(tmp_path) == {}


def test_a_link_goes_and_what_it_points_to_stays(tmp_path):
    root = tmp_path / "root"
    commit_folder(DISK, tmp_path, tmp_path / "elsewhere", FILES)
    root.mkdir()
    (root / "x").symlink_to(tmp_path / "elsewhere")
    remove_folder(DISK, root, root / "x")
    assert not (root / "x").is_symlink()
    assert (tmp_path / "elsewhere" / "a").exists()


def test_a_folder_that_somebody_else_removes_first_is_gone_too(tmp_path, monkeypatch):
    class Late(Disk):
        def rename(self, before, after):
            before.rename(tmp_path / "theirs")
            super().rename(before, after)

        def remove(self, path):
            path.rename(tmp_path / "swept")
            super().remove(path)

    commit_folder(DISK, tmp_path, tmp_path / "x", FILES)
    remove_folder(Late(), tmp_path, tmp_path / "x")
    assert not (tmp_path / "x").exists()
    monkeypatch.setattr(Late, "rename", Disk.rename)
    remove_folder(Late(), tmp_path, tmp_path / "theirs")
    assert (tmp_path / "swept" / "a").exists()


# --- what the dead leave behind ---------------------------------------------------------------------------------------


def leave(root, name, *, age):
    """Leave a folder, a file and a hint behind, all of this age in seconds."""
    leftover = root / ASIDE / name
    (leftover / "code").mkdir(parents=True)
    (leftover / "code" / "model.py").write_bytes(b"half")
    (root / ASIDE / f"{name}-hint").write_bytes(b"half")
    then = time.time() - age
    for path in (leftover / "code" / "model.py", leftover / "code", leftover, root / ASIDE / f"{name}-hint"):
        os.utime(path, (then, then))
    return leftover


def test_a_commit_sweeps_up_what_is_older_than_a_day(tmp_path):
    leave(tmp_path, "old", age=DAY + 100)
    leave(tmp_path, "young", age=DAY - 100)
    assert commit_folder(DISK, tmp_path, tmp_path / "x", FILES)
    assert sorted(path.name for path in (tmp_path / ASIDE).iterdir()) == ["young", "young-hint"]


def test_what_is_still_being_written_is_not_swept(tmp_path):
    leftover = leave(tmp_path, "slow", age=3 * DAY)
    os.utime(leftover / "code" / "model.py")
    commit_folder(DISK, tmp_path, tmp_path / "x", FILES)
    assert (leftover / "code" / "model.py").exists()


def test_the_age_is_by_the_shares_clock(tmp_path, monkeypatch):
    leave(tmp_path, "young", age=0)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    commit_folder(DISK, tmp_path, tmp_path / "x", FILES)
    assert (tmp_path / ASIDE / "young").exists()


class Stuck(Disk):
    """A disk where one leftover cannot be moved."""

    def rename(self, before, after):
        if before.name == "stuck":
            raise PermissionError(errno.EACCES, "denied")
        super().rename(before, after)


def test_what_cannot_be_swept_stays_and_the_commit_is_done(tmp_path):
    leave(tmp_path, "stuck", age=2 * DAY)
    leave(tmp_path, "other", age=2 * DAY)
    assert commit_folder(Stuck(), tmp_path, tmp_path / "x", FILES)
    assert [path.name for path in (tmp_path / ASIDE).iterdir()] == ["stuck"]


class Sleepy(Disk):
    """A disk whose user sleeps for days between two files, while somebody else sweeps up."""

    def write(self, file, source):
        super().write(file, source)
        if file.name == "a":
            for path in [*file.parent.rglob("*"), file.parent]:
                os.utime(path, (1, 1))
            root = file.parents[2]
            commit_folder(DISK, root, root / "other", {"x": b""})


def test_who_was_swept_up_while_asleep_publishes_nothing(tmp_path):
    with pytest.raises(StorageError, match="Nothing was changed"):
        commit_folder(Sleepy(), tmp_path, tmp_path / "x", FILES)
    assert files_in(tmp_path) == {"other/x": b""}
    assert not (tmp_path / "x").exists()


# --- what is said -----------------------------------------------------------------------------------------------------


def test_an_error_says_place_reason_needed_and_free_bytes_and_state(tmp_path):
    error = storage_error(OSError(errno.ENOSPC, "No space left on device"), root=tmp_path / "new", needed=12_345)
    assert error.message.startswith(
        f"Writing to {str(tmp_path / 'new')!r}: no space left on device (12,345 bytes needed, "
    )
    assert error.message.endswith(" free). Nothing was changed.")
    assert (error.place, error.errno) == (str(tmp_path / "new"), errno.ENOSPC)


def test_where_the_free_bytes_are_not_known_they_are_left_out(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(errno.EIO, "error")

    monkeypatch.setattr(disk.shutil, "disk_usage", fail)
    error = storage_error(OSError("odd"), root=tmp_path, needed=1, state="All is well.")
    assert error.message == f"Writing to {str(tmp_path)!r}: odd (1 bytes needed). All is well."


@pytest.mark.slow
def test_a_large_file_is_committed_as_fast_as_it_is_copied(tmp_path):
    source, root, copy = tmp_path / "source", tmp_path / "root", tmp_path / "copy"
    source.write_bytes(os.urandom(1 << 20) * 64)

    def commit():
        commit_folder(DISK, root, root / "x", {"a": source})

    def copied():
        subprocess.run(["cp", source, copy], check=True)
        subprocess.run(["sync", "-f", copy], check=True)

    def seconds(work):
        shutil.rmtree(root, ignore_errors=True)
        copy.unlink(missing_ok=True)
        os.sync()
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    # Taking turns, so that both meet the same disk.
    ours, theirs = map(min, zip(*[(seconds(commit), seconds(copied)) for _ in range(7)], strict=True))
    print(f"commit {ours:.3f} s, cp and sync {theirs:.3f} s", file=sys.__stdout__)
    assert ours < theirs / 0.7


def test_a_private_folder_is_private_whatever_the_umask_is(tmp_path, umask_of_none):
    (tmp_path / "there").mkdir()
    disk.private_folder(tmp_path / "there" / "a" / "b")
    disk.private_folder(tmp_path / "there" / "a" / "b")
    modes = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.rglob("*")}
    assert modes == {"there": 0o777, "a": 0o700, "b": 0o700}
