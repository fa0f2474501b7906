import concurrent.futures

import pytest

from mlopskit.errors import UnsafePathError
from mlopskit.testing.memory import MemoryStorage


@pytest.fixture
def storage():
    return MemoryStorage()


def test_it_keeps_what_it_is_given(storage, tmp_path):
    (tmp_path / "source").write_bytes(b"from a file")
    assert storage.commit("m/packages/1", {"a": b"x", "code/b": tmp_path / "source"}, last="a")
    assert not storage.commit("m/packages/1", {"c": b"y"}, last="c")
    storage.hint("m/hint.json", b"1")
    storage.hint("m/hint.json", b"22")
    assert [*storage.list("m/packages")] == [("m/packages/1/a", 1), ("m/packages/1/code/b", 11)]
    assert [*storage.list("")] == [("m/hint.json", 2), ("m/packages/1/a", 1), ("m/packages/1/code/b", 11)]
    assert storage.stat("m/hint.json").size == 2
    assert storage.stat("m/packages") is None
    assert storage.local("m") is None
    assert storage.uri == "memory://"
    with storage.open("m/packages/1/code/b") as opened:
        assert opened.read() == b"from a file"
    with pytest.raises(FileNotFoundError):
        storage.open("m/packages/1/c")


def test_deleting_takes_one_folder_and_no_other(storage):
    for prefix in ("a", "ab", "b/a"):
        storage.commit(prefix, {"x": b""}, last="x")
    for _ in range(2):
        storage.delete("a")
        assert [key for key, _ in storage.list("")] == ["ab/x", "b/a/x"]


def test_tags_change_with_the_content(storage):
    tags = []
    for data in (b"1", b"2", b"1"):
        storage.hint("h", data)
        tags.append(storage.stat("h").etag)
    assert tags[0] != tags[1]
    assert tags[0] == tags[2]


def test_eight_at_once_have_one_winner(storage):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        won = [*pool.map(lambda number: storage.commit("a", {"x": bytes([number])}, last="x"), range(8))]
    assert sum(won) == 1
    assert storage.read("a/x", limit=1) == bytes([won.index(True)])


def test_keys_and_files_are_checked(storage):
    for refused in (lambda: storage.hint("../x", b""), lambda: storage.commit("a", {"/x": b""}, last="/x")):
        with pytest.raises(UnsafePathError):
            refused()
    with pytest.raises(ValueError, match="'y' is not among the files"):
        storage.commit("a", {"x": b""}, last="y")
