import errno
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mlopskit.builtin.folder import FolderStorage
from mlopskit.disk import ASIDE, Disk
from mlopskit.errors import ConfigError, StorageError, UnsafePathError
from mlopskit.testing.faults import AFTER, BEFORE, MOMENTS, SHORT, Fault, FaultyDisk, dies, steps_of

FILES = {"manifest.json": b"{}", "code/model.py": b"0123456789", "model.json": b"x" * 1000}
HINT = b'{"seq": 1}'


@pytest.fixture
def root(tmp_path):
    return tmp_path / "share"


@pytest.fixture
def storage(root):
    return FolderStorage(str(root))


def commit(storage):
    return storage.commit("m/packages/1", FILES, last="manifest.json")


def visible(root):
    """Return what readers see."""
    return {key: (root / key).read_bytes() for key, _ in FolderStorage(str(root)).list("")}


WHOLE = {f"m/packages/1/{path}": data for path, data in FILES.items()}


# --- the plain way ----------------------------------------------------------------------------------------------------


def test_a_folder_is_committed_once(storage, root):
    assert commit(storage)
    assert visible(root) == WHOLE
    assert not storage.commit("m/packages/1", {"other": b""}, last="other")
    assert visible(root) == WHOLE
    assert storage.commit("m/packages/2", {"other": root / "m/packages/1/model.json"}, last="other")
    assert storage.read("m/packages/2/other", limit=2000) == FILES["model.json"]


def test_an_empty_folder_that_is_there_is_filled(storage, root):
    (root / "m/packages/1").mkdir(parents=True)
    assert commit(storage)
    assert visible(root) == WHOLE


def test_files_are_read_and_known_by_size_and_tag(storage, root):
    commit(storage)
    with storage.open("m/packages/1/model.json") as opened:
        assert opened.read() == FILES["model.json"]
    before = storage.stat("m/packages/1/model.json")
    assert before.size == 1000
    os.utime(root / "m/packages/1/model.json", (1, 1))
    assert storage.stat("m/packages/1/model.json").etag != before.etag
    assert storage.local("m/packages/1") == root / "m/packages/1"
    assert storage.uri == str(root)


@pytest.mark.parametrize("key", ["absent", "m/absent", "m/packages/1/model.json/below", "m", "m/packages/1"])
def test_what_is_no_file_is_absent(storage, key):
    commit(storage)
    assert storage.stat(key) is None
    assert storage.read(key, limit=10) is None
    with pytest.raises(FileNotFoundError):
        storage.open(key)


def test_a_pipe_is_no_file_and_hangs_nobody(storage, root):
    root.mkdir()
    os.mkfifo(root / "pipe")
    assert storage.read("pipe", limit=10) is None


def test_a_list_is_of_one_folder_and_hides_what_is_being_made(storage, root):
    commit(storage)
    storage.hint("m/hint.json", HINT)
    (root / ASIDE / "half" / "code").mkdir(parents=True)
    (root / ASIDE / "half" / "code" / "x").write_bytes(b"")
    (root / ASIDE / "half-hint").write_bytes(b"")
    assert [*storage.list("m/packages/1")] == [
        ("m/packages/1/manifest.json", 2),
        ("m/packages/1/model.json", 1000),
        ("m/packages/1/code/model.py", 10),
    ]
    assert {key for key, _ in storage.list("")} == {*WHOLE, "m/hint.json"}
    assert [*storage.list("absent")] == []
    assert [*storage.list("m/hint.json")] == []


def test_a_file_that_goes_while_it_is_listed_is_not_listed(storage, root):
    commit(storage)
    listing = storage.list("")
    first, _ = next(listing)
    shutil.rmtree(root / "m/packages/1/code")
    (root / "m/packages/1/model.json").unlink()
    assert (first, [*listing]) == ("m/packages/1/manifest.json", [])


def test_a_hint_is_replaced(storage, root):
    for data in (b"1", b"22", b""):
        storage.hint("m/hint.json", data)
        assert visible(root) == {"m/hint.json": data}


def test_deleting_takes_one_folder_and_twice_is_no_error(storage, root):
    commit(storage)
    storage.commit("m/packages/11", {"a": b""}, last="a")
    for _ in range(2):
        storage.delete("m/packages/1")
        assert visible(root) == {"m/packages/11/a": b""}
    assert [*(root / ASIDE).iterdir()] == []


@pytest.mark.parametrize(
    "key", ["../x", "/x", "", "a/../b", ASIDE, f"{ASIDE}/x", "a\0", "a//b", "C:\\x", "~/x", "%2e%2e/x"]
)
def test_a_key_that_leaves_the_folder_is_refused_by_each_operation(storage, root, key):
    root.mkdir()
    (root.parent / "x").write_bytes(b"canary")
    for refused in (
        lambda: storage.open(key),
        lambda: storage.stat(key),
        lambda: storage.local(key),
        lambda: storage.read(key, limit=1),
        lambda: [*storage.list(key)] if key else storage.stat(key),
        lambda: storage.commit(key, {"a": b""}, last="a"),
        lambda: storage.commit("a", {key: b""}, last=key),
        lambda: storage.hint(key, b""),
        lambda: storage.delete(key),
    ):
        with pytest.raises(UnsafePathError):
            refused()
    assert (root.parent / "x").read_bytes() == b"canary"
    assert [*root.iterdir()] == []


def test_files_that_fall_together_are_refused(storage, root):
    with pytest.raises(UnsafePathError, match="one file on some systems"):
        storage.commit("a", {"x": b"", "X": b""}, last="x")
    with pytest.raises(ValueError, match="'y' is not among"):
        storage.commit("a", {"x": b""}, last="y")
    assert not root.exists()


def test_places_are_paths_or_file_uris(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for place in (str(tmp_path / "a"), f"file://{tmp_path}/a", "a", "./a", "~/a"):
        assert FolderStorage(place).root == tmp_path / "a"
    assert FolderStorage(str(tmp_path / "50% #1; ok?")).root == tmp_path / "50% #1; ok?"


@pytest.mark.parametrize(
    "place",
    ["", "file://", "file://host/x", "file://a", "file:///a%2e%2e/x", "file:///x#../..", "file:///a?x=../..", "file:///a;b",
     "a\0b", "~nobody-of-this-name/x"],
)  # fmt: skip
def test_what_is_no_folder_is_refused(place):
    with pytest.raises(ConfigError) as caught:
        FolderStorage(place)
    assert caught.value.remedy.startswith("Give the folder's")


@pytest.mark.parametrize("act", ["open", "stat", "list"])
def test_a_share_that_cannot_be_read_is_not_taken_for_empty(storage, root, monkeypatch, act):
    commit(storage)

    def fail(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", fail)
    monkeypatch.setattr(Path, "open", fail)
    if act == "stat":
        monkeypatch.setattr(Path, "stat", fail)
    acts = {
        "open": lambda: storage.open("m/packages/1/model.json"),
        "stat": lambda: storage.stat("m/packages/1/model.json"),
        "list": lambda: [*storage.list("")],
    }
    with pytest.raises(StorageError, match=f"{str(root)!r} cannot be read: Permission denied"):
        acts[act]()


def test_a_file_that_goes_before_it_is_opened_is_absent(storage, monkeypatch):
    commit(storage)

    def gone(*_):
        raise FileNotFoundError(errno.ENOENT, "No such file")

    monkeypatch.setattr(Path, "open", gone)
    assert storage.read("m/packages/1/model.json", limit=10) is None


# --- every step fails, or the process dies at it ----------------------------------------------------------------------

STEPS = [
    "mkdir",
    "sync",
    "mkdir",
    "mkdir",
    "write",
    "write",
    "write",
    "sync",
    "sync",
    "mkdir",
    "rename",
    "sync",
    "sync",
    "sync",
]
SEEN_AT = STEPS.index("rename") + 1
ANSWERED = (SEEN_AT, AFTER)  # the rename was done, and yet an error was answered
POINTS = [(at, moment) for at, step in enumerate(STEPS, 1) for moment in MOMENTS if moment != SHORT or step == "write"]
POINTS.remove(ANSWERED)


def faulty(root, at, **fault):
    return FolderStorage(str(root), disk=FaultyDisk(at, Fault(**fault)))


def test_the_steps_of_a_commit_are_known(root):
    assert steps_of(lambda disk: commit(FolderStorage(str(root), disk=disk))) == STEPS


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT], ids=errno.errorcode.get)
@pytest.mark.parametrize(("at", "moment"), POINTS)
def test_a_failed_commit_says_truly_what_was_changed_and_works_again(root, storage, at, moment, error):
    with pytest.raises(StorageError) as caught:
        commit(faulty(root, at, error=error, moment=moment))
    assert caught.value.errno == error
    assert caught.value.message.startswith(f"Writing to {str(root)!r}: {os.strerror(error).lower()}")
    assert "run the same command again" in caught.value.remedy
    if at <= SEEN_AT:
        assert "Nothing was changed." in caught.value.message
        assert f"({sum(map(len, FILES.values())):,} bytes needed, " in caught.value.message
        assert " free)" in caught.value.message
        assert visible(root) == {}
        assert not (root / ASIDE).exists() or [*(root / ASIDE).iterdir()] == []
        assert commit(storage)
    else:
        assert "It is in place, but may be lost if the power fails." in caught.value.message
        assert visible(root) == WHOLE
        assert not commit(storage)
    assert visible(root) == WHOLE


def test_a_rename_that_was_done_though_an_error_was_answered_is_found_done(root):
    assert not commit(faulty(root, SEEN_AT, error=errno.EIO, moment=AFTER))
    assert visible(root) == WHOLE


def test_an_fsync_error_is_never_retried_as_success(root, storage, monkeypatch):
    """The file whose fsync failed is not synced again, it is written again under another name."""
    failed, synced = [], []
    real = os.fsync

    def fsync(number):
        name = str(Path(f"/proc/self/fd/{number}").readlink())
        if not failed and name.endswith("model.json"):
            failed.append(name)
            raise OSError(errno.EIO, "Input/output error")
        synced.append(name)
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageError, match="Nothing was changed"):
        commit(storage)
    assert visible(root) == {}
    assert commit(storage)
    assert failed[0] not in synced
    assert any(name.endswith("model.json") for name in synced)


def test_the_folders_above_are_synced_again_by_the_one_who_comes_after_an_error(root):
    with pytest.raises(StorageError, match="It is in place"):
        commit(faulty(root, len(STEPS), error=errno.EIO))
    assert steps_of(lambda disk: commit(FolderStorage(str(root), disk=disk))) == ["sync", "sync", "sync"]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
def test_a_failed_hint_leaves_the_old_one(root, storage, error):
    storage.hint("m/hint.json", b"old")
    steps = steps_of(lambda disk: FolderStorage(str(root), disk=disk).hint("m/hint.json", b"old"))
    assert steps == ["mkdir", "mkdir", "write", "replace"]
    for at in range(1, len(steps) + 1):
        for moment in (BEFORE, SHORT):
            with pytest.raises(StorageError, match=r"Nothing was changed\."):
                faulty(root, at, error=error, moment=moment).hint("m/hint.json", b"new")
            assert visible(root) == {"m/hint.json": b"old"}
            assert [*(root / ASIDE).iterdir()] == []
    storage.hint("m/hint.json", b"new")
    assert visible(root) == {"m/hint.json": b"new"}


@pytest.mark.parametrize("error", [errno.EIO, errno.EROFS], ids=errno.errorcode.get)
def test_a_failed_delete_says_truly_what_was_changed(root, error):
    steps = ["mkdir", "rename", "sync", "remove"]
    for at, step in enumerate(steps, 1):
        storage = FolderStorage(str(root))
        commit(storage)
        with pytest.raises(StorageError) as caught:
            faulty(root, at, error=error).delete("m/packages/1")
        assert visible(root) == (WHOLE if step in ("mkdir", "rename") else {})
        gone = f"It is gone from its place, but not yet removed from '{ASIDE}'."
        assert caught.value.message.endswith("Nothing was changed." if step in ("mkdir", "rename") else gone)
        storage.delete("m/packages/1")
        assert visible(root) == {}


@pytest.mark.parametrize(("at", "moment"), [*POINTS, ANSWERED])
def test_who_is_killed_at_any_step_of_a_commit_leaves_all_or_nothing(root, storage, at, moment):
    assert dies(lambda: commit(faulty(root, at, moment=moment)))
    assert visible(root) in ({}, WHOLE)
    assert (visible(root) == WHOLE) == (at > SEEN_AT or (at, moment) == ANSWERED)
    assert commit(storage) == (at < SEEN_AT or (at, moment) == (SEEN_AT, BEFORE))
    assert visible(root) == WHOLE


def test_who_is_killed_at_any_step_of_a_hint_leaves_the_old_or_the_new(root, storage):
    storage.hint("m/hint.json", b"old")
    for at in range(1, 5):
        for moment in MOMENTS:
            assert dies(lambda at=at, moment=moment: faulty(root, at, moment=moment).hint("m/hint.json", b"new"))
            assert visible(root)["m/hint.json"] == (b"new" if (at, moment) == (4, AFTER) else b"old")
    storage.hint("m/hint.json", b"newer")
    assert visible(root) == {"m/hint.json": b"newer"}


def test_who_is_interrupted_leaves_nothing(root):
    class Interrupted(Disk):
        def sync(self, folder):
            raise KeyboardInterrupt

    root.mkdir()
    with pytest.raises(KeyboardInterrupt):
        commit(FolderStorage(str(root), disk=Interrupted()))
    assert visible(root) == {}
    assert [*(root / ASIDE).iterdir()] == []


# --- real disks -------------------------------------------------------------------------------------------------------


class Vanishing(FaultyDisk):
    """A share that is taken away at one of the steps."""

    def __init__(self, at, root):
        super().__init__()
        self.at, self.root = at, root

    def _step(self, name, do, **short):
        if len(self.steps) + 1 == self.at:
            self.root.rename(self.root.with_name(f"away{self.at}"))
        super()._step(name, do, **short)


@pytest.mark.parametrize("at", range(STEPS.index("write") + 1, len(STEPS) + 1))
def test_a_share_that_vanishes_midway_is_an_error_and_nothing_half_made_is_seen(root, tmp_path, at):
    with pytest.raises(StorageError):
        commit(FolderStorage(str(root), disk=Vanishing(at, root)))
    back = tmp_path / f"away{at}"
    shutil.rmtree(root, ignore_errors=True)
    back.rename(root)
    assert visible(root) in ({}, WHOLE)
    commit(FolderStorage(str(root)))
    assert visible(root) == WHOLE


SCRIPT = """
import os, sys
from mlopskit.builtin.folder import FolderStorage
from mlopskit.errors import StorageError
storage = FolderStorage(sys.argv[1])
try:
    made = storage.commit("m/1", {"a": os.urandom(int(sys.argv[2])), "manifest.json": b"{}"}, last="manifest.json")
    print("made", made)
except StorageError as error:
    print(error.errno, error.message)
"""


@pytest.fixture
def mounted(tmp_path):
    """Run shell commands in a namespace of their own, where they may mount; skip where that is not possible."""

    def run(commands, *arguments):
        where = tmp_path / "mount"
        where.mkdir(exist_ok=True)
        (tmp_path / "script.py").write_text(SCRIPT)
        shell = f"set -e; cd {where}; {commands}"
        line = [
            "unshare",
            "-Urm",
            "sh",
            "-c",
            shell,
            "sh",
            sys.executable,
            str(tmp_path / "script.py"),
            *map(str, arguments),
        ]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        return done.stdout.splitlines()

    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare here")
    return run


def test_a_full_disk_says_what_is_needed_and_free_and_with_room_the_retry_works(mounted):
    said = mounted(
        'mount -t tmpfs -o size=64k tmpfs .; cd .; "$1" "$2" "$PWD/share" 100000; ls share share/.mlopskit-tmp; '
        'mount -o remount,size=1m "$PWD"; "$1" "$2" "$PWD/share" 100000; ls share/m/1'
    )
    number, message = said[0].split(" ", 1)
    assert int(number) == errno.ENOSPC
    assert "no space left on device (100,002 bytes needed, " in message
    assert message.endswith(" free). Nothing was changed.")
    assert said[1:] == ["share:", "", "share/.mlopskit-tmp:", "made True", "a", "manifest.json"]


def test_a_read_only_mount_changes_nothing(mounted):
    said = mounted(
        'mount -t tmpfs tmpfs .; cd .; "$1" "$2" "$PWD/share" 10; mount -o remount,ro "$PWD"; '
        '"$1" "$2" "$PWD/share" 10; "$1" "$2" "$PWD/other" 10; ls'
    )
    assert said[:2] == ["made True", "made False"]
    assert said[2].startswith(f"{errno.EROFS} ")
    assert "read-only file system (12 bytes needed, " in said[2]
    assert said[2].endswith("Nothing was changed.")
    assert said[3:] == ["share"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else_changes_nothing(root, storage):
    root.mkdir(mode=0o500)
    with pytest.raises(StorageError, match="permission denied"):
        commit(storage)


def test_threads_that_commit_the_same_have_one_winner(storage, root):
    barrier, made = threading.Barrier(8), []

    def one():
        barrier.wait()
        made.append(commit(storage))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]
    assert visible(root) == WHOLE
