"""Stands for the host of Azure Functions: starts its Python worker with a function app, and passes requests to it.

The host speaks with its worker over gRPC. The half of the worker that does so stands in Azure's images alone; the other
half is the package azure-functions-runtime: it finds the functions, makes the request of what the host sent, calls the
function, and makes of its answer what the host gets. Here it gets the same messages, each one through its bytes.

It is started with the folder of the worker's unpacked wheels, and a word. `import` only imports the worker, so that its
bytecode is there. `serve` is followed by the function's folder and the number of an open socket: each line that comes
in is a request, each line that goes out an answer, as JSON; the first one says that the function was found.
"""

import asyncio
import base64
import importlib
import io
import json
import socket
import sys
import types
import urllib.parse
from typing import Any

TRIGGER = "httpTrigger"
# Classes of the messages: they come with the worker for functions of the first programming model.
MESSAGES = "tests/protos"


def main(site: str, word: str, folder: str = "", number: str = "") -> None:
    """Answer requests until there are no more."""
    sys.path[:0] = [folder, site] if folder else [site]
    host = Host(site)
    if word == "import":
        importlib.import_module("azure.functions")
        return
    with asyncio.Runner() as runner, socket.socket(fileno=int(number)).makefile("rwb") as lines:
        _say(lines, runner.run(host.begin(folder)))
        for line in lines:
            _say(lines, runner.run(host.answer(json.loads(line))))


def _say(lines: io.BufferedRWPair, said: dict[str, Any]) -> None:
    lines.write(json.dumps(said).encode() + b"\n")
    lines.flush()


class Host:
    """The host of one function app with one function, which a request calls."""

    def __init__(self, site: str) -> None:
        self.worker = importlib.import_module("azure_functions_runtime")
        self.protocol = _protocol(site)
        self.function = ""
        self.binding: dict[str, Any] = {}

    async def begin(self, folder: str) -> dict[str, Any]:
        """Let the worker find the function; what it says is no problem, or that."""
        self.worker.start_threadpool_executor()
        init = self.protocol.WorkerInitRequest(
            host_version="4.0.0", worker_directory=folder, function_app_directory=folder
        )
        found = await self.ask("worker_init", init)
        if problem := self.problem(found.result):
            return {"problem": problem}
        found = await self.ask("functions_metadata", self.protocol.FunctionsMetadataRequest())
        triggers = [(one, binding) for one in found.function_metadata_results for binding in _triggers(one)]
        if len(triggers) != 1:
            return {"problem": f"{len(triggers)} functions of function_app.py answer over HTTP, expected one"}
        metadata, self.binding = triggers[0]
        self.function = metadata.function_id
        load = self.protocol.FunctionLoadRequest(function_id=self.function, metadata=metadata)
        return {"problem": self.problem((await self.ask("function_load", load)).result)}

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Call the function with a request, if it is one of those that its binding names."""
        if request["method"].upper() not in {each.upper() for each in self.binding.get("methods", [request["method"]])}:
            return {"status": 404, "headers": {}, "body": ""}
        said = await self.ask("invocation", self.invocation(request))
        if problem := self.problem(said.result):
            return {"problem": problem}
        http = said.return_value.http
        body = http.body.bytes or http.body.string.encode()
        headers = {name.lower(): value for name, value in http.headers.items()}
        return {"status": int(http.status_code), "headers": headers, "body": base64.b64encode(body).decode()}

    def invocation(self, request: dict[str, Any]) -> Any:
        """Return the message that calls the function."""
        body, url = base64.b64decode(request["body"]), urllib.parse.urlsplit(request["url"])
        http = self.protocol.RpcHttp(
            method=request["method"].upper(),
            url=request["url"],
            headers={name.lower(): value for name, value in request["headers"].items()},
            params={"path": urllib.parse.unquote(url.path.removeprefix("/"))},
            query=dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True)),
            body=self.protocol.TypedData(bytes=body) if body else None,
        )
        given = self.protocol.ParameterBinding(name=self.binding["name"], data=self.protocol.TypedData(http=http))
        return self.protocol.InvocationRequest(
            invocation_id=request["id"], function_id=self.function, input_data=[given]
        )

    async def ask(self, what: str, message: Any) -> Any:
        """Return what the worker answers to a message; both go through their bytes, as they would on their way."""
        request = self.protocol.StreamingMessage(request_id=what, **{f"{what}_request": message})
        properties = {"host": "127.0.0.1", "protos": self.protocol}
        through = types.SimpleNamespace(request=_sent(request), properties=properties)
        return _sent(await getattr(self.worker, f"{what}_request")(through))

    def problem(self, result: Any) -> str:
        """Return what went wrong, with its traceback; nothing if nothing did."""
        if result.status == self.protocol.StatusResult.Success:
            return ""
        return result.exception.stack_trace or result.exception.message or "the worker did not say why"


def _protocol(site: str) -> Any:
    """Return the classes of the messages; gRPC, which their package imports, is left out."""
    package = types.ModuleType("azure_protocol")
    package.__path__ = [f"{site}/{MESSAGES}"]
    sys.modules[package.__name__] = package
    names = ("FunctionRpc_pb2", "shared.NullableTypes_pb2")
    return types.SimpleNamespace(
        **{
            name: value
            for module in names
            for name, value in vars(importlib.import_module(f"azure_protocol.{module}")).items()
        }
    )


def _triggers(metadata: Any) -> list[dict[str, Any]]:
    return [one for one in map(json.loads, metadata.raw_bindings) if one["type"] == TRIGGER]


def _sent(message: Any) -> Any:
    return type(message).FromString(message.SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])
