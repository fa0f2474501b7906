"""Promote, approve, roll back: an alias of the registry is moved by the deploy loop, and by nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from mlopskit import config
from mlopskit.aliases import now, operation, who
from mlopskit.bundles import PublishingDeployer
from mlopskit.config import PromoteTable
from mlopskit.deployment import Deploying, endpoint_of
from mlopskit.errors import PolicyError
from mlopskit.modelpackage import ModelPackage
from mlopskit.records import Approval, Deployment
from mlopskit.registry import Registry, opened
from mlopskit.rollback import Deployed
from mlopskit.runtime.names import check_name
from mlopskit.steps import Progress, quiet
from mlopskit.storage import Place, Storage


@dataclass(frozen=True, kw_only=True)
class RegistryDeployer(PublishingDeployer):
    """Publishes into a registry, where the package stands already."""

    target: ClassVar[str] = "registry"
    # Neither is compared: an alias has the same records in a registry that was moved.
    to: Place = field(compare=False)
    registry: Registry = field(compare=False)

    def _storage(self) -> Storage:
        return self.registry.storage


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One alias of a model in a registry, and the policy that says what it takes."""

    registry: Registry
    name: str
    alias: str
    policy: PromoteTable = field(default_factory=PromoteTable)
    trust_code: Sequence[str] = ()
    progress: Progress = quiet

    def promote(self, package: ModelPackage, /, *, why: str = "", override: str | None = None) -> Deployment:
        """Move the alias to a package, verified before and after.

        Raises:
            PolicyError: it is not what the policy takes.
            RefusedError: no passing verdict, or the package answered otherwise than its golden rows say.
        """
        return self._deploying(package, why=why, override=override, permitted=False).run()

    def rollback(self, package: ModelPackage | None = None, /, *, why: str = "rollback") -> Deployment:
        """Move the alias back, by default to what was live before; what was live there was permitted then.

        Raises:
            UnknownNameError: there is no earlier deployment.
            PolicyError: the package was never live under this alias, and the policy does not take it.
        """
        before = self._deployed().before() if package is None else package
        known = before.digest in {one.package for one in self._deployed().records()}
        return self._deploying(before, why=why, rollback=True, permitted=known).run()

    def approve(self, package: ModelPackage, /, *, why: str = "") -> Approval:
        """Record that whoever runs this approves the package for the alias."""
        approval = Approval(
            name=self.name,
            digest=package.digest,
            alias=self.alias,
            operation=operation(),
            who=who(),
            why=why,
            when=now(),
        )
        self.registry.add_approval(approval)
        return approval

    def check(self, digest: str, /) -> None:
        """Check that the policy takes a package.

        Raises:
            PolicyError: it does not; the message says what is lacking.
        """
        source, wanted = self.policy.source, self.policy.approvals
        if source is not None:
            head = self.registry.alias(self.name, source).head()
            live = None if head is None else head.digest
            if live != digest:
                raise PolicyError(
                    f"The alias {self.alias!r} takes only what is live under {source!r}: "
                    f"that is {live or 'nothing'}, not {digest}.",
                    remedy=f"Promote it there first: mlopskit promote {digest} --to {source}",
                    digest=digest,
                )
        people = self.registry.approvers(self.name, digest, self.alias)
        if len(people) < wanted:
            by = f" (by {', '.join(people)})" if people else ""
            raise PolicyError(
                f"The alias {self.alias!r} takes what {wanted} approved; {digest} has {len(people)} approvals{by}.",
                remedy=f"Let somebody else look at it, and then: mlopskit approve {digest} --for {self.alias}",
                digest=digest,
            )

    def _deploying(self, package: ModelPackage, /, *, permitted: bool, why: str, **options: object) -> Deploying:
        deployer = self._deployer()
        return Deploying(
            package=package,
            deployer=deployer,
            registry=self.registry,
            endpoint=endpoint_of(deployer),
            why=why,
            trust_code=self.trust_code,
            progress=self.progress,
            permit=lambda: None if permitted else self.check(package.digest),
            **options,  # type: ignore[arg-type]
        )

    def _deployer(self) -> RegistryDeployer:
        place = Place(self.registry.storage.uri)
        alias = check_name(self.alias, kind="alias")
        return RegistryDeployer(to=place, registry=self.registry, alias=alias, trust_code=self.trust_code)

    def _deployed(self) -> Deployed:
        deployer = self._deployer()
        options = {"name": self.name, "endpoint": endpoint_of(deployer), "alias": self.alias}
        return Deployed(registry=self.registry, deployer=deployer, **options)


def promote(
    package: ModelPackage,
    /,
    *,
    to: str,
    registry: Registry | str | Path | None = None,
    why: str = "",
    override: str | None = None,
    trust_code: Sequence[str] = (),
    progress: Progress = quiet,
) -> Deployment:
    """Move an alias of a registry to a package, by the deploy loop: verified before and after.

    `registry` is the project's, or `.mlopskit/registry` here; where a mlopskit.toml is, its policy holds. `override` is
    the reason to go on without a passing verdict; `trust_code` are the digests of packages from elsewhere that may run
    code of their own.

    Raises:
        PolicyError: the alias does not take it.
        RefusedError: no passing verdict, or the package answered otherwise than its golden rows say.
    """
    trust_code = [trust_code] if isinstance(trust_code, str) else trust_code
    promotion = _promotion(package, to, registry, trust_code=trust_code, progress=progress)
    return promotion.promote(package, why=why, override=override)


def approve(
    package: ModelPackage, /, *, alias: str, registry: Registry | str | Path | None = None, why: str = ""
) -> Approval:
    """Record that you approve a package for an alias of a registry, by default the project's."""
    return _promotion(package, alias, registry).approve(package, why=why)


def _promotion(
    package: ModelPackage,
    alias: str,
    registry: Registry | str | Path | None,
    *,
    trust_code: Sequence[str] = (),
    progress: Progress = quiet,
) -> Promotion:
    table = config.read(Path(config.FILE)) if Path(config.FILE).exists() else None
    policies = table.promote if table else {}
    return Promotion(
        registry=opened(registry),
        name=package.name,
        alias=check_name(alias, kind="alias"),
        policy=policies.get(alias, PromoteTable()),
        trust_code=[*trust_code, *(table.trust_code if table else ())],
        progress=progress,
    )
