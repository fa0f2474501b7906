"""An image of a bundle and a base: the same one however, whenever and by whom it is made, and no other's bytes."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from mlopskit_docker.base import Base
from mlopskit_docker.command import docker
from mlopskit_docker.image import assemble, platform_of, write_archive
from mlopskit_docker.layers import GZIP

from mlopskit.errors import ConfigError, DeployError, IntegrityError, LimitError, MlopskitError, UnsafePathError

ROOT = b"what a tar archive is does not matter here" * 100
FILES = {
    "app/__main__.py": b"print()",
    "app/site/x.so": b"\x7fELF",
    "package/manifest.json": b"{}",
    "Dockerfile": b"no",
}
# Whoever imports this knows neither the time of files nor the order of sets.
MAKE = """
import os, sys
from pathlib import Path
from mlopskit_docker.base import Base
from mlopskit_docker.image import assemble, write_archive
*paths, user = sys.argv[1:]
bundle, base, file = map(Path, paths)
if int(user):  # only now: another user may not read where Python is installed
    os.setgroups([]), os.setgid(int(user)), os.setuid(int(user))
image = assemble(bundle, Base.read(base, "linux/amd64"), gzip=True)
write_archive(image, file, tags=["models/one:1"])
print(image.id, image.digest)
"""


@pytest.fixture
def saved(tmp_path, save):
    return tmp_path / "base.tar", save(tmp_path / "base.tar", ROOT, "amd64")


@pytest.fixture
def bundle(tmp_path, bundle_of, saved):
    return bundle_of(tmp_path / "bundle", saved[1], FILES)


@pytest.fixture
def base(saved):
    return Base.read(saved[0], "linux/amd64")


@pytest.fixture
def layout(tmp_path, bundle, base):
    """The image of the bundle, compressed, as a folder that is an OCI layout."""
    write_archive(assemble(bundle, base, gzip=True), tmp_path / "layout.tar", tags=["models/one:1"])
    with tarfile.open(tmp_path / "layout.tar") as archive:
        archive.extractall(tmp_path / "layout", filter="data")
    return tmp_path / "layout"


def refused(error, do, *arguments, match):
    with pytest.raises(error, match=match) as found:
        do(*arguments)
    assert found.value.remedy
    return found.value


def blob(folder, digest):
    return folder / "blobs/sha256" / digest.removeprefix("sha256:")


def test_it_has_the_bases_layers_the_servers_and_the_packages(bundle, base):
    image = assemble(bundle, base)
    names = []
    for layer in image.layers[1:]:
        with tarfile.open(fileobj=_file(layer)) as archive:
            names.append([one.name for one in archive if one.isreg()])
    assert names == [["app/__main__.py", "app/site/x.so"], ["app/package/manifest.json"]]
    config = json.loads(b"".join(image.config.checked()))
    assert config["rootfs"]["diff_ids"] == [one.diff_id for one in image.layers]
    assert config["config"] == {"Cmd": ["x"], "Env": ["PATH=/usr/bin"]}
    assert len(config["history"]) == 3


def _file(blob):
    import io

    return io.BytesIO(b"".join(blob.checked()))


def test_a_new_model_has_the_same_layer_of_the_server(tmp_path, bundle, base, bundle_of, saved):
    other = bundle_of(tmp_path / "other", saved[1], {**FILES, "package/manifest.json": b'{"new": 1}'})
    one, two = assemble(bundle, base), assemble(other, base)
    assert [a.digest == b.digest for a, b in zip(one.layers, two.layers, strict=True)] == [True, True, False]


def test_its_id_is_the_same_however_the_base_was_read(bundle, base, saved, tmp_path, layout):
    inspected = {
        "Id": saved[1],
        "Architecture": "amd64",
        "Os": "linux",
        "Variant": "",
        "Config": {"Env": ["PATH=/usr/bin"], "Cmd": None},
        "RootFS": {"Type": "layers", "Layers": [base.layers[0].diff_id]},
        "RepoDigests": [],
    }
    known = Base.known(inspected)
    image, other = assemble(bundle, base), assemble(bundle, known)
    assert other.id == image.id == assemble(bundle, base, gzip=True).id
    write_archive(other, tmp_path / "thin.tar", without=known)
    with tarfile.open(tmp_path / "thin.tar") as archive:
        names = archive.getnames()
    assert f"blobs/sha256/{base.layers[0].digest.removeprefix('sha256:')}" not in names
    assert "index.json" not in names
    refused(IntegrityError, write_archive, other, tmp_path / "none.tar", match="not here")
    assert not (tmp_path / "none.tar").exists()


def test_the_archive_is_a_layout_and_what_engines_load(bundle, base, tmp_path, layout):
    image = assemble(bundle, base, gzip=True)
    index = json.loads((layout / "index.json").read_bytes())["manifests"]
    assert [one["digest"] for one in index] == [image.digest]
    assert index[0]["annotations"] == {"org.opencontainers.image.ref.name": "models/one:1"}
    for one in image.blobs:
        data = blob(layout, one.digest).read_bytes()
        assert (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data)) == (one.digest, one.size)
    (said,) = json.loads((layout / "manifest.json").read_bytes())
    assert said["RepoTags"] == ["models/one:1"]
    assert [(layout / one).exists() for one in [said["Config"], *said["Layers"]]] == [True] * 4
    for path in (layout, tmp_path / "layout.tar"):
        again = Base.read(path, "linux/amd64")
        assert (again.id, [one.media_type for one in again.layers][1:]) == (image.id, [GZIP, GZIP])
        assert image.digest in again.digests
    assert {path.name for path in tmp_path.iterdir()} == {"base.tar", "bundle", "layout", "layout.tar"}


def test_it_is_the_same_for_another_user_on_another_day_in_another_folder(bundle, saved):
    def made(name, *, seed, umask, user, day):
        folder = place / name
        folder.mkdir()
        shutil.copytree(bundle, folder / "b", copy_function=shutil.copyfile)
        shutil.copyfile(saved[0], folder / "base.tar")
        for path in folder.rglob("*"):
            path.chmod(0o777 if path.is_dir() else umask ^ 0o666)
            os.utime(path, (day, day))
            if user:
                os.chown(path, user, user)
        folder.chmod(0o777)
        command = [sys.executable, "-c", MAKE, folder / "b", folder / "base.tar", folder / "made.tar", str(user)]
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "TZ": f"UTC{seed}", "HOME": str(folder)}
        options = {"env": environment, "umask": umask, "cwd": folder}
        done = subprocess.run(command, capture_output=True, check=False, text=True, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout, hashlib.sha256((folder / "made.tar").read_bytes()).hexdigest()

    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        place.chmod(0o755)
        one = made("one", seed=1, umask=0o022, user=0, day=0)
        assert made("two", seed=2, umask=0o002, user=0 if os.geteuid() else 1234, day=10**9) == one


@pytest.mark.parametrize("wanted", [f"sha256:{'0' * 64}", f"python@sha256:{'0' * 64}"])
def test_another_base_than_the_pinned_one_is_refused(bundle_of, base, tmp_path, wanted):
    other = bundle_of(tmp_path / "other", wanted, FILES)
    found = refused(ConfigError, assemble, other, base, match="pinned to sha256:000")
    assert base.id in found.remedy


def test_a_base_for_another_platform_is_refused(bundle_of, saved, tmp_path, base, layout):
    other = bundle_of(tmp_path / "other", saved[1], FILES, "linux/arm64")
    assert platform_of(other) == "linux/arm64"
    refused(ConfigError, assemble, other, base, match=r"for linux/amd64, expected linux/arm64")
    refused(ConfigError, Base.read, layout, "linux/arm64", match="holds 0 images for linux/arm64")


def test_a_layout_of_several_platforms_gives_the_one(layout, bundle, base, tmp_path):
    image = assemble(bundle, base, gzip=True)
    about = {"mediaType": image.manifest.media_type, "digest": image.digest, "size": image.manifest.size}
    unknown = json.dumps({"config": _put(layout, b"{}"), "layers": []}).encode()
    nested = json.dumps({"manifests": [about, _put(layout, unknown)]}).encode()
    (layout / "index.json").write_text(json.dumps({"manifests": [_put(layout, nested)]}))
    found = Base.read(layout, "linux/amd64")
    # It may be pinned by the digest that a registry shows for all its platforms.
    assert {image.id, image.digest, f"sha256:{hashlib.sha256(nested).hexdigest()}"} <= found.digests


def _put(layout, data):
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    blob(layout, digest).write_bytes(data)
    return {"digest": digest, "size": len(data), "mediaType": "application/json"}


def test_an_index_that_holds_itself_forever_is_refused(layout):
    inner = {"manifests": []}
    for _ in range(8):
        inner = {"manifests": [_put(layout, json.dumps(inner).encode())]}
    (layout / "index.json").write_text(json.dumps(inner))
    refused(LimitError, Base.read, layout, "linux/amd64", match="nested")


@pytest.mark.parametrize("which", ["config", "manifest", "layer"])
def test_a_part_of_a_layout_that_was_changed_is_refused(layout, bundle, base, bundle_of, tmp_path, which):
    image = assemble(bundle, base, gzip=True)
    part = {"config": image.config, "manifest": image.manifest, "layer": image.layers[0]}[which]
    data = bytearray(blob(layout, part.digest).read_bytes())
    data[10] ^= 1
    blob(layout, part.digest).write_bytes(data)
    above = bundle_of(tmp_path / "above", image.id, FILES)

    def whole():
        write_archive(assemble(above, Base.read(layout, "linux/amd64")), tmp_path / "x.tar")

    refused(IntegrityError, whole, match=part.digest.removeprefix("sha256:"))
    assert not (tmp_path / "x.tar").exists()


def _change(layout, file, change):
    value = json.loads((layout / file).read_bytes())
    change(value)
    (layout / file).write_text(json.dumps(value))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"[[]]",
        b'{"manifests": 5}',
        b'{"manifests": [{"digest": "../../../etc/passwd"}]}',
        b'{"manifests": [{"digest": "sha256:%s"}]}' % (b"0" * 64),
        b"\xff",
        b"[" * 10_000,
    ],
)
@pytest.mark.parametrize("file", ["index.json", "manifest.json"])
def test_what_is_no_image_is_said_to_be_none(layout, file, data):
    if file == "manifest.json":
        (layout / "oci-layout").unlink()
    (layout / file).write_bytes(data)
    refused(MlopskitError, Base.read, layout, "linux/amd64", match=r"image|layout|holds|nested")


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08", b"x" * 2000, bytes(10_240)])
def test_a_file_that_is_no_archive_is_said_to_be_none(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    refused(ConfigError, Base.read, tmp_path / "file", "linux/amd64", match="tar archive|holds no")
    refused(ConfigError, Base.read, tmp_path / "none", "linux/amd64", match="tar archive")


def test_a_listing_that_is_too_large_is_not_read(layout):
    (layout / "index.json").write_bytes(b" " * (5 << 20))
    refused(LimitError, Base.read, layout, "linux/amd64", match="more than")


@pytest.mark.parametrize("path", ["app/__main__.py", "package/manifest.json", "image.json"])
def test_a_bundle_that_was_changed_is_refused(bundle, base, path):
    (bundle / path).write_bytes(b"{}x")
    refused(IntegrityError, assemble, bundle, base, match=path)
    (bundle / path).unlink()
    refused(IntegrityError, assemble, bundle, base, match=path)
    (bundle / path).symlink_to("/etc/passwd")
    refused(IntegrityError, assemble, bundle, base, match=path)


def test_what_was_put_beside_is_in_no_layer(bundle, base):
    before = assemble(bundle, base)
    for path in ("app/.env", "package/id_rsa", ".git/config", "app/site/notes.ipynb"):
        (bundle / path).parent.mkdir(exist_ok=True)
        (bundle / path).write_text("SECRET=1")
    assert assemble(bundle, base).id == before.id


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "app/../../x", "app//x", ""])
def test_a_listing_that_leaves_the_folder_is_refused(bundle, base, path):
    _change(bundle, "bundle.json", lambda said: said["files"].update({path: said["files"]["image.json"]}))
    refused(UnsafePathError, assemble, bundle, base, match="not allowed")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"files": []}', b'{"files": {"a": 1}}', b'{"files": {}}'])
def test_a_folder_that_is_no_bundle_is_said_to_be_none(bundle, base, content):
    (bundle / "bundle.json").write_bytes(content)
    refused(ConfigError, assemble, bundle, base, match="no bundle of the target docker")


@given(data=st.data())
def test_whatever_of_a_base_is_changed_it_is_refused_or_makes_no_difference(data, archives, tmp_path_factory):
    """Of 12 KB: the names, sizes and sums of a tar archive, its JSON, its layer."""
    name = data.draw(st.sampled_from(sorted(archives)))
    content, bundle, image = archives[name]
    folder = tmp_path_factory.mktemp("changed")
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        # A place among those that say something: most of a tar archive is zeros.
        changed[data.draw(st.sampled_from(_telling(content)))] = data.draw(st.integers(0, 255))
    (folder / "base.tar").write_bytes(changed)
    made = _made(bundle, folder)
    assert made is None or made.id == image.id
    assert (folder / "made.tar").exists() == (made is not None)
    if made is not None:
        assert [b"".join(one.checked()) for one in made.layers] == [b"".join(one.checked()) for one in image.layers]


def _made(bundle, folder):
    """Return the image above a base that may have been changed, which was written; None if that was refused."""
    try:
        made = assemble(bundle, Base.read(folder / "base.tar", "linux/amd64"))
        write_archive(made, folder / "made.tar")
    except MlopskitError:
        return None
    return made


def _telling(content):
    return [place for place, byte in enumerate(content) if byte]


@pytest.fixture(scope="module")
def archives(tmp_path_factory, save, bundle_of):
    """A base as docker save writes it and as an OCI layout, with a bundle and the image of it."""
    folder = tmp_path_factory.mktemp("archives")
    found = {}
    id = save(folder / "save.tar", ROOT[:600], "amd64")
    inner = bundle_of(folder / "inner", id, {})
    write_archive(assemble(inner, Base.read(folder / "save.tar", "linux/amd64"), gzip=True), folder / "layout.tar")
    for name in ("save", "layout"):
        base = Base.read(folder / f"{name}.tar", "linux/amd64")
        bundle = bundle_of(folder / name, base.id, FILES)
        found[name] = ((folder / f"{name}.tar").read_bytes(), bundle, assemble(bundle, base))
    return found


def test_without_room_nothing_is_written(bundle, base, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        refused(DeployError, write_archive, assemble(bundle, base), tmp_path / "image.tar", match="cannot be written")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    refused(DeployError, write_archive, assemble(bundle, base), tmp_path / "none/x.tar", match="No such file")
    assert {path.name for path in tmp_path.iterdir()} == {"base.tar", "bundle"}


def run(*arguments):
    return CliRunner().invoke(docker, ["image", *map(str, arguments)])


def test_the_command_writes_it_once_and_says_what_it_is(bundle, saved, base, tmp_path):
    done = run(bundle, tmp_path / "image.tar", "--base", saved[0], "--tag", "models/one:1")
    assert done.exit_code == 0, done.output
    assert assemble(bundle, base).id in done.output
    assert Base.read(tmp_path / "image.tar", "linux/amd64").id == assemble(bundle, base).id
    again = run(bundle, tmp_path / "image.tar", "--base", saved[0])
    assert isinstance(again.exception, ConfigError)
    assert "is there already" in str(again.exception)


def test_the_command_refuses_a_name_before_it_writes(bundle, saved, tmp_path):
    done = run(bundle, tmp_path / "image.tar", "--base", saved[0], "--tag", "A b")
    assert isinstance(done.exception, ConfigError)
    assert not (tmp_path / "image.tar").exists()
