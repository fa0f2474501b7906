import io

import pytest

from mlopskit import plugins
from mlopskit.errors import LimitError, StorageError, UnknownNameError
from mlopskit.storage import Storage, copy_folder, storage_at
from mlopskit.testing.memory import MemoryStorage


@pytest.fixture
def storage():
    found = MemoryStorage()
    found.commit("a", {"x": b"0123456789"}, last="x")
    return found


def test_at_most_one_byte_more_than_the_limit_is_read(storage):
    assert storage.read("a/x", limit=3) == b"0123"
    assert storage.read("a/x", limit=10) == b"0123456789"
    assert storage.read("a/y", limit=3) is None


def test_an_endless_file_is_read_to_the_limit(storage, monkeypatch):
    class Endless(io.BytesIO):
        def read(self, size=-1):
            assert size > 0
            return b"x" * size

    monkeypatch.setattr(storage, "open", lambda _: Endless())
    assert storage.read("a/x", limit=5) == b"xxxxxx"


def test_an_error_while_reading_is_a_storage_error(storage, monkeypatch):
    class Failing(io.BytesIO):
        def read(self, _=-1):
            raise OSError(116, "Stale file handle")

    monkeypatch.setattr(storage, "open", lambda _: Failing())
    with pytest.raises(StorageError, match="'a/x' in 'memory://' cannot be read: Stale file handle"):
        storage.read("a/x", limit=5)


def test_a_storage_is_found_by_its_scheme(tmp_path):
    assert storage_at(str(tmp_path)).uri == str(tmp_path)
    assert storage_at(f"file://{tmp_path}").uri == str(tmp_path)
    with pytest.raises(UnknownNameError, match="gopher"):
        storage_at("gopher://x/y")


def test_a_scheme_is_looked_up_once(tmp_path, monkeypatch):
    storage_at(str(tmp_path))
    monkeypatch.setattr(plugins, "find", lambda *_: pytest.fail("looked up again"))
    assert storage_at(f"file://{tmp_path}").uri == str(tmp_path)


def test_a_storage_that_lacks_an_operation_cannot_be_made():
    class Half(Storage):
        schemes = ("half",)

    with pytest.raises(TypeError, match="abstract"):
        Half("half://")


def test_a_folder_is_copied_up_to_what_its_listing_says(storage, tmp_path, monkeypatch):
    storage.commit("b/c", {"x": b"12", "y/z": b"3"}, last="x")
    copy_folder(storage, "b/c", tmp_path / "copy")
    assert {file.name: file.read_bytes() for file in (tmp_path / "copy").rglob("*") if file.is_file()} == {
        "x": b"12",
        "z": b"3",
    }
    monkeypatch.setattr(storage, "open", lambda _: io.BytesIO(b"endless" * 1000))
    copy_folder(storage, "b/c", tmp_path / "cut")
    assert (tmp_path / "cut" / "x").stat().st_size == 3, "one byte more than listed shows that it is another"


def test_what_is_larger_than_any_package_is_not_copied(storage, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "list", lambda _: iter([("a/x", 1 << 60)]))
    with pytest.raises(LimitError, match="at most 10,000 of"):
        copy_folder(storage, "a", tmp_path / "copy")
    monkeypatch.setattr(storage, "list", lambda _: ((f"a/{n}", 0) for n in range(1 << 60)))
    with pytest.raises(LimitError, match=r"has 10,001 files"):
        copy_folder(storage, "a", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_what_is_gone_since_it_was_listed_is_left_out(storage, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "list", lambda _: iter([("a/x", 10), ("a/gone", 1)]))
    copy_folder(storage, "a", tmp_path / "copy")
    assert [file.name for file in (tmp_path / "copy").iterdir()] == ["x"]
