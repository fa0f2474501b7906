"""A stand-in of AWS: moto's server behind a layer that adds what moto leaves out, and runs what is invoked.

Started as `python aws.py PORT SITE`, where SITE is the folder of awslambdaric. What moto leaves out and AWS does: a
function and an alias have a RevisionId that changes with them and is a condition; a version is published only of the
CodeSha256 that is named; after a change the function is busy until it was looked at; a version that an alias leads to
cannot be deleted. Invoke runs the zip that moto holds of that very version. POST /test/fail lets requests fail as AWS
words it, POST /test/tamper puts another zip where a version was published, POST /test/calls returns which requests came
since the last time.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import re
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, unquote

from mlopskit_serverless import awslambda
from mlopskit_serverless.processes import peak_mib
from mlopskit_serverless.running import Launch
from mlopskit_serverless.runtimeapi import Invoked, failed

from mlopskit import interpreter_for
from mlopskit.errors import DeployError

ACCOUNT = "123456789012"
FUNCTIONS = "/2015-03-31/functions"
Reply = tuple[int, list[tuple[str, str]], bytes]


class Runner:
    """A version's zip in awslambdaric, as AWS keeps it until it is asked no more."""

    def __init__(self, held: Any, site: Path) -> None:
        self.open = contextlib.ExitStack()
        folder, self.memory, self.read, self.cold = (
            Path(self.open.enter_context(TemporaryDirectory())),
            held.memory_size,
            0,
            True,
        )
        with zipfile.ZipFile(io.BytesIO(held.code_bytes)) as archive:
            archive.extractall(folder)
        command = interpreter_for("linux/x86_64", "3.11").command
        launch = Launch(
            folder=folder, site=site, command=command, environment=held.environment_vars, seconds=held.timeout
        )
        begun = time.monotonic()
        self.function = self.open.enter_context(awslambda.start(launch))
        self.init = 1000 * (time.monotonic() - begun)

    def invoke(self, payload: bytes) -> tuple[Invoked, str]:
        """Return what came of an invocation, and what it logged, the REPORT line at the end."""
        id, log, begun = uuid.uuid4(), self.function._process._log, time.monotonic()
        invoked = self.function.invoke(payload)
        taken = 1000 * (time.monotonic() - begun)
        said = log.read_text(errors="replace")[self.read :] if log.exists() else ""
        self.read += len(said)
        peak = 0 if invoked.error else peak_mib(self.function.pid)
        init, self.cold = (f"Init Duration: {self.init:.2f} ms\t" if self.cold else ""), False
        report = (
            f"REPORT RequestId: {id}\tDuration: {taken:.2f} ms\tBilled Duration: {taken:.0f} ms\t"
            f"Memory Size: {self.memory} MB\tMax Memory Used: {peak:.0f} MB\t{init}\n"
        )
        return invoked, f"START RequestId: {id}\n{said}{report}"


class Aws:
    """The layer: a WSGI application around moto's."""

    def __init__(self, moto: Callable[..., Any], site: Path) -> None:
        self.moto, self.site = moto, site
        self.lock = threading.RLock()
        self.revisions: dict[str, str] = {}
        self.busy: dict[str, str] = {}
        self.runners: dict[tuple[str, int], Runner] = {}
        self.faults: list[dict[str, Any]] = []
        self.seen: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, headers, data = self.answer(environ, body)
        start_response(f"{status} -", [(name, value) for name, value in headers if name.lower() != "content-length"])
        return [data]

    def answer(self, environ: dict[str, Any], body: bytes) -> Reply:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path.startswith("/test/"):
            return 200, [], json.dumps(getattr(self, path.removeprefix("/test/"))(json.loads(body or "{}"))).encode()
        with self.lock:
            self.seen.append(f"{method} {path}")
            if fault := self._fault(method, path):
                return _error(fault["status"], fault["code"], fault.get("message", "as the test wants it"))
            found = re.fullmatch(f"{FUNCTIONS}(?:/([^/]+))?(?:/(.*))?", path)
            if not found:
                return self._pass(environ, body)
            name, rest = unquote(found[1] or ""), found[2] or ""
            if rest == "invocations":
                return self._invoke(name, environ, body)
            return self._function(method, name, rest, environ, body)

    def _pass(self, environ: dict[str, Any], body: bytes) -> Reply:
        from werkzeug.test import run_wsgi_app

        parts, status, headers = run_wsgi_app(self.moto, {**environ, "wsgi.input": io.BytesIO(body)}, buffered=True)
        return int(status.split()[0]), list(headers), b"".join(parts)

    def _function(self, method: str, name: str, rest: str, environ: dict[str, Any], body: bytes) -> Reply:
        told = json.loads(body) if body.startswith(b"{") else {}
        name = name or told.get("FunctionName", "")
        if refused := self._refused(method, name, rest, environ, told):
            return refused
        status, headers, data = self._pass(environ, body)
        thing = f"{name}/{rest}" if rest.startswith("aliases/") else name
        thing = f"{name}/aliases/{told.get('Name')}" if (method, rest) == ("POST", "aliases") else thing
        if status >= 400 or not data.startswith(b"{"):
            return status, headers, data
        said = json.loads(data)
        if method in ("PUT", "POST") and rest != "versions":
            self.revisions[thing] = uuid.uuid4().hex
            if "aliases" not in rest:
                self.busy[name] = "Pending" if not rest else "InProgress"
            if rest == "code" and "Architectures" in told:
                self._held(name, None).architectures = told["Architectures"]
        if rest == "configuration" or not rest:
            self._look(method, name, environ, said)
        if rest not in ("aliases", "versions") or method == "POST":
            said["RevisionId"] = self.revisions.get(thing, "")
        return status, headers, json.dumps(said).encode()

    def _refused(
        self, method: str, name: str, rest: str, environ: dict[str, Any], told: dict[str, Any]
    ) -> Reply | None:
        """Return AWS's refusal where moto would go on."""
        if method in ("PUT", "POST") and name in self.busy and rest in ("code", "configuration", "versions"):
            return _error(409, "ResourceConflictException", "An update is in progress for resource.")
        thing = f"{name}/{rest}" if rest.startswith("aliases/") else name
        if method in ("PUT", "POST") and told.get("RevisionId", self.revisions.get(thing)) != self.revisions.get(thing):
            return _error(412, "PreconditionFailedException", "The RevisionId provided does not match the latest.")
        publishing = (method, rest) == ("POST", "versions") and told.get("CodeSha256")
        if publishing and self._held(name, None).code_sha_256 != told["CodeSha256"]:
            return _error(400, "InvalidParameterValueException", "CodeSHA256 is different from current.")
        qualifier = _query(environ, "Qualifier")
        if method == "DELETE" and not rest and qualifier:
            with contextlib.suppress(Exception):
                backend = _backend(environ)
                named = [one.name for one in backend.list_aliases(name) if qualifier in _versions(one)]
                if named:
                    return _error(409, "ResourceConflictException", f"These aliases reference it: {named}.")
        return None

    def _look(self, method: str, name: str, environ: dict[str, Any], said: dict[str, Any]) -> None:
        """Let a function be busy until somebody has looked at it."""
        if method == "GET" and _query(environ, "Qualifier") in (None, "$LATEST") and name in self.busy:
            state = self.busy.pop(name)
            said["State" if state == "Pending" else "LastUpdateStatus"] = state

    def _invoke(self, name: str, environ: dict[str, Any], body: bytes) -> Reply:
        qualifier = _query(environ, "Qualifier")
        try:
            held = self._held(name, qualifier)
        except Exception as error:
            return _error(404, "ResourceNotFoundException", str(error))
        invoked, log = self._ran(held, body)
        self._log(held, log)
        headers = [("Content-Type", "application/json"), ("X-Amz-Executed-Version", str(held.version))]
        headers += [("X-Amz-Function-Error", invoked.error)] if invoked.error else []
        if environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail":
            headers.append(("X-Amz-Log-Result", base64.b64encode(log.encode()[-4096:]).decode()))
        return 200, headers, invoked.payload

    def _ran(self, held: Any, payload: bytes) -> tuple[Invoked, str]:
        """Run what moto holds; one that does not start is AWS's answer, too."""
        key = (held.code_sha_256, held.timeout)
        try:
            if key not in self.runners:
                self.runners[key] = Runner(held, self.site)
            return self.runners[key].invoke(payload)
        except DeployError as error:
            return failed("Runtime.Unknown", error.message), ""

    def _log(self, held: Any, text: str) -> None:
        """Write what a function logged where AWS does."""
        from moto.logs.models import logs_backends

        logs = logs_backends[ACCOUNT][held.region]
        group, stream = f"/aws/lambda/{held.function_name}", f"2026/01/31/[{held.version}]{'0' * 32}"
        if group not in logs.groups:
            logs.create_log_group(group, {})
        if stream not in logs.groups[group].streams:
            logs.create_log_stream(group, stream)
        now = int(1000 * time.time())
        logs.put_log_events(group, stream, [{"timestamp": now, "message": one} for one in text.splitlines()])

    def _held(self, name: str, qualifier: str | None) -> Any:
        from moto.awslambda.models import lambda_backends

        return lambda_backends[ACCOUNT]["us-east-1"].get_function(name, qualifier)

    def _fault(self, method: str, path: str) -> dict[str, Any] | None:
        for fault in self.faults:
            if re.fullmatch(fault["method"], method) and re.search(fault["path"], path) and fault["times"] > 0:
                fault["times"] -= 1
                return fault
        return None

    def fail(self, told: dict[str, Any]) -> None:
        """Let requests fail from now on."""
        self.faults = told["faults"]

    def calls(self, told: dict[str, Any]) -> list[str]:
        """Return the requests that came since the last time."""
        seen, self.seen = self.seen, []
        return seen

    def tamper(self, told: dict[str, Any]) -> None:
        """Put another zip where a version was published."""
        held, code = self._held(told["function"], told["version"]), base64.b64decode(told["zip"])
        held.code_bytes, held.code_sha_256 = code, base64.b64encode(hashlib.sha256(code).digest()).decode()

    def close(self) -> None:
        """End every process."""
        for runner in self.runners.values():
            runner.open.close()


def _backend(environ: dict[str, Any]) -> Any:
    from moto.awslambda.models import lambda_backends

    return lambda_backends[ACCOUNT]["us-east-1"]


def _query(environ: dict[str, Any], key: str) -> str | None:
    return parse_qs(environ.get("QUERY_STRING", "")).get(key, [None])[0]


def _versions(alias: Any) -> list[str]:
    """Return the versions that an alias leads to."""
    return [alias.function_version, *((alias.routing_config or {}).get("AdditionalVersionWeights") or {})]


def _error(status: int, code: str, message: str) -> Reply:
    headers = [("Content-Type", "application/json"), ("x-amzn-errortype", code)]
    return status, headers, json.dumps({"Type": "User", "message": message}).encode()


def main() -> None:
    """Serve until the process is ended."""
    import signal

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    aws = Aws(DomainDispatcherApplication(create_backend_app), Path(sys.argv[2]))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = make_server("127.0.0.1", int(sys.argv[1]), aws, threaded=True, request_handler=MotoRequestHandler)
    try:
        server.serve_forever()
    finally:
        aws.close()


if __name__ == "__main__":
    main()
