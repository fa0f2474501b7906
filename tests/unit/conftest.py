from __future__ import annotations

import hashlib
import mimetypes
import os
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

import mlopskit as mk
from mlopskit.testing.memory import MemoryBucket, MemoryStorage

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution with one module and its entry points, for as long as a test lasts."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def make(distribution: str, code: str, **entry_points: str) -> None:
        module = distribution.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"[mlopskit.{kind}]\n{name} = {module}\n" for kind, name in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join(lines))

    yield make
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def umask_of_none() -> Iterator[None]:
    """Let everybody do everything with what is made without a word about it."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture(params=["folder", "memory", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> mk.Registry:
    """Return an empty registry on each kind of storage: one with real paths, one without, and one of single objects."""
    if request.param == "folder":
        return mk.Registry.at(tmp_path / "place")
    return mk.Registry(MemoryStorage() if request.param == "memory" else MemoryBucket())


@pytest.fixture
def fill(small: Callable[[int], mk.ModelPackage], verdict_on: Callable[..., mk.Verdict]) -> Callable[..., list[str]]:
    """Return what puts small packages with verdicts into a registry, and returns their digests."""

    def put(registry: mk.Registry, *numbers: int, judged: bool = True, passed: bool = True) -> list[str]:
        for package in map(small, numbers):
            registry.add(package)
            if judged:
                registry.add_verdict(verdict_on(package, passed=passed))
        return [small(number).digest for number in numbers]

    return put


@pytest.fixture
def deployed() -> Callable[[str], mk.Deployment]:
    """Return what makes the record of a deployment of a package."""

    def make(digest: str) -> mk.Deployment:
        receipt = mk.Receipt(
            package=digest, place="target", rows=1, ties=0, mismatches=(), largest_difference=0.0, runtime={}
        )
        return mk.Deployment(
            endpoint="production", target="t", name="mood", package=digest, bundle=digest, locator={"bundle": digest},
            receipt=receipt, operation=digest, who="w", why="", when="",
        )  # fmt: skip

    return make


@pytest.fixture
def twin(tmp_path: Path) -> Callable[[mk.Registry], mk.Registry]:
    """Return what copies a registry, as a backup does, to another place."""

    def copy(registry: mk.Registry) -> mk.Registry:
        storage = mk.Registry.at(tmp_path / "twin").storage if registry.storage.local("x") else MemoryStorage()
        for key, size in registry.storage.list(""):
            storage.hint(key, registry.storage.read(key, limit=size) or b"")
        return mk.Registry(storage)

    return copy


Answer = Callable[[BaseHTTPRequestHandler], bool]


@dataclass
class Shop:
    """A web server of a folder's files, without listings, as a bucket is; what it was asked, what it does instead."""

    folder: Path
    address: str = ""
    asked: list[tuple[str, int]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    instead: Answer = lambda _: False  # answers itself, and returns True

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.headers.append(dict(request.headers))
        if self.instead(request):
            return
        file = self.folder / unquote(request.path.partition("?")[0]).lstrip("/")
        data = file.read_bytes() if file.is_file() else None
        tag = f'"{hashlib.sha256(data).hexdigest()}"' if data is not None else ""
        status = 404 if data is None else 304 if request.headers["If-None-Match"] == tag else 200
        self.asked.append((request.path, status))
        request.send_response(status)
        request.send_header("Content-Type", mimetypes.guess_type(file.name)[0] or "application/octet-stream")
        if data is not None:
            request.send_header("ETag", tag)
        body = data if status == 200 and data is not None else b""
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Serve a folder."""
    with _serving(tmp_path / "shop") as shop:
        yield shop


@pytest.fixture(scope="session")
def serving() -> Callable[[Path], AbstractContextManager[Shop]]:
    """Return what serves a folder for as long as a `with` statement lasts."""
    return _serving


@contextmanager
def _serving(folder: Path) -> Iterator[Shop]:
    shop = Shop(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            shop.answer(self)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):  # a client that has heard enough goes away
            pass

    server = Server(("127.0.0.1", 0), Handler)
    shop.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield shop
    server.shutdown()
    server.server_close()
    thread.join()


class Scheduled(MemoryStorage):
    """A place where each step is somebody's turn; `turn` is called before it, and `done` when it has had its effect."""

    turn: Callable[[], None] = staticmethod(lambda: None)
    done: Callable[[], None] = staticmethod(lambda: None)

    def open(self, key: str, /) -> Any:
        return self._step(lambda: MemoryStorage.open(self, key))

    def stat(self, key: str, /) -> mk.Stat | None:
        return self._step(lambda: MemoryStorage.stat(self, key))

    def list(self, prefix: str, /) -> Iterator[tuple[str, int]]:
        return self._step(lambda: iter([*MemoryStorage.list(self, prefix)]))

    def commit(self, prefix: str, files: Any, /, *, last: str) -> bool:
        return self._step(lambda: MemoryStorage.commit(self, prefix, files, last=last))

    def hint(self, key: str, data: bytes, /) -> None:
        self._step(lambda: MemoryStorage.hint(self, key, data))

    def delete(self, prefix: str, /) -> None:
        self._step(lambda: MemoryStorage.delete(self, prefix))

    def _step(self, act: Callable[[], Any]) -> Any:
        self.turn()
        try:
            return act()
        finally:
            self.done()


class Turns:
    """Lets two threads take their steps in a given order; when that is over, or the other is done, each as it comes."""

    def __init__(self, order: list[bool]) -> None:
        self._order = iter(order)
        self._changed = threading.Condition()
        self._next = next(self._order, None)
        self._done: set[bool] = set()
        self._who = threading.local()

    def take(self) -> None:
        me = getattr(self._who, "number", None)
        if me is None:
            return
        with self._changed:
            while self._next is not None and self._next is not me and (not me) not in self._done:
                self._changed.wait()
            self._next = next(self._order, None)
            self._changed.notify_all()

    def run(self, me: bool, act: Callable[[], object], errors: list[Exception]) -> threading.Thread:  # noqa: FBT001
        def work() -> None:
            self._who.number = me
            try:
                act()
            except Exception as error:
                errors.append(error)
            finally:
                with self._changed:
                    self._done.add(me)
                    self._changed.notify_all()

        thread = threading.Thread(target=work)
        thread.start()
        return thread


def interleaved(storage: Scheduled, order: list[bool], *acts: Callable[[], object]) -> list[Exception]:
    """Do two things at once, the steps of the place in a given order, True the first's; return what they raised."""
    turns, errors = Turns(order), []  # type: ignore[var-annotated]
    storage.turn = turns.take
    threads = [turns.run(first, act, errors) for first, act in zip((True, False), acts, strict=True)]
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    storage.turn = lambda: None
    return errors


@pytest.fixture(scope="session")
def scheduled() -> type[Scheduled]:
    """Return the class of a place where each step is somebody's turn."""
    return Scheduled


@pytest.fixture(scope="session")
def interleave() -> Callable[..., list[Exception]]:
    """Return what does two things at once in a given order of steps."""
    return interleaved


def written_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    requires: Sequence[str] = (),
    files: Mapping[str, bytes] | None = None,
    tag: str = "py3-none-any",
) -> Path:
    """Write a wheel of a few files; without others it has one module that says its version."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    needed = "".join(f"Requires-Dist: {one}\n" for one in requires)
    content = {
        **({f"{module}.py": f"VERSION = {version!r}\n".encode()} if files is None else files),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
        f"{info}/RECORD": b"",
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{module}-{version}-{tag}.whl"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in content.items():
            archive.writestr(zipfile.ZipInfo(path), data)
    return file


@pytest.fixture(scope="session")
def make_wheel() -> Callable[..., Path]:
    """Return what writes a small wheel into a folder."""
    return written_wheel


@pytest.fixture
def index(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all that pip finds wheels in, and let the cache be an empty one."""
    # pip takes seconds where it is compiled anew each time.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.getbasetemp() / "bytecode"))
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder
