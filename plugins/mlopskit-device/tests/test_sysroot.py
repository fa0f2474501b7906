"""A sysroot is made whole or not at all, and what is in its way is told."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from mlopskit_device import sysroot
from mlopskit_device.command import device
from mlopskit_device.platforms import PLATFORMS

from mlopskit.errors import ConfigError, DeployError

AARCH64 = PLATFORMS["linux/aarch64"]


def test_what_is_there_already_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    there = sysroot.interpreter(sysroot.default_folder(AARCH64, "3.11"), "3.11")
    there.parent.mkdir(parents=True)
    there.touch()
    done = CliRunner().invoke(device, ["sysroot"])
    assert (done.exit_code, done.output) == (0, f"{there.parents[2]}\n")


def test_a_taken_folder_an_unknown_python_and_missing_tools_are_told(tmp_path, monkeypatch):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="is not empty"):
        sysroot.make(tmp_path / "taken", AARCH64, "3.11")
    with pytest.raises(ConfigError) as caught:
        sysroot.make(tmp_path / "new", AARCH64, "3.99")
    assert "3.11, 3.13" in caught.value.remedy
    with pytest.raises(DeployError, match="here is no apt-get and no dpkg-deb"):
        sysroot.make(tmp_path / "new", AARCH64, "3.11")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.live
def test_an_unreachable_mirror_is_told_and_leaves_nothing(tmp_path, needs):
    needs("apt-get", "dpkg-deb")
    with pytest.raises(DeployError, match=r"apt-get update ended with \d+: .*127\.0\.0\.1"):
        sysroot.make(tmp_path / "new", AARCH64, "3.11", mirror="http://127.0.0.1:1/debian")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.live
def test_the_next_release_has_the_next_python(tmp_path, needs, device, package, built):
    needs("apt-get", "dpkg-deb", "qemu-aarch64-static")
    sysroot.make(tmp_path / "root", AARCH64, "3.13")
    made = device("linux/aarch64", python="3.13", sysroot=str(tmp_path / "root"))
    answer = made.ask(built(made, package), [one.row for one in package.golden])
    assert answer.runtime["python"].startswith("3.13.")
