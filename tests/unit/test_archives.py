"""Zip archives: the same files give the same bytes, and every reader of zips reads them."""

from __future__ import annotations

import hashlib
import os
import random
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlopskit as mk
from mlopskit.errors import UnsafePathError

FILES = {"main.py": b"print(1)\n", "package/manifest.json": b"{}", "empty": b"", "site/big.so": bytes(1 << 20)}
MAKER = """
import sys, pathlib, mlopskit as mk
mk.write_zip({"a/b.py": pathlib.Path(sys.argv[1])}, pathlib.Path(sys.argv[2]))
"""
PART = st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True).filter(lambda part: part not in ("aux", "con", "nul", "prn"))
NAMED = st.dictionaries(st.builds("{}.d/{}".format, PART, PART), st.binary(max_size=200), max_size=8)


def test_a_standard_reader_reads_it_back(tmp_path):
    mk.write_zip(FILES, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(FILES)
        assert {one: archive.read(one) for one in archive.namelist()} == FILES
        for member in archive.infolist():
            assert member.date_time == (1980, 1, 1, 0, 0, 0)
            assert member.external_attr >> 16 == stat.S_IFREG | 0o644
            assert (member.create_system, member.compress_type) == (3, zipfile.ZIP_DEFLATED)
            assert (member.extra, member.comment, member.flag_bits) == (b"", b"", 0)


def test_its_bytes_are_these_on_every_machine(tmp_path):
    mk.write_zip({"b.txt": b"b", "a/a.txt": b""}, tmp_path / "a.zip")
    content = (tmp_path / "a.zip").read_bytes()
    assert hashlib.sha256(content).hexdigest() == "2e0d5c529021a1e556325921a50c58dd9d7ffe7d928290f53f68fbca8d77144e"


@given(files=NAMED, seed=st.integers(0, 99))
def test_order_and_where_the_bytes_come_from_change_nothing(files, seed):
    order = [*files]
    random.Random(seed).shuffle(order)
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(order):
            Path(folder, str(number)).write_bytes(files[path])
        mk.write_zip(files, Path(folder, "a.zip"))
        mk.write_zip({path: Path(folder, str(number)) for number, path in enumerate(order)}, Path(folder, "b.zip"))
        assert Path(folder, "a.zip").read_bytes() == Path(folder, "b.zip").read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="umask and modes are POSIX's")
def test_umask_times_modes_zone_and_locale_of_the_maker_change_nothing(tmp_path):
    made = []
    for mask, mode, seconds, zone, language in [
        (0o000, 0o777, 10, "UTC", "C"),
        (0o077, 0o400, 2e9, "Asia/Tokyo", "tr_TR"),
    ]:
        folder = tmp_path / zone
        folder.mkdir(parents=True)
        source = folder / "source"
        source.write_bytes(b"x = 1\n" * 99)
        source.chmod(mode)
        os.utime(source, (seconds, seconds))
        subprocess.run(
            [sys.executable, "-c", MAKER, source, folder / "a.zip"],
            env={**os.environ, "TZ": zone, "LC_ALL": language, "PYTHONHASHSEED": str(mask), "PYTHONUTF8": "1"},
            umask=mask,
            check=True,
        )
        made.append((folder / "a.zip").read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(
    "names",
    [
        ["../out"], ["/etc/passwd"], ["a\\b"], ["C:/a"], [""], ["a//b"], ["a/./b"], ["a\x00"], ["nul"], ["a/"],
        ["é"], ["a", "A"], ["a", "a/b"], ["a" * 201],
    ],
)  # fmt: skip
def test_a_name_that_would_leave_its_folder_or_fall_on_another_is_refused(names, tmp_path):
    with pytest.raises(UnsafePathError):
        mk.write_zip(dict.fromkeys(names, b""), tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
