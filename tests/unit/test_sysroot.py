"""A sysroot is made whole or not at all, what is in its way is told, and Python's modules find what they need there."""

from __future__ import annotations

import json
import subprocess

import pytest

import mlopskit as mk
from mlopskit import cli, sysroot
from mlopskit.errors import ConfigError, DeployError, UnknownNameError
from mlopskit.platforms import PLATFORMS

# What Python's own modules need of other libraries, and what tells the processor apart.
IMPORTED = """
import bz2, ctypes, hashlib, lzma, os, platform, sqlite3, ssl, sys, uuid, _uuid, zlib
print(sys.version, platform.machine())
"""


def run(python, code):
    return subprocess.run([*python.command, "-I", "-c", code], capture_output=True, check=True, text=True).stdout


def test_what_is_there_already_is_left_alone(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    folder = sysroot.default_folder("linux/aarch64", "3.11")
    there = sysroot.python_in(folder, "3.11")
    there.parent.mkdir(parents=True)
    there.touch()
    assert cli.run(["sysroot"]) == 0
    assert capsys.readouterr().out == f"{folder}\n"
    assert cli.run(["sysroot", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(folder)}


def test_a_taken_folder_an_unknown_python_and_missing_tools_are_told(tmp_path, monkeypatch):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="is not empty"):
        sysroot.make(tmp_path / "taken", "linux/aarch64", "3.11")
    with pytest.raises(ConfigError) as caught:
        sysroot.make(tmp_path / "new", "linux/aarch64", "3.99")
    assert "3.11, 3.13" in caught.value.remedy
    with pytest.raises(ConfigError, match=r"'\.\./\.\./3' is no version"):
        sysroot.make(tmp_path / "new", "linux/aarch64", "../../3")
    with pytest.raises(UnknownNameError, match="There is no platform 'linux/arm64'"):
        sysroot.make(tmp_path / "new", "linux/arm64", "3.11")
    with pytest.raises(DeployError, match="here is no apt-get and no dpkg-deb"):
        sysroot.make(tmp_path / "new", "linux/aarch64", "3.11")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.live
def test_an_unreachable_mirror_is_told_and_leaves_nothing(capsys, tmp_path, monkeypatch, needs):
    needs("apt-get", "dpkg-deb")
    monkeypatch.chdir(tmp_path)
    assert cli.run(["sysroot", "new", "--mirror", "http://127.0.0.1:1/debian"]) == 3
    said = capsys.readouterr().err
    assert "apt-get update ended with" in said
    assert "127.0.0.1" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.live
def test_the_pythons_own_modules_work_there(sysroots):
    platform = "linux/aarch64"
    found = mk.interpreter_for(platform, "3.11", sysroot=sysroots(platform))
    assert run(found, IMPORTED).startswith("3.11.")
    assert run(found, IMPORTED).rstrip().endswith("aarch64")


@pytest.mark.slow
@pytest.mark.live
@pytest.mark.parametrize("platform", ["linux/aarch64", "linux/x86_64"])
def test_the_next_release_has_the_next_python(platform, tmp_path, needs):
    needs("apt-get", "dpkg-deb", PLATFORMS[platform].emulator)
    sysroot.make(tmp_path / "root", platform, "3.13")
    found = mk.interpreter_for(platform, "3.13", sysroot=tmp_path / "root")
    assert run(found, IMPORTED).startswith("3.13.")
