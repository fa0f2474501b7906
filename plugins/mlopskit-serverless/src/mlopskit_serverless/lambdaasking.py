"""A version of a function of AWS Lambda is asked, as a function URL asks it; and what AWS measured."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from mlopskit import Answer, Row
from mlopskit.errors import DeployError, NotReadyError
from mlopskit_serverless import aws
from mlopskit_serverless.lambdafunction import AwsFunction, limit

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB each way, when it is waited for.
_MOST = 6 * 2**20
_OK = 200
_LINES = 20
_MIB = 2**20
_NOT_YET = (429, 502, 503, 504)
_REMEDIES = {
    "Sandbox.Timedout": "Give it more time or memory: timeout = …, memory = …",
    "Runtime.ExitError": "Give it more memory: memory = …; and look at 'mlopskit logs'.",
    "Runtime.OutOfMemory": "Give it more memory: memory = …",
}


def ask(function: AwsFunction, rows: Sequence[Row], /, *, qualifier: str, version: str) -> Answer:
    """Return what a version answers to rows, asked by its number or by an alias that leads to it.

    Raises:
        NotReadyError: another one still answers, or it is busy.
        DeployError: it failed; the message has the last words of its log.
    """
    held = function.configuration(version)
    if held is None:
        raise DeployError(f"{function.name}:{version} is gone.", remedy="Deploy again; that publishes it.")
    payload = json.dumps(event({"rows": [dict(row) for row in rows]})).encode()
    if len(payload) > _MOST:
        raise limit(len(payload), _MOST)
    reply = aws.call(
        function.client,
        "invoke",
        FunctionName=function.name,
        Qualifier=qualifier,
        LogType="Tail",
        Payload=payload,
    )
    assert reply is not None  # noqa: S101  # no code was passed over
    log = base64.b64decode(reply.get("LogResult", "")).decode(errors="replace")
    with aws.worded("the answer"):
        said = _table(reply["Payload"].read())
    if reply.get("FunctionError"):
        raise _failed(f"{function.name}:{version}", said, log)
    answered = reply.get("ExecutedVersion", version)
    if answered != version:
        raise NotReadyError(
            f"{function.name}:{qualifier} leads to version {version}, but {answered} still answered.",
            remedy="Ask again: AWS takes a moment to move an alias.",
        )
    place = "emulated" if aws.is_emulated(function.client) else "target"
    taken = {"bundle_mb": held["CodeSize"] / _MIB, **measured(log)}
    if place == "emulated":
        taken.pop("cold_start_ms", None)
    return _answer(function, said, place=place, measurements=taken)


def event(table: Any, /) -> dict[str, Any]:
    """Return the event of a function URL (payload format 2.0) for POST /predict."""
    http = {
        "method": "POST",
        "path": "/predict",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "mlopskit",
    }
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/predict",
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "localhost"},
        "requestContext": {
            "http": http,
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
        },
        "body": json.dumps(table),
        "isBase64Encoded": False,
    }


def measured(log: str, /) -> Mapping[str, float]:
    r"""Return what the REPORT line of an invocation says: its memory, and if it was the first the time until its end.

    >>> measured("REPORT RequestId: 1\tDuration: 2.50 ms\tMax Memory Used: 45 MB\tInit Duration: 80.00 ms\t\n")
    {'memory_mb': 45.0, 'cold_start_ms': 82.5}
    """
    reports = [line for line in log.splitlines() if line.startswith("REPORT ")]
    if not reports:
        return {}
    fields = (part.partition(": ") for part in reports[-1].split("\t"))
    told = {name.strip(): float(found[0]) for name, _, value in fields if (found := _NUMBER.match(value))}
    taken = {"memory_mb": told["Max Memory Used"]} if "Max Memory Used" in told else {}
    if {"Init Duration", "Duration"} <= told.keys():
        taken["cold_start_ms"] = told["Init Duration"] + told["Duration"]
    return taken


_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?= (?:ms|MB)\Z)", re.ASCII)


def _answer(function: AwsFunction, reply: Mapping[str, Any], **more: Any) -> Answer:
    status, said = reply.get("statusCode"), _body(reply)
    detail = said.get("detail", "no problem details")
    remedy = str(said.get("remedy", "Look at 'mlopskit logs'."))
    if status in _NOT_YET:
        raise NotReadyError(f"{function.name} answered {status}: {detail}", remedy=remedy)
    if status != _OK or not {"rows", "digest", "runtime"} <= said.keys():
        raise DeployError(f"{function.name} answered {status}: {detail}", remedy=remedy)
    return Answer(rows=said["rows"], digest=said["digest"], runtime=said["runtime"], **more)


def _body(reply: Mapping[str, Any]) -> dict[str, Any]:
    body = reply.get("body") or ""
    try:
        return _table(base64.b64decode(body, validate=True) if reply.get("isBase64Encoded") else str(body).encode())
    except ValueError:
        return {}


def _failed(what: str, said: Mapping[str, Any], log: str) -> DeployError:
    kind, why = str(said.get("errorType", "no type")), str(said.get("errorMessage", "no message"))
    timed_out = "Task timed out" in why
    remedy = _REMEDIES.get("Sandbox.Timedout" if timed_out else kind, "Look at its log: 'mlopskit logs'.")
    last = "\n".join(log.splitlines()[-_LINES:])
    return DeployError(f"{what} failed ({kind}): {why}\n{last}".rstrip(), remedy=remedy, error_type=kind)


def _table(data: bytes) -> dict[str, Any]:
    try:
        said = json.loads(data)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {}
