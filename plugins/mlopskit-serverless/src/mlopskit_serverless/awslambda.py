"""A function of AWS Lambda that runs here: awslambdaric, Lambda's own runtime, against a Runtime API of ours."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from mlopskit.errors import DeployError, LimitError
from mlopskit_serverless import processes
from mlopskit_serverless.events import Form, event_of, reply_of
from mlopskit_serverless.running import Launch, Reply
from mlopskit_serverless.runtimeapi import LARGEST, REGION, Invocation, Invoked, RuntimeApi, Started, failed, served

HANDLER = "lambda_function.handler"
TIMED_OUT = "Sandbox.Timedout"
_KILLED = "Runtime exited with error: signal: killed"
_TICK = 0.05
_REMEDY = "Read its log, and call the handler by hand in its unpacked zip."
_TOO_LONG = Reply(413, {"content-type": "application/json"}, b'{"message":"Request Too Long"}')


class LambdaFunction:
    """A function in awslambdaric: one process at a time, and a new one after that was ended, as Lambda does it."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._one_at_a_time = threading.Lock()
        self._open = contextlib.ExitStack()
        self._process: _Process | None = None

    @property
    def pid(self) -> int:
        """The process that the function's code runs in."""
        return self.start().pid

    @property
    def begun(self) -> float:
        """When that process was started, in seconds of `time.monotonic`."""
        return self.start().begun

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes, /) -> Reply:
        """Return what the function answers to a request at its URL.

        Raises:
            DeployError: it failed, ended, or did not start; the message has its last words.
            LimitError: it took too long.
        """
        return self.send_as("url", method, path, headers, body)

    def send_as(self, form: Form, method: str, path: str, headers: Mapping[str, str], body: bytes, /) -> Reply:
        """Return what the function answers to a request that an API Gateway or its URL made an event of."""
        event = json.dumps(event_of(form, method, path, headers, body, str(uuid.uuid4()))).encode()
        if len(event) > LARGEST:
            return _TOO_LONG  # no function ever sees it
        invoked = self.invoke(event)
        said = parsed(invoked.payload)
        if not invoked.error:
            return reply_of(said)
        kind, message = _told(said)
        if kind == TIMED_OUT:
            raise LimitError(message, remedy="Give it more seconds, or ask for fewer rows at once.")
        raise DeployError(f"The function failed: {kind}: {message}", remedy=_REMEDY)

    def invoke(self, payload: bytes, /) -> Invoked:
        """Return what an invocation with a payload of JSON comes to, as Lambda's own API tells it.

        Raises:
            LimitError: the payload is larger than Lambda takes.
            DeployError: the process before was ended, and a new one did not start.
        """
        if len(payload) > LARGEST:
            said = f"The payload has {len(payload):,} bytes, at most {LARGEST:,} are taken."
            raise LimitError(said, remedy="Send fewer rows at once.")
        with self._one_at_a_time:
            return self.start().invoke(payload)

    def start(self) -> _Process:
        """Start a process if none runs, and return it.

        Raises:
            DeployError: it failed, ended or hung before it asked for its first invocation.
        """
        if self._process is None or self._process.is_over():
            self.close()
            self._process = self._open.enter_context(_process(self._launch))
        return self._process

    def close(self) -> None:
        """End the process, if one runs."""
        self._process = None
        self._open.close()


@contextlib.contextmanager
def start(launch: Launch, /) -> Iterator[LambdaFunction]:
    """Run a function in awslambdaric as long as this is open; `launch.site` is the folder of its wheels.

    Raises:
        DeployError: it failed, ended or hung before it asked for its first invocation; the message has its last words.
    """
    processes.compile_all(launch.site, launch.command)
    function = LambdaFunction(launch)
    try:
        function.start()
        yield function
    finally:
        function.close()


class _Process:
    """A runtime's process with its Runtime API."""

    def __init__(
        self, api: RuntimeApi, process: subprocess.Popen[bytes], begun: float, log: Path, launch: Launch
    ) -> None:
        self._api, self._process, self._log = api, process, log
        self._seconds = launch.seconds
        self._memory = processes.Memory(process, most=launch.memory)
        self.pid, self.begun = process.pid, begun

    def is_over(self) -> bool:
        if self._api.refused:
            processes.end(self._process)
        return self._process.poll() is not None

    def started(self) -> None:
        """Wait until the runtime asks for its first invocation."""
        said = self._next()
        if said == Started():
            return
        if isinstance(said, Started):
            kind, message = _told(parsed(said.error or b""))
            why = f"{kind}: {message}"
        else:
            why = said if isinstance(said, str) else "it answered though it was not asked"
        raise DeployError(f"The function did not start: {why}{self._words()}", remedy=_REMEDY)

    def invoke(self, payload: bytes) -> Invoked:
        id = str(uuid.uuid4())
        self._api.pending.put(Invocation(id, payload, int((time.time() + self._seconds) * 1000)))
        said = self._next()
        if isinstance(said, Invoked):
            return said
        kind = TIMED_OUT if said == self._late else "Runtime.ExitError"
        return failed(kind, f"RequestId: {id} Error: {said}{self._words()}")

    @property
    def _late(self) -> str:
        return f"Task timed out after {self._seconds:.2f} seconds"

    def _next(self) -> Started | Invoked | str:
        """Return what the runtime tells next, or why it never will: it was ended then."""
        until = time.monotonic() + self._seconds
        while True:
            over, left = self.is_over(), until - time.monotonic()
            said = self._told(0 if over else max(0, min(_TICK, left)))
            if self._memory.check():
                return f"{_KILLED}: {self._memory.fault}"
            if said is not None:
                return said
            if over:
                return f"Runtime exited with error: {_exit(self._process.wait())}"
            if left <= 0:
                processes.end(self._process)
                return self._late

    def _told(self, seconds: float) -> Started | Invoked | None:
        try:
            return self._api.told.get(timeout=seconds)
        except queue.Empty:
            return None

    def _words(self) -> str:
        words = processes.last_words(self._log)
        return f" Its last words: {words}" if words else ""


@contextlib.contextmanager
def _process(launch: Launch) -> Iterator[_Process]:
    with TemporaryDirectory(prefix="mlopskit-") as temporary, served() as api:
        writable, log = Path(temporary, "tmp"), Path(temporary, "log")
        writable.mkdir()
        command = [*launch.command, "-S", "-m", "awslambdaric", HANDLER]
        env = {**_environment(launch, writable), "AWS_LAMBDA_RUNTIME_API": api.address}
        with log.open("wb") as output:
            begun = time.monotonic()
            process = processes.spawn(command, cwd=launch.folder, env=env, writable=writable, output=output)
        try:
            one = _Process(api, process, begun, log, launch)
            one.started()
            yield one
        finally:
            processes.end(process)


def _environment(launch: Launch, writable: Path) -> dict[str, str]:
    """Return what Lambda sets, https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html: no HOME."""
    found = re.findall(r"cpython-3(\d+)", " ".join(file.name for file in launch.site.glob("runtime_client.*")))
    memory = str(launch.memory or 128)
    return {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python3.{found[0] if found else 11}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory,
        "AWS_LAMBDA_FUNCTION_NAME": "model",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/model",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0",
        "AWS_REGION": REGION,
        "LAMBDA_RUNTIME_DIR": str(launch.site),
        "LAMBDA_TASK_ROOT": str(launch.folder),
        "LANG": "C",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(launch.site),
        "TMPDIR": str(writable),
        "TZ": ":UTC",
        "_HANDLER": HANDLER,
        **launch.environment,
    }


def parsed(payload: bytes, /) -> object:
    """Return the value of a payload of JSON, None if it is none."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def _told(said: object) -> tuple[str, str]:
    table = said if isinstance(said, dict) else {}
    return str(table.get("errorType")), str(table.get("errorMessage"))


def _exit(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"signal: {signal.Signals(-code).name}"
