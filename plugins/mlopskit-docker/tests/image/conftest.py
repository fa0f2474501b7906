from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlopskit_docker import context
from mlopskit_docker.options import ImageOptions

import mlopskit as mk

# Debian's Python with nothing but what it is linked to.
PACKAGES = ["python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libgcc-s1", "libstdc++6"]
PACKAGES += ["zlib1g", "libexpat1", "libffi8", "libssl3", "libbz2-1.0", "liblzma5"]
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Its processor says more than onnxruntime wants to know of the one that is emulated.
CPUINFO = "processor\t: 0\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid\nCPU implementer\t: 0x41\n"
CPUINFO += "CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n"


@dataclass(frozen=True, kw_only=True)
class Built(ImageOptions, mk.Deployer):
    """What needs wheels and builds a bundle, as the target does, and deploys nowhere."""

    target = "docker"
    push = predict = live = activate = remove = None

    def needs(self, package, model, /):
        return context.needs(self, model)

    def build(self, package, model, into, /):
        context.write_context(self, package, model, into)


def archive(path: Path, root: bytes | Path, architecture: str) -> str:
    """Write an image of one layer as docker save does, and return its id."""
    data = root if isinstance(root, bytes) else root.read_bytes()
    diff_id = f"sha256:{hashlib.sha256(data).hexdigest()}"
    config = {
        "architecture": architecture,
        "config": {"Env": ["PATH=/usr/bin"]},
        "os": "linux",
        "rootfs": {"diff_ids": [diff_id], "type": "layers"},
    }
    said = json.dumps(config).encode()
    id = hashlib.sha256(said).hexdigest()
    listing = [{"Config": f"{id}.json", "Layers": ["one/layer.tar"], "RepoTags": None}]
    with tarfile.open(path, "w") as packed:
        for name, content in (
            (f"{id}.json", said),
            ("one/layer.tar", data),
            ("manifest.json", json.dumps(listing).encode()),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return f"sha256:{id}"


@pytest.fixture(scope="session")
def save() -> Callable[..., str]:
    """Return what writes a base as docker save does."""
    return archive


def write_bundle(folder: Path, base: str, files: dict[str, bytes], platform: str = "linux/amd64") -> Path:
    """Write a folder as the core seals one: with a listing of its files."""
    about = {"base": base, "config": {"Cmd": ["x"]}, "platform": platform}
    files = {**files, "image.json": json.dumps(about).encode()}
    listed = {path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in files.items()}
    mk.write_files({**files, "bundle.json": json.dumps({"files": listed}).encode()}, folder)
    return folder


@pytest.fixture(scope="session")
def bundle_of() -> Callable[..., Path]:
    """Return what writes a bundle's folder of files."""
    return write_bundle


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return what fetches the wheels that an image needs, and builds its bundle in a folder."""

    def built(package: mk.ModelPackage, **options: Any) -> Path:
        from mlopskit.deployment import Deploying

        home = tmp_path_factory.mktemp("project")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(home)
            patch.setenv("XDG_CACHE_HOME", str(_shared(tmp_path_factory) / "mlopskit-docker-cache"))
            deployer = Built(**options)
            mk.fetch(package, deployer)
            registry = mk.Registry.at(home / "registry")
            (home / "bundle").mkdir()
            Deploying(package=package, deployer=deployer, registry=registry, endpoint="test").build(home / "bundle")
        return home / "bundle"

    return built


@pytest.fixture(scope="session")
def arm64(tmp_path_factory: pytest.TempPathFactory, needs: Callable[..., None]) -> Path:
    """A base for linux/arm64: Debian's Python alone, as docker save would write it; made once for all workers."""
    needs("apt-get", "dpkg-deb")
    shared = _shared(tmp_path_factory)
    made = shared / "arm64.tar"
    with (shared / "arm64.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            root = shared / "arm64"
            for deb in _downloaded(shared / "arm64-apt", "arm64"):
                _run("dpkg-deb", "--extract", deb, root)
            (root / "usr/bin/python3").symlink_to("python3.11")
            shutil.rmtree(root / "usr/share")
            (root / "proc").mkdir()
            (root / "proc/cpuinfo").write_text(CPUINFO)
            _run("tar", "-C", root, "--sort=name", "--owner=0", "--group=0", "-cf", shared / "arm64-root.tar", ".")
            archive(made, shared / "arm64-root.tar", "arm64")
    return made


def _shared(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def _downloaded(folder: Path, architecture: str) -> list[Path]:
    """Download Debian's packages by a state of apt's own: this machine's is neither used nor changed."""
    for one in ("lists/partial", "cache/archives/partial", "packages"):
        (folder / one).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by={KEYS}] http://deb.debian.org/debian bookworm main\n")
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Dir::State": folder,
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    _run(*apt, "update")
    _run(*apt, "download", *PACKAGES, cwd=folder / "packages")
    return sorted((folder / "packages").glob("*.deb"))


def _run(*command: object, **options: Any) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, check=False, text=True, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout
