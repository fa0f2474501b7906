"""A function that runs here, in Google's own runtime: functions-framework as a process, with what the service sets.

The service's image starts `functions-framework` in the folder of the source, which serves HTTP by gunicorn: a master,
which loads the function, and one worker.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from mlopskit.errors import DeployError, LimitError
from mlopskit_serverless import processes
from mlopskit_serverless.running import Launch, Reply

TARGET = "answer"
_HERE = "127.0.0.1"
_PAUSE = 0.005


class GoogleFunction:
    """A function that functions-framework serves at a port of this machine; `begun` is by `time.monotonic()`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, output: Path, launch: Launch, begun: float) -> None:
        self.process, self.port, self.begun = process, port, begun
        self._output, self._seconds = output, launch.seconds
        self.memory = processes.Memory(process, most=launch.memory, pids=lambda: [self.pid])

    @property
    def pid(self) -> int:
        """The worker that answers; the master, which has loaded the function, while there is none."""
        return next(iter(self.workers()), self.process.pid)

    def workers(self) -> list[int]:
        """Return the ids of the processes that the master has started."""
        try:
            text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii")
        except OSError:  # it has ended, or this is no Linux
            return []
        return [int(one) for one in text.split()]

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes, /) -> Reply:
        """Return what the function answers to a request.

        Raises:
            DeployError: it ended, or closed the connection; the message has its last words.
            LimitError: it took longer than one invocation may.
        """
        connection = http.client.HTTPConnection(_HERE, self.port, timeout=self._seconds)
        try:
            with contextlib.closing(connection):
                connection.request(method, path, body, {**headers}, encode_chunked="transfer-encoding" in headers)
                answer = connection.getresponse()
                names = {name.lower(): value for name, value in answer.getheaders()}
                return Reply(answer.status, names, answer.read())
        except TimeoutError as error:
            raise LimitError(
                f"The function did not answer within {self._seconds:g} s.",
                remedy="Send fewer rows at once, or give it more time.",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise self.failed(f"answered {method} {path} with no HTTP ({error!r})") from error

    def wait(self) -> None:
        """Wait until the function can be asked.

        Raises:
            DeployError: its process ended instead; the message has its last words.
            LimitError: it did neither in time.
        """
        while time.monotonic() < self.begun + self._seconds:
            if self.process.poll() is not None:
                raise self.failed(f"did not start: its process ended with code {self.process.returncode}")
            try:
                with socket.create_connection((_HERE, self.port)):
                    return
            except ConnectionRefusedError:
                time.sleep(_PAUSE)
            except OSError as error:  # a namespace without a loopback interface
                raise self.failed(f"cannot be asked at {_HERE}: {error}") from error
        raise LimitError(f"The function did not start within {self._seconds:g} s.", remedy="Look at what it loads.")

    def failed(self, what: str) -> DeployError:
        """Return an error that has the function's last words."""
        why = f": {self.memory.fault}" if self.memory.fault else ""
        return DeployError(
            f"The function {what}{why}. It said last:\n{processes.last_words(self._output) or 'nothing'}",
            remedy="Unpack its zip, and start functions-framework in that folder.",
        )


@contextlib.contextmanager
def start(launch: Launch, /) -> Iterator[GoogleFunction]:
    """Start a function in functions-framework, and end it.

    Raises:
        DeployError: it does not start; the message has its last words.
        LimitError: it does not start in time.
    """
    processes.compile_all(launch.site, launch.command)
    with tempfile.TemporaryDirectory(prefix="mlopskit-") as name, _port() as port:
        writable, output = Path(name, "tmp"), Path(name, "output")
        writable.mkdir()
        with output.open("wb") as file:
            begun = time.monotonic()
            process = _spawn(launch, port, writable, file)
        function = GoogleFunction(process, port, output, launch, begun)
        try:
            with function.memory.watched():
                function.wait()
                yield function
        finally:
            processes.end(process)


def _spawn(launch: Launch, port: int, writable: Path, output: IO[bytes]) -> subprocess.Popen[bytes]:
    # The folder of the source comes after the runtime's modules (-P), and nothing that is installed here is there (-S).
    command = [*launch.command, "-P", "-S", "-m", "functions_framework"]
    environment = {**_environment(launch, port, writable), **launch.environment}
    return processes.spawn(command, cwd=launch.folder, env=environment, writable=writable, output=output)


def _environment(launch: Launch, port: int, writable: Path) -> dict[str, str]:
    """Return what the service sets; HOME and a locale are not among it."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(launch.site),
        "PYTHONUNBUFFERED": "TRUE",
        "LC_ALL": "C",
        "TZ": "UTC",
        "FUNCTION_TARGET": TARGET,
        "FUNCTION_SIGNATURE_TYPE": "http",
        "K_SERVICE": "function",
        "K_REVISION": "function-00001",
        "LOG_EXECUTION_ID": "true",
        "CLOUD_RUN_TIMEOUT_SECONDS": str(max(1, round(launch.seconds))),
        "PORT": str(port),
        # What differs from the service: nobody else's machine may ask, the threads are those of one processor, and
        # gunicorn's control socket does not go into the home of whoever runs this.
        "HOST": _HERE,
        "THREADS": "4",
        "TMPDIR": str(writable),
        "XDG_RUNTIME_DIR": str(writable),
    }


@contextlib.contextmanager
def _port() -> Iterator[int]:
    """Give a free port that stays ours: it is bound, so that nobody else gets it, yet who knows it may listen there."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((_HERE, 0))
        yield held.getsockname()[1]
