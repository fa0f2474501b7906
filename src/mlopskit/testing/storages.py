"""The conformance suite of storages."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mlopskit.errors import UnsafePathError
from mlopskit.storage import Storage
from mlopskit.testing.claims import no_error, refused

_THREADS = 8
_ROUNDS = 50
# More than any service lists on one page.
_MANY = 1_100
_ALLOWED = ("a/b.json", "A-Z_0.9/x", "_private/x", f"long/{'n' * 100}", "/".join(["deep"] * 35), "a..b/c-.d")
_UNSAFE = ("", ".", "..", "/a", "a/", "a//b", "a/../b", "../a", "a/.", "a\\b", "a\0b", "\u00e9", "nul", "con.x", "a b")


class StorageConformance:
    """What every storage must do. Inherit it and write the fixture `storage`. Each check gets a new, empty place."""

    @pytest.fixture
    def storage(self) -> Storage:
        """The storage to test, at a place that is empty."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `storage`; see mlopskit.testing")

    # --- reading --------------------------------------------------------------------------------------------------

    def test_returns_the_bytes_it_was_given(self, storage: Storage) -> None:
        """Every byte comes back, from `open` and from `local`, and the sizes are right."""
        given = {"empty": b"", "all": bytes(range(256)) * 1000, "lines": b"a\r\nb\nc\x1a"}
        storage.commit("a/b", {**given}, last="all")
        for path, data in given.items():
            key = f"a/b/{path}"
            found = _bytes(storage, key)
            assert found == data, (
                f"open({key!r}) returned {found[:20]!r}…, expected {data[:20]!r}…. Give back the bytes unchanged."
            )
            stat, local = storage.stat(key), storage.local(key)
            assert stat is not None, f"stat({key!r}) returned None for a file that is there. Return its size and tag."
            assert stat.size == len(data), (
                f"stat({key!r}) says {stat.size} bytes, {len(data)} were committed. Return the size of what is stored."
            )
            assert local is None or local.read_bytes() == data, (
                f"local({key!r}) names a file of other bytes. Return the path of the file itself, or None."
            )
        listed = dict(storage.list("a"))
        wanted = {f"a/b/{path}": len(data) for path, data in given.items()}
        assert listed == wanted, f"list('a') says {listed}, expected {wanted}. Yield each key with its size in bytes."

    def test_says_what_is_absent(self, storage: Storage) -> None:
        """What is not there is FileNotFoundError for `open`, None for `stat`, and nothing for `list`."""
        storage.commit("there", {"file": b"1"}, last="file")
        for key in ("absent", "absent/file", "there", "there/other", "there/file/below"):
            fault = f"open({key!r}) did not say that there is no such file. Raise FileNotFoundError."
            with refused(FileNotFoundError, fault=fault):
                _bytes(storage, key)
            stat = storage.stat(key)
            assert stat is None, f"stat({key!r}) returned {stat}, but there is no such file. Return None."
        listed = list(storage.list("absent"))
        assert listed == [], f"list('absent') yielded {listed}, but there is nothing. Yield what lies below a prefix."

    def test_lists_all_at_once(self, storage: Storage) -> None:
        """What was committed is listed at once, however much it is, and each file once."""
        names = {f"{number:04}" for number in range(_MANY)}
        storage.commit("many", dict.fromkeys(names, b"1"), last="0000")
        listed = [key for key, _ in storage.list("many")]
        assert sorted(listed) == sorted(f"many/{name}" for name in names), (
            f"list yielded {len(listed)} keys ({len(set(listed))} different) after {_MANY} were committed. "
            "Read every page, and list what was just written."
        )

    def test_lists_no_siblings(self, storage: Storage) -> None:
        """`list` of a folder does not yield what lies in one whose name only begins alike."""
        storage.commit("a/b", {"x": b"1"}, last="x")
        storage.commit("a/bc", {"x": b"1"}, last="x")
        listed = [key for key, _ in storage.list("a/b")]
        assert listed == ["a/b/x"], f"list('a/b') yielded {listed}, expected ['a/b/x']. List the prefix with its '/'."
        everything = sorted(key for key, _ in storage.list(""))
        assert everything == ["a/b/x", "a/bc/x"], (
            f"list('') yielded {everything}, expected both files. Yield all there."
        )

    # --- commit ---------------------------------------------------------------------------------------------------

    def test_commits_bytes_and_files(self, storage: Storage, tmp_path: Path) -> None:
        """The content of a file is given as bytes, or as the path where it stands."""
        source = tmp_path / "source"
        source.write_bytes(b"from a file")
        storage.commit("a", {"file": source, "below/bytes": b"from memory"}, last="file")
        found = {key: _bytes(storage, key) for key, _ in storage.list("a")}
        wanted = {"a/file": b"from a file", "a/below/bytes": b"from memory"}
        assert found == wanted, (
            f"commit of a path and of bytes made {found}, expected {wanted}. Take the content of either as it is."
        )
        assert source.exists(), "commit took the source file away. Copy it."

    def test_commits_once(self, storage: Storage) -> None:
        """What is there is left as it is, and False says so; also when it is our own, from a try before."""
        first = storage.commit("a", {"x": b"first", "y": b"first"}, last="y")
        assert first is True, f"commit to an empty place returned {first!r}. Return True to the one that made it."
        for files in ({"x": b"second", "y": b"second"}, {"x": b"first", "y": b"first"}, {"z": b"third"}):
            again = storage.commit("a", dict(files), last=next(iter(files)))
            assert again is False, (
                f"commit to a folder that is there returned {again!r}. Return False, and change nothing."
            )
            found = {key: _bytes(storage, key) for key, _ in storage.list("a")}
            assert found == {"a/x": b"first", "a/y": b"first"}, (
                f"commit changed a folder that was there: {found}. Create only if absent, and return False."
            )

    def test_commits_whole_or_not_at_all(self, storage: Storage, tmp_path: Path) -> None:
        """A commit that fails midway, whichever file it fails at, shows nothing to a reader, and can be done again."""
        broken = tmp_path / "folder"  # it can be looked at, but not read
        broken.mkdir()
        for bad in (tmp_path / "vanished", broken):
            for at in range(3):
                files: dict[str, Path | bytes] = {"a": b"1", "b": b"2", "last": b"3"}
                files[[*files][at]] = bad
                fault = f"commit returned as if done, but {bad.name!r} cannot be read. Let the error through."
                with refused(Exception, fault=fault):
                    storage.commit("a/b", files, last="last")
                assert storage.stat("a/b/last") is None, (
                    "commit showed its last file, though another could not be written. Write `last` after all others."
                )
                listed = [key for key, _ in storage.list("a")]
                assert listed == [], (
                    f"list yielded {listed} of a folder that could not be made. Leave out what is still being made."
                )
        whole = storage.commit("a/b", {"a": b"1", "b": b"2", "last": b"3"}, last="last")
        found = {key: _bytes(storage, key) for key, _ in storage.list("a/b")}
        wanted = {"a/b/a": b"1", "a/b/b": b"2", "a/b/last": b"3"}
        assert (whole, found) == (True, wanted), (
            f"After commits that failed, the whole one returned {whole} and left {found}. "
            "What a failed commit leaves must be in nobody's way."
        )

    def test_needs_its_last_file(self, storage: Storage) -> None:
        """`last` is one of the files."""
        fault = "commit took a `last` that is not among its files. Raise ValueError before anything is written."
        with refused(ValueError, fault=fault):
            storage.commit("a", {"x": b"1"}, last="y")

    def test_one_of_many_commits_wins(self, storage: Storage) -> None:
        """Of several commits to one place at once exactly one gets True, and it is that one's content which stays."""
        for number in range(_ROUNDS):
            won = _race(storage, f"race/{number}")
            assert len(won) == 1, (
                f"{len(won)} of {_THREADS} commits to one place at once returned True, expected one. "
                "Create by a step of the place that only one can win: a rename, or create-if-absent."
            )
            left = {path: _bytes(storage, f"race/{number}/{path}") for path in ("first", "last")}
            assert left == dict.fromkeys(left, won[0]), (
                f"The commit of {won[0]!r} returned True, but {left} stayed. Let nobody write over what another made."
            )

    # --- hint and delete ------------------------------------------------------------------------------------------

    def test_hint_replaces(self, storage: Storage) -> None:
        """A hint is readable at once, and so is the one written over it; its tag changes with it."""
        tags = set()
        for data in (b"first", b"other", b""):  # two of one size
            with no_error(fault="A hint could not be written, or not be replaced. Let the new one take its place."):
                storage.hint("a/hint.json", data)
            found = _bytes(storage, "a/hint.json")
            assert found == data, f"After hint(…, {data!r}) the file holds {found!r}. Let the new one take its place."
            stat = storage.stat("a/hint.json")
            assert stat is not None, "stat returned None for a hint that was written. Return its size and tag."
            assert stat.etag not in tags, "stat gave one etag to different contents. Take it from the content."
            tags.add(stat.etag)
        assert storage.commit("a/b", {"x": b"1"}, last="x"), (
            "A hint in a folder hindered a commit below that folder. Look below the prefix only."
        )

    def test_says_when_it_wrote(self, storage: Storage, tmp_path: Path) -> None:
        """`stat` says when the place wrote a file, not how old its content is; or it says nothing about time."""
        source = tmp_path / "source"
        source.write_bytes(b"old")
        os.utime(source, (0, 0))
        storage.hint("a/hint.json", b"before")
        storage.commit("b", {"x": source}, last="x")
        before, after = (getattr(storage.stat(key), "modified", None) for key in ("a/hint.json", "b/x"))
        assert (before is None) == (after is None), (
            f"stat says {before} and {after} for when two files were written. Say it of each file, or of none."
        )
        assert before is None or before <= after, (
            f"stat says {after} for a file that was written after another, of which it says {before}. "
            "Give the time at which the place wrote it, by its own clock."
        )

    def test_deletes(self, storage: Storage) -> None:
        """`delete` removes a folder whole and nothing else; what is gone can be committed again."""
        for prefix in ("a/b", "a/bc", "a/b2/c"):
            storage.commit(prefix, {"x": b"1", "y/z": b"1"}, last="x")
        storage.delete("a/b")
        left = sorted(key for key, _ in storage.list(""))
        wanted = ["a/b2/c/x", "a/b2/c/y/z", "a/bc/x", "a/bc/y/z"]
        assert left == wanted, f"delete('a/b') left {left}, expected {wanted}. Delete below the prefix with its '/'."
        assert storage.commit("a/b", {"x": b"2"}, last="x"), (
            "What was deleted could not be committed again. Let delete leave nothing that commit finds."
        )

    def test_deletes_again(self, storage: Storage) -> None:
        """Whoever deletes what is gone finds it done."""
        storage.commit("a/b", {"x": b"1"}, last="x")
        for prefix in ("a/b", "a/b", "never"):
            with no_error(fault=f"delete({prefix!r}) failed for what is not there. Let it find that all is done."):
                storage.delete(prefix)

    # --- keys -----------------------------------------------------------------------------------------------------

    def test_takes_every_allowed_key(self, storage: Storage) -> None:
        """Whatever the rules for paths allow can be stored and comes back under the same key."""
        for key in _ALLOWED:
            with no_error(fault=f"The key {key!r} is allowed, and was refused. Store under it as it is."):
                storage.commit(f"allowed/{key}", {"x": b"1"}, last="x")
        listed = sorted(key for key, _ in storage.list("allowed"))
        wanted = sorted(f"allowed/{key}/x" for key in _ALLOWED)
        assert listed == wanted, f"list yielded {listed}, committed were {wanted}. Give keys back as they were given."

    def test_refuses_unsafe_keys(self, storage: Storage) -> None:
        """No key leaves the place, or means different files on different systems: `check_path` is asked each time."""
        acts: dict[str, Callable[[str], object]] = {
            "open": lambda key: _bytes(storage, key),
            "stat": storage.stat,
            "local": storage.local,
            "commit": lambda key: storage.commit(key, {"x": b"1"}, last="x"),
            "commit of a file": lambda key: storage.commit("a", {key: b"1"}, last=key),
            "hint": lambda key: storage.hint(key, b"1"),
            "delete": storage.delete,
            "list": lambda key: list(storage.list(key or "..")),  # an empty prefix lists all
        }
        for name, act in acts.items():
            for key in _UNSAFE:
                fault = f"{name} took the unsafe key {key!r}. Check each key with mlopskit.runtime.names.check_path."
                with refused(UnsafePathError, fault=fault):
                    act(key)
        listed = list(storage.list(""))
        assert listed == [], f"An unsafe key was refused, but {listed} was written. Check the key before anything else."

    def test_has_an_address(self, storage: Storage) -> None:
        """`uri` says where the place is, and `schemes` which addresses are its own."""
        assert isinstance(storage.uri, str), f"uri is {storage.uri!r}. Return the place's address as a text."
        assert storage.uri, "uri is empty. Return the place's address, without secrets."
        assert type(storage).schemes, "schemes is empty. Name the part of the address before '://'."


def _bytes(storage: Storage, key: str) -> bytes:
    with storage.open(key) as opened:
        return opened.read()


def _race(storage: Storage, prefix: str) -> list[bytes]:
    """Commit to one place from several threads at once; return the contents of those that were told True."""
    together = threading.Barrier(_THREADS)
    won: list[bytes] = []
    errors: list[Exception] = []

    def commit(data: bytes) -> None:
        together.wait()
        try:
            if storage.commit(prefix, {"first": data, "last": data}, last="last"):
                won.append(data)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=commit, args=(b"%d" % number,)) for number in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, f"A commit that lost a race raised {type(errors[0]).__name__}: {errors[0]} Return False."
    return won
