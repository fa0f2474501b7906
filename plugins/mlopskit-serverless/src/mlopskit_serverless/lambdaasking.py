"""A version of a function of AWS Lambda is asked, as a function URL asks it; and what AWS measured."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from mlopskit import Answer, Row, answer_of
from mlopskit.errors import DeployError, LimitError, NotReadyError
from mlopskit_serverless import aws
from mlopskit_serverless.awslambda import TIMED_OUT, parsed
from mlopskit_serverless.events import event_of, reply_of
from mlopskit_serverless.lambdafunction import AwsFunction
from mlopskit_serverless.runtimeapi import LARGEST
from mlopskit_serverless.services import MIB

_HEADERS = {"content-type": "application/json", "host": "localhost", "user-agent": "mlopskit"}
_NOT_YET = (429, 502, 503, 504)
_LINES = 20
_LOOK = "Look at its log: aws logs tail /aws/lambda/FUNCTION"
_REMEDIES = {
    TIMED_OUT: "Give it more time or memory: timeout = …, memory = …",
    "Runtime.ExitError": f"Give it more memory: memory = …; or: {_LOOK}",
    "Runtime.OutOfMemory": "Give it more memory: memory = …",
}
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?= (?:ms|MB)\Z)", re.ASCII)


def ask(function: AwsFunction, rows: Sequence[Row], /, *, qualifier: str, version: str) -> Answer:
    """Return what a version answers to rows, asked by its number or by an alias that leads to it.

    Raises:
        NotReadyError: another one still answers, or it is busy.
        LimitError: an event cannot carry the rows.
        DeployError: it failed; the message has the last words of its log.
    """
    what = f"{function.name}:{version}"
    held = function.configuration(version)
    if held is None:
        raise DeployError(f"{what} is gone.", remedy="Deploy again; that publishes it.")
    payload, log, executed = _invoked(function, _event(rows), qualifier, what)
    if executed not in (version, None):
        raise NotReadyError(
            f"{function.name}:{qualifier} leads to version {version}, but {executed} still answered.",
            remedy="Ask again: AWS takes a moment to move an alias.",
        )
    reply = reply_of(payload)
    if reply.status in _NOT_YET:
        raise NotReadyError(f"{what} answered {reply.status}.", remedy=_LOOK)
    taken = {"bundle_mb": held["CodeSize"] / MIB, **measured(log)}
    place = "emulated" if aws.is_emulated(function.client) else "target"
    if place == "emulated":
        taken.pop("cold_start_ms", None)  # it is not AWS's
    return answer_of(reply.status, reply.body, what, remedy=_LOOK, place=place, measurements=taken)


def _event(rows: Sequence[Row]) -> bytes:
    body = json.dumps({"rows": [dict(row) for row in rows]}).encode()
    event = json.dumps(event_of("url", "POST", "/predict", _HEADERS, body, str(uuid.uuid4()))).encode()
    if len(event) > LARGEST:
        raise LimitError(
            f"The rows take {len(event):,} bytes, and an event of AWS Lambda at most {LARGEST:,}.",
            remedy="Package the model with fewer golden rows, or shorter ones.",
        )
    return event


def _invoked(function: AwsFunction, event: bytes, qualifier: str, what: str) -> tuple[object, str, str | None]:
    """Return what a function returned, the last of its log, and the version that did it."""
    named = {"FunctionName": function.name, "Qualifier": qualifier}
    reply = aws.call(function.client, "invoke", **named, LogType="Tail", Payload=event) or {}
    log = base64.b64decode(reply.get("LogResult", "")).decode(errors="replace")
    with aws.worded("the answer"):
        said = parsed(reply["Payload"].read())
    if reply.get("FunctionError"):
        raise _failed(what, said if isinstance(said, dict) else {}, log)
    return said, log, reply.get("ExecutedVersion")


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


def _failed(what: str, said: Mapping[str, Any], log: str) -> DeployError:
    kind, why = str(said.get("errorType", "no type")), str(said.get("errorMessage", "no message"))
    timed_out = "Task timed out" in why
    remedy = _REMEDIES.get(TIMED_OUT if timed_out else kind, _LOOK)
    last = "\n".join(log.splitlines()[-_LINES:])
    return DeployError(f"{what} failed ({kind}): {why}\n{last}".rstrip(), remedy=remedy, error_type=kind)
