"""A running server under load: wrk on one core, the server's processes on the other; what /proc says of them."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from serving.models import Served
from serving.peers import Peer, free_port

START_SECONDS = 180
TASKSET, WRK = (shutil.which(name) or name for name in ("taskset", "wrk"))
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_TICKS = os.sysconf("SC_CLK_TCK")
_SERVER, _CLIENT = "0", "1"  # the cores


@dataclass(frozen=True, kw_only=True)
class Round:
    """What wrk said: requests a second, the median and the 99th percentile in seconds.

    `cpu` is what a request cost the server's processes in seconds of processor time.
    """

    rate: float
    p50: float
    p99: float
    cpu: float


class Running:
    """A server that was started for a model and has answered its rows rightly once."""

    def __init__(self, peer: Peer, served: Served, folder: Path) -> None:
        self.peer, self.served = peer, served
        programs = peer.programs()
        peer.prepared(programs, served)
        self.port = free_port()
        self._script = folder / f"{self.port}.lua"
        self._script.write_text(_lua([json.dumps(peer.body([row])) for row in served.rows]), "utf-8")
        self._errors = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed by `stop`
        variables = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": ""}
        variables |= peer.variables(served, self.port)
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [TASKSET, "-c", _SERVER, *peer.command(programs, served, self.port)],
            cwd=served.folder, env={**os.environ, **variables}, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=self._errors,
        )  # fmt: skip
        try:
            self._wait(start)
            self.started = time.perf_counter() - start
            self._check()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the server."""
        self.stop()

    def _wait(self, start: float) -> None:
        while not self._answers():
            if self._process.poll() is not None or time.perf_counter() - start > START_SECONDS:
                self._errors.seek(0)
                raise RuntimeError(f"{self.peer.name} does not answer: {self._errors.read()[-2000:].decode()}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            return self._ask(self.served.rows[0])[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def _check(self) -> None:
        """Check that every row is answered with the label that scikit-learn has for it."""
        for row, label in zip(self.served.rows, self.served.labels, strict=True):
            status, said = self._ask(row)
            found = self.peer.labels(json.loads(said)) or [label]
            if status != http.client.OK or found != [label]:
                raise RuntimeError(f"{self.peer.name} answers {status} {said[:200]!r} to {row}, not {label}.")

    def _ask(self, row: Any) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            body = json.dumps(self.peer.body([row]))
            connection.request("POST", self.peer.path(self.served), body, {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def round(self, connections: int, seconds: float) -> Round:
        """Let wrk ask for some seconds."""
        pids = [*self._pids()]
        before = _cpu(pids)
        command = [
            TASKSET,
            "-c",
            _CLIENT,
            WRK,
            "-t1",
            f"-c{connections}",
            f"-d{seconds:g}s",
            "--timeout",
            "60s",
            "--latency",
        ]
        address = f"http://127.0.0.1:{self.port}{self.peer.path(self.served)}"
        done = subprocess.run([*command, "-s", str(self._script), address], check=True, capture_output=True, text=True)
        return read(done.stdout, _cpu(pids) - before)

    def memory(self) -> tuple[float, float]:
        """Return the bytes of all its processes: resident, summed; and with what they share counted once."""
        texts = [Path(f"/proc/{pid}/smaps_rollup").read_text("ascii") for pid in self._pids()]
        rss, pss = (
            sum(int(found[1]) for text in texts if (found := re.search(rf"^{kind}:\s+(\d+) kB", text, re.MULTILINE)))
            for kind in ("Rss", "Pss")
        )
        return rss * 1024.0, pss * 1024.0

    def _pids(self) -> Iterator[int]:
        """Yield the numbers of all its processes."""
        waiting = [self._process.pid]
        while waiting:
            pid = waiting.pop()
            yield pid
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text("ascii").split())

    def stop(self) -> None:
        """End all its processes: those of the session that was opened for it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                break
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                continue
        self._errors.close()


def read(text: str, cpu: float, /) -> Round:
    """Return what wrk printed.

    Raises:
        RuntimeError: a request was refused, or none was answered.
    """
    if refused := re.search(r"(Non-2xx.*|Socket errors: (?!connect 0, read 0, write 0, timeout 0).*)", text):
        raise RuntimeError(f"Under load: {refused[1]}")
    count = int(_found(r"(\d+) requests in", text))
    if not count:
        raise RuntimeError("Nothing was answered under load.")
    p50, p99 = (_seconds(_found(rf"\s{share}%\s+(\S+)", text)) for share in (50, 99))
    return Round(rate=float(_found(r"Requests/sec:\s+([\d.]+)", text)), p50=p50, p99=p99, cpu=cpu / count)


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"wrk printed nothing like {pattern!r}: {text[-300:]}")
    return found[1]


def _seconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]  # wrk's form
    return float(number) * _UNITS[unit]


def _cpu(pids: Sequence[int]) -> float:
    """Return the processor time of processes, user's and system's, in seconds."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def _lua(bodies: Sequence[str]) -> str:
    """Return a script of wrk that sends bodies in turn, each put together before the first is sent."""
    listed = ",\n".join(f"[==[{body}]==]" for body in bodies)
    return f"""local bodies = {{{listed}}}
local requests, at = {{}}, 0
wrk.headers["content-type"] = "application/json"
init = function(args)
  for i, body in ipairs(bodies) do requests[i] = wrk.format("POST", nil, nil, body) end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
"""
