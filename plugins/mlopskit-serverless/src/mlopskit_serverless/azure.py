"""A function of Azure Functions that runs here, in Azure's own Python worker."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from mlopskit.errors import DeployError, LimitError
from mlopskit_serverless import processes
from mlopskit_serverless.running import Launch, Reply

_HOST = Path(__file__).with_name("templates") / "azure_host.py"
_ADDRESS = "https://function.azurewebsites.net"
_LAST_WORDS = 2_000
_CHUNK = 1 << 20
_MOST = 256 << 20  # bytes of an answer in base64: ten times as many as the most rows have
_START = 60.0  # seconds that Azure gives a worker to start


@contextlib.contextmanager
def start(launch: Launch, /) -> Iterator[AzureFunction]:
    """Start a function app in Azure's Python worker, and end it.

    Raises:
        DeployError: it did not start; the message has its last words.
        LimitError: that took longer than Azure waits.
    """
    with TemporaryDirectory(prefix="mlopskit-") as temporary:
        function = AzureFunction(launch, Path(temporary))
        try:
            function.begin()
            yield function
        finally:
            function.end()


class AzureFunction:
    """A function app in a process of the worker; where that ends, the next request starts another, as Azure does.

    `begun` is when its process was started, in seconds of `time.monotonic`.
    """

    def __init__(self, launch: Launch, temporary: Path) -> None:
        self.begun = 0.0
        self._launch = launch
        self._temporary = temporary
        self._log = temporary / "log"
        self._worker: _Worker | None = None

    @property
    def pid(self) -> int:
        """The process of the worker, in which the function's code runs."""
        return self._running().process.pid

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes, /) -> Reply:
        """Return what the function answers to a request; it comes as the host of Azure passes it on.

        Raises:
            DeployError: it raised, ended, or did not start; the message has its last words.
            LimitError: it took too long, and was ended.
        """
        if self._worker is None:
            self.begin()
        data = base64.b64encode(body).decode()
        request = {"id": str(uuid.uuid4()), "method": method, "url": f"{_ADDRESS}{path}"}
        said = self._heard("answered", self._launch.seconds, {**request, "headers": dict(headers), "body": data})
        try:
            return Reply(int(said["status"]), {**said["headers"]}, base64.b64decode(said["body"]))
        except (LookupError, TypeError, ValueError) as error:
            raise self._not_ours() from error

    def begin(self) -> None:
        """Start the worker, and let it find the function."""
        # The worker's bytecode, as it stands in Azure's image. No emulator is asked how fast it starts.
        if len(self._launch.command) == 1 and not any(self._launch.site.glob("**/__pycache__")):
            subprocess.run(self._command("import"), env=self._environment(), check=False, capture_output=True)
        ours, its = socket.socketpair()
        with its, self._log.open("wb") as log:
            self.begun = time.monotonic()
            process = processes.spawn(
                self._command("serve", str(self._launch.folder), str(its.fileno())),
                cwd=self._launch.folder,
                env=self._environment(),
                writable=self._temporary,
                output=log,
                inherit=[its.fileno()],
            )
        self._worker = _Worker(process, ours, processes.Memory(process, most=self._launch.memory))
        self._heard("started", max(_START, self._launch.seconds))

    def end(self) -> None:
        """End the worker, with all that it started."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.channel.close()
            processes.end(worker.process)

    def _command(self, *arguments: str) -> list[str]:
        # Of the Python that runs it nothing but the standard library: no other packages, no PYTHON… of ours.
        return [*self._launch.command, "-I", "-S", str(_HOST), str(self._launch.site), *arguments]

    def _environment(self) -> dict[str, str]:
        """Return what is set in the cloud, but for HOME; the locale is the plainest."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LC_ALL": "C",
            "TZ": "UTC",
            "TMPDIR": str(self._temporary),
            "FUNCTIONS_EXTENSION_VERSION": "~4",
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "WEBSITE_RUN_FROM_PACKAGE": "1",
            "AzureWebJobsScriptRoot": str(self._launch.folder),
            **self._launch.environment,
        }

    def _running(self) -> _Worker:
        if self._worker is None:
            raise DeployError("The function's worker was ended.", remedy="Send a request: that starts it anew.")
        return self._worker

    def _heard(self, what: str, seconds: float, request: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Return what the worker says next, to a request if there is one; a problem as an error."""
        worker = self._running()
        try:
            line = worker.line(request, seconds)
        except TimeoutError as error:
            self.end()
            raise LimitError(
                f"The function had not {what} after {seconds:g} s.",
                remedy="Give it longer, or look at what its model does.",
            ) from error
        if not line:
            self.end()
            ended = worker.memory.fault or f"it ended with code {worker.process.wait()}: {self._last_words()}"
            raise _failed("The function's worker failed", ended)
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise self._not_ours()
        if problem := said.get("problem"):
            raise _failed("The function failed", str(problem))
        return said

    def _not_ours(self) -> DeployError:
        """Return what is wrong where the function itself wrote on our line, or has more to say than anybody wants."""
        self.end()
        return _failed("The function's worker failed", f"it said what is no answer: {self._last_words()}")

    def _last_words(self) -> str:
        return processes.last_words(self._log) or "it said nothing"


class _Worker(NamedTuple):
    """A process of the worker, and the line to it."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    memory: processes.Memory

    def line(self, request: Mapping[str, object] | None, seconds: float) -> bytes:
        """Send a request, and return the next line: nothing where it ended before one was whole.

        Raises:
            TimeoutError: that took longer.
        """
        until, line = time.monotonic() + seconds, bytearray()
        with self.memory.watched(), contextlib.suppress(ConnectionError):
            if request is not None:
                self.channel.settimeout(seconds)
                self.channel.sendall(json.dumps(request).encode() + b"\n")
            while not line.endswith(b"\n") and len(line) < _MOST:
                self.channel.settimeout(max(0.001, until - time.monotonic()))
                part = self.channel.recv(_CHUNK)
                if not part:
                    return b""
                line += part
            return bytes(line)
        return b""


def _failed(what: str, words: str) -> DeployError:
    return DeployError(
        f"{what}: {words.strip()[-_LAST_WORDS:]}",
        remedy="Unpack the function's zip, and look at what it imports and opens.",
    )
