"""The image in a real engine: as it is, built by hand of the same folder, and several that follow one share."""

from __future__ import annotations

import hashlib
import json
import tarfile
import time

import pytest
from mlopskit_docker.base import Base
from mlopskit_docker.image import assemble, write_archive
from ruamel.yaml import YAML

import mlopskit as mk

pytestmark = pytest.mark.live

# What asks in a container that has no network.
ASK = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
connection.request("POST", "/predict", sys.argv[1], {"content-type": "application/json"})
print(connection.getresponse().read().decode())
"""
LIMITED = {"read_only": True, "network_mode": "none", "cap_drop": ["ALL"], "detach": True}
SECONDS = 120


@pytest.fixture(scope="module")
def client(engine):
    with engine.client() as client:
        yield client


@pytest.fixture(scope="module")
def bundle(build, package, base):
    return build(package, base=base)


@pytest.fixture(scope="module")
def image(client, bundle, base, tmp_path_factory):
    """The image in the engine, which was told of the new layers alone."""
    known = Base.known(client.images.get(base).attrs)
    made = assemble(bundle, known)
    file = tmp_path_factory.mktemp("image") / "image.tar"
    write_archive(made, file, without=known)
    with file.open("rb") as opened:
        (loaded,) = client.images.load(opened)
    assert loaded.id == made.id
    return loaded


@pytest.fixture
def started(client, image):
    """Start containers of the image, which end with the test."""
    containers = []

    def start(*arguments, **options):
        containers.append(client.containers.run(image.id, [*arguments] or None, **LIMITED, **options))
        return containers[-1]

    yield start
    for one in containers:
        one.remove(force=True)


def asked(container, rows):
    """Return what it answers, as soon as it does."""
    end = time.monotonic() + SECONDS
    while True:
        code, said = container.exec_run(["python3", "-I", "-c", ASK, json.dumps({"rows": rows})])
        if code == 0:
            return json.loads(said)
        assert time.monotonic() < end, said.decode() + container.logs().decode()
        time.sleep(0.02)


def golden(package):
    return [dict(one.row) for one in package.golden], [dict(one.expected) for one in package.golden]


def listed(client, image, folder):
    """Return the files of an image, with rights, owners and bytes."""
    container = client.containers.create(image.id)
    try:
        with (folder / "files.tar").open("wb") as file:
            file.writelines(container.export())
    finally:
        container.remove()
    with tarfile.open(folder / "files.tar") as archive:
        return {
            one.name: (
                one.mode & 0o7777,
                one.uid,
                one.gid,
                one.linkname,
                _sum(archive.extractfile(one)) if one.isreg() else "",
            )
            for one in archive
        }


def _sum(file):
    return hashlib.file_digest(file, "sha256").hexdigest()


def test_built_by_hand_of_the_same_folder_it_holds_the_same_files(client, image, bundle, tmp_path):
    by_hand, _ = client.images.build(path=str(bundle), rm=True)
    ours = listed(client, image, tmp_path)
    assert listed(client, by_hand, tmp_path) == ours
    assert ours["app/package/manifest.json"][:3] == (0o644, 0, 0)
    said, other = image.attrs["Config"], by_hand.attrs["Config"]
    for key in ("User", "Entrypoint", "Cmd", "ExposedPorts", "Healthcheck", "Labels"):
        assert said[key] == other[key], key


def test_the_full_archive_is_the_same_image(client, image, bundle, base, tmp_path):
    with (tmp_path / "base.tar").open("wb") as file:
        file.writelines(client.images.get(base).save())
    read = Base.read(tmp_path / "base.tar", "linux/amd64")
    for gzip in (False, True):
        made = assemble(bundle, read, gzip=gzip)
        write_archive(made, tmp_path / "image.tar")
        with (tmp_path / "image.tar").open("rb") as opened:
            assert [one.id for one in client.images.load(opened)] == [made.id] == [image.id]


def test_it_answers_without_a_network_rights_or_a_place_to_write(started, package, record_property):
    rows, expected = golden(package)
    begun = time.monotonic()
    container = started(user="1000")
    said = asked(container, rows)
    took = time.monotonic() - begun
    assert (said["rows"], said["digest"]) == (expected, package.digest)
    what = "docker run --read-only --user 1000 --network none, until the first answer"
    record_property(f"figure: {what}", f"{took:.2f} s")
    assert container.exec_run(["python3", "-I", "-B", "/app/health.py"])[0] == 0
    container.stop(timeout=20)
    assert container.wait()["StatusCode"] == 0


def test_several_follow_one_share_that_they_cannot_write_to(started, bundle, package, other_package, tmp_path):
    documents = YAML(typ="safe").load_all(bundle / "kubernetes.yaml")
    (pod,) = (one["spec"]["template"]["spec"] for one in documents if one["kind"] == "Deployment")
    (about,) = pod["containers"]
    share = tmp_path / "share"
    _publish(package, share)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    options = {
        "user": f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}",
        "volumes": {str(share): {"bind": about["volumeMounts"][0]["mountPath"], "mode": "ro"}},
        "tmpfs": {one["mountPath"]: "mode=1777" for one in about["volumeMounts"][1:]},
    }
    containers = [started(*about["args"], "--every", "0.5", **options) for _ in range(2)]
    rows, _ = golden(package)
    assert [asked(one, rows)["digest"] for one in containers] == [package.digest] * 2
    _publish(other_package, share)
    end = time.monotonic() + SECONDS
    while {asked(one, rows)["digest"] for one in containers} != {other_package.digest}:
        assert time.monotonic() < end, containers[0].logs().decode()
        time.sleep(0.2)
    rows, expected = golden(other_package)
    assert [asked(one, rows)["rows"] for one in containers] == [expected] * 2


def _publish(package, share):
    mk.deploy(package, mk.FileShare(to=str(share)), registry=share.parent / "registry", override="a test")
