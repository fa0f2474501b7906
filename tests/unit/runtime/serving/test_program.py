"""The server as a bundle carries it: a copy of the runtime, two wheels, and nothing of mlopskit."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mlopskit as mk
from mlopskit.runtime import serving
from mlopskit.runtime.package import write_files

Start = Callable[..., Path]
MAIN = """
import sys
sys.modules["mlopskit"] = None
sys.path[:0] = [{runtime!r}, *{site!r}]
from pathlib import Path
from _mlopskit_runtime.serving.program import main
sys.exit(main(runtime=Path({runtime!r}), site=Path({site!r}[0])))
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server of the copied runtime; it answers at a socket of the file system."""
    runtime = tmp_path / "runtime"
    write_files(mk.runtime_files(["portable"], serving=True), runtime)
    site = sorted({str(Path(sys.modules[name].__file__ or "").parents[1]) for name in map(_imported, serving.WHEELS)})
    (tmp_path / "main.py").write_text(MAIN.format(runtime=str(runtime), site=site))
    started = []

    def run(package: mk.ModelPackage, *options: object, folder: Path | None = None) -> Path:
        at = tmp_path / f"socket-{len(started)}"
        command = [sys.executable, "-I", str(tmp_path / "main.py"), str(folder or package.folder)]
        process = subprocess.Popen(
            [*command, "--digest", package.digest, "--unix", str(at), *map(str, options)], stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == f"Serving {package.name} at {at}\n".encode()
        return at

    yield run
    for process in started:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stdout
        process.stdout.close()


def _imported(name: str) -> str:
    __import__(name)
    return name


def asked(at: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    body = json.dumps({"rows": rows}).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(at))
        head = f"POST /predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}"
        connection.sendall(f"{head}\r\ncontent-type: application/json\r\n\r\n".encode() + body)
        with connection.makefile("rb") as answer:
            said = answer.read()
    found: dict[str, Any] = json.loads(said.partition(b"\r\n\r\n")[2])
    return found


def test_it_answers_the_golden_rows_of_a_lean_package(start: Start, package: mk.ModelPackage, tmp_path: Path) -> None:
    lean = tmp_path / "lean"
    package.write(lean, format="portable")
    at = start(package, "--format", "portable", folder=lean)
    golden = [json.loads(line) for line in (lean / "golden.jsonl").read_text("utf-8").splitlines()]
    said = asked(at, [one["row"] for one in golden])
    assert said["digest"] == package.digest
    assert [one["prediction"] for one in said["rows"]] == [one["expected"]["prediction"] for one in golden]


def test_it_follows_an_alias_and_answers_until_that_can_be_read(
    start: Start, registry: mk.Registry, package: mk.ModelPackage, other: mk.ModelPackage, tmp_path: Path
) -> None:
    share = tmp_path / "share"
    at = start(package, "--follow", f"{share}/{package.name}@production", "--every", "0.05")
    assert asked(at, [{"text": "good"}])["digest"] == package.digest
    mk.deploy(other, mk.FileShare(to=str(share)), registry=registry)
    end = time.monotonic() + 60
    while asked(at, [{"text": "good"}])["digest"] != other.digest:
        assert time.monotonic() < end
        time.sleep(0.05)
    shutil.rmtree(share)
    assert asked(at, [{"text": "good"}])["digest"] == other.digest


def test_it_follows_an_alias_in_a_private_bucket_by_its_own_identity(
    start: Start, shop: Any, package: mk.ModelPackage, other: mk.ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = mk.Registry.at(shop.folder / "bucket" / "models")
    shares.add(other)
    shares.alias(other.name, "production").append(other.digest, after=None, why="a test")
    shown = []

    def answer(request: Any) -> bool:
        if not request.path.endswith("/service-accounts/default/token"):
            shown.append(request.headers["Authorization"])
            return False
        body = b'{"access_token": "CANARY", "expires_in": 3600}'
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
        return True

    shop.instead = answer
    monkeypatch.setenv("GOOGLE_BASE_URL", shop.address)
    monkeypatch.setenv("GCE_METADATA_HOST", shop.address.removeprefix("http://"))
    at = start(package, "--follow", f"gs://bucket/models/{other.name}@production", "--every", "0.05")
    assert asked(at, [{"text": "good"}])["digest"] == other.digest
    assert {*shown} == {"Bearer CANARY"}
