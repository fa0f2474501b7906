from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlopskit import fingerprint as module
from mlopskit.errors import DataError
from mlopskit.fingerprint import CACHE, code_files, find_files, fingerprint

OLD = time.time_ns() - 3_600_000_000_000


def write(file: Path, text: str, *, old: bool = True) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    if old:
        os.utime(file, ns=(OLD, OLD))


def sha(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@pytest.fixture
def settled(monkeypatch):
    """Let files that were just made count as settled: their ctime cannot be set back."""
    monkeypatch.setattr(module, "_SETTLED", -3_600_000_000_000)


@pytest.fixture
def hashed(monkeypatch) -> list[str]:
    """The names of the files whose bytes were read."""
    seen: list[str] = []
    digest = module._digest
    monkeypatch.setattr(module, "_digest", lambda file: (seen.append(file.name), digest(file))[1])
    return seen


def test_files_are_named_relative_to_the_root_and_sorted(tmp_path):
    write(tmp_path / "data" / "b.tsv", "b")
    write(tmp_path / "data" / "a.CSV", "a")
    write(tmp_path / "data" / ".hidden.csv", "h")
    write(tmp_path / "data" / "notes.md", "n")
    (tmp_path / "data" / "folder.csv").mkdir()
    expected = {"data/a.CSV": sha("a"), "data/b.tsv": sha("b")}
    assert fingerprint("data", tmp_path) == expected
    assert list(fingerprint("data", tmp_path)) == list(expected)
    assert fingerprint(str(tmp_path / "data"), tmp_path) == expected
    assert list(fingerprint("data/*", tmp_path)) == ["data/a.CSV", "data/b.tsv", "data/notes.md"]
    assert list(fingerprint("**/*.tsv", tmp_path)) == ["data/b.tsv"]
    (tmp_path / "code").mkdir()
    assert list(fingerprint("../data/b.tsv", tmp_path / "code")) == ["../data/b.tsv"]
    assert list(fingerprint("data/notes.md", tmp_path)) == ["data/notes.md"]


def test_a_file_whose_name_looks_like_a_pattern_is_found(tmp_path):
    write(tmp_path / "a[1].csv", "x")
    assert list(find_files("a[1].csv", tmp_path)) == ["a[1].csv"]


@pytest.mark.usefixtures("settled")
def test_an_unchanged_file_is_not_read_again(tmp_path, hashed):
    write(tmp_path / "a.csv", "a")
    cache = tmp_path / "cache"
    first = fingerprint("a.csv", tmp_path, cache=cache)
    assert fingerprint("a.csv", tmp_path, cache=cache) == first
    assert hashed == ["a.csv"]
    assert fingerprint("a.csv", tmp_path) == first
    assert hashed == ["a.csv", "a.csv"]


@pytest.mark.usefixtures("settled")
def test_a_change_of_the_same_size_and_time_is_seen(tmp_path):
    cache = tmp_path / "cache"
    write(tmp_path / "a.csv", "a")
    fingerprint("a.csv", tmp_path, cache=cache)
    write(tmp_path / "a.csv", "b")  # ctime tells
    assert fingerprint("a.csv", tmp_path, cache=cache) == {"a.csv": sha("b")}
    write(tmp_path / "c.csv", "c")
    (tmp_path / "c.csv").replace(tmp_path / "a.csv")  # the inode tells
    assert fingerprint("a.csv", tmp_path, cache=cache) == {"a.csv": sha("c")}


@pytest.mark.parametrize("part", range(4))
@pytest.mark.usefixtures("settled")
def test_each_part_of_a_files_state_counts(tmp_path, hashed, part):
    cache = tmp_path / "cache"
    write(tmp_path / "a.csv", "a")
    fingerprint("a.csv", tmp_path, cache=cache)
    entries = json.loads((cache / CACHE).read_text())
    entries["a.csv"][0][part] += 1
    (cache / CACHE).write_text(json.dumps(entries))
    fingerprint("a.csv", tmp_path, cache=cache)
    assert len(hashed) == 2


def test_a_file_just_written_is_not_remembered(tmp_path, hashed):
    cache = tmp_path / "cache"
    write(tmp_path / "a.csv", "a", old=False)
    for _ in range(2):
        assert fingerprint("a.csv", tmp_path, cache=cache) == {"a.csv": sha("a")}
    assert len(hashed) == 2


def test_files_that_are_too_new_to_be_remembered_are_no_reason_to_write(tmp_path):
    write(tmp_path / "a.csv", "a")
    fingerprint("a.csv", tmp_path, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_file_that_changes_while_it_is_read_is_not_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SETTLED", -3_600_000_000_000)
    write(tmp_path / "a.csv", "a")
    digest = module._digest

    def changing(file):
        found = digest(file)
        file.write_text("changed")
        return found

    monkeypatch.setattr(module, "_digest", changing)
    fingerprint("a.csv", tmp_path, cache=tmp_path / "cache")
    monkeypatch.setattr(module, "_digest", digest)
    assert fingerprint("a.csv", tmp_path, cache=tmp_path / "cache") == {"a.csv": sha("changed")}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[]", b"3", b'{"a.csv": 3}', b'{"a.csv": [[1], 2]}', b'{"a.csv": []}', b"[" * 100_000],
)
@pytest.mark.usefixtures("settled")
def test_a_corrupt_cache_is_ignored_and_replaced(tmp_path, hashed, content):
    cache = tmp_path / "cache"
    write(tmp_path / "a.csv", "a")
    cache.mkdir()
    (cache / CACHE).write_bytes(content)
    for _ in range(2):
        assert fingerprint("a.csv", tmp_path, cache=cache) == {"a.csv": sha("a")}
    assert len(hashed) == 1
    assert [file.name for file in cache.iterdir()] == [CACHE]


@pytest.mark.usefixtures("settled")
def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
    write(tmp_path / "a.csv", "a")
    write(tmp_path / "file", "in the way")
    assert fingerprint("a.csv", tmp_path, cache=tmp_path / "file" / "cache") == {"a.csv": sha("a")}


@pytest.mark.usefixtures("settled")
def test_data_of_several_addresses_share_a_cache(tmp_path, hashed):
    cache = tmp_path / "cache"
    for name in ("a.csv", "b.csv"):
        write(tmp_path / name, name)
    for _ in range(2):
        for name in ("a.csv", "b.csv"):
            fingerprint(name, tmp_path, cache=cache)
    assert hashed == ["a.csv", "b.csv"]


def test_an_unreadable_file_is_named(tmp_path, monkeypatch):
    write(tmp_path / "a.csv", "a")

    def refuse(file):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(module, "_digest", refuse)
    with pytest.raises(DataError, match=r"'a.csv' cannot be read: Permission denied"):
        fingerprint("a.csv", tmp_path)


def test_nothing_heavy_is_imported(tmp_path):
    write(tmp_path / "a.csv", "a")
    code = (
        "import sys; from pathlib import Path; from mlopskit.fingerprint import fingerprint, code_files;"
        f"fingerprint('a.csv', Path({str(tmp_path)!r}), cache=Path({str(tmp_path)!r})); code_files(Path('.'));"
        "loaded = {name.partition('.')[0] for name in sys.modules};"
        "print(loaded & {'polars', 'numpy', 'sklearn', 'narwhals', 'msgspec'})"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == "set()"


def test_code_files_are_the_modules_imported_from_the_root(tmp_path):
    write(tmp_path / "own" / "__init__.py", "")
    write(tmp_path / "own" / "model.py", "import lib.installed, helper")
    write(tmp_path / "own" / "unused.py", "")
    write(tmp_path / "helper.py", "")
    write(tmp_path / "lib" / "installed.py", "")
    write(tmp_path / "env" / "other.py", "")
    write(
        tmp_path / "main.py",
        "import sys, other, own.model; from pathlib import Path; from mlopskit.fingerprint import"
        " code_files; print(code_files(Path(sys.argv[1])))",
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "env"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(tmp_path / "main.py"), str(tmp_path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    assert said.stdout.strip() == "['helper.py', 'lib/installed.py', 'own/__init__.py', 'own/model.py']"


def test_code_files_of_this_process(tmp_path, monkeypatch):
    write(tmp_path / "package_of_fingerprint_tests" / "__init__.py", "")
    write(tmp_path / "package_of_fingerprint_tests" / "model.py", "")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names = ["package_of_fingerprint_tests", "package_of_fingerprint_tests.model"]
    for name in names:
        importlib.import_module(name)
    assert code_files(tmp_path) == [f"{names[0]}/__init__.py", f"{names[0]}/model.py"]
    for name in names:
        del sys.modules[name]
    assert code_files(tmp_path) == []
