"""Which wheels a bundle needs, and that they come from the cache alone, each byte checked."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit.commits import sha256_of
from mlopskit.errors import ConfigError, DeployError, IntegrityError, UnknownNameError
from mlopskit.platforms import PLATFORMS
from mlopskit.wheellock import Entry, File, add
from mlopskit.wheels import Home, at_home, path_of


def needed(*requirements, platform="linux/aarch64", python="3.11"):
    return mk.Wheels(requirements=requirements, platform=platform, python=python)


@pytest.mark.parametrize(
    "requirement",
    ["numpy", "numpy==2.4.6", "Some.Tool_x-y>=1,<2", "a~=1.0", "a!=1.0,!=1.1", "torch==2.9.0+cpu", "a==1.*", "a===1.0"],
)
def test_requirements_that_can_be_fetched(requirement):
    assert needed(requirement).requirements == (requirement,)


@pytest.mark.parametrize(
    "requirement",
    [
        "", "-r evil.txt", "--index-url=https://x", "numpy @ https://host/numpy.whl", "git+https://host/x", "./numpy",
        "/tmp/numpy.whl", "numpy[extra]", 'numpy; python_version<"3"', "numpy==1 --hash=x", "numpy==1\n-r x",
        "numpy ==1",
        "numpy==", "numpy,", "numpy==1,", "ñumpy", "numpy==1;", "numpy-", "$(id)",
    ],
)  # fmt: skip
def test_requirements_that_are_none(requirement):
    with pytest.raises(ConfigError, match="is no requirement that can be fetched"):
        needed("numpy", requirement)


def test_other_values_that_are_none():
    with pytest.raises(UnknownNameError, match="There is no platform 'linux/arm64'") as caught:
        needed("numpy", platform="linux/arm64")
    assert "'linux/aarch64'" in caught.value.remedy
    for python in ("3", "3.11.2", "2.7", "3.x", "", "3.11 ", "-m"):
        with pytest.raises(ConfigError, match="is no version of Python"):
            needed("numpy", python=python)
    with pytest.raises(ConfigError, match="There is no requirement"):
        needed()


def test_the_tags_of_a_platform_are_those_that_pip_knows():
    from packaging.tags import parse_tag

    for platform in PLATFORMS.values():
        assert len({*platform.tags}) == len(platform.tags)
        assert all(parse_tag(f"cp311-cp311-{tag}") for tag in platform.tags)
    assert PLATFORMS["linux/aarch64"].tags[0] == "manylinux_2_28_aarch64"
    assert {"manylinux2014_aarch64", "linux_aarch64"} <= {*PLATFORMS["linux/aarch64"].tags}
    assert {"manylinux1_x86_64", "manylinux2010_x86_64", "manylinux_2_5_x86_64"} <= {*PLATFORMS["linux/x86_64"].tags}
    assert "manylinux_2_31_armv7l" in PLATFORMS["linux/armv7"].tags


def test_the_order_of_requirements_does_not_matter():
    assert needed("b==1", "a==1", "b==1").key == needed("a==1", "b==1").key
    assert needed("a==1").key != needed("a==1", python="3.12").key


@pytest.fixture
def locked(make_wheel, index, tmp_path):
    """Two wheels in the cache and in a lock, what they are needed for, and where the lock stands."""
    files = [make_wheel(index, name) for name in ("tool", "helper")]
    entry = Entry({file.name: File(sha256_of(file), file.stat().st_size) for file in files})
    for file in files:
        path_of(entry, file.name).parent.mkdir(parents=True)
        file.rename(path_of(entry, file.name))
    wheels = needed("tool==1.0")
    add(tmp_path / "mlopskit.lock", {wheels.key: entry})
    return wheels, Home.of(tmp_path, "edge", "sha256:" + "ab" * 32), entry


def test_what_was_fetched_is_unpacked_without_a_network(locked, tmp_path, monkeypatch):
    wheels, home, _ = locked

    def no_network(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", no_network)
    with at_home(home):
        assert [file.name for file in wheels.cached()] == ["helper-1.0-py3-none-any.whl", "tool-1.0-py3-none-any.whl"]
        wheels.unpack(tmp_path / "site")
    assert {"helper.py", "tool.py"} < {path.name for path in (tmp_path / "site").iterdir()}


def test_the_lock_is_by_default_the_one_here(locked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(locked[0].cached()) == 2
    monkeypatch.chdir(tmp_path / "index")
    with pytest.raises(DeployError, match=r"mlopskit\.lock does not name the wheels of tool==1\.0 for") as caught:
        locked[0].cached()
    assert caught.value.remedy == "Run mk.fetch(package, deployer) first."


def test_what_is_missing_names_the_command(locked):
    wheels, home, entry = locked
    command = "Run 'mlopskit fetch edge abababababab' first."
    path_of(entry, "tool-1.0-py3-none-any.whl").unlink()
    with at_home(home):
        for asked, reason in ((wheels, "is not in the cache"), (needed("numpy==2.4.6"), "does not name the wheels")):
            with pytest.raises(DeployError, match=reason) as caught:
                asked.cached()
            assert caught.value.remedy == command


@pytest.mark.parametrize("damage", [b"", b"x", None])
def test_what_was_changed_in_the_cache_is_refused(locked, tmp_path, damage):
    wheels, home, entry = locked
    file = path_of(entry, "tool-1.0-py3-none-any.whl")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content if damage is None else damage)
    with at_home(home), pytest.raises(IntegrityError, match=re.escape(f"{str(file)!r} was changed")):
        wheels.unpack(tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_cache_without_xdg_is_in_the_home(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    path = path_of(Entry({"a.whl": File("0" * 64, 1)}), "a.whl")
    assert path == tmp_path / ".cache" / "mlopskit" / "wheels" / ("0" * 64) / "a.whl"
