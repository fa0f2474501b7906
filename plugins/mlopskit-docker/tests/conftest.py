from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlopskit_docker.deployer import Docker

import mlopskit as mk
from mlopskit.testing.packages import shared_packages

# Debian's Python with nothing but what it is linked to.
PACKAGES = ["python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libgcc-s1", "libstdc++6"]
PACKAGES += ["zlib1g", "libexpat1", "libffi8", "libssl3", "libbz2-1.0", "liblzma5"]
SECONDS = 60
PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="session")
def needs() -> Callable[..., None]:
    """Return what skips a test where programs are not installed, or the rights to run them; and fails it in CI."""

    def check(*programs: str, root: bool = False) -> None:
        lacking = [f"{name} is not installed" for name in programs if not shutil.which(name, path=_path())]
        lacking += ["an engine is started by root alone"] if root and os.geteuid() else []
        refuse("; ".join(lacking))

    return check


def refuse(reason: str) -> None:
    """Skip a test for a reason, if there is one; or fail it where services are required."""
    if reason and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(reason)
    assert not reason, reason


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


@contextlib.contextmanager
def service(*command: object, log: Path, until: Callable[[], bool], **options: Any) -> Iterator[None]:
    """Start a program that ends with this process, wait until it serves, and end it."""
    arguments = ["setpriv", "--pdeathsig", "TERM", *map(str, command)]
    with log.open("ab") as opened:
        env = {**os.environ, "PATH": _path(), **options}
        process = subprocess.Popen(arguments, stdout=opened, stderr=opened, stdin=subprocess.DEVNULL, env=env)
    end = time.monotonic() + SECONDS
    try:
        while not until():
            if process.poll() is not None or time.monotonic() > end:
                refuse(f"{command[0]} does not run on this machine: {log.read_text()[-1500:]}")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def dockerd(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Start an engine of our own below a folder: it touches neither another engine nor the machine's firewall."""
    # Networks of another engine on this machine have other addresses.
    pool = f"base=10.{100 + os.getpid() % 100}.0.0/16,size=24"
    command = ["dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid"]
    command += ["-H", f"unix://{folder}/docker.sock", "--bridge=none", "--iptables=false", "--ip-masq=false"]
    command += ["--default-address-pool", pool]
    return service(*command, log=folder / "log", until=lambda: answers(folder / "docker.sock"))


def answers(address: Path) -> bool:
    """Whether somebody answers at a socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(address))
        except OSError:
            return False
        return True


class Engine:
    """A real engine, and where it is."""

    def __init__(self, folder: Path, name: str = "docker.sock") -> None:
        self.folder, self.address = folder, f"unix://{folder}/{name}"

    @contextlib.contextmanager
    def client(self) -> Iterator[Any]:
        """Give a client of it."""
        import docker

        client = docker.DockerClient(base_url=self.address, version="auto", timeout=120)
        try:
            yield client
        finally:
            client.close()

    def imported(self, root: Path) -> str:
        """Import a root file system as an image, and return its id."""
        with self.client() as client:
            client.api.import_image_from_data(root.read_bytes(), repository="base", tag="1")
            (image,) = client.images.list()
            return str(image.id)

    def clean(self) -> None:
        """Remove all containers and networks."""
        import docker

        with self.client() as client:
            for container in client.containers.list(all=True, ignore_removed=True):
                with contextlib.suppress(docker.errors.NotFound):
                    container.remove(v=True, force=True)
            client.networks.prune()


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """Give a folder with a short name, as sockets and Podman want it."""
    folder = Path(tempfile.mkdtemp(prefix="mlopskit-engine-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def engine(needs: Callable[..., None]) -> Iterator[Engine]:
    """A real engine of this worker's own."""
    needs("dockerd", "containerd", "runc", "setpriv", root=True)
    with short_folder() as folder, dockerd(folder):
        engine = Engine(folder)
        yield engine
        engine.clean()


@pytest.fixture(scope="session")
def base_tar(tmp_path_factory: pytest.TempPathFactory, needs: Callable[..., None]) -> Path:
    """A root file system that holds Debian's Python, as a tar; made once for all workers."""
    needs("apt-get", "dpkg-deb")
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    packed, debs, root = shared / "base.tar", shared / "debs", shared / "root"
    with (shared / "base.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not packed.exists():
            debs.mkdir(exist_ok=True)
            run("apt-get", "-qq", "download", *PACKAGES, cwd=debs)
            for deb in sorted(debs.glob("*.deb")):
                run("dpkg-deb", "-x", deb, root)
            (root / "usr/bin/python3").symlink_to("python3.11")
            shutil.rmtree(root / "usr/share")
            run("tar", "-C", root, "--sort=name", "--owner=0", "--group=0", "-cf", packed, ".")
    return packed


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a further engine."""
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def base(engine: Engine, base_tar: Path) -> str:
    """The id of an image that has Python alone."""
    return engine.imported(base_tar)


def opened(tmp_path_factory: pytest.TempPathFactory, name: str) -> mk.ModelPackage:
    """Return one of the packages that the conformance suites deploy."""
    return mk.ModelPackage.open(shared_packages(tmp_path_factory) / name, digest="unpinned")


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> mk.ModelPackage:
    """A small classifier."""
    return opened(tmp_path_factory, "one")


@pytest.fixture(scope="session")
def other_package(tmp_path_factory: pytest.TempPathFactory) -> mk.ModelPackage:
    """Another one of the same name."""
    return opened(tmp_path_factory, "other")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder with the lock of the wheels that images carry, and a cache that holds them."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.chdir(folder)
        mk.fetch(opened(tmp_path_factory, "one"), Docker(base=f"sha256:{'0' * 64}"))
    return folder


@pytest.fixture
def docker(
    engine: Engine, base: str, port: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Docker]]:
    """Return what makes a deployer to the engine; in the end nothing is left there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.chdir(home)

    def made(**options: Any) -> Docker:
        given = {"base": base, "interpreter": PYTHON, "port": port, "memory": 128}
        return Docker(**{**given, "engine": engine.address, **options})

    yield made
    engine.clean()


@pytest.fixture
def port() -> int:
    """A port of this machine that nobody holds."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def run(*command: object, **options: Any) -> str:
    """Run a command that must do what it is told, and return what it printed."""
    done = subprocess.run([*map(str, command)], capture_output=True, check=False, text=True, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout
