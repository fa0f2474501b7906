import io

import pytest

from mlopskit import plugins
from mlopskit.errors import StorageError, UnknownNameError
from mlopskit.storage import Storage, storage_at
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
