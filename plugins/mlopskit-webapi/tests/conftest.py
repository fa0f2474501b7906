from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import queue
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import types
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from mlopskit_webapi.references import Following, sources_of

from mlopskit.runtime import AliasRecord, canonical
from mlopskit.runtime.serving import Limits, Metrics, Site, Source, answer
from mlopskit.testing.packages import NAME as CONFORMANCE

NAME, ALIAS = "shop", "production"
ROW = {"text": "a", "number": 1.5, "whole": 3}
READY_SECONDS = 120


def schema_of(**columns):
    return {"additionalProperties": False, "properties": columns, "required": [*columns], "type": "object"}


class Shop:
    """A model's folder as servers find it: packages written by hand, an alias that is moved by hand.

    A package answers `factor * number`, and is expected to answer its golden row so.
    """

    def __init__(self, root: Path, name: str = NAME) -> None:
        self.folder = root / name
        self.records: list[AliasRecord] = []

    def changed(self, package: Path, files: dict[str, bytes] | None = None, **manifest) -> str:
        """Write a copy of a package with other files, listed as its own, and other parts of the manifest."""
        about = json.loads((package / "manifest.json").read_bytes()) | manifest
        found = {path: (package / path).read_bytes() for path in about["files"]} | (files or {})
        about["files"] = {
            path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in found.items()
        }
        return self._written(found, about)

    def package(self, factor: float, *, golden: float | None = None, document=None, **columns) -> str:
        """Write a package; return its digest. `golden` is what its golden row falsely says, `document` its model."""
        inputs = columns or {"text": {"type": "string"}, "number": {"type": "number"}, "whole": {"type": "integer"}}
        kinds = {name: "text" if spec["type"] == "string" else "number" for name, spec in inputs.items()}
        model = {
            "format_version": 1,
            "inputs": [{"name": name, "type": kind} for name, kind in kinds.items()],
            "outputs": [{"at": 0, "from": 2, "labels": None, "name": "prediction"}],
            "steps": [
                {"op": "take", "from": [0], "indexes": [[*kinds].index("number")]},
                {"op": "linear", "from": [1], "bias": [0.0], "weights": [[factor]]},
            ],
        }
        row = {name: {"string": "a", "number": 2.0, "integer": 3}[spec["type"]] for name, spec in inputs.items()}
        expected = {"prediction": 2.0 * factor if golden is None else golden}
        files = {
            "golden.jsonl": canonical.dumps({"expected": expected, "row": row}),
            "model.json": canonical.dumps(document or model),
        }
        manifest = {
            "environment": {},
            "evaluation": None,
            "files": {
                path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in files.items()
            },
            "format_version": 1,
            "golden": {"file": "golden.jsonl", "from": "synthetic", "rows": 1, "scale": 1.0, "tolerance": 1e-6},
            "models": [
                {"files": ["model.json"], "format": "portable", "frame": "arrays", "preprocess": [], "requires": []}
            ],
            "name": NAME,
            "provenance": {},
            "schema": {"inputs": schema_of(**inputs), "outputs": schema_of(prediction={"type": "number"})},
            "task": "regression",
        }
        return self._written(files, manifest)

    def _written(self, files: dict[str, bytes], manifest: dict) -> str:
        data = canonical.dumps(manifest)
        digest = canonical.digest_of(data)
        self.path(digest).mkdir(parents=True, exist_ok=True)
        for path, content in {**files, "manifest.json": data}.items():
            (self.path(digest) / path).parent.mkdir(parents=True, exist_ok=True)
            (self.path(digest) / path).write_bytes(content)
        return digest

    def path(self, digest: str) -> Path:
        """Return a package's folder."""
        return self.folder / "packages" / digest.removeprefix("sha256:")

    def move(self, digest: str | None) -> None:
        """Append a record that names a package."""
        last = self.records[-1] if self.records else None
        about = {"name": self.folder.name, "alias": ALIAS, "operation": "1", "who": "me", "why": "", "when": "now"}
        seq, previous = len(self.records) + 1, canonical.digest_of(last.data()) if last else None
        record = AliasRecord(seq=seq, digest=digest, previous=previous, **about)
        beside = self.folder / "aliases" / ALIAS / f".{seq}"
        beside.mkdir(parents=True)
        (beside / "record.json").write_bytes(record.data())
        beside.rename(beside.with_name(str(seq)))
        self.records.append(record)


class Served:
    """A running `mlopskit serve`."""

    def __init__(self, process: subprocess.Popen[str], address: str, log: Path) -> None:
        self.process, self.address, self.log = process, address, log
        self.port = int(address.rpartition(":")[2])

    def ask(self, path: str, body=None, **headers) -> tuple[int, dict, dict]:
        """Return status, headers and the JSON of an answer."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json", **{name.replace("_", "-"): one for name, one in headers.items()}}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.address + path, data, given), timeout=30) as reply:
                return reply.status, dict(reply.headers), json.loads(reply.read())
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), json.loads(error.read())

    def text(self, path: str) -> str:
        """Return the text of an answer."""
        with urllib.request.urlopen(self.address + path, timeout=30) as reply:
            return reply.read().decode()

    def digest(self) -> str:
        """Return the digest that answers."""
        return self.ask("/predict", {"row": ROW})[2]["digest"]

    def until(self, holds, seconds: float = READY_SECONDS):
        """Wait until something holds; return what it said."""
        end = time.monotonic() + seconds
        while not (said := holds()):
            assert time.monotonic() < end
            assert self.process.poll() is None
            time.sleep(0.02)
        return said


@contextlib.contextmanager
def serving(*arguments: str, log: Path, before: Sequence[str] = ()) -> Iterator[Served]:
    """Start `mlopskit serve` on a spare port; end it in the end."""
    command = [
        *before,
        str(Path(sys.executable).with_name("mlopskit")),
        "serve",
        *arguments,
        "--port",
        "0",
        "--every",
        "0.1",
    ]
    with log.open("w") as opened:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=opened, text=True, cwd=log.parent)
    try:
        line = process.stdout.readline()
        assert line.startswith("Serving "), log.read_text()
        yield Served(process, line.split()[-1], log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
        process.stdout.close()
        assert "Traceback" not in log.read_text()


@contextlib.contextmanager
def answering(site: Site) -> Iterator[str]:
    """Let a site answer at a spare port, from a thread; return its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    begun: queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def run() -> None:
        ended = asyncio.Event()
        begun.put((asyncio.get_running_loop(), ended))
        await answer(listening, site, limits=Limits(), tls=None, beat=lambda _: None, ended=ended)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    loop, ended = begun.get(timeout=READY_SECONDS)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


@pytest.fixture(scope="session")
def here():
    """Return what lets a site answer from this process, as `answering` does."""
    return answering


@pytest.fixture(autouse=True, scope="session")
def _home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
        yield


@pytest.fixture
def shop(tmp_path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture(scope="session")
def open_shop():
    """Return what begins a model's folder in a folder."""
    return Shop


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    """A server of one package, with short patience, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("served")
    shop = Shop(folder)
    shop.move(shop.package(2.0))
    reference = f"{shop.folder}@{ALIAS}"
    with serving(reference, "--receive", "1.5", "--max-body", "1", "--connections", "60", log=folder / "log") as one:
        yield one


@pytest.fixture(scope="session")
def tools():
    """What tests that need load ask servers with."""
    load = runpy.run_path(str(Path(__file__).with_name("load.py")))
    return types.SimpleNamespace(**load, Shop=Shop, serving=serving)


@contextlib.contextmanager
def following(place: Path, *, every: float = 0.05, trust_code: Sequence[str] = ()) -> Iterator[tuple[Source, str]]:
    """Serve in a thread what stands in a place of the conformance suite's model; give the source and the address."""
    how = Following(every=every, folder=None, trial=None, trust_code=trust_code, beside="candidate")
    place.mkdir(parents=True, exist_ok=True)
    (source,) = sources_of([f"{place}/{CONFORMANCE}@{ALIAS}"], "", how)
    try:
        with answering(Site([source], metrics=Metrics(1), body=1 << 20, rows=1000)) as address:
            yield source, address
    finally:
        source.close()


@pytest.fixture(scope="session")
def serving_here():
    """Serve in a thread, as `following` does."""
    return following


@pytest.fixture(scope="session")
def start():
    """Start `mlopskit serve`, as `serving` does."""
    return serving
