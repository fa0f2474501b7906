"""An image for another processor, made here: its own Python answers the golden rows, under an emulator of it."""

from __future__ import annotations

import http.client
import io
import json
import signal
import subprocess
import tarfile

import pytest
from click.testing import CliRunner
from mlopskit_docker.base import Base
from mlopskit_docker.command import docker

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def bundle(build, package, arm64):
    return build(package, base=Base.read(arm64, "linux/arm64").id, platform="linux/arm64")


@pytest.fixture(scope="module")
def image(bundle, arm64, tmp_path_factory):
    """The image, as the command writes it."""
    file = tmp_path_factory.mktemp("image") / "image.tar"
    done = CliRunner().invoke(docker, ["image", str(bundle), str(file), "--base", str(arm64)])
    assert done.exit_code == 0, done.output
    return file


@pytest.fixture(scope="module")
def root(image, tmp_path_factory):
    """The file system that a container of the image would have."""
    folder = tmp_path_factory.mktemp("root")
    for layer in Base.read(image, "linux/arm64").layers:
        with tarfile.open(fileobj=io.BytesIO(b"".join(layer.checked()))) as archive:
            archive.extractall(folder, filter="tar")
    return folder


@pytest.fixture
def port(root, image, needs):
    """The port at which the image's own Python serves, as its configuration says, but for the port."""
    needs("qemu-aarch64-static")
    (said,) = json.loads(_member(image, "manifest.json"))
    config = json.loads(_member(image, said["Config"]))["config"]
    interpreter, *options, program = config["Entrypoint"]
    command = [
        "qemu-aarch64-static",
        "-L",
        root,
        root / "usr/bin" / interpreter,
        *options,
        f"{root}{program}",
        *config["Cmd"],
    ]
    command = [*map(str, command[:-1]), "0", "--host", "127.0.0.1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    yield int(process.stdout.readline().rpartition(b":")[2])
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    process.stdout.close()


def _member(file, name):
    with tarfile.open(file) as archive:
        return archive.extractfile(name).read()


def test_the_golden_rows_are_answered_by_an_arm64_image(port, package):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    rows = [dict(one.row) for one in package.golden]
    connection.request("POST", "/predict", json.dumps({"rows": rows}), {"content-type": "application/json"})
    said = json.loads(connection.getresponse().read())
    connection.close()
    assert said["digest"] == package.digest
    assert "aarch64" in str(said["runtime"])
    assert said["rows"] == [dict(one.expected) for one in package.golden]


def test_an_image_is_little_more_than_what_it_holds(image, bundle, arm64, record_property):
    base = sum(one.size for one in Base.read(arm64, "linux/arm64").layers)
    whole = sum(one.size for one in Base.read(image, "linux/arm64").layers)
    files = (path for folder in ("app/site", "package") for path in (bundle / folder).rglob("*") if path.is_file())
    parts = base + sum(path.stat().st_size for path in files)
    what = "image of a small model, portable form"
    record_property(f"figure: {what}, above its base, server included", f"{(whole - base) / 1e6:.1f} MB")
    record_property(f"figure: {what}, by the sum of base, wheels and model", f"{whole / parts:.2f} times")
    assert whole - base <= 30e6
    assert whole <= 1.15 * parts
