"""What the target `device` refuses before anything is built, and what it builds."""

from __future__ import annotations

import dataclasses
import json
import sys

import pytest
from mlopskit_device import running
from mlopskit_device.deployer import Device
from mlopskit_device.platforms import PLATFORMS, is_here

from mlopskit.errors import ConfigError, DeployError, LimitError

from .conftest import run

HERE = next((one.name for one in PLATFORMS.values() if is_here(one)), None)
ELSEWHERE = next(name for name in PLATFORMS if name != HERE)
PYTHON = ".".join(map(str, sys.version_info[:2]))


@pytest.fixture
def here(tmp_path):
    if HERE is None:
        pytest.skip("this machine is none of the platforms")
    return Device(to=str(tmp_path / "place"), platform=HERE, python=PYTHON)


@pytest.mark.parametrize(
    "options",
    [
        {"platform": "linux/riscv64"},
        {"platform": "windows"},
        {"python": "2.7"},
        {"python": "3.11; true"},
        {"python": ""},
        {"python": "../3.11"},
        {"ssh": "-oProxyCommand=true"},
        {"ssh": "pi@host true"},
        {"ssh": ""},
        {"form": "skops"},
        {"form": "onnx", "platform": "linux/armv7"},
        {"form": "onnx", "python": "none"},
    ],
)
def test_options_that_mean_nothing_are_refused(options, here, package):
    with pytest.raises(ConfigError) as caught:
        dataclasses.replace(here, **options).check(package)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"platform": ELSEWHERE}, "apt-get install qemu-user-static"),
        ({"platform": ELSEWHERE, "python": "none", "ssh": "pi@host"}, "apt-get install openssh-client"),
        ({"platform": HERE, "python": "none"}, "apt-get install gcc libc6-dev"),
        ({"platform": HERE, "python": "3.99"}, "install python3.99"),
    ],
)
def test_what_is_not_installed_is_told_with_the_command(options, remedy, here, package, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        dataclasses.replace(here, **options).check(package)
    assert remedy in caught.value.remedy


def stand_in(folder, *names):
    """Write programs that are there and do nothing."""
    for name in names:
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o700)


def test_a_missing_sysroot_and_compiler_are_told_with_the_command(here, package, monkeypatch, tmp_path):
    wanted = PLATFORMS["linux/armv7" if HERE != "linux/armv7" else "linux/aarch64"]
    stand_in(tmp_path / "bin", "qemu-arm-static", "qemu-aarch64-static")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    device = dataclasses.replace(here, platform=wanted.name, python="3.11", sysroot=str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        device.check(package)
    assert f"mlopskit sysroot --platform {wanted.name} --python 3.11" in caught.value.remedy
    with pytest.raises(ConfigError) as caught:
        dataclasses.replace(device, python="none").check(package)
    assert caught.value.remedy == f"Run 'apt-get install {wanted.packages}'."


def test_only_the_platform_decides_which_forms_there_are(here):
    forms = [
        dataclasses.replace(here, **options).formats
        for options in ({}, {"form": "onnx"}, {"platform": "linux/armv7"}, {"python": "none"})
    ]
    assert forms == [("portable", "onnx"), ("onnx",), ("portable",), ("portable",)]


def test_the_bundle_holds_one_form_and_tests_itself(here, package, built):
    folder = built(here, package)
    assert {one.name for one in (folder / "package").iterdir()} >= {"manifest.json", "golden.jsonl", "model.json"}
    assert not (folder / "package" / "model.skops").exists()
    said = json.loads(run(sys.executable, folder / "selftest.py", cwd="/").splitlines()[-1])
    assert (said["digest"], said["rows"], said["mismatches"]) == (package.digest, 8, 0)
    assert "prediction" in run(sys.executable, folder / "use" / "example.py")
    assert package.digest in (folder / "README.md").read_text()


OTHER = """
_load = load


def load():
    answering = _load()
    rows = answering.predict([{"height": 0.0, "weight": 1.0}])
    return type("Other", (), {"predict": lambda _, asked: rows * len(asked), "digest": "", "runtime": dict})()
"""


def test_the_self_test_ends_with_one_where_it_answers_otherwise_or_not_at_all(here, package, built):
    folder = built(here, package)
    with (folder / "model.py").open("a") as opened:
        opened.write(OTHER)
    with pytest.raises(AssertionError, match=r'(?s)row 1, .*"mismatches": [1-9]'):
        run(sys.executable, folder / "selftest.py")
    (folder / "package" / "model.json").unlink()
    with pytest.raises(AssertionError, match='"error": "IntegrityError: '):
        run(sys.executable, folder / "selftest.py")


def test_rows_of_the_test_data_are_vectors_only_if_they_may_be_shown(here, package, built):
    assert not (built(here, package) / "use" / "vectors.jsonl").exists()
    shown = built(dataclasses.replace(here, publish_rows=True), package) / "use" / "vectors.jsonl"
    assert len(shown.read_text().splitlines()) == len(package.golden)


@pytest.mark.parametrize(
    ("script", "error", "said"),
    [
        ("print('hello')", DeployError, "no answer: b'hello"),
        ("print('[1]')", DeployError, "no answer"),
        ('print(\'{"rows": 1, "digest": "x", "runtime": {}}\')', DeployError, "no answer"),
        ('print(\'{"error": "it is full"}\')', DeployError, "it is full"),
        ("raise SystemExit('no such file')", DeployError, "ended with 1: no such file"),
        ("import time; time.sleep(60)", LimitError, "within 1 seconds"),
    ],
)
def test_a_bundle_that_gives_no_answer_is_told_in_words(script, error, said, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "SECONDS", 1)
    (tmp_path / "__main__.py").write_text(script)
    way = running.Way(command=(sys.executable, "-I"), file=".", place="local")
    with pytest.raises(error, match=said):
        running.ask(way, tmp_path, [{}])
