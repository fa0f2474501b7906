"""What `mlopskit serve` is asked to serve: aliases that are followed, packages that stay."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlopskit import Registry, Trial, Watched, load, watch
from mlopskit.errors import UnknownNameError, UsageError
from mlopskit.runtime import open_package
from mlopskit.runtime.serving import Source

if TYPE_CHECKING:
    from mlopskit import Project, PublishingDeployer


@dataclass(frozen=True, kw_only=True)
class Following:
    """How aliases are followed: how often they are looked at, what is kept where, what a new package may need.

    `beside` is a second alias, whose package answers by its digest alone. An alias that was not read for more than
    `max_age` seconds is a fault.
    """

    every: float
    folder: Path | None
    trial: Trial | None
    trust_code: Collection[str]
    beside: str | None = None
    max_age: float | None = None


def sources_of(references: Collection[str], project: str, following: Following) -> list[Source]:
    """Return the models that references mean; each name stands for one.

    `PLACE@ALIAS` is a model's folder (a path with a `/`, or an address) with one of its aliases. All else is a
    REFERENCE of the project: aliases of its registry, and endpoints that publish, are followed, digests stay.

    Raises:
        UsageError: two are of one name, or one cannot be meant so.
    """
    found: list[Source] = []
    for reference in references:
        source = _source(reference, project, following)
        if any(one.name == source.name for one in found):
            raise UsageError(f"Two models are called {source.name!r}.", remedy="Serve each under a name of its own.")
        found.append(source)
    return found


def _source(reference: str, project: str, following: Following) -> Source:
    place, _, alias = reference.rpartition("@")
    if "/" in reference:
        if not place or "/" in alias:
            raise UsageError(
                f"{reference!r} names no alias.", remedy="Give PLACE@ALIAS, such as shares/tumour@production."
            )
        return _followed(place, alias, following)
    opened = _project(project)
    registry, name = (opened.registry, opened.name) if opened else (Registry.at(), None)
    model = place or name
    if model is None:
        (model,) = registry.names() if len(registry.names()) == 1 else ("",)
    if model and alias in registry.aliases(model):
        return _followed(f"{registry.storage.uri}/{model}", alias, following)
    if opened and (deployer := _publisher(opened, reference)):
        return _followed(f"{deployer.to}/{opened.name}", deployer.alias, following)
    package = registry.resolve(reference, name=name)
    loaded = load(package.folder, digest=package.digest, trust_code=following.trust_code)
    verdict = registry.verdict(package.name, package.digest)
    judged = verdict and {"passed": verdict.passed, "override": verdict.override, "dataset": verdict.dataset}
    about = {"reference": reference, "verdict": judged}
    unread = open_package(package.folder, digest=package.digest, keep=lambda _: False)
    return Source.of(unread, loaded.model, about)


def _project(file: str) -> Project | None:
    if not Path(file).exists():
        return None
    from mlopskit import Project  # all that a run needs, which no server of a place does

    return Project(file)


def _publisher(project: Project, endpoint: str) -> PublishingDeployer | None:
    """Return the deployer of an endpoint whose place servers can follow."""
    from mlopskit import PublishingDeployer

    try:
        deployer = project.deployer(endpoint)
    except UnknownNameError:
        return None
    return deployer if isinstance(deployer, PublishingDeployer) else None


def _followed(place: str, alias: str, following: Following) -> Source:
    name = place.rstrip("/").rpartition("/")[2]

    def follow(one: str, *, same_columns: bool) -> Watched:
        return watch(
            place,
            alias=one,
            every=following.every,
            folder=following.folder and following.folder / f"{name}@{one}",
            trial=following.trial,
            same_columns=same_columns,
            trust_code=following.trust_code,
        )

    beside = None if following.beside is None else follow(following.beside, same_columns=False)
    return Source(name, follow(alias, same_columns=True), {"alias": alias}, beside, following.max_age)
