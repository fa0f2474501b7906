"""Which package is live at a place, by the records of its deployments, and which one to go back to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlopskit.deployer import Deployer
from mlopskit.errors import RefusedError, UnknownNameError
from mlopskit.modelpackage import ModelPackage
from mlopskit.records import Deployment
from mlopskit.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What was deployed with a deployer under an endpoint's name; `alias` where that is an alias of the registry."""

    registry: Registry
    deployer: Deployer
    name: str
    endpoint: str
    alias: str | None = None

    def live(self) -> Deployment:
        """Return the record of the deployment that brought what is live, as the target says it.

        Raises:
            RefusedError: nothing is live there, or something that was not deployed from this registry.
        """
        live, records = self.deployer.live(self.name), self.records()
        found = next((one for one in reversed(records) if one.locator == live), None)
        if live is None or found is None:
            state = "Nothing is live" if live is None else f"What is live ({live}) was not deployed from here"
            raise self._refused(state)
        return found

    def before(self) -> ModelPackage:
        """Return the package to go back to from what is live.

        Raises:
            UnknownNameError: there is none.
        """
        return self.registry.package(self.name, earlier(self.records(), self.live().bundle).package)

    def records(self) -> list[Deployment]:
        """Return the deployments, oldest first."""
        return self.registry.deployments(self.name, self.endpoint)

    def _refused(self, state: str) -> RefusedError:
        if self.alias is not None:
            remedy = f"Promote a package: mlopskit promote REFERENCE --to {self.alias}"
            return RefusedError(f"{state} under the alias {self.alias!r}.", remedy=remedy)
        return RefusedError(
            f"{state} at the endpoint {self.endpoint!r}.", remedy=f"Deploy a package: mlopskit deploy {self.endpoint}."
        )


def earlier(deployments: Sequence[Deployment], live: str, /) -> Deployment:
    """Return the deployment to roll back to: the one before the first that brought what is live.

    A rollback does not count as bringing something, so that rolling back twice goes two steps back.

    Raises:
        UnknownNameError: there is none.
    """
    brought = [one for one in deployments if not one.rollback]
    index = max((number for number, one in enumerate(brought) if one.bundle == live), default=len(brought))
    before = [one for one in brought[:index] if one.bundle != live]
    if not before:
        raise UnknownNameError(
            "There is no earlier deployment to go back to.",
            remedy="Name a digest to go to: --to DIGEST; 'mlopskit status' lists the packages.",
        )
    return before[-1]
