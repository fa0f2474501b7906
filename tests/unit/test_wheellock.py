"""The lock: what it holds, in which words, and who may write it."""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlopskit.disk import Disk
from mlopskit.errors import LimitError, ManifestError, StorageError
from mlopskit.wheellock import Entry, File, Lock, add

KEY = ("linux/aarch64", "3.11", ("numpy==2.4.6",))
WHEEL = "numpy-2.4.6-cp311-cp311-manylinux_2_28_aarch64.whl"
ENTRY = Entry({WHEEL: File("a" * 64, 1000)})


def test_it_is_read_as_it_was_written_and_written_alike(tmp_path):
    file = tmp_path / "mlopskit.lock"
    assert Lock.read(file).entries == {}
    assert add(file, {KEY: ENTRY})
    first = file.read_bytes()
    assert Lock.read(file).entries == {KEY: ENTRY}
    assert not add(file, {KEY: ENTRY})
    other = ("linux/x86_64", "3.12", ("numpy==2.4.6", "onnxruntime==1.32.0"))
    assert add(file, {other: ENTRY})
    assert Lock.read(file).entries == {KEY: ENTRY, other: ENTRY}
    assert add(tmp_path / "another.lock", {other: ENTRY, KEY: ENTRY})
    assert (tmp_path / "another.lock").read_bytes() == file.read_bytes() != first
    assert json.loads(first)["wheels"][0]["files"] == {WHEEL: {"sha256": "a" * 64, "size": 1000}}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another.lock", "mlopskit.lock"]


FILES = st.builds(File, st.integers(0, 2**256 - 1).map("{:064x}".format), st.integers(0, 1 << 50))
ENTRIES = st.builds(Entry, st.dictionaries(st.sampled_from([WHEEL, "a-1+x-py3-none-any.whl"]), FILES, max_size=2))
TEXTS = st.text(max_size=5)
KEYS = st.tuples(TEXTS, TEXTS, st.sets(TEXTS, max_size=2).map(lambda names: tuple(sorted(names))))


@settings(max_examples=30)
@given(st.dictionaries(KEYS, ENTRIES, max_size=3))
def test_every_lock_comes_back(tmp_path_factory, entries):
    file = tmp_path_factory.getbasetemp() / "every.lock"
    file.write_text(Lock(entries).text())
    assert Lock.read(file).entries == entries


def spoilt(**changes):
    entry = {
        "files": {WHEEL: {"sha256": "a" * 64, "size": 1}},
        "platform": "p",
        "python": "3.11",
        "requirements": ["x"],
    }
    return {"lock_version": 1, "wheels": [{**entry, **changes}]}


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([], "is a list"),
        ({}, "'lock_version' .* is missing"),
        ({"lock_version": 2, "wheels": []}, "has the lock_version 2, this release knows 1"),
        ({**spoilt(), "index": "https://u:p@host"}, "'index' .* is unknown"),
        ({"lock_version": 1, "wheels": [3]}, "is a int"),
        (spoilt(python=3.11), "'python' .* has the type float"),
        (spoilt(requirements=[1]), "holds what is no text"),
        (spoilt(files={"../x.whl": {"sha256": "a" * 64, "size": 1}}), "is no wheel with"),
        (spoilt(files={"a/x.whl": {"sha256": "a" * 64, "size": 1}}), "is no wheel with"),
        (spoilt(files={"x.tar.gz": {"sha256": "a" * 64, "size": 1}}), "is no wheel with"),
        (spoilt(files={WHEEL: {"sha256": "../../x", "size": 1}}), "is no wheel with"),
        (spoilt(files={WHEEL: {"sha256": "a" * 64, "size": -1}}), "is no wheel with"),
        (spoilt(files={WHEEL: {"sha256": "a" * 64, "size": True}}), "has the type bool"),
        (spoilt(files={WHEEL: {"sha256": "a" * 64}}), "'size' .* is missing"),
    ],
)
def test_a_lock_of_another_form_is_refused_with_its_place(tmp_path, table, reason):
    file = tmp_path / "mlopskit.lock"
    file.write_text(json.dumps(table))
    with pytest.raises(ManifestError, match=reason) as caught:
        Lock.read(file)
    assert str(file) in caught.value.message
    assert "version control" in caught.value.remedy
    with pytest.raises(ManifestError):
        add(file, {KEY: ENTRY})
    assert json.loads(file.read_text()) == table


@pytest.mark.parametrize("data", [b"", b"<<<<<<< HEAD", b"\xff", b'{"a":1,"a":2}', b"[" * 100_000])
def test_a_lock_that_is_no_json(tmp_path, data):
    (tmp_path / "mlopskit.lock").write_bytes(data)
    with pytest.raises((ManifestError, LimitError)):
        Lock.read(tmp_path / "mlopskit.lock")


def test_a_lock_that_cannot_be_read_or_written(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="cannot be read"):
        Lock.read(tmp_path / "folder")
    add(tmp_path / "mlopskit.lock", {KEY: ENTRY})
    before = (tmp_path / "mlopskit.lock").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    for step in ("write", "replace", "sync"):
        with monkeypatch.context() as patch:
            patch.setattr(Disk, step, full)
            with pytest.raises(StorageError, match="no space left"):
                add(tmp_path / "mlopskit.lock", {("p", "3.11", (step,)): ENTRY})
        if step != "sync":
            assert (tmp_path / "mlopskit.lock").read_bytes() == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "mlopskit.lock"]


def test_of_many_who_add_at_once_none_loses_what_another_added(tmp_path):
    keys = [("linux/x86_64", "3.11", (f"p{number}==1",)) for number in range(12)]
    threads = [threading.Thread(target=add, args=(tmp_path / "mlopskit.lock", {key: ENTRY})) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Lock.read(tmp_path / "mlopskit.lock").entries.keys() == {*keys}
