"""Deploy a package in hand: to an endpoint of the project here, or with a deployer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlopskit.acceptance import endpoint_gates
from mlopskit.deployer import Deployer
from mlopskit.deployment import Deploying, endpoint_of, trusting
from mlopskit.modelpackage import ModelPackage
from mlopskit.project import Project
from mlopskit.records import Deployment
from mlopskit.registry import Registry, home
from mlopskit.steps import Progress, quiet
from mlopskit.wheels import HERE, Home


def deploy(
    package: ModelPackage,
    to: str | Deployer,
    /,
    *,
    registry: Registry | str | Path | None = None,
    why: str = "",
    override: str | None = None,
    gates: Sequence[str] = (),
    trust_code: Sequence[str] = (),
    progress: Progress = quiet,
) -> Deployment:
    """Deploy a package to an endpoint of the project here, or with a deployer; verified before and after the switch.

    `registry` holds the verdict and gets the record: the project's, or `.mlopskit/registry` here. `override` is the
    reason to deploy a package without a passing verdict. `gates` bound what the target measures, beside those of the
    endpoint in mlopskit.toml: `["cold_start_ms <= 1000"]`. `trust_code` are the digests of packages from elsewhere that
    may run code of their own; to an endpoint of the project, those of mlopskit.toml may too.

    Raises:
        RefusedError: no passing verdict, the deployed thing answered otherwise, or a gate is not kept; what was live
            stays live.
    """
    rules = endpoint_gates(gates)
    trust_code = [trust_code] if isinstance(trust_code, str) else trust_code
    if isinstance(to, str):
        project = Project()
        deployer, endpoint, default = project.deployer(to), to, project.registry
        lock = Home.of(project.root, to, package.digest)
        trust_code = [*trust_code, *project.config.trust_code]
        rules = (*project.gates[to], *rules)
    else:
        deployer, endpoint, default, lock = to, endpoint_of(to), home(), HERE
    chosen = default if registry is None else registry if isinstance(registry, Registry) else Registry.at(registry)
    return Deploying(
        package=package,
        deployer=trusting(deployer, trust_code),
        registry=chosen,
        endpoint=endpoint,
        why=why,
        override=override,
        trust_code=trust_code,
        progress=progress,
        home=lock,
        gates=rules,
    ).run()
