from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlopskit_serverless.functions import FunctionBundle

import mlopskit as mk
from mlopskit.testing.packages import shared_packages

EXAMPLE = Path(__file__).parents[3] / "examples/sentiment"


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> mk.ModelPackage:
    """A small classifier, as the conformance suites deploy it."""
    return mk.ModelPackage.open(shared_packages(tmp_path_factory) / "one", digest="unpinned")


@contextmanager
def _once(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """Give a folder that all workers of a test run share, to one of them at a time."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"mlopskit-{name}"
    folder.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


@pytest.fixture(scope="session")
def sentiment(tmp_path_factory: pytest.TempPathFactory) -> mk.ModelPackage:
    """The package of the example: text, judged positive or negative."""
    with _once(tmp_path_factory, "sentiment") as folder:
        done = folder / "digest"
        if not done.exists():
            _run(sys.executable, EXAMPLE / "fetch.py", "--into", folder / "data")
            for name in ("behaviour.toml", "mlopskit.toml"):
                shutil.copy(EXAMPLE / name, folder)
            shutil.copytree(EXAMPLE / "sentiment", folder / "sentiment", dirs_exist_ok=True)
            _run(Path(sys.executable).with_name("mlopskit"), "run", cwd=folder)
            (made,) = (folder / ".mlopskit/registry/sentiment/packages").iterdir()
            done.write_text(f"sha256:{made.name}")
        digest = done.read_text()
    made = folder / ".mlopskit/registry/sentiment/packages" / digest.removeprefix("sha256:")
    return mk.ModelPackage.open(made, digest=digest)


def _run(*command: object, **options: Any) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)
    if "pip could not download" in done.stderr and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr


class Home:
    """A project's folder with a lock, and a cache that holds what was fetched: once for all workers of a test run."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory

    @contextmanager
    def entered(self) -> Iterator[Path]:
        """Let Wheels be found here, and give the folder."""
        with _once(self._factory, "home") as folder, pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
            patch.chdir(folder)
            yield folder

    def runtime(self, deployer: FunctionBundle, package: mk.ModelPackage) -> Path:
        """Return the folder of the unpacked wheels of a service's runtime, in which the function is asked."""
        platform = deployer.platform.partition("/")[2]
        with self.entered() as home:
            folder = home / f"{deployer.service.module}-{platform}-{deployer.python}"
            if not folder.exists():
                mk.fetch(package, deployer)
                deployer.service.wheels(deployer.platform, deployer.python).unpack(folder / "unpacking")
                (folder / "unpacking").rename(folder / "site")
        return folder / "site"

    def unzipped(self, deployer: FunctionBundle, package: mk.ModelPackage) -> Path:
        """Return a new folder with what the zip of a function holds."""
        folder = self._factory.mktemp("function")
        model = next(one for form in deployer.formats for one in package.models if one.format == form)
        with self.entered():
            mk.fetch(package, deployer)
            deployer.build(package, model, folder)
        with zipfile.ZipFile(folder / "function.zip") as archive:
            archive.extractall(folder / "unzipped")
        return folder / "unzipped"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """What fetches wheels, builds functions and unpacks them."""
    return Home(tmp_path_factory)
