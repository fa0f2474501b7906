"""What runs a Python for a kind of machine: the machine's own where it is one, else an emulator; or why none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit import sysroot
from mlopskit.errors import ConfigError, UnknownNameError
from mlopskit.platforms import PLATFORMS

HERE = next((name for name, one in PLATFORMS.items() if one.is_here), None)
ELSEWHERE = "linux/armv7" if HERE == "linux/aarch64" else "linux/aarch64"
PYTHON = ".".join(map(str, sys.version_info[:2]))


@pytest.fixture
def emulator(tmp_path, monkeypatch):
    """A stand-in for the emulator, which is all that is installed."""
    file = tmp_path / "bin" / PLATFORMS[ELSEWHERE].emulator
    file.parent.mkdir()
    file.write_text("#!/bin/sh\n")
    file.chmod(0o700)
    monkeypatch.setenv("PATH", str(file.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return str(file)


@pytest.mark.skipif(HERE is None, reason="this machine is none of the platforms")
def test_here_it_is_the_machines_own_without_the_packages_of_the_environment():
    found = mk.interpreter_for(HERE, PYTHON)
    assert found.place == "local"
    code = f"import sys; print(sys.version_info[:2] == {sys.version_info[:2]}, sys.prefix == sys.base_prefix)"
    said = subprocess.run([*found.command, "-I", "-c", code], capture_output=True, check=True, text=True)
    assert said.stdout == "True True\n"
    assert mk.interpreter_for(HERE, None) == mk.Interpreter(command=(), place="local")


def test_elsewhere_it_is_the_emulator_with_the_sysroot(emulator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mk.interpreter_for(ELSEWHERE, None).command == (emulator,)
    for given, folder in ((None, sysroot.default_folder(ELSEWHERE, "3.11")), (Path("own"), tmp_path / "own")):
        python = sysroot.python_in(folder, "3.11")
        python.parent.mkdir(parents=True)
        python.touch()
        found = mk.interpreter_for(ELSEWHERE, "3.11", sysroot=given)
        assert found == mk.Interpreter(command=(emulator, "-L", str(folder), str(python)), place="emulated")


def test_what_is_not_here_is_told_with_the_commands(emulator):
    made = f"'mlopskit sysroot --platform {ELSEWHERE} --python 3.11'"
    with pytest.raises(ConfigError) as caught:
        mk.interpreter_for(ELSEWHERE, "3.11")
    assert caught.value.remedy == f"Run {made}."
    Path(emulator).unlink()
    for python, remedy in (
        ("3.11", f"'apt-get install qemu-user-static' and {made}"),
        (None, "'apt-get install qemu-user-static'"),
    ):
        with pytest.raises(ConfigError) as caught:
            mk.interpreter_for(ELSEWHERE, python)
        assert caught.value.remedy == f"Run {remedy}."


@pytest.mark.skipif(HERE is None, reason="this machine is none of the platforms")
def test_another_python_of_this_machine_is_looked_for_and_then_one_in_a_sysroot(emulator):
    file = Path(emulator).with_name("python3.99")
    Path(emulator).rename(Path(emulator).with_name(PLATFORMS[HERE].emulator))
    file.write_text("#!/bin/sh\necho /opt/python3.99\n")
    file.chmod(0o700)
    assert mk.interpreter_for(HERE, "3.99") == mk.Interpreter(command=("/opt/python3.99",), place="local")
    # What pyenv puts there for each version that it has, chosen or not.
    file.write_text("#!/bin/sh\necho 'command not found' >&2; exit 127\n")
    with pytest.raises(ConfigError) as caught:
        mk.interpreter_for(HERE, "3.99")
    assert caught.value.remedy == "Take one of 3.11, 3.13, or install python3.99 so that it is found in the PATH."
    with pytest.raises(ConfigError) as caught:
        mk.interpreter_for(ELSEWHERE, "3.99")
    assert caught.value.remedy == "Take one of 3.11, 3.13."
    made = "3.13" if PYTHON != "3.13" else "3.11"
    with pytest.raises(ConfigError) as caught:
        mk.interpreter_for(HERE, made)
    commands = f"Run 'apt-get install python{made}'; or else 'mlopskit sysroot --platform {HERE} --python {made}'."
    assert caught.value.remedy == commands
    python = sysroot.python_in(sysroot.default_folder(HERE, "3.99"), "3.99")
    python.parent.mkdir(parents=True)
    python.touch()
    assert mk.interpreter_for(HERE, "3.99").place == "emulated"


@pytest.mark.parametrize("python", ["", "3", "3.11; true", "../3.11", "2.7", "3.111"])
@pytest.mark.parametrize("platform", [ELSEWHERE, HERE or ELSEWHERE])
def test_what_is_no_python_and_no_platform_is_refused(emulator, platform, python):
    with pytest.raises(ConfigError, match="is no version of Python"):
        mk.interpreter_for(platform, python)
    with pytest.raises(UnknownNameError) as caught:
        mk.interpreter_for("linux/arm64", "3.11")
    assert "linux/aarch64" in caught.value.remedy
