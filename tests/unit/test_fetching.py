"""Fetching, with pip and indexes that the tests make: what comes, what is refused, what is left behind."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tarfile
import tempfile
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

import mlopskit as mk
from mlopskit import wheelindex
from mlopskit.bundles import seal
from mlopskit.commits import sha256_of
from mlopskit.errors import IntegrityError, StorageError, UnsafePathError
from mlopskit.fetching import Fetching
from mlopskit.wheellock import Entry, File, Lock, add
from mlopskit.wheels import path_of


@dataclass(frozen=True, kw_only=True)
class Edge(mk.BundleDeployer):
    """Needs some wheels; nothing is asked of it here."""

    target: ClassVar[str] = "edge"
    formats: ClassVar[tuple[str, ...]] = ("skops",)
    requirements: tuple[str, ...] = ("tool==1.0",)
    platform: str = "linux/aarch64"
    python: str = "3.12"

    def needs(self, package, model, /):
        assert (package.name, model.format) == ("mood", "skops")
        return [mk.Wheels(requirements=self.requirements, platform=self.platform, python=self.python)]

    def build(self, package, model, into, /):
        for wheels in self.needs(package, model):
            wheels.unpack(into / "site")

    def ask(self, bundle, rows, /):
        raise NotImplementedError


@pytest.fixture
def fetch(small, index, tmp_path):
    """Fetch what an edge needs, in a project's folder; options are those of the edge, and `upgrade`."""
    del index
    (tmp_path / "project").mkdir()

    def run(*, upgrade=False, progress=lambda _: None, **options):
        edge = Edge(to=str(tmp_path / "share"), **options)
        lock = tmp_path / "project" / "mlopskit.lock"
        return Fetching(
            package=small(1), deployer=edge, endpoint="edge", lock=lock, upgrade=upgrade, progress=progress
        ).run()

    return run


def cached(tmp_path):
    """Return the names of what stands in the cache; nothing may lie beside it."""
    root = tmp_path / "cache" / "mlopskit"
    beside = root / ".mlopskit-tmp"
    assert not beside.exists() or not [*beside.iterdir()]
    return sorted(path.name for path in (root / "wheels").rglob("*.whl")) if root.exists() else []


def lock_in(index, name, tmp_path, *, sha256=None, requirements=("tool==1.0",)):
    """Write a lock that names a wheel of the index."""
    file = index / name
    entry = Entry({name: File(sha256 or sha256_of(file), file.stat().st_size)})
    add(tmp_path / "project" / "mlopskit.lock", {("linux/aarch64", "3.12", requirements): entry})
    return entry


TOOL, HELPER = "tool-1.0-py3-none-any.whl", "helper-1.1-py3-none-any.whl"


def test_what_is_fetched_once_is_there_for_all_later_builds(fetch, index, make_wheel, small, tmp_path, monkeypatch):
    make_wheel(index, "tool", requires=["helper>=1"])
    for version in ("1.0", "1.1"):
        make_wheel(index, "helper", version)
    steps = []
    first = fetch(progress=steps.append)
    assert [(one.file, one.downloaded) for one in first.wheels] == [(HELPER, True), (TOOL, True)]
    assert stat.S_IMODE((tmp_path / "cache" / "mlopskit").stat().st_mode) == 0o700
    assert (first.format, first.changed, first.downloaded) == ("skops", True, first.size)
    assert cached(tmp_path) == [HELPER, TOOL]
    assert any(TOOL in step for step in steps)
    table = json.loads(json.dumps(first.as_table()))
    assert (table["size"], table["downloaded"]) == (first.size, first.size)
    about = {"platform": "linux/aarch64", "python": "3.12", "downloaded": True}
    assert table["wheels"][1] == {
        "file": TOOL,
        "sha256": sha256_of(index / TOOL),
        "size": (index / TOOL).stat().st_size,
        **about,
    }
    assert TOOL in first._repr_html_()

    # Nothing is asked of the index again, even if there is none.
    make_wheel(index, "helper", "1.2")
    with monkeypatch.context() as patch:
        patch.setattr(wheelindex, "_pip", lambda: pytest.fail("pip was started"))
        again = fetch()
    assert (again.downloaded, again.changed) == (0, False)
    assert [(one.file, one.downloaded) for one in again.wheels] == [(HELPER, False), (TOOL, False)]
    assert "nothing was downloaded" in again.text()

    # On another machine the lock gives the same wheels, whatever is newer.
    shutil.rmtree(tmp_path / "cache")
    elsewhere = fetch()
    assert [(one.file, one.sha256) for one in elsewhere.wheels] == [(one.file, one.sha256) for one in first.wheels]
    assert (elsewhere.downloaded, elsewhere.changed) == (first.size, False)

    # A damaged one is fetched again, and the other left as it is.
    entry = next(iter(Lock.read(tmp_path / "project" / "mlopskit.lock").entries.values()))
    path_of(entry, TOOL).write_bytes(b"damaged")
    mended = fetch()
    assert [(one.file, one.downloaded) for one in mended.wheels] == [(HELPER, False), (TOOL, True)]

    newest = fetch(upgrade=True)
    assert [one.file for one in newest.wheels] == ["helper-1.2-py3-none-any.whl", TOOL]
    assert newest.changed
    assert "Wrote" in newest.text()

    # And a build needs none of all this but the cache and the lock.
    monkeypatch.chdir(tmp_path / "project")
    shutil.rmtree(index)
    edge = Edge(to=str(tmp_path / "share"))
    bundles = []
    for number in range(2):
        into = tmp_path / f"bundle{number}"
        edge.build(small(1), small(1).models[0], into)
        bundles.append(seal(into, edge, small(1), small(1).models[0]))
    assert bundles[0].digest == bundles[1].digest
    assert {"site/tool.py", "site/helper.py"} <= {*bundles[0].files}


def test_only_wheels_of_the_platform_and_python_are_taken(fetch, index, make_wheel, tmp_path):
    tags = (
        "cp312-cp312-manylinux_2_28_aarch64",
        "cp312-cp312-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_17_aarch64",
    )
    for number, tag in enumerate(tags):
        make_wheel(index, "tool", f"1.{number}", tag=tag)
    make_wheel(index, "tool", "1.9", tag="cp312-cp312-manylinux_2_39_aarch64")
    make_wheel(index, "tool", "1.8", tag="cp312-cp312-win_amd64")
    assert [one.file for one in fetch(requirements=("tool",)).wheels] == [f"tool-1.0-{tags[0]}.whl"]
    with pytest.raises(StorageError, match=r"no wheel of tool for linux/armv7 and Python 3\.12 in the index") as caught:
        fetch(requirements=("tool",), platform="linux/armv7")
    assert "portable" in caught.value.remedy
    assert len(Lock.read(tmp_path / "project" / "mlopskit.lock").entries) == 1


def test_no_code_of_a_package_ever_runs(fetch, index, tmp_path, monkeypatch):
    source = tmp_path / "tool-1.0"
    source.mkdir()
    evil = tmp_path / "ran"
    (source / "setup.py").write_text(f"open({str(evil)!r}, 'w').close()\n")
    with tarfile.open(index / "tool-1.0.tar.gz", "w:gz") as archive:
        archive.add(source, "tool-1.0")
    monkeypatch.setenv("PIP_NO_BINARY", ":all:")
    monkeypatch.setenv("PIP_REQUIREMENT", str(tmp_path / "not-there.txt"))
    with pytest.raises(StorageError, match=r"no wheel of tool==1\.0"):
        fetch()
    assert not evil.exists()
    assert cached(tmp_path) == []


def test_another_wheel_than_the_locked_one_is_refused(fetch, index, make_wheel, tmp_path):
    make_wheel(index, "tool")
    lock_in(index, TOOL, tmp_path)
    make_wheel(index, "tool", files={"tool.py": b"evil"})
    with pytest.raises(IntegrityError, match=r"other bytes than the lock names for tool==1\.0") as caught:
        fetch()
    assert "--upgrade" in caught.value.remedy
    assert cached(tmp_path) == []


def test_a_hostile_wheel_is_refused_before_it_is_kept(fetch, index, make_wheel, tmp_path):
    make_wheel(index, "tool", files={"../../evil.py": b"evil"})
    with pytest.raises(UnsafePathError, match=r"holds '\.\./\.\./evil\.py'"):
        fetch()
    assert cached(tmp_path) == []
    assert not (tmp_path / "project" / "mlopskit.lock").exists()


def test_a_requirement_from_elsewhere_is_refused_and_nothing_there_is_looked_at(fetch, index, make_wheel, tmp_path):
    source = tmp_path / "helper-1.0"
    source.mkdir()
    evil = tmp_path / "ran"
    (source / "setup.py").write_text(f"open({str(evil)!r}, 'w').close()\n")
    make_wheel(index, "tool", requires=[f"helper @ {source.as_uri()}"])
    with pytest.raises(IntegrityError, match=r"tool requires helper from an address of its own, not from the index\."):
        fetch()
    assert not evil.exists()
    assert cached(tmp_path) == []


@pytest.fixture
def closed():
    """An index that lets nobody in; its address has a password."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(403 if self.headers.get("Authorization") else 401)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://somebody:s3cret@127.0.0.1:{server.server_address[1]}/index"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("is_there", [True, False])
def test_an_index_that_does_not_serve_is_named_without_its_address(
    fetch, closed, tmp_path, monkeypatch, is_there, caplog
):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", closed if is_there else "http://somebody:s3cret@127.0.0.1:9/index")
    steps = []
    with pytest.raises(StorageError, match="let us in" if is_there else "cannot be reached") as caught:
        fetch(progress=steps.append)
    told = f"{caught.value} {caught.value.culprits} {steps} {caplog.text}"
    assert not [word for word in ("s3cret", "somebody", "127.0.0.1") if word in told]
    assert not [*(tmp_path / "project").iterdir()]
    assert cached(tmp_path) == []


def test_whoever_stops_it_finds_nothing_half(fetch, index, make_wheel, tmp_path):
    make_wheel(index, "tool", requires=["helper"])
    make_wheel(index, "helper")

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(progress=stop)
    assert cached(tmp_path) == []
    assert not (tmp_path / "project" / "mlopskit.lock").exists()


def test_two_who_fetch_at_once_both_have_all(fetch, index, make_wheel, tmp_path):
    make_wheel(index, "tool")
    errors = []

    def work(requirement):
        try:
            fetch(requirements=(requirement,))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in ("tool==1.0", "tool")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert cached(tmp_path) == [TOOL]
    assert len(Lock.read(tmp_path / "project" / "mlopskit.lock").entries) == 2


def test_an_endpoint_that_needs_nothing_says_so(small, index, tmp_path, monkeypatch):
    del index
    monkeypatch.chdir(tmp_path)
    found = mk.fetch(small(1), mk.FileShare(to=str(tmp_path / "share")))
    assert (found.wheels, found.changed) == ((), False)
    assert "needs no wheels with the form 'skops': there is nothing to fetch" in found.text()
    assert not (tmp_path / "mlopskit.lock").exists()


# --- the real index ---------------------------------------------------------------------------------------------------


@pytest.mark.live
def test_the_real_wheels_of_onnx_runtime_for_arm(small, tmp_path, monkeypatch, record_property):
    # One folder for all tests of a machine, so that they are downloaded once.
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path(tempfile.gettempdir(), "mlopskit-test-cache")))
    monkeypatch.chdir(tmp_path)
    edge = Edge(to=str(tmp_path / "share"), python="3.11", requirements=("numpy==2.4.6", "onnxruntime==1.32.0"))
    try:
        found = mk.fetch(small(1), edge)
    except StorageError as error:
        if os.environ.get("MLOPSKIT_REQUIRE_SERVICES") or "cannot be reached" not in error.message:
            raise
        pytest.skip(error.message)
    assert {"numpy", "onnxruntime"} <= {one.file.partition("-")[0] for one in found.wheels}
    assert all(one.file.endswith(("aarch64.whl", "none-any.whl")) for one in found.wheels)
    edge.build(small(1), small(1).models[0], tmp_path / "bundle")
    files = seal(tmp_path / "bundle", edge, small(1), small(1).models[0]).files
    size = sum((tmp_path / "bundle" / path).stat().st_size for path in files)
    record_property("figure: wheels of ONNX Runtime and numpy for linux/aarch64", f"{found.size / 1e6:.1f} MB")
    record_property("figure: the same unpacked into a bundle", f"{len(files):,} files, {size / 1e6:.0f} MB")
    assert not [path for path in files if "/tests/" in path or path.endswith((".h", ".pyc"))]
    assert any(path.startswith("site/onnxruntime/capi/onnxruntime_pybind11_state") for path in files)
