"""Data in a bucket: what a URI names there, copied once for each version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mlopskit as mk
from mlopskit import bucketdata
from mlopskit.bucketdata import find_objects
from mlopskit.errors import DataError, UnknownNameError, UnsafePathError
from mlopskit.fingerprint import SUFFIXES, find_files, fingerprint
from mlopskit.storage import Stat
from mlopskit.testing.memory import MemoryStorage

FILES = {"a.csv": b"a", "b.TSV": b"b", "notes.md": b"-", ".hidden.csv": b"-", "old/c.csv": b"c", "old/d/e.csv": b"e"}


class Bucket(MemoryStorage):
    """A bucket that counts how often a file is opened."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.opened: list[str] = []

    def open(self, key: str, /) -> Any:
        self.opened.append(key)
        return super().open(key)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Return the place that `memory://bucket/data` names."""
    made = Bucket("memory://bucket/data")
    made._files |= FILES  # others wrote them, under names of their own
    places = {made.uri: made}
    monkeypatch.setattr(bucketdata, "storage_at", places.__getitem__)
    return made


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("memory://bucket/data", ["a.csv", "b.TSV"]),
        ("memory://bucket/data/", ["a.csv", "b.TSV"]),
        ("memory://bucket/data/a.csv", ["a.csv"]),
        ("memory://bucket/data/*.csv", ["a.csv"]),
        ("memory://bucket/data/*.*", ["a.csv", "b.TSV", "notes.md"]),
        ("memory://bucket/data/**/*.csv", ["a.csv", "old/c.csv", "old/d/e.csv"]),
        ("memory://bucket/data/*/*.csv", ["old/c.csv"]),
        ("memory://bucket/data/[ab].*", ["a.csv", "b.TSV"]),
        ("memory://bucket/data/z*.csv", []),
        ("memory://bucket/data/z.csv", []),
    ],
)
@pytest.mark.usefixtures("bucket")
def test_a_file_a_glob_and_a_folder_name_files(uri: str, names: list[str], tmp_path: Path) -> None:
    found = find_objects(uri, tmp_path, suffixes=SUFFIXES)
    assert list(found) == [f"memory://bucket/data/{name}" for name in names]
    for name, file in zip(names, found.values(), strict=True):
        assert file.name == name.rpartition("/")[2]
        assert file.read_bytes() == FILES[name]


@pytest.mark.usefixtures("bucket", "umask_of_none")
def test_a_copy_is_this_users_alone(tmp_path: Path) -> None:
    (copy,) = find_objects("memory://bucket/data/a.csv", tmp_path, suffixes=SUFFIXES).values()
    assert copy.parent.stat().st_mode & 0o777 == 0o700


def test_a_version_is_copied_once_and_two_are_kept(bucket: Bucket, tmp_path: Path) -> None:
    uri = "memory://bucket/data/a.csv"
    first = fingerprint(uri, tmp_path)
    assert fingerprint(uri, tmp_path) == first
    assert bucket.opened == ["a.csv"]
    for version in (b"second", b"third", b"fourth"):
        bucket.hint("a.csv", version)
        (file,) = find_files(uri, tmp_path).values()
        assert file.read_bytes() == version
    assert len(bucket.opened) == 4
    assert len(list(file.parents[1].iterdir())) == 2
    assert [one.name for one in tmp_path.rglob("*.csv")] == ["a.csv", "a.csv"]


def test_a_file_that_changes_while_it_is_copied_is_not_taken(bucket: Bucket, tmp_path: Path) -> None:
    stats: Iterator[Stat | None] = iter([Stat(size=1, etag="1"), Stat(size=1, etag="2")])
    bucket.stat = lambda _: next(stats)  # type: ignore[method-assign]
    with pytest.raises(DataError, match="changed while it was read"):
        find_objects("memory://bucket/data/a.csv", tmp_path, suffixes=SUFFIXES)
    assert not [one for one in tmp_path.rglob("*") if one.is_file()]


def test_a_short_copy_is_not_taken(bucket: Bucket, tmp_path: Path) -> None:
    bucket.stat = lambda _: Stat(size=2, etag="1")  # type: ignore[method-assign]
    with pytest.raises(DataError, match="changed while it was read"):
        find_objects("memory://bucket/data/a.csv", tmp_path, suffixes=SUFFIXES)


def test_a_name_that_no_folder_can_have_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    bucket._files |= {"../x.csv": b"x", "..\\x.csv": b"x"}
    assert len(find_objects("memory://bucket/data", tmp_path, suffixes=SUFFIXES)) == 2
    bucket._files["x\\y.csv"] = b"x"
    with pytest.raises(UnsafePathError):
        find_objects("memory://bucket/data", tmp_path, suffixes=SUFFIXES)


def test_what_is_not_there_is_told(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no file 'memory://bucket/data/z\*'"):
        find_files("memory://bucket/data/z*", tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"'a.csv' in 'memory://bucket/data' cannot be copied to"):
        find_objects(f"{bucket.uri}/a.csv", tmp_path / "file", suffixes=SUFFIXES)


def test_an_address_with_a_query_is_refused_and_its_secret_not_shown(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="goes on with a") as raised:
        find_files("memory://bucket/data/a.csv?sig=secret", tmp_path)
    assert "secret" not in repr(raised.value.culprits) + str(raised.value)


def test_a_scheme_of_no_plugin_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="nowhere"):
        find_files("nowhere://bucket/a.csv", tmp_path)


def test_a_project_trains_on_a_bucket_and_sees_what_changes_there(
    fresh_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket("memory://bucket/mood")
    for file in (fresh_project / "data").iterdir():
        bucket.hint(file.name, file.read_bytes())
    monkeypatch.setattr(bucketdata, "storage_at", lambda _: bucket)
    toml = fresh_project / "mlopskit.toml"
    toml.write_text(toml.read_text().replace('uri = "data', 'uri = "memory://bucket/mood'))
    project = mk.Project(toml)
    run = project.run()
    names = {f"data memory://bucket/mood/{file.name}" for file in (fresh_project / "data").iterdir()}
    assert {key for key in run.fingerprint if key.startswith("data ")} == names
    assert project.changed() == []
    bucket.hint("b.csv", b"".join(bucket.open("b.csv")) + b"a good end,Up\n")
    assert mk.Project(toml).changed() == ["changed: data memory://bucket/mood/b.csv"]
