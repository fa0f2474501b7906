"""Reference deployer: a server process for each bundle, and a file that says at which port users find the live one.

The opposite of a folder: what is deployed runs, has to be started, waited for and ended, and may die by itself.

    <to>/<name>/process/bundles/<sha256>/        the bundles
    <to>/<name>/process/running/<sha256>.json    port and process of each that runs; beside it .lock, held while it
                                                 lives, and .log
    <to>/<name>/process/live.json                the switch: which bundle is live, and its port
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mlopskit.bundles import check_folder
from mlopskit.deployer import Deployer
from mlopskit.disk import DISK, replace_file
from mlopskit.errors import ConflictError, DeployError, NotReadyError
from mlopskit.modelpackage import ModelPackage, StoredModel
from mlopskit.records import Answer, Bundle, Locator
from mlopskit.runtime.names import check_name, hex_of
from mlopskit.runtime.schema import Row
from mlopskit.storage import Place, storage_at
from mlopskit.testing.folderdeployer import write_bundle

SERVER = "server.py"
_TEMPLATE = Path(__file__).with_name("templates") / SERVER
_JSON = {"Content-Type": "application/json"}
_TIMEOUT = 30.0
_PATIENCE = 5.0


@dataclass(frozen=True, kw_only=True)
class ProcessDeployer(Deployer):
    """Deploys server processes on this machine (POSIX).

    `to` is the folder where it keeps all. A process ends after `lifetime` seconds, or when the process `owner` has
    ended (0: nobody's); so that a test leaves nothing running.
    """

    target: ClassVar[str] = "process"

    to: Place
    lifetime: float = 3600.0
    owner: int = 0

    def build(self, package: ModelPackage, model: StoredModel | None, into: Path, /) -> None:
        """Write the package, the runtime and the server."""
        write_bundle(package, model, into)
        shutil.copyfile(_TEMPLATE, into / SERVER)

    def push(self, bundle: Bundle, /) -> Locator:
        """Commit the bundle, and start its process unless it runs."""
        place = self._place(bundle.name)
        key = f"{bundle.name}/{self.target}/bundles/{hex_of(bundle.digest)}"
        files: dict[str, Path | bytes] = {path: bundle.folder / path for path in bundle.files}
        storage_at(self.to).commit(key, files, last=bundle.listing)
        folder = place.bundle(bundle.digest)
        check_folder(folder, listing=bundle.listing, digest=bundle.digest)
        with place.locked():
            record = place.running(bundle.digest) or self._start(place, bundle.digest)
            live = place.switch()
            if live and live["bundle"] == bundle.digest and live["port"] != record["port"]:
                # It is what is live, and had died: users find it at its new port. What is live stays the same.
                place.turn(bundle.digest, record["port"])
        return {"bundle": bundle.digest}

    def predict(self, name: str, rows: Sequence[Row], at: Locator | None, /) -> Answer:
        """Post the rows to the process of the bundle, or to the port that users are told."""
        place = self._place(name)
        found = place.switch() if at is None else {"bundle": at["bundle"], **(place.record(at["bundle"]) or {})}
        if found is None:
            raise DeployError(f"Nothing is live for {name!r} at {self.to!r}.", remedy="Deploy a package there first.")
        body = json.dumps({"rows": [dict(row) for row in rows]}).encode()
        reply = _request(found.get("port"), "POST", body)
        if reply is None:
            raise self._silent(place, found["bundle"])
        status, said = reply
        if status != http.client.OK:
            raise DeployError(f"The server answered {status}: {said.get('detail')}", remedy=str(said.get("remedy")))
        return Answer(rows=said["rows"], digest=said["digest"], runtime=said["runtime"])

    def live(self, name: str, /) -> Locator | None:
        """Return the bundle that answers at the port that users are told; while it is silent, the one the switch names.

        A process that has died is still what is live: it can be replaced, and taken back, like any other.
        """
        return self._place(name).live()

    def activate(self, name: str, at: Locator | None, /, *, instead_of: Locator | None, why: str) -> None:
        """Turn the switch, under a lock."""
        del why  # a port file keeps no history
        place = self._place(name)
        with place.locked():
            live = place.live()
            if live != instead_of:
                raise ConflictError(
                    f"{self.to!r} answers with {live}, expected {instead_of}: somebody else deployed meanwhile.",
                    remedy="Look at 'mlopskit status', then deploy again if it is still wanted.",
                    winner=live,
                )
            if at is None:
                place.turn_off()
                return
            record = place.running(at["bundle"])
            if record is None:
                raise self._silent(place, at["bundle"])
            place.turn(at["bundle"], record["port"])

    def remove(self, name: str, at: Locator, /) -> None:
        """End the process of the bundle. The bundle stays: it stands under its digest."""
        place = self._place(name)
        with place.locked():
            place.end(at["bundle"])

    def retire(self, name: str, at: Locator, /) -> None:
        """End the process of the bundle, unless it is what users are told."""
        place = self._place(name)
        with place.locked():
            if place.live() != at:
                place.end(at["bundle"])

    def fault(self, name: str, at: Locator, /) -> str | None:
        """Say whether the process has died."""
        if self._place(name).running(at["bundle"]):
            return None
        return f"No process runs for the bundle {at['bundle']} of {name!r} at {self.to!r}."

    def logs(self, name: str, at: Locator, /, *, lines: int = 100) -> str:
        """Return the last lines that the process wrote."""
        return self._place(name).log(at["bundle"], lines=lines)

    def stop(self) -> None:
        """End every process of this place."""
        for record in Path(self.to).glob(f"*/{self.target}/running/*.json"):
            self.remove(record.parents[2].name, {"bundle": f"sha256:{record.stem}"})

    def _place(self, name: str) -> _Place:
        return _Place(Path(self.to).absolute() / check_name(name) / self.target)

    def _start(self, place: _Place, digest: str) -> Mapping[str, Any]:
        """Start the process; it is there when its starter has ended, though it may not answer yet."""
        server = place.bundle(digest) / SERVER
        record = place.beside(digest, "json")
        ran = subprocess.run(
            [sys.executable, "-I", "-B", str(server), str(record), str(self.lifetime), str(self.owner)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        started = place.running(digest)
        if started is None:
            raise DeployError(
                f"The server did not start: {ran.stderr.decode(errors='replace').strip()[-500:]}",
                remedy=f"Run {str(server)!r} by hand.",
            )
        return started

    def _silent(self, place: _Place, digest: str) -> DeployError:
        if place.running(digest):
            return NotReadyError(f"The server of {digest} does not answer yet.", remedy="Ask again.")
        last = place.log(digest, lines=1).strip() or "it said nothing"
        return DeployError(f"The server of {digest} does not run: {last}.", remedy="Deploy it again; that starts it.")


@dataclass(frozen=True)
class _Place:
    """The folder of one model's processes."""

    root: Path

    def bundle(self, digest: str) -> Path:
        return self.root / "bundles" / hex_of(digest)

    def beside(self, digest: str, kind: str) -> Path:
        return self.root / "running" / f"{hex_of(digest)}.{kind}"

    def record(self, digest: str) -> dict[str, Any] | None:
        return _read(self.beside(digest, "json"))

    def running(self, digest: str) -> dict[str, Any] | None:
        """Return port and process of a bundle's server, None if it does not run: a process holds its lock for life."""
        return self.record(digest) if _is_held(self.beside(digest, "lock")) else None

    def switch(self) -> dict[str, Any] | None:
        return _read(self.root / "live.json")

    def live(self) -> dict[str, str] | None:
        switch = self.switch()
        if switch is None:
            return None
        reply = _request(switch["port"], "GET")
        return {"bundle": reply[1]["bundle"] if reply else switch["bundle"]}

    def turn(self, digest: str, port: int) -> None:
        data = json.dumps({"bundle": digest, "port": port}).encode()
        replace_file(DISK, self.root, self.root / "live.json", data)

    def turn_off(self) -> None:
        (self.root / "live.json").unlink()

    def end(self, digest: str) -> None:
        lock, record = self.beside(digest, "lock"), self.running(digest)
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if record and _is_held(lock):  # so the number is still that of the process that we started
                with contextlib.suppress(ProcessLookupError):  # it has ended by itself since
                    os.kill(record["pid"], sign)
                end = time.monotonic() + _PATIENCE
                while _is_held(lock) and time.monotonic() < end:
                    time.sleep(0.01)
        self.beside(digest, "json").unlink(missing_ok=True)

    def log(self, digest: str, *, lines: int) -> str:
        file = self.beside(digest, "log")
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let only one at a time start, end or switch processes. A lock ends with the process that holds it."""
        import fcntl

        (self.root / "running").mkdir(parents=True, exist_ok=True)
        with (self.root / "switch.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _is_held(lock: Path) -> bool:
    import fcntl

    try:
        with lock.open("r") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _read(file: Path) -> dict[str, Any] | None:
    try:
        table: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    return table


def _request(port: int | None, method: str, body: bytes | None = None) -> tuple[int, dict[str, Any]] | None:
    """Return status and answer of the server at a port of this machine, None if none answers there."""
    if port is None:
        return None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    try:
        connection.request(method, "/" if body is None else "/predict", body, _JSON)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    except (ConnectionError, http.client.HTTPException, json.JSONDecodeError):
        return None
    except OSError as error:
        raise DeployError(f"The server at port {port} does not answer: {error}.", remedy="Look at its logs.") from error
    finally:
        connection.close()
