"""A function of AWS Lambda, as it is there: its versions, and how one is published, once for each bundle."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlopskit import Bundle
from mlopskit.errors import ConfigError, ConflictError, DeployError
from mlopskit_serverless import aws
from mlopskit_serverless.building import ZIP
from mlopskit_serverless.lambdacode import Code
from mlopskit_serverless.lambdaoptions import LambdaOptions

#: The file of a bundle that holds what the function is given beside its code, in the words of CreateFunction.
SETTINGS = "function.json"
LATEST = "$LATEST"
_OURS = "mlopskit"
_URI = "MODEL_URI"
_PATIENCE = 300.0
_LONGEST_PAUSE = 2.0
_BUSY = ("InProgress", "Pending")
_AT_WORK = ("ResourceConflictException",)
_TIMES = 5


@dataclass(frozen=True, kw_only=True)
class AwsFunction:
    """A function of AWS Lambda, by its name."""

    client: Any
    name: str

    def configuration(self, version: str = LATEST, /) -> aws.Reply | None:
        """Return what AWS says of a version; None if there is none."""
        return aws.call(
            self.client, "get_function_configuration", unless=aws.ABSENT, FunctionName=self.name, Qualifier=version
        )

    def settled(self, version: str = LATEST, /) -> aws.Reply:
        """Return what AWS says of a version, once it is at work on it no more.

        Raises:
            DeployError: it failed, or takes too long.
        """
        end, pause = time.monotonic() + _PATIENCE, 0.1
        while True:
            found = self.configuration(version)
            if found is None:
                raise DeployError(f"{self.name}:{version} is gone.", remedy="Deploy again; that makes it.")
            if fault := fault_of(found):
                raise DeployError(f"{self.name}:{version}: {fault}", remedy="Mend what it names, then deploy again.")
            if not is_busy(found):
                return found
            if time.monotonic() > end:
                raise DeployError(
                    f"{self.name}:{version} is not ready after {_PATIENCE:.0f} s.", remedy="Deploy again, later."
                )
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def versions(self) -> Iterator[aws.Reply]:
        """Return what AWS says of each version that was published."""
        marker: dict[str, str] = {}
        while True:
            operation = "list_versions_by_function"
            page = aws.call(self.client, operation, unless=aws.ABSENT, FunctionName=self.name, **marker) or {}
            yield from (one for one in page.get("Versions", ()) if one["Version"] != LATEST)
            if not page.get("NextMarker"):
                return
            marker = {"Marker": page["NextMarker"]}

    def published(self, bundle: Bundle, code: Code, /) -> str | None:
        """Return the version that was published of a bundle; None if none was."""
        wanted = (describe(bundle), code.sha256)
        found = (one["Version"] for one in self.versions() if (one.get("Description"), one["CodeSha256"]) == wanted)
        return next(found, None)


def describe(bundle: Bundle, /) -> str:
    """Return what a function and its versions say of the bundle that they were made from."""
    return f"{_OURS} {bundle.name}: bundle {bundle.digest} package {bundle.package}"


def is_busy(configuration: aws.Reply, /) -> bool:
    """Say whether AWS is still at work on a version."""
    return configuration.get("State") in _BUSY or configuration.get("LastUpdateStatus") in _BUSY


def fault_of(configuration: aws.Reply, /) -> str | None:
    """Return why a version cannot be used; None if it can."""
    for state, reason in (("State", "StateReason"), ("LastUpdateStatus", "LastUpdateStatusReason")):
        if configuration.get(state) == "Failed":
            return f"{state} is Failed: {configuration.get(reason) or 'AWS gives no reason'}"
    return None


def push(function: AwsFunction, bundle: Bundle, options: LambdaOptions, /) -> str:
    """Return the version of a bundle, after publishing it if none was; wherever it ended before, it goes on there.

    Raises:
        ConflictError: somebody else changed the function meanwhile; what they made is not published as ours.
    """
    code = Code.of(bundle.folder / ZIP)
    version = function.published(bundle, code)
    if version is None:
        settings = {**json.loads((bundle.folder / SETTINGS).read_bytes()), "Description": describe(bundle)}
        latest = _prepared(function, bundle, options, code, settings)
        version = _publish(function, bundle, code, latest)
    function.settled(version)
    return version


def _prepared(
    function: AwsFunction, bundle: Bundle, options: LambdaOptions, code: Code, settings: aws.Reply
) -> aws.Reply:
    """Return what AWS says of the function once its code, its settings and its tags are those of the bundle."""
    tags = {f"{_OURS}:name": bundle.name, f"{_OURS}:digest": bundle.package}
    held = function.configuration()
    if held is None and _create(function, options, code, {**settings, "Tags": tags}):
        return function.settled()
    held = function.settled()
    _check_ours(held, bundle, function.name)
    given = settings.pop("Architectures")
    if held["CodeSha256"] != code.sha256 or held.get("Architectures", given) != given:
        _change(function, "update_function_code", Architectures=given, **code.placed(options, function.name))
    settings["Environment"] = {"Variables": {**_others(held), **settings["Environment"]["Variables"]}}
    role = {"Role": options.role} if options.role else {}
    # In any case: AWS publishes no version unless something has changed, and its description is part of it.
    latest = _change(function, "update_function_configuration", **role, **settings)
    arn = latest["FunctionArn"].removesuffix(f":{LATEST}")
    aws.call(function.client, "tag_resource", Resource=arn, Tags=tags)
    return latest


def _others(held: aws.Reply) -> dict[str, str]:
    """Return the variables that somebody gave the function, like a secret that has to be in no bundle."""
    variables = held.get("Environment", {}).get("Variables", {})
    return {name: value for name, value in variables.items() if name != _URI}


def _change(function: AwsFunction, operation: str, /, **change: Any) -> aws.Reply:
    """Return what AWS says of the function once it is changed.

    It refuses while it is at work on another change, which may be this one, sent again because its answer was lost.
    """
    for _ in range(_TIMES):
        told = aws.call(function.client, operation, unless=_AT_WORK, FunctionName=function.name, **change)
        latest = function.settled()
        if told is not None:
            return latest
    raise ConflictError(
        f"Somebody else changes the function {function.name!r} again and again.", remedy="Find out who, then repeat it."
    )


def _create(function: AwsFunction, options: LambdaOptions, code: Code, settings: aws.Reply) -> bool:
    """Make the function; return whether it was made now, and not by somebody else or an answer that was lost."""
    if not options.role:
        raise ConfigError(
            f"There is no function {function.name!r}, and none can be made without a role.",
            remedy="Name the role that it gets: role = …; or mend the names of function and region.",
            key="role",
        )
    placed = code.placed(options, function.name)
    made = {"FunctionName": function.name, "Role": options.role, "Code": placed, **settings}
    return aws.call(function.client, "create_function", unless=_AT_WORK, **made) is not None


def _check_ours(held: aws.Reply, bundle: Bundle, function: str) -> None:
    """Refuse a function that was made for something else: its newest code may stand nowhere but there."""
    said = held.get("Description", "")
    if said == _OURS or said.startswith(f"{_OURS} {bundle.name}:"):
        return
    raise ConfigError(
        f"The function {function!r} is described as {said!a}, and not as one of mlopskit for {bundle.name!r}.",
        remedy="Name another function; or hand it over: aws lambda update-function-configuration "
        f"--function-name {function} --description {_OURS}",
        key="function",
    )


def _publish(function: AwsFunction, bundle: Bundle, code: Code, latest: aws.Reply) -> str:
    """Publish what the function holds, unless that is no more what was brought."""
    said = None
    if (latest["CodeSha256"], latest.get("Description")) == (code.sha256, describe(bundle)):
        # RevisionId: nothing is published that somebody changed after it was looked at.
        condition = {key: latest[key] for key in ("CodeSha256", "RevisionId") if key in latest}
        lost = ("PreconditionFailedException", *_AT_WORK)
        said = aws.call(function.client, "publish_version", unless=lost, FunctionName=function.name, **condition)
    if said is not None and said.get("Description") == describe(bundle):
        return str(said["Version"])
    if (version := function.published(bundle, code)) is not None:  # its answer was lost, or somebody pushed the same
        return version
    raise ConflictError(
        f"Somebody else changed the function {function.name!r} while {bundle.digest} was pushed.",
        remedy="Find out who, then deploy again if it is still wanted.",
        winner=latest.get("Description"),
    )


def remove(function: AwsFunction, version: str, /) -> None:
    """Remove a version that no alias leads to; one that is gone is no error."""
    # AWS refuses it while an alias leads there, and sees to it that none does in this very moment.
    unless = (*aws.ABSENT, *_AT_WORK)
    aws.call(function.client, "delete_function", unless=unless, FunctionName=function.name, Qualifier=version)
