"""What users get from a real engine: while it is switched, when something goes wrong, and after it began again."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import subprocess
import threading
import time
from dataclasses import fields, replace

import pytest
from mlopskit_docker import loading
from mlopskit_docker import published as published_port
from mlopskit_docker.containers import Containers
from mlopskit_docker.deployer import Docker

import mlopskit as mk
from mlopskit.deployment import Deploying
from mlopskit.errors import ConfigError, ConflictError, DeployError, NotReadyError, VerificationError
from mlopskit.testing.packages import NAME

from .conftest import PYTHON, Engine, answers, dockerd, run, service

pytestmark = pytest.mark.live
SLOW = pytest.mark.slow  # others show most of it; `make prove` runs it


@pytest.fixture
def deploying(tmp_path, home):
    """Return what deploys a package as mlopskit does; the tests' packages have no verdict."""

    def deploy(package, deployer, **options):
        registry = mk.Registry.at(tmp_path / "registry")
        return Deploying(
            package=package, deployer=deployer, registry=registry, endpoint="production", override="a test", **options
        ).run()

    return deploy


def running(engine: Engine) -> dict[str, str]:
    """Return the state of each container, by the end of its name."""
    with engine.client() as client:
        return {one.name.rpartition("-")[2]: one.status for one in client.containers.list(all=True)}


def short(at) -> str:
    return at["bundle"].removeprefix("sha256:")[:12]


class Load(threading.Thread):
    """A client that asks one row again and again: by new connections, or by one that is kept as long as it can be."""

    def __init__(self, port: int, row, *, keep: bool) -> None:
        super().__init__()
        self.port, self.keep, self.done = port, keep, threading.Event()
        self.body, self.digests, self.failed = json.dumps({"rows": [dict(row)]}), [], []

    def run(self) -> None:
        connection = None
        while not self.done.is_set():
            fresh = connection is None
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                headers = {} if self.keep else {"Connection": "close"}
                connection.request("POST", "/predict", self.body, {"Content-Type": "application/json", **headers})
                reply = connection.getresponse()
                said = reply.read()
                self.digests.append(json.loads(said)["digest"])
            except (OSError, http.client.HTTPException) as error:
                # HTTP lets a server end a connection that was kept; whoever is told so at once asks again.
                if fresh or not isinstance(error, (http.client.RemoteDisconnected, ConnectionError)):
                    self.failed.append(repr(error))
                connection.close()
                connection = None
                continue
            if not self.keep or reply.will_close:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()


def test_no_request_fails_while_it_is_switched_under_load(
    docker, deploying, package, other_package, engine, record_property
):
    deployer = docker()
    one, other = (deploying(each, deployer).locator for each in (package, other_package))
    assert running(engine) == {short(one): "exited", short(other): "running", "forwarder": "running"}
    with deployer._at(NAME) as (containers, _):
        containers.start_again(one)
    row = package.golden[0].row
    # Both answer before it begins.
    for at in (one, other):
        until(lambda at=at: deployer.predict(NAME, [row], at))
    load = [Load(deployer.port, row, keep=keep) for keep in (False, True)]
    for client in load:
        client.start()
    live, last = other, one
    for _ in range(20):
        deployer.activate(NAME, last, instead_of=live, why="test")
        live, last = last, live
    deployer.retire(NAME, last)
    enough = time.monotonic() + 60
    while len(load[1].digests) < 100 and time.monotonic() < enough:
        time.sleep(0.05)
    for client in load:
        client.done.set()
        client.join()
        assert client.failed == []
        assert client.digests
    assert {*load[0].digests} == {package.digest, other_package.digest}
    for client, what in zip(load, ("each by a new connection", "by kept connections"), strict=True):
        record_property(f"figure: requests that failed during 20 switches, {what}", f"0 of {len(client.digests)}")


def until(act, seconds=60):
    """Return what something gives, once it does."""
    end = time.monotonic() + seconds
    while True:
        try:
            return act()
        except DeployError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


class Falsified(mk.ModelPackage):
    """A package that expects another answer to its first golden row than its model gives."""

    @property
    def golden(self):
        first, *others = super().golden
        labels = {one.expected["prediction"] for one in others} - {first.expected["prediction"]}
        return (replace(first, expected={**first.expected, "prediction": labels.pop()}), *others)


def test_an_image_that_answers_one_row_wrongly_gets_no_user(docker, deploying, package, other_package, engine):
    deployer = docker()
    one = deploying(package, deployer).locator
    with pytest.raises(VerificationError) as caught:
        deploying(Falsified(**{one.name: getattr(other_package, one.name) for one in fields(other_package)}), deployer)
    assert [(one.row, one.output) for one in caught.value.receipt.mismatches] == [(0, "prediction")]
    assert "prediction" in str(caught.value)
    assert deployer.live(NAME) == one
    answer = deployer.predict(NAME, [golden.row for golden in package.golden], None)
    assert answer.digest == package.digest
    states = running(engine)
    assert states.pop(short(one)) == states.pop("forwarder") == "running"
    assert [*states.values()] == ["exited"]


class LeadsElsewhere(Docker):
    """A deployer whose switch is broken: it says that it led to the new one, and leaves users where they were."""

    def activate(self, name, at, /, *, instead_of, why):
        if why.startswith("undo"):
            super().activate(name, at, instead_of=self.live(name), why=why)


def test_a_broken_switch_is_seen_by_the_second_look(docker, deploying, package, other_package):
    deployer = docker()
    one = deploying(package, deployer).locator
    broken = LeadsElsewhere(**vars(deployer))
    with pytest.raises(VerificationError, match=package.digest):
        deploying(other_package, broken)
    assert deployer.live(NAME) == one
    assert deployer.predict(NAME, [package.golden[0].row], None).digest == package.digest


def test_an_engine_that_begins_again_leads_where_it_led(engine, base_tar, docker, deploying, package, folder):
    again = Engine(folder)
    with dockerd(folder):
        deployer = docker(base=again.imported(base_tar), engine=again.address)
        at = deploying(package, deployer).locator
    with pytest.raises(DeployError, match="No engine answers") as caught:
        deployer.live(NAME)
    assert "Start it" in caught.value.remedy
    with dockerd(folder):
        assert deployer.live(NAME) == at
        answer = until(lambda: deployer.predict(NAME, [package.golden[0].row], None))
        assert answer.digest == package.digest
        assert deployer.fault(NAME, at) is None
        again.clean()


def test_what_is_removed_is_what_this_one_made(docker, deploying, package, other_package, engine):
    deployer = docker()
    one, other = (deploying(each, deployer).locator for each in (package, other_package))
    deployer.remove(NAME, one)
    assert running(engine) == {short(other): "running", "forwarder": "running"}
    assert "There is no container" in deployer.fault(NAME, one)
    deployer.activate(NAME, None, instead_of=other, why="test")
    deployer.remove(NAME, other)
    with engine.client() as client:
        assert client.containers.list(all=True) == []
        assert client.networks.list(filters={"label": "io.mlopskit.endpoint"}) == []
        assert client.volumes.list() == []
        assert client.images.get(other["image"])


def test_a_taken_port_is_named_and_nothing_is_left(docker, deploying, package, engine):
    deployer = docker()
    with (
        socket.create_server(("127.0.0.1", deployer.port)),
        pytest.raises(DeployError, match="port is taken") as caught,
    ):
        deploying(package, deployer)
    assert "another port" in caught.value.remedy
    assert running(engine) == {}
    assert deploying(package, deployer).receipt.passed


def test_a_base_that_is_not_there_says_what_to_run(docker, deploying, package):
    for base in (f"sha256:{'1' * 64}", f"127.0.0.1:1/python@sha256:{'1' * 64}"):
        with pytest.raises(DeployError, match="has no base image") as caught:
            deploying(package, docker(base=base))
        assert "docker load" in caught.value.remedy


@pytest.mark.parametrize("at", [pytest.param(0, marks=SLOW), 1, pytest.param(2, marks=SLOW)])
def test_what_was_interrupted_is_finished_by_the_next(docker, deploying, package, engine, monkeypatch, at):
    """While the image is loaded, before the forwarder is started, before the container is."""
    begun = []

    def interrupted(act):
        def do(*arguments):
            begun.append(act)
            if len(begun) > at:
                raise KeyboardInterrupt
            return act(*arguments)

        return do

    with monkeypatch.context() as patch:
        patch.setattr(loading, "loaded", interrupted(loading.loaded))
        patch.setattr(Containers, "start", interrupted(Containers.start))
        with pytest.raises(KeyboardInterrupt):
            deploying(package, docker())
    assert docker().live(NAME) is None
    assert deploying(package, docker()).receipt.passed
    assert [*running(engine).values()] == ["running", "running"]


@SLOW
def test_a_full_disk_is_named_and_deployed_to_once_there_is_room(
    engine, needs, base_tar, docker, deploying, package, folder
):
    needs("mount", "umount", root=True)
    small = Engine(folder)
    (folder / "data").mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=160m", "small", folder / "data")
    try:
        with dockerd(folder):
            deployer = docker(base=small.imported(base_tar), engine=small.address)
            filler = folder / "data" / "filler"
            with contextlib.suppress(OSError), filler.open("wb") as opened:
                while True:
                    opened.write(bytes(1 << 20))
            with pytest.raises(DeployError, match="no space left") as caught:
                deploying(package, deployer)
            assert "Make room" in caught.value.remedy
            filler.unlink()
            assert deploying(package, deployer).receipt.passed
            small.clean()
    finally:
        run("umount", "-l", folder / "data")


def test_a_forwarder_that_is_gone_is_named_and_made_again(docker, deploying, package, engine):
    deployer = docker()
    at = deploying(package, deployer).locator
    with engine.client() as client:
        client.containers.get(f"mlopskit-{NAME}-127.0.0.1-{deployer.port}-forwarder").stop(timeout=5)
    assert "forwarder ended with 0" in deployer.fault(NAME, at)
    with pytest.raises(DeployError, match="forwarder ended") as caught:
        deployer.predict(NAME, [package.golden[0].row], None)
    assert "Deploy again" in caught.value.remedy
    assert deploying(package, deployer).locator == at
    assert deployer.fault(NAME, at) is None


def test_without_a_forwarder_the_gap_is_told(
    docker, deploying, package, other_package, engine, caplog, record_property, monkeypatch
):
    deployer = docker(forwarder=False)
    row = package.golden[0].row
    one = deploying(package, deployer).locator
    assert not caplog.records
    other = deploying(other_package, deployer).locator
    assert running(engine) == {short(one): "exited", short(other): "exited", "published": "running"}
    (told,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    gap = float(re.fullmatch(rf"Nobody answered at 127.0.0.1:{deployer.port} for (.+) s, during the switch.", told)[1])
    assert gap > 0
    record_property("figure: gap of a switch without a forwarder", f"{gap:.2f} s")
    assert deploying(package, deployer, rollback=True).locator == deployer.live(NAME) == one
    assert deployer.predict(NAME, [row], None).digest == package.digest
    assert deployer.fault(NAME, one) is None
    assert deployer.logs(NAME, one)
    with pytest.raises(ConflictError):
        deployer.activate(NAME, other, instead_of=other, why="late")
    with deployer._at(NAME) as (containers, published):
        # Another one took the name after this one had looked.
        held = published.container()
        held.rename(f"{containers.endpoint}-before")
        with pytest.raises(ConflictError):
            published.turn(other, one)
        published.ensure(one["image"])
    monkeypatch.setattr(published_port, "_SECONDS", 0.0)
    with pytest.raises(NotReadyError, match="not ready in 0 s"):
        deployer.activate(NAME, other, instead_of=one, why="it is not ready in time")
    assert until(lambda: deployer.predict(NAME, [row], None)).digest == package.digest
    deployer.activate(NAME, None, instead_of=one, why="test")
    assert deployer.live(NAME) is None
    for at in (one, other):
        deployer.remove(NAME, at)
    assert running(engine) == {}


@SLOW
def test_podman_does_it_too(needs, base_tar, docker, deploying, package, other_package, folder):
    needs("podman", "runc", "umount", root=True)
    # A machine of little rights cannot raise its limits, which Podman does.
    (folder / "settings").write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
    podman = Engine(folder, "podman.sock")
    command = ["podman", "--runtime", "/usr/sbin/runc", "--root", folder / "root", "--runroot", folder / "run"]
    command += ["--cgroup-manager", "cgroupfs", "--network-config-dir", folder / "networks"]
    command += ["system", "service", "--time", "0", podman.address]
    settings = {"CONTAINERS_CONF": str(folder / "settings")}
    with service(*command, log=folder / "log", until=lambda: answers(folder / "podman.sock"), **settings):
        deployer = docker(base=podman.imported(base_tar), engine=podman.address)
        try:
            one, other = (deploying(each, deployer).locator for each in (package, other_package))
            assert running(podman) == {short(one): "exited", short(other): "running", "forwarder": "running"}
            assert deploying(package, deployer).locator == one
            with pytest.raises(ConflictError):
                deployer.activate(NAME, other, instead_of=other, why="late")
        finally:
            podman.clean()
    # Podman may leave it mounted.
    subprocess.run(["umount", folder / "root" / "overlay"], check=False, capture_output=True)


def test_an_engine_elsewhere_is_refused(docker, package):
    with pytest.raises(ConfigError, match="expected one on this machine"):
        docker(engine="ssh://me@host").check(package)


def test_a_container_that_ends_says_why(docker, deploying, package, engine):
    """Here: there is no such interpreter, and one that ends at once."""
    with pytest.raises(DeployError, match="The engine refused"):
        deploying(package, docker(interpreter="/usr/bin/nothing"))
    assert running(engine) == {}
    with pytest.raises(DeployError, match=r"ended|again") as caught:
        deploying(package, docker(interpreter="/lib64/ld-linux-x86-64.so.2"), deadline=20)
    assert "docker logs" in caught.value.remedy


def test_a_container_may_do_nothing_but_answer(docker, deploying, package, engine):
    at = deploying(package, docker()).locator
    with engine.client() as client:
        for container in client.containers.list():
            host = container.attrs["HostConfig"]
            assert host["ReadonlyRootfs"]
            assert host["CapDrop"] == ["ALL"]
            assert host["SecurityOpt"] == ["no-new-privileges"]
            assert container.attrs["Config"]["User"] == "65534:65534"
            assert host["Memory"] == 128 * 2**20
            assert host["RestartPolicy"]["Name"] == "unless-stopped"
            write = "open('/app/x' if __import__('os').path.exists('/app') else '/x', 'w')"
            code, said = container.exec_run([PYTHON, "-c", write])
            assert code
            assert b"Read-only file system" in said
        assert client.images.get(at["image"])


@pytest.mark.parametrize("user", [pytest.param("1000", marks=SLOW), "65534"])
def test_it_answers_without_a_network_as_anybody(docker, deploying, package, engine, user, record_property):
    """The first answer is asked through exec, by the image's own Python."""
    at = deploying(package, docker()).locator
    rows = json.dumps({"rows": [dict(golden.row) for golden in package.golden]})
    ask = (
        "import http.client, sys, time\n"
        "while True:\n"
        "    try:\n"
        "        one = http.client.HTTPConnection('127.0.0.1', 8000)\n"
        "        one.request('POST', '/predict', sys.argv[1], {'Content-Type': 'application/json'})\n"
        "        reply = one.getresponse()\n"
        "        break\n"
        "    except OSError:\n"
        "        time.sleep(0.01)\n"
        "print(reply.read().decode())"
    )
    with engine.client() as client:
        begun = time.monotonic()
        container = client.containers.run(
            at["image"],
            detach=True,
            read_only=True,
            user=user,
            network_mode="none",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
        )
        code, said = container.exec_run([PYTHON, "-I", "-c", ask, rows])
        seconds = time.monotonic() - begun
    assert code == 0, said
    answer = json.loads(said)
    assert answer["digest"] == package.digest
    assert answer["rows"] == [dict(golden.expected) for golden in package.golden]
    record_property(
        f"figure: first answer after docker run --read-only --user {user} --network none", f"{seconds:.2f} s"
    )


def test_an_image_in_a_registry_is_run_by_its_digest(docker, deploying, package, engine, needs, tmp_path):
    needs("docker-registry")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    config = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "images")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))

    def serves() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    deployer = docker(registry=f"127.0.0.1:{port}/models")
    command = ["docker-registry", "serve", tmp_path / "config.json"]
    with service(*command, log=tmp_path / "log", until=serves):
        at = deploying(package, deployer).locator
        assert at["image"].startswith(f"127.0.0.1:{port}/models/{NAME}@sha256:")
        assert deploying(package, deployer).locator == at
        # Another machine gets it from there, by its digest alone.
        deployer.activate(NAME, None, instead_of=at, why="test")
        deployer.remove(NAME, at)
        with engine.client() as client:
            client.images.remove(client.images.get(at["image"]).id, force=True)
            assert client.images.pull(at["image"]).attrs["RepoDigests"] == [at["image"]]
    with pytest.raises(DeployError, match=f"127.0.0.1:{port}"):
        deploying(package, deployer)
