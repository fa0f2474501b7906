from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from mlopskit_device.deployer import Device
from mlopskit_device.platforms import PLATFORMS, is_here

import mlopskit as mk
from mlopskit.testing.packages import shared_packages

HERE = next((one.name for one in PLATFORMS.values() if is_here(one)), "linux/x86_64")


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> mk.ModelPackage:
    """A small classifier, as the conformance suites deploy it."""
    return mk.ModelPackage.open(shared_packages(tmp_path_factory) / "one", digest="unpinned")


@pytest.fixture
def device(tmp_path: Path, sysroots: Callable[[str], Path | None]) -> Callable[..., Device]:
    """Return what makes a deployer for a platform, with all that it needs here."""

    def made(platform: str, **options: object) -> Device:
        if "sysroot" not in options and options.get("python") != "none" and (folder := sysroots(platform)):
            options["sysroot"] = str(folder)
        return Device(to=str(tmp_path / "place"), platform=platform, **options)

    return made


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., Path]:
    """Return what builds the bundle of a package in a new folder."""

    def build(device: Device, package: mk.ModelPackage) -> Path:
        from mlopskit.deployment import Deploying

        folder = tmp_path / "bundle"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        registry = mk.Registry.at(tmp_path / "registry")
        Deploying(package=package, deployer=device, registry=registry, endpoint="test").build(folder)
        return folder

    return build


def run(*command: object, **options: object) -> str:
    """Run a command that must do what it is told, and return what it printed."""
    options = {"env": {"PATH": os.environ["PATH"]}, **options}
    done = subprocess.run([*map(str, command)], capture_output=True, check=False, text=True, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout
