"""Layers: the same bytes for the same files, whoever made them, and never others than their digest says."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlopskit_docker.layers import GZIP, TAR, compressed, layer_of

from mlopskit.errors import IntegrityError, UnsafePathError

# Some are longer than the 100 bytes that a tar archive has for a name.
PART = st.builds("".join, st.tuples(st.sampled_from("aZ0_"), st.text("b.-_Y9", max_size=60)))
PATHS = st.lists(PART, min_size=1, max_size=4).map("/".join)


def _whole(files: dict[str, bytes]) -> bool:
    return not any(other.startswith(f"{path}/") for path in files for other in files)


FILES = st.dictionaries(PATHS, st.binary(max_size=600), min_size=1, max_size=5).filter(_whole)


def written(files, folder, *, mode=0o644, time=0.0):
    found = {}
    for number, (path, data) in enumerate(files.items()):
        file = folder / str(number)
        file.write_bytes(data)
        file.chmod(mode)
        os.utime(file, (time, time))
        found[path] = file
    return found


def bytes_of(layer):
    return b"".join(layer.checked())


@pytest.fixture
def two(tmp_path_factory):
    return tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")


@given(files=FILES, time=st.integers(0, 2**31))
def test_the_same_files_give_the_same_layer_whatever_their_order_times_and_rights(files, time, tmp_path_factory):
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    first = layer_of(written(files, one))
    turned = dict(reversed(files.items()))
    assert layer_of(written(turned, other, mode=0o600, time=float(time))).diff_id == first.diff_id


@given(files=FILES)
def test_a_layer_holds_these_files_as_root_readable_by_everybody_and_nothing_else(files, tmp_path_factory):
    layer = layer_of(written(files, tmp_path_factory.mktemp("files")))
    data = bytes_of(layer)
    assert layer.size == len(data)
    assert layer.digest == layer.diff_id == f"sha256:{hashlib.sha256(data).hexdigest()}"
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
        found = {one.name: archive.extractfile(one).read() for one in members if one.isreg()}
        assert [one.name for one in members] == sorted(one.name for one in members)
        assert all((one.uid, one.gid, one.mtime, one.uname, one.gname) == (0, 0, 0, "", "") for one in members)
        assert {one.mode for one in members if one.isreg()} == {0o644}
        assert {one.mode for one in members if not one.isreg()} <= {0o755}
    assert found == files


@given(files=FILES)
def test_compressed_it_is_the_same_layer_under_another_digest(files, tmp_path_factory):
    plain = layer_of(written(files, tmp_path_factory.mktemp("files")))
    packed = compressed(plain)
    data = bytes_of(packed)
    assert gzip.decompress(data) == bytes_of(plain)
    # No time, no name, no system.
    assert data[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    assert (packed.diff_id, packed.media_type, plain.media_type) == (plain.diff_id, GZIP, TAR)
    assert compressed(packed) == packed


@pytest.mark.parametrize("path", ["app/.wh.python3", ".wh..wh..opq", "app/.wh.x/file"])
def test_no_file_removes_one_of_the_base(path, tmp_path):
    with pytest.raises(UnsafePathError, match="would remove"):
        layer_of(written({path: b""}, tmp_path))


@pytest.mark.parametrize("later", [b"longer than before", b"other!", b""])
def test_a_file_that_changed_since_is_never_written_as_it_was(later, tmp_path):
    files = written({"a": b"before"}, tmp_path)
    layer = layer_of(files)
    files["a"].write_bytes(later)
    with pytest.raises(IntegrityError, match="changed"):
        bytes_of(layer)
