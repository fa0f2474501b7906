"""The alias of a function of AWS Lambda: what users get, and how that is switched, by one who knows what it was."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass

from mlopskit import Locator
from mlopskit.errors import ConflictError, DeployError
from mlopskit_serverless import aws
from mlopskit_serverless.lambdafunction import AwsFunction

_LONGEST = 256
_CONFLICT = ("PreconditionFailedException", "ResourceConflictException", "ConflictException")


@dataclass(frozen=True, kw_only=True)
class LambdaAlias:
    """An alias of a function."""

    function: AwsFunction
    name: str

    def live(self) -> Locator | None:
        """Return what users get; None if there is no such alias."""
        return self._place(self._asked())

    def move(self, at: Locator | None, instead_of: Locator | None, why: str, /) -> None:
        """Let users get another version, if they get what is expected.

        Raises:
            ConflictError: they get something else, or somebody else was faster.
        """
        held = self._asked()
        live = self._place(held)
        if live != instead_of:
            raise self._conflict(live, instead_of)
        if at == live:
            return
        if at is None:
            # AWS has no condition for this: who moves the alias in this very moment is undone.
            aws.call(self.function.client, "delete_alias", unless=aws.ABSENT, **self._named())
            return
        operation = uuid.uuid4().hex
        if not self._moved(at, held, f"{operation} {why}"[:_LONGEST]):
            now = self._asked()
            # A request that was repeated for a lost answer may have lost against itself.
            if now is None or not now.get("Description", "").startswith(operation):
                raise self._conflict(self._place(now), instead_of)

    def _moved(self, at: Locator, held: aws.Reply | None, description: str) -> bool:
        """Ask AWS for the switch; return whether it was made."""
        client, weights = self.function.client, json.loads(at.get("weights", "{}"))
        wanted = {
            "FunctionVersion": at["version"],
            "Description": description,
            "RoutingConfig": {"AdditionalVersionWeights": weights},
        }
        if self.function.configuration(at["version"]) is None:
            raise DeployError(
                f"{self.function.name}:{at['version']} is gone, and cannot be made live.",
                remedy="Deploy again; that publishes it.",
            )
        if held is None:
            return aws.call(client, "create_alias", unless=_CONFLICT, **self._named(), **wanted) is not None
        condition = {"RevisionId": held["RevisionId"]}
        unless = (*_CONFLICT, *aws.ABSENT)
        return aws.call(client, "update_alias", unless=unless, **self._named(), **wanted, **condition) is not None

    def _asked(self) -> aws.Reply | None:
        return aws.call(self.function.client, "get_alias", unless=aws.ABSENT, **self._named())

    def _named(self) -> dict[str, str]:
        return {"FunctionName": self.function.name, "Name": self.name}

    def _place(self, held: aws.Reply | None) -> dict[str, str] | None:
        """Return the place that an alias names; one who shares users out among versions is somebody else."""
        if held is None:
            return None
        weights = (held.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
        shared = {"weights": json.dumps(weights, sort_keys=True)} if weights else {}
        return {"function": self.function.name, "version": held["FunctionVersion"], **shared}

    def _conflict(self, live: Locator | None, expected: Locator | None) -> ConflictError:
        return ConflictError(
            f"The alias {self.function.name}:{self.name} leads to {_said(live)}, expected {_said(expected)}: "
            "somebody else moved it meanwhile.",
            remedy="Look at 'mlopskit status', then deploy again if it is still wanted.",
            winner=live,
        )


def _said(at: Locator | None) -> str:
    if at is None:
        return "nothing"
    weights = f" and to others by {at['weights']}" if "weights" in at else ""
    return f"version {at['version']}{weights}"
