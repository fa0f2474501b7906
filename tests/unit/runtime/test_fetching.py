import hashlib
import os
from pathlib import Path

import pytest

from mlopskit.runtime import canonical
from mlopskit.runtime.errors import IntegrityError, LimitError, ManifestError, StorageError, UnsafePathError
from mlopskit.runtime.fetching import BUNDLE, fetch_folder, kept_folder, listed_files
from mlopskit.runtime.places import place_at

FILES = {"a.txt": b"a" * 1000, "deep/b.bin": b"b" * 70_000, "empty": b""}


def listing_of(files):
    table = {path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in files.items()}
    return canonical.dumps({"files": table, "name": "sentiment"})


@pytest.fixture
def digest(published):
    data = listing_of(FILES)
    digest = canonical.digest_of(data)
    folder = published.folder / "device" / "bundles" / digest.removeprefix("sha256:")
    for path, content in {**FILES, BUNDLE: data}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return digest


@pytest.fixture(params=["folder", "address"])
def source(request, published):
    if request.param == "folder":
        return place_at(str(published.folder), limit=0)
    return place_at(f"{request.getfixturevalue('shop').address}/sentiment", limit=0)


def there(published, digest):
    return published.folder / "device" / "bundles" / digest.removeprefix("sha256:")


def fetch(source, digest, into, **options):
    key = f"device/bundles/{digest.removeprefix('sha256:')}"
    about = {"listing": BUNDLE, "files": listed_files, "limit": 1 << 20}
    fetch_folder(source, key, into, digest=digest, **about | options)


def found(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_listed_files_are_fetched_and_nothing_else(source, published, digest, tmp_path):
    (there(published, digest) / "unlisted").write_text("x")
    fetch(source, digest, tmp_path / "new")
    assert found(tmp_path / "new") == {**FILES, BUNDLE: listing_of(FILES)}


def test_files_and_folders_are_durable_when_it_returns(source, digest, tmp_path, monkeypatch):
    synced, fsync = set(), os.fsync

    def note(number):
        synced.add(str(Path(f"/proc/self/fd/{number}").readlink()))
        fsync(number)

    monkeypatch.setattr(os, "fsync", note)
    fetch(source, digest, tmp_path / "new")
    assert synced >= {str(path) for path in (tmp_path / "new", *(tmp_path / "new").rglob("*"))}


def test_what_is_held_is_not_fetched_again_unless_it_is_damaged(source, published, digest, tmp_path):
    held = {}
    for path, data in FILES.items():
        (tmp_path / path.replace("/", "-")).write_bytes(data)
        held[hashlib.sha256(data).hexdigest()] = tmp_path / path.replace("/", "-")
    for path in ("deep/b.bin", "empty"):
        (there(published, digest) / path).unlink()
    (tmp_path / "a.txt").write_bytes(b"damaged")
    fetch(source, digest, tmp_path / "new", held=held)
    assert found(tmp_path / "new") == {**FILES, BUNDLE: listing_of(FILES)}
    held[hashlib.sha256(FILES["a.txt"]).hexdigest()] = tmp_path / "gone"
    fetch(source, digest, tmp_path / "again", held=held)


def test_a_file_cut_at_any_byte_is_refused(request, source, published, digest, tmp_path, record_property):
    cuts = 0
    for path, data, step in (
        (BUNDLE, listing_of(FILES), 1),
        ("a.txt", FILES["a.txt"], 9),
        ("deep/b.bin", FILES["deep/b.bin"], 6_999),
    ):
        file = there(published, digest) / path
        for length in {*range(0, len(data), step), len(data) - 1}:
            file.write_bytes(data[:length])
            with pytest.raises(IntegrityError, match=path.rpartition("/")[2]):
                fetch(source, digest, tmp_path / f"{file.name}-{length}")
            cuts += 1
        file.write_bytes(data)
    fetch(source, digest, tmp_path / "whole")
    where = request.node.callspec.params["source"]
    record_property(f"figure: downloads cut at a byte, of a listing at each, from a {where}", f"{cuts}, {cuts} refused")


def test_what_is_missing_or_longer_or_too_much_is_refused(source, published, digest, tmp_path):
    with pytest.raises(LimitError, match="71,000 bytes, at most 70,999"):
        fetch(source, digest, tmp_path / "limit", limit=70_999)
    file = there(published, digest) / "a.txt"
    file.write_bytes(FILES["a.txt"] + b"a")
    with pytest.raises(IntegrityError, match=r"'a.txt' .* is not the one that is listed"):
        fetch(source, digest, tmp_path / "longer")
    file.unlink()
    with pytest.raises(IntegrityError, match=r"'a.txt' is missing"):
        fetch(source, digest, tmp_path / "missing")
    with pytest.raises(IntegrityError, match=r"bundle.json .* is not there"):
        fetch(source, f"sha256:{'0' * 64}", tmp_path / "absent")


def test_a_place_that_is_away_is_told_apart(published, digest, tmp_path):
    source = place_at(str(published.folder), limit=0)
    published.folder.rename(published.folder.with_name("away"))
    with pytest.raises(StorageError):
        fetch(source, digest, tmp_path / "new")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"[]", ManifestError),
        (b"{}", ManifestError),
        (b'{"files":[]}', ManifestError),
        (b'{"files":{"../x":{"sha256":"' + b"0" * 64 + b'","size":1}}}', UnsafePathError),
        (b'{"files":{"x":{"sha256":"0","size":1}}}', ManifestError),
        (b'{"files":{"x":{"sha256":"' + b"0" * 64 + b'","size":-1}}}', ManifestError),
    ],
)
def test_a_listing_of_another_form_is_refused(data, error):
    with pytest.raises(error):
        listed_files(data)


def test_a_damaged_folder_that_is_kept_stays_until_there_is_another(tmp_path):
    digest, kept = f"sha256:{'1' * 64}", tmp_path / "kept"
    folder = kept / ("1" * 64)

    def check(folder):
        if (folder / "x").read_text() != "whole":
            raise IntegrityError("It is damaged.", remedy="Fetch it again.")
        return folder

    def fetch(part):
        if folder.exists():
            assert (folder / "x").read_text() == "damaged"
        part.mkdir()
        (part / "x").write_text("whole")

    assert kept_folder(kept, digest, check=check, fetch=fetch) == folder
    (folder / "x").write_text("damaged")
    assert kept_folder(kept, digest, check=check, fetch=fetch) == folder
    assert [path.name for path in kept.iterdir()] == ["1" * 64]
