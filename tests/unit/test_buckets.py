from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.commits import StoredObject
from mlopskit.errors import ConflictError, IntegrityError, StorageError
from mlopskit.testing import MemoryBucket

FILES = {"a": b"1", "b/c": b"22", "last": b"333"}
OTHER = {"a": b"other", "b/c": b"22", "last": b"other"}


class Faulty(MemoryBucket):
    """Fails at the nth write: before it, after it, or after it with the answer that something was there."""

    patience = 0.0
    workers = 1  # the nth write is always the same
    dies = False  # with that write, so that it can give nothing up

    def __init__(self, *, at: int, how: str, tells: bool = True) -> None:
        super().__init__(tells=tells)
        self.left = at
        self.how = how

    def store(self, key, data, facts, /, *, over):
        self.left -= 1
        if self.left < 0 and self.dies:
            raise StorageError("it is dead", remedy="mourn")
        if self.left:
            return super().store(key, data, facts, over=over)
        if self.how == "killed before":
            raise KeyboardInterrupt
        if self.how == "refused":
            raise StorageError("not done", remedy="try again")
        done = super().store(key, data, facts, over=over)
        if self.how == "killed after":
            raise KeyboardInterrupt
        if self.how == "unknown":
            raise StorageError("done, but nobody says so", remedy="look")
        return False if self.how == "own echo" else done


def contents(bucket: MemoryBucket, prefix: str = "x") -> dict[str, bytes]:
    return {key.removeprefix(f"{prefix}/"): bucket.read(key, limit=100) for key, _ in bucket.list(prefix)}


def writes() -> int:
    bucket = Faulty(at=-1, how="")
    bucket.commit("x", FILES, last="last")
    return -1 - bucket.left


HOWS = ("killed before", "killed after", "refused", "unknown", "own echo")


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("at", range(1, writes() + 1))
def test_whatever_happens_at_any_write_a_folder_is_whole_or_not_there(at, how, tells):
    bucket = Faulty(at=at, how=how, tells=tells)
    said = None
    with contextlib.suppress(KeyboardInterrupt, StorageError):
        said = bucket.commit("x", FILES, last="last")
    there = bucket.stat("x/last") is not None
    assert contents(bucket) == (FILES if there else {})
    assert said is not False, "nobody else was there"
    assert not (said and not there), "said to be done, and was not"
    if there:
        assert bucket.commit("x", OTHER, last="last") is False
    else:
        assert bucket.commit("x", FILES, last="last") is True
    assert contents(bucket) == FILES


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("at", range(1, writes() + 1))
def test_what_a_dead_writer_left_is_in_no_other_writers_way(at, how):
    bucket = Faulty(at=at, how=how)
    with contextlib.suppress(KeyboardInterrupt, StorageError):
        bucket.commit("x", FILES, last="last")
    there = bucket.stat("x/last") is not None
    assert bucket.commit("x", OTHER, last="last") is not there
    assert contents(bucket) == (FILES if there else OTHER)


@pytest.mark.parametrize("how", ["own echo", "unknown"])
@pytest.mark.parametrize("files", [FILES, {"last": b"1"}], ids=["several files", "a record"])
def test_an_answer_that_is_lost_is_not_a_lost_race(files, how):
    bucket = Faulty(at=writes() if files is FILES else 1, how=how)
    assert bucket.commit("x", files, last="last") is True
    assert bucket.left == 0


def test_what_is_there_of_an_upload_that_broke_off_is_not_sent_again():
    class Counting(Faulty):
        sent: list[str] = []  # noqa: RUF012  # of this test alone

        def store(self, key, data, facts, /, *, over):
            self.sent.append(key)
            return super().store(key, data, facts, over=over)

    for dies in (True, False):
        bucket = Counting(at=3, how="killed after")
        bucket.dies = dies
        with pytest.raises(KeyboardInterrupt):
            bucket.commit("x", FILES, last="last")
        bucket.dies, bucket.sent[:] = False, []
        assert bucket.commit("x", FILES, last="last")
        assert bucket.sent == ["x/last"]
        assert not bucket.commit("x", FILES, last="last")
        assert bucket.sent == ["x/last"]


@pytest.mark.parametrize("dies", [True, False])
def test_what_was_given_up_is_taken_over_at_once_and_what_was_not_after_a_while(dies, monkeypatch):
    waited = []
    monkeypatch.setattr("mlopskit.commits.time.sleep", waited.append)
    bucket = Faulty(at=3, how="killed after")
    bucket.patience, bucket.dies = 0.01, dies
    with pytest.raises(KeyboardInterrupt):
        bucket.commit("x", FILES, last="last")
    bucket.dies = False
    assert bucket.commit("x", OTHER, last="last")
    assert bool(waited) == dies


def test_who_was_taken_over_can_change_nothing_any_more():
    slow, go = threading.Event(), threading.Event()

    class Slow(MemoryBucket):
        patience = 0.05
        workers = 1

        def store(self, key, data, facts, /, *, over):
            if data == b"slow" and key == "x/b/c":
                slow.set()
                assert go.wait(10)
            return super().store(key, data, facts, over=over)

    bucket, said = Slow(), []
    files = {"a": b"slow", "b/c": b"slow", "last": b"slow"}
    writer = threading.Thread(target=lambda: said.append(bucket.commit("x", files, last="last")))
    writer.start()
    assert slow.wait(10)
    assert bucket.commit("x", FILES, last="last") is True
    go.set()
    writer.join()
    assert said == [False]
    assert contents(bucket) == FILES


def test_a_writer_of_another_content_that_goes_on_and_on_is_a_conflict():
    class Contested(MemoryBucket):
        patience = 0.0

        def store(self, key, data, facts, /, *, over):
            done = super().store(key, data, facts, over=over)
            if key == "x/a":  # somebody takes over each time
                foreign = {"making": "another", "claim": "c", "folder": "x", "last": "x/last"}
                super().store("x/last", b"c" * 32, foreign, over=self.ANY)
            return done

    with pytest.raises(ConflictError, match="another content to 'x'"):
        Contested().commit("x", FILES, last="last")


def test_a_folder_is_hidden_while_it_is_made_or_deleted_also_from_within():
    for tells in (True, False):
        bucket = Faulty(at=3, how="killed before", tells=tells)
        bucket.commit("w", {"x": b"1"}, last="x")
        bucket.left = 4
        with pytest.raises(KeyboardInterrupt):
            bucket.commit("x", FILES, last="last")
        assert {"x/a", "x/last"} <= bucket.objects.keys() or bucket.objects.keys() >= {"x/a"}
        assert [key for key, _ in bucket.list("")] == ["w/x"]
        assert list(bucket.list("x")) == []
        assert list(bucket.list("x/b")) == []
        assert bucket.read("x/last", limit=10) is None
        bucket.delete("x")
        assert bucket.objects.keys() == {"w/x"}


def test_a_folder_that_is_deleted_is_out_of_sight_first():
    class Watching(MemoryBucket):
        seen: list[object] = []  # noqa: RUF012  # of this test alone

        def discard(self, key):
            self.seen.append((key, self.stat("x/last"), list(self.list("x"))))
            super().discard(key)

    for tells in (True, False):
        bucket = Watching(tells=tells)
        bucket.commit("x", FILES, last="last")
        bucket.delete("x")
        assert bucket.seen
        assert {(stat, len(listed)) for _, stat, listed in bucket.seen} == {(None, 0)}
        assert bucket.seen[-1][0] == "x/last"
        assert not bucket.objects


def test_a_deletion_that_died_is_finished_by_the_next():
    class Dying(MemoryBucket):
        dies = True

        def discard(self, key):
            if self.dies:
                raise KeyboardInterrupt
            super().discard(key)

    bucket = Dying()
    bucket.commit("x", FILES, last="last")
    with pytest.raises(KeyboardInterrupt):
        bucket.delete("x")
    assert contents(bucket) == {}
    bucket.dies = False
    bucket.delete("x")
    assert not bucket.objects


@given(at=st.integers(0, 9), data=st.binary(min_size=10, max_size=10))
def test_bytes_that_are_not_those_that_were_written_are_refused(at, data):
    bucket = MemoryBucket()
    bucket.commit("x", {"y": data}, last="y")
    known, _ = bucket.objects["x/y"]
    changed = bytes(byte ^ 1 if place == at else byte for place, byte in enumerate(data))
    for found in (changed, data[:at], data + b"\0"):
        bucket.objects["x/y"] = (known, found)
        with pytest.raises(IntegrityError, match=r"'x/y' in 'memory-bucket://' (is not what was written|ended after)"):
            bucket.read("x/y", limit=100)


def test_what_others_wrote_is_read_by_its_length_alone():
    bucket = MemoryBucket()
    bucket.store("x/y", b"theirs", {}, over=None)
    assert bucket.read("x/y", limit=100) == b"theirs"
    assert bucket.read("x/y", limit=2) == b"the"
    bucket.store("x/not allowed", b"theirs", {}, over=None)
    assert [key for key, _ in bucket.list("x")] == ["x/y"]


def test_a_file_that_changes_while_it_is_sent_is_an_error(tmp_path):
    class Changing(MemoryBucket):
        def store(self, key, data, facts, /, *, over):
            if data == file:
                file.write_bytes(b"changed")
                os.utime(file, (1, 1))
            return super().store(key, data, facts, over=over)

    file = tmp_path / "file"
    file.write_bytes(b"as it was")
    bucket = Changing()
    with pytest.raises(StorageError, match="changed while it was sent"):
        bucket.commit("x", {"a": file, "last": b"1"}, last="last")
    assert bucket.stat("x/last") is None


def test_a_large_file_is_read_in_pieces_and_its_sha256_kept(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(os.urandom(MemoryBucket.large + 1))
    bucket = MemoryBucket()
    assert bucket.commit("x", {"a": file, "last": b"1"}, last="last")
    assert bucket.objects["x/a"][0].facts["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    with bucket.open("x/a") as opened:
        assert opened.read(10) == file.read_bytes()[:10]
        assert opened.read() == file.read_bytes()[10:]


def test_a_place_that_others_write_to_again_and_again_is_a_conflict():
    class Restless(MemoryBucket):
        patience = 0.0

        def find(self, key):
            facts = {"making": "another", "claim": "c", "folder": "x", "last": "x/last"}
            return StoredObject(size=32, etag=uuid.uuid4().hex, facts=facts) if key == "x/last" else super().find(key)

    with pytest.raises(ConflictError, match="again and again"):
        Restless().commit("x", FILES, last="last")
    bucket = Restless()
    facts = {"making": "another", "folder": "x"}
    bucket.objects |= {f"x/{name}": (StoredObject(size=32, etag="e", facts=facts), b"") for name in ("last", "other")}
    bucket.objects["x/other"] = (StoredObject(size=32, etag="e", facts={}), b"")
    with pytest.raises(ConflictError, match="again and again"):
        bucket.delete("x")


def test_nothing_rests_on_a_listing_that_is_late():
    class Late(MemoryBucket):
        late = None

        def scan(self, start):
            found = super().scan(start) if self.late is None else iter(self.late)
            return (one for one in found if one[0].startswith(start))

    bucket = Late()
    before = list(bucket.scan(""))
    assert bucket.commit("x", FILES, last="last")
    after = list(bucket.scan(""))
    bucket.late = before  # it does not show yet what was written
    assert bucket.commit("x", OTHER, last="last") is False
    assert bucket.commit("x", FILES, last="last") is False
    assert bucket.read("x/a", limit=10) == b"1"
    bucket.late = None
    bucket.delete("x")
    bucket.late = after  # it shows still what was deleted
    assert bucket.commit("x", OTHER, last="last") is True
    bucket.late = None
    assert contents(bucket) == OTHER


@pytest.mark.parametrize("tells", [True, False])
def test_folders_that_were_begun_and_not_ended_can_be_found(tells):
    bucket = Faulty(at=3, how="killed after", tells=tells)
    with pytest.raises(KeyboardInterrupt):
        bucket.commit("x/y", FILES, last="last")
    bucket.commit("x/z", FILES, last="last")
    assert list(bucket.unfinished("x")) == [("x/y", 32 + 1 + 2)]
    assert list(bucket.unfinished("w")) == []
    bucket.delete("x/y")
    assert list(bucket.unfinished("x")) == []
    assert contents(bucket, "x/z") == FILES
