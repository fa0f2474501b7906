"""The Open Inference Protocol, version 2: models by name and digest, tensors in JSON or behind it in binary.

A column is a tensor of the shape [rows] or [rows, 1]; see docs/reference/http.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .answers import by_column, check_count
from .errors import ManifestError, UsageError
from .exchange import DIGEST, Request, Served, Service, find, is_ready, not_allowed, not_ready, refusal, versions
from .names import shown
from .problems import JSON, Response, always, problem
from .profile import types_of
from .scoring import Model
from .tensors import DATATYPES, packed, unpacked

HEADER_LENGTH = "inference-header-content-length"
_OCTETS = "application/octet-stream"


def routed(service: Service, request: Request, /) -> Response:
    """Return the response to a request below `/v2`."""
    response = _routed(service, request)
    return response if response.status < 400 else as_error(response)  # noqa: PLR2004  # an error of HTTP


def as_error(response: Response, /) -> Response:
    """Return problem details which hold, as this protocol has it, `error` as well."""
    told = json.loads(response.body)
    if "detail" not in told:
        return response
    error = f"{told['detail']} {told['remedy']}"
    return response._replace(body=json.dumps({"error": error, **told}).encode())


def _routed(service: Service, request: Request) -> Response:
    _, _, *parts = request.path.split("/")
    match parts:
        case []:
            return _get(service, request, _server())
        case ["health", "live"]:
            return _get(service, request, {"live": True})
        case ["health", "ready"]:
            ready = is_ready(service)
            return _get(service, request, {"ready": ready}, status=200 if ready else 503)
        case ["models", name, *rest]:
            return _of_model(service, request, name, rest)
        case _:
            return _nothing(request)


def _of_model(service: Service, request: Request, name: str, rest: Sequence[str]) -> Response:
    digest = ""
    if rest[:1] == ["versions"]:
        digest, rest = (rest[1] or "none") if rest[1:] else "none", rest[2:]
    found = find(service, name, digest)
    if found is None:
        return _nothing(request)
    served, model = found
    match [*rest]:
        case []:
            return not_ready(request.id, served) if model is None else _get(service, request, _about(served, model))
        case ["ready"]:
            ready = model is not None
            return _get(service, request, {"name": name, "ready": ready}, status=200 if ready else 503)
        case ["infer"]:
            return _infer(service, request, served, model)
        case _:
            return _nothing(request)


def _get(service: Service, request: Request, value: Mapping[str, Any], *, status: int = 200) -> Response:
    if request.method != "GET":
        return not_allowed(request, "GET")
    return Response(status, always(JSON, request.id), service.encode(value))


def _server() -> dict[str, Any]:
    return {"name": "mlopskit", "version": "1", "extensions": ["binary_tensor_data"]}


def _about(served: Served, model: Model) -> dict[str, Any]:
    described = {
        put: [
            {"name": name, "datatype": _datatype(schema["properties"][name]), "shape": [-1]}
            for name in schema["required"]
        ]
        for put, schema in model.schema.items()
    }
    return {"name": served.name, "versions": versions(served), "platform": f"mlopskit_{model.format}", **described}


def _datatype(spec: Mapping[str, Any]) -> str:
    kinds = set(types_of(spec)) - {"null"}
    names = {"boolean": "BOOL", "integer": "INT64", "number": "FP64"}
    if kinds == {"integer", "number"}:
        return "FP64"
    return names.get(kinds.pop(), "BYTES") if len(kinds) == 1 else "BYTES"


def _infer(service: Service, request: Request, served: Served, model: Model | None) -> Response:
    if request.method != "POST":
        return not_allowed(request, "POST")
    if model is None:
        return not_ready(request.id, served)
    refused = refusal(service, request, media=(JSON, _OCTETS, ""))  # Triton's client names none
    if refused:
        return refused
    head, tail = _split(request)
    asked = service.decode(head)
    columns = _columns(asked, tail, service.rows)
    outputs = by_column(model, columns)
    said = {"model_name": served.name, "model_version": model.digest}
    if isinstance(asked.get("id"), str):
        said["id"] = asked["id"]
    return _answered(service, request, model, said, _wanted(asked, outputs))


def _split(request: Request) -> tuple[bytes, memoryview]:
    given = request.headers.get(HEADER_LENGTH)
    if given is None:
        return request.body, memoryview(b"")
    if not (given.isascii() and given.isdigit() and len(given) < 12 and int(given) <= len(request.body)):  # noqa: PLR2004  # digits of a length
        raise ManifestError(
            f"The header {HEADER_LENGTH} is {shown(given)}, the body has {len(request.body)} bytes.",
            remedy="Send the number of bytes of the JSON before the tensors.",
        )
    return request.body[: int(given)], memoryview(request.body)[int(given) :]


def _columns(asked: Any, tail: memoryview, most: int) -> dict[str, list[Any]]:
    """Return a request's tensors as columns."""
    inputs = asked.get("inputs") if isinstance(asked, dict) else None
    if not isinstance(inputs, list):
        raise UsageError(
            "The request has no list of inputs.",
            remedy='Send {"inputs": [{"name": ..., "shape": [rows], "datatype": ..., "data": [...]}, ...]}.',
        )
    columns: dict[str, list[Any]] = {}
    at = 0
    for one in inputs:
        name, rows, datatype, size = _tensor(one)
        if name in columns:
            raise UsageError(f"The input {shown(name)} stands there twice.", remedy="Send each input once.")
        check_count(rows, most)
        if size is None:
            columns[name] = _data(one, name, rows)
        else:
            columns[name] = unpacked(tail[at : at + size], datatype, rows, name=name, size=size)
            at += size
    if at != len(tail):
        raise ManifestError(
            f"Behind the JSON stand {len(tail)} bytes, the inputs name {at}.",
            remedy="Give each binary input its binary_data_size.",
        )
    return columns


def _tensor(one: Any) -> tuple[str, int, str, int | None]:
    """Return name, rows, datatype and, if it is binary, size of an input."""
    given = one if isinstance(one, dict) else {}
    name, datatype = given.get("name"), given.get("datatype")
    shape: Any = given.get("shape")
    if not isinstance(name, str):
        raise UsageError(f"An input has the name {shown(name)}.", remedy="Name each input by its column.")
    if not _is_column(shape):
        raise UsageError(
            f"The input {shown(name)} has the shape {shown(shape)}.",
            remedy="Send it as [rows] or [rows, 1].",
            column=name,
        )
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise UsageError(
            f"The input {shown(name)} has the datatype {shown(datatype)}.",
            remedy=f"Send one of {', '.join(DATATYPES)}.",
            column=name,
        )
    parameters = given.get("parameters", {})
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is not None and (type(size) is not int or size < 0):
        raise UsageError(
            f"The input {shown(name)} has the binary_data_size {shown(size)}.", remedy="Send its bytes.", column=name
        )
    return name, shape[0], datatype, size


def _is_column(shape: Any) -> bool:
    if not isinstance(shape, list) or shape[1:] not in ([], [1]):
        return False
    return bool(shape) and all(type(count) is int and count >= 0 for count in shape)


def _data(one: Mapping[str, Any], name: str, rows: int) -> list[Any]:
    data = one.get("data")
    if isinstance(data, list) and data and all(type(cell) is list and len(cell) == 1 for cell in data):
        data = [cell[0] for cell in data]  # rows of one column, as they nest in the shape [rows, 1]
    if not isinstance(data, list) or len(data) != rows:
        count = f"{len(data)} values" if isinstance(data, list) else "no list of data"
        raise UsageError(
            f"The input {shown(name)} has {count}, its shape says {rows}.", remedy="Send as many as that.", column=name
        )
    return data


def _wanted(asked: Mapping[str, Any], outputs: Mapping[str, list[Any]]) -> list[tuple[str, list[Any], bool]]:
    """Return the outputs that are asked for, all if none is named, and whether each is sent in binary."""
    binary = _flag(asked.get("parameters"), "binary_data_output")
    named = asked.get("outputs")
    if named is None:
        return [(name, cells, binary) for name, cells in outputs.items()]
    wanted = []
    for one in named if isinstance(named, list) else [named]:
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str) or name not in outputs:
            raise UsageError(
                f"There is no output {shown(name)}.", remedy=f"Ask for some of {', '.join(map(shown, outputs))}."
            )
        wanted.append((name, outputs[name], binary or _flag(one.get("parameters"), "binary_data")))
    return wanted


def _flag(parameters: Any, name: str) -> bool:
    return isinstance(parameters, dict) and parameters.get(name) is True


def _answered(
    service: Service,
    request: Request,
    model: Model,
    said: Mapping[str, Any],
    wanted: Sequence[tuple[str, list[Any], bool]],
) -> Response:
    properties = model.schema["outputs"]["properties"]
    tensors, tail = [], b""
    for name, cells, binary in wanted:
        datatype = _datatype(properties[name])
        tensor: dict[str, Any] = {"name": name, "datatype": datatype, "shape": [len(cells)]}
        # Of a missing value only a number has a binary form.
        if binary and (datatype == "FP64" or None not in cells):
            data = packed(cells, datatype)
            tensor["parameters"] = {"binary_data_size": len(data)}
            tail += data
        else:
            tensor["data"] = cells
        tensors.append(tensor)
    head = service.encode({**said, "outputs": tensors})
    named = (DIGEST, model.digest)
    if not tail:
        return Response(200, (*always(JSON, request.id), named), head)
    return Response(200, (*always(_OCTETS, request.id), named, (HEADER_LENGTH, str(len(head)))), head + tail)


def _nothing(request: Request) -> Response:
    return problem(request.id, 404, f"There is nothing at {shown(request.path)}.", remedy="See GET /openapi.json.")
