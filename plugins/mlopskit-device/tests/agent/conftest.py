"""A place with bundles of one model, and a device whose agent follows it."""

from __future__ import annotations

import compileall
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from mlopskit_device.deployer import Device

import mlopskit as mk
from mlopskit.aliases import Alias
from mlopskit.builtin.folder import FolderStorage
from mlopskit.bundles import seal
from mlopskit.runtime import canonical
from mlopskit.testing.packages import NAME, shared_packages


@pytest.fixture(autouse=True)
def _uncounted(monkeypatch):
    """What a device runs is killed call by call: nothing that counts lines makes calls of its own there."""
    for name in [*os.environ]:
        if name.startswith("COVERAGE"):
            monkeypatch.delenv(name)


class Built(NamedTuple):
    """A bundle in a folder, its digest, and what it answers to the golden rows of the first."""

    folder: Path
    digest: str
    said: bytes


def requests_of(bundle):
    lines = (bundle / "package" / "golden.jsonl").read_bytes().splitlines()
    return json.dumps({"rows": [json.loads(line)["row"] for line in lines]}).encode() + b"\n"


def answer(path, request):
    done = subprocess.run([sys.executable, path], input=request, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="session")
def two(tmp_path_factory):
    """Two bundles of one model's name, made by the target."""
    made = []
    for name in ("one", "other"):
        package = mk.ModelPackage.open(shared_packages(tmp_path_factory) / name, digest="unpinned")
        folder = tmp_path_factory.mktemp("built")
        device = Device(to=str(folder), platform="linux/x86_64")
        [model] = [model for model in package.models if model.format == "portable"]
        device.build(package, model, folder)
        bundle = seal(folder, device, package, model)
        request = requests_of(made[0].folder if made else folder)
        made.append(Built(folder, bundle.digest, answer(folder, request)))
    return made


@pytest.fixture(scope="session")
def agent(two, tmp_path_factory):
    """The agent as it is installed on a device, compiled so that many starts cost less."""
    folder = tmp_path_factory.mktemp("agent")
    for name in ("agent.py", "slots.py", "trial.py"):
        shutil.copy(two[0].folder / name, folder)
    shutil.copytree(two[0].folder / "_mlopskit_runtime", folder / "_mlopskit_runtime")
    compileall.compile_dir(folder, quiet=1)
    return folder / "agent.py"


class Site:
    """A place, a device, and the agent between."""

    def __init__(self, root, built, agent):
        self.root = root
        self.to = root / "to"
        self.place = self.to / NAME / "device"
        self.device = root / "device"
        self.current = self.device / "current"
        self.built = built
        self.agent = agent
        self.request = requests_of(built[0].folder)
        self.alias = Alias(FolderStorage(str(self.to)), f"{NAME}/device/aliases", NAME, "production")
        self.one, self.two = (self.put(one) for one in built)

    def put(self, source, change=lambda _: None):
        """Publish a bundle, changed by hand; return its digest."""
        made = self.root / "made"
        shutil.copytree(source.folder, made)
        change(made)
        about = json.loads((made / "bundle.json").read_bytes())
        (made / "bundle.json").unlink()
        files = {path.relative_to(made).as_posix(): path.read_bytes() for path in made.rglob("*") if path.is_file()}
        about["files"] = {
            path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in files.items()
        }
        (made / "bundle.json").write_bytes(canonical.dumps(about))
        digest = canonical.digest_of(canonical.dumps(about))
        self.there(digest).parent.mkdir(parents=True, exist_ok=True)
        if self.there(digest).exists():
            shutil.rmtree(made)
        else:
            made.rename(self.there(digest))
        return digest

    def there(self, digest):
        return self.place / "bundles" / digest.removeprefix("sha256:")

    def here(self, digest):
        return self.device / "bundles" / digest.removeprefix("sha256:")

    def move(self, digest):
        return self.alias.append(digest, after=self.alias.head(), why="")

    def command(self, *options, place=None):
        return [sys.executable, self.agent, place or self.place, "--folder", self.device, *map(str, options)]

    def run(self, *options, place=None, **about):
        """Let the agent look once; return its exit code and what it said."""
        command = self.command(*(options or ("--once",)), place=place)
        done = subprocess.run(command, capture_output=True, text=True, check=False, **about)
        return done.returncode, done.stdout + done.stderr

    def answers(self):
        """Return which of the two bundles answers, whole; None if there is none."""
        if not os.path.lexists(self.current):
            return None
        said = answer(self.current, self.request)
        [which] = [digest for digest, one in zip((self.one, self.two), self.built, strict=True) if one.said == said]
        return which

    def state(self):
        return json.loads((self.device / "state.json").read_bytes())

    def kept(self):
        return {f"sha256:{entry.name}" for entry in (self.device / "bundles").iterdir()}


@pytest.fixture
def site(tmp_path, two, agent):
    """A place where the first bundle is live."""
    made = Site(tmp_path, two, agent)
    made.move(made.one)
    return made
