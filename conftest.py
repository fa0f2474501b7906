"""What tests of the core and of plugins share: programs that must be installed, and Pythons of other processors."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlopskit import sysroot
from mlopskit.platforms import PLATFORMS

Needs = Callable[..., None]


@pytest.fixture(scope="session")
def needs() -> Needs:
    """Return what skips a test where programs are not installed, and fails it where they must be."""

    def check(*programs: str) -> None:
        lacking = [name for name in programs if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")]
        if lacking and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
            pytest.skip(f"not installed: {', '.join(lacking)}")
        if lacking:
            pytest.fail(f"not installed: {', '.join(lacking)}")

    return check


@pytest.fixture(scope="session")
def sysroots(tmp_path_factory: pytest.TempPathFactory, needs: Needs) -> Callable[[str], Path | None]:
    """Return what makes the sysroot of a platform, with Python 3.11, once for all tests; None if it is that of here."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "mlopskit-sysroots"

    def made(platform: str) -> Path | None:
        if PLATFORMS[platform].is_here:
            return None
        needs(PLATFORMS[platform].emulator, "apt-get", "dpkg-deb")
        shared.mkdir(exist_ok=True)
        folder = shared / platform.replace("/", "-")
        with (shared / f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            sysroot.make(folder, platform, "3.11")
        return folder

    return made
