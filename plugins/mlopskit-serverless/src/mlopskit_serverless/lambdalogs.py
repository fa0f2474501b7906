"""The log of a version of a function of AWS Lambda, in CloudWatch Logs."""

from __future__ import annotations

from typing import Any

from mlopskit_serverless import aws

_STREAMS = 50


def last(client: Any, configuration: aws.Reply, lines: int, /) -> str:
    """Return the last lines that a version wrote; nothing if it was not asked yet.

    A stream is of one process, and its name has the version: 2026/01/31/[3]0123….
    """
    group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{configuration['FunctionName']}"
    newest = {"orderBy": "LastEventTime", "descending": True, "limit": _STREAMS}
    told = aws.call(client, "describe_log_streams", unless=aws.ABSENT, logGroupName=group, **newest) or {}
    names = [one["logStreamName"] for one in told.get("logStreams", ())]
    found: list[str] = []
    for name in names:
        if f"[{configuration['Version']}]" in name and len(found) < lines:
            page = aws.call(
                client, "get_log_events", unless=aws.ABSENT, logGroupName=group, logStreamName=name, limit=lines
            )
            said = [line for one in (page or {}).get("events", ()) for line in one["message"].splitlines()]
            found = [*said, *found]
    return "\n".join(found[-lines:] if lines > 0 else [])
