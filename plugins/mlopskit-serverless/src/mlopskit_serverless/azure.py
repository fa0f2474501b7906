"""A function of Azure Functions that runs here, in Azure's own Python worker."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlopskit.errors import DeployError, LimitError
from mlopskit_serverless.running import Launch, Reply

_HOST = Path(__file__).with_name("templates") / "azure_host.py"
_ADDRESS = "https://function.azurewebsites.net"
_LAST_WORDS = 2_000
_CHUNK = 1 << 20
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
    """A function app in a process of the worker; where that ends, the next request starts another, as Azure does."""

    def __init__(self, launch: Launch, temporary: Path) -> None:
        self._launch = launch
        self._temporary = temporary
        self._log = temporary / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process of the worker, in which the function's code runs."""
        return self._running().pid

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes, /) -> Reply:
        """Return what the function answers to a request; it comes as the host of Azure passes it on.

        Raises:
            DeployError: it raised, ended, or did not start; the message has its last words.
            LimitError: it took too long, and was ended.
        """
        if self._process is None:
            self.begin()
        data = base64.b64encode(body).decode()
        request = {"id": str(uuid.uuid4()), "method": method, "url": f"{_ADDRESS}{path}"}
        self._tell({**request, "headers": dict(headers), "body": data})
        said = self._heard("answered", self._launch.seconds)
        return Reply(said["status"], said["headers"], base64.b64decode(said["body"]))

    def begin(self) -> None:
        """Start the worker, and let it find the function."""
        if not any(self._launch.site.glob("**/__pycache__")):  # as in Azure's image, where it is there
            subprocess.run(self._command(""), env=self._environment(), check=False, capture_output=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(self._launch.folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._launch.folder,
                env=self._environment(),
            )
        self._heard("started", _START)

    def end(self) -> None:
        """End the worker."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _command(self, folder: Path | str) -> list[str]:
        # Of the Python that runs it nothing but the standard library: no other packages, no PYTHON… of ours.
        memory = (self._launch.memory or 0) << 20
        return [*self._launch.command, "-I", "-S", str(_HOST), str(self._launch.site), str(folder), str(memory)]

    def _environment(self) -> dict[str, str]:
        """Return what is set in the cloud, but for HOME; the locale is the plainest."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LC_ALL": "C",
            "TMPDIR": str(self._temporary),
            "FUNCTIONS_EXTENSION_VERSION": "~4",
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "WEBSITE_RUN_FROM_PACKAGE": "1",
            "AzureWebJobsScriptRoot": str(self._launch.folder),
            **self._launch.environment,
        }

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise DeployError("The function's worker was ended.", remedy="Send a request: that starts it anew.")
        return self._process

    def _tell(self, request: Mapping[str, object]) -> None:
        pipe = self._running().stdin
        with contextlib.suppress(BrokenPipeError):  # it ended: what it said last is heard next
            if pipe is not None:
                pipe.write(json.dumps(request).encode() + b"\n")
                pipe.flush()

    def _heard(self, what: str, seconds: float) -> dict[str, Any]:
        """Return the next thing that the worker says, a problem as an error."""
        line = self._line(seconds)
        if line is None:
            self.end()
            raise LimitError(
                f"The function had not {what} after {seconds:g} s.",
                remedy="Give it longer, or look at what its model does.",
            )
        if not line.endswith(b"\n"):
            code = self._running().wait()
            self.end()
            raise _failed(f"The function's worker ended with code {code}", self._last_words())
        said: dict[str, Any] = json.loads(line)
        if problem := said.get("problem"):
            raise _failed("The function failed", problem)
        return said

    def _line(self, seconds: float) -> bytes | None:
        """Return a line, a part of one where the worker ended, None where it took too long."""
        pipe, line, until = self._running().stdout, bytearray(), time.monotonic() + seconds
        while pipe is not None and not line.endswith(b"\n"):
            if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            part = os.read(pipe.fileno(), _CHUNK)
            if not part:
                break
            line += part
        return bytes(line)

    def _last_words(self) -> str:
        return self._log.read_bytes()[-_LAST_WORDS:].decode(errors="replace")


def _failed(what: str, words: str) -> DeployError:
    return DeployError(
        f"{what}: {words.strip()[-_LAST_WORDS:] or 'it said nothing'}",
        remedy="Unpack the function's zip, and look at what it imports and opens.",
    )
