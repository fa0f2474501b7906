"""A project: mlopskit.toml turned into objects, and what can be done with them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mlopskit import config, trainingrows
from mlopskit.acceptance import DEADLINE, gates_of, verify
from mlopskit.assembly import Parts, deployer_from, pipeline_of
from mlopskit.config import Config, PromoteTable
from mlopskit.data import Dataset
from mlopskit.datareport import DataReport
from mlopskit.deployer import Deployer
from mlopskit.deployment import Deploying, trusting
from mlopskit.difference import Difference, Side, compare_sides
from mlopskit.drift import LEAST, Drift, drift
from mlopskit.errors import ConfigError, unknown
from mlopskit.gates import Verdict
from mlopskit.incoming import columns_seen
from mlopskit.judging import Judged
from mlopskit.modelpackage import ModelPackage, Schema
from mlopskit.promoting import Promotion
from mlopskit.records import Approval, Bundle, Deployment, Receipt, Run, Runs
from mlopskit.registry import Registry
from mlopskit.report import Report
from mlopskit.reproduction import Reproduction, reproduce
from mlopskit.rollback import Deployed
from mlopskit.runtime.names import check_name
from mlopskit.selftest import SelfTest
from mlopskit.status import Places, Status
from mlopskit.steps import Progress, quiet
from mlopskit.storage import resolve_place
from mlopskit.tables import Table
from mlopskit.wheels import Home, at_home

# A number with fewer digits is a run's, not the beginning of a digest.
_SHORTEST_DIGEST = 8


class Project:
    """The project of a mlopskit.toml; relative paths in it count from its folder."""

    def __init__(self, file: str | Path = config.FILE, /) -> None:
        """Read and check the file; nothing else is opened yet."""
        self.file = Path(file).absolute()
        self.root = self.file.parent
        self.config: Config = config.read(self.file)
        self.gates = gates_of(self.config, file=self.file.name)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.config.name

    @cached_property
    def registry(self) -> Registry:
        """The registry."""
        return Registry.at(resolve_place(self.config.registry, self.root))

    def run(self, *, force: bool = False, progress: Progress = quiet) -> Run:
        """Train, package, judge and register, if anything changed (see `mlopskit.pipeline.Pipeline.run`)."""
        return pipeline_of(self.config, self.root, self.registry, progress).run(force=force)

    def changed(self) -> list[str]:
        """Return, in words, what `run` would find changed: each file of data or code, settings, environment."""
        return pipeline_of(self.config, self.root, self.registry, quiet).changed()

    def fingerprint(self) -> Mapping[str, str]:
        """Return the digest of all that a run depends on: each file of data or code, settings, environment."""
        return pipeline_of(self.config, self.root, self.registry, quiet).now()

    def check_data(self) -> DataReport:
        """Return what is to be said of the data before anything is trained on them."""
        return Parts(self.config, self.root).check_data(self.registry)

    def test_data(self) -> Dataset:
        """Return the rows that models are tested on, as the data are now."""
        return Parts(self.config, self.root).test_data()

    def evaluate(self, reference: str | None = None, /) -> Judged:
        """Judge a package, by default that of the last run, on the present test rows and gates; keep the verdict.

        Raises:
            UnknownNameError: there is no such package.
            RowError: the test rows are not of its schema.
        """
        return Parts(self.config, self.root).evaluate(self.package(reference), self.registry)

    def quick_model(self, *, rows: int = 1000) -> tuple[object, Schema, str]:
        """Return the model, trained on at most so many of the training rows, as a format is given it; keep nothing."""
        return Parts(self.config, self.root).workshop(quiet).quick(rows)

    def selftest(self, *, progress: Progress = quiet) -> SelfTest:
        """Return what the gates say of models that are bad on purpose, trained now on the project's data."""
        return Parts(self.config, self.root).selftest(progress)

    def drift(self, uri: str | None = None, reference: str | None = None, /, *, least: float = LEAST) -> Drift:
        """Return how the rows of some files differ from the training rows of a package, by default the last run's.

        The files, by default those of `[data] incoming`, are as those of `[data] uri`; they need not have the targets.
        `least` is the share of the rows that must have moved for an alarm.

        Raises:
            ConfigError: no files are named, or nothing is known of the package's training rows.
            DataError: the files cannot be read, or none have come in yet.
        """
        parts = Parts(self.config, self.root)
        columns = columns_seen(uri, parts.incoming(), parts.columns)
        package = self.package(reference)
        counts = trainingrows.known_counts_of(self.registry, package)
        return drift(counts, columns, needed=package.schema.inputs["required"], least=least)

    def verdict(self, digest: str, /) -> Verdict | None:
        """Return the newest verdict on a digest."""
        return self.registry.verdict(self.name, digest)

    def package(self, reference: str | None = None, /) -> ModelPackage:
        """Return the package that a reference means; without one, that of the last run.

        Raises:
            UnknownNameError: there is none of that name, or there was no run.
        """
        if reference is not None:
            return self.registry.resolve(reference, name=self.name)
        digests = [run.digest for run in self.registry.runs(self.name) if run.digest]
        if not digests:
            raise ConfigError("There was no run yet that made a package.", remedy="Run 'mlopskit run' first.")
        return self.registry.package(self.name, digests[-1])

    def deployer(self, endpoint: str, /) -> Deployer:
        """Return the deployer of an endpoint.

        Raises:
            UnknownNameError: there is no such endpoint, or no such target.
            ConfigError: an option is unknown or of another type.
        """
        options = self.config.endpoint.get(endpoint)
        if options is None:
            raise unknown("endpoint", endpoint, self.config.endpoint)
        where = f"{self.file.name} [endpoint.{endpoint}]"
        return trusting(deployer_from(options, root=self.root, where=where), self.config.trust_code)

    def deploy(
        self,
        endpoint: str,
        reference: str | None = None,
        /,
        *,
        why: str = "",
        override: str | None = None,
        progress: Progress = quiet,
    ) -> Deployment:
        """Deploy a package, by default that of the last run, to an endpoint (see `mlopskit.deploy`)."""
        deployer, package = self.deployer(endpoint), self.package(reference)
        return self._deploying(package, deployer, endpoint, why=why, override=override, progress=progress).run()

    def rollback(
        self,
        place: str,
        /,
        *,
        to: str | None = None,
        why: str = "rollback",
        alias: bool = False,
        progress: Progress = quiet,
    ) -> Deployment:
        """Make an earlier package live again, by default the one that was live before; the same loop, verified alike.

        `place` is an endpoint, or an alias of the registry; with `alias`, it is an alias although an endpoint is called
        so too.

        Raises:
            UnknownNameError: there is no earlier deployment, or no such place.
        """
        package = self.package(to) if to else None
        if alias or (place not in self.config.endpoint and place in self.registry.aliases(self.name)):
            return self._promotion(place, progress).rollback(package, why=why)
        if place not in self.config.endpoint:
            raise unknown("endpoint or alias", place, {*self.config.endpoint, *self.registry.aliases(self.name)})
        deployed = self._deployed(place)
        package = package or deployed.before()
        return self._deploying(package, deployed.deployer, place, why=why, rollback=True, progress=progress).run()

    def promote(
        self, reference: str, /, *, to: str, why: str = "", override: str | None = None, progress: Progress = quiet
    ) -> Deployment:
        """Move an alias of the registry to a package: the deploy loop, with the registry as its target.

        Raises:
            PolicyError: the alias has a policy in mlopskit.toml that does not take the package.
        """
        return self._promotion(to, progress).promote(self.package(reference), why=why, override=override)

    def approve(self, reference: str, /, *, alias: str, why: str = "") -> Approval:
        """Record that you approve a package for an alias of the registry."""
        return self._promotion(alias, quiet).approve(self.package(reference), why=why)

    def build(self, endpoint: str, into: Path, reference: str | None = None, /) -> Bundle:
        """Build the bundle of an endpoint into a folder that is not there yet, and push nothing."""
        deploying = self._deploying(self.package(reference), self.deployer(endpoint), endpoint)
        try:
            into.mkdir(parents=True)
        except OSError as error:
            raise ConfigError(f"{str(into)!r} cannot be made: {error.strerror}.", remedy="Name another.") from error
        try:
            return deploying.build(into)
        except BaseException:
            shutil.rmtree(into, ignore_errors=True)
            raise

    def report(self, reference: str | None = None, /, *, live: str = "production") -> Report:
        """Return all that is known of a package, by default that of the last run, for a person who decides.

        Beside its figures stand those of what is live under an alias or at an endpoint, if these are of the same rows.
        Incoming rows are compared with its training rows as they are now.

        Raises:
            UnknownNameError: there is no such package.
            DataError: the incoming rows cannot be read.
        """
        package = self.package(reference)
        digest = self.registry.live(self.name, live)
        made = next((run for run in reversed(self.runs()) if run.digest == package.digest), None)
        incoming = Parts(self.config, self.root).incoming()
        return Report(
            package=package,
            verdict=self.verdict(package.digest),
            run=made,
            evidence=self.registry.evidence(self.name, package.digest),
            live=None if digest is None else self.registry.package(self.name, digest),
            live_name=live,
            incoming=incoming.drift(self.registry, package.manifest) if incoming else None,
        )

    def runs(self) -> Runs:
        """Return the records of all runs, oldest first."""
        return self.registry.runs(self.name)

    def diff(self, before: str, after: str, /) -> Difference:
        """Return what differs between two runs or packages, each named by a run's number, a digest or an alias.

        Raises:
            UnknownNameError: there is nothing of that name.
        """
        return compare_sides(self._side(before), self._side(after))

    def reproduce(
        self, reference: str | None = None, /, *, here: bool = False, progress: Progress = quiet
    ) -> Reproduction:
        """Make a package, by default the last run's, again, and compare (see `mlopskit.reproduction.reproduce`)."""
        return reproduce(self.file, self.package(reference), self.runs(), here=here, progress=progress)

    def _side(self, reference: str) -> Side:
        runs = self.runs()
        run = next((one for one in runs if one.id == reference), None)
        if run is not None:
            held = run.digest is not None and self.registry.holds(self.name, run.digest)
            package = self.registry.package(self.name, run.digest) if run.digest and held else None
            return Side(label=f"run {reference}", package=package, run=run)
        if reference.isdecimal() and len(reference) < _SHORTEST_DIGEST:
            raise unknown("run", reference, [one.id for one in runs])
        package = self.package(reference)
        made = next((one for one in reversed(runs) if one.digest == package.digest), None)
        return Side(label=reference, package=package, run=made)

    def status(self) -> Status:
        """Return the last run, and what is live where, as the targets say it."""
        return self._places().status()

    def history(self, place: str, /, *, alias: bool = False) -> Table:
        """Return what was live at an endpoint, or under an alias of the registry; with `alias`, under the alias.

        Raises:
            UnknownNameError: there is neither an endpoint nor an alias of this name.
        """
        return self._places().history(place, alias=alias)

    def verify(self, endpoint: str, /, *, deadline: float = DEADLINE) -> tuple[ModelPackage, Receipt]:
        """Ask what is live at an endpoint for its golden rows and compare.

        Raises:
            VerificationError: it answers otherwise than its package's golden rows say.
            ConfigError: nothing was deployed there.
        """
        deployed = self._deployed(endpoint)
        package = self.registry.package(self.name, deployed.live().package)
        with at_home(Home.of(self.root, endpoint, package.digest)):
            return package, verify(package, deployed.deployer, None, deadline=deadline)

    def _deployed(self, endpoint: str) -> Deployed:
        return Deployed(registry=self.registry, deployer=self.deployer(endpoint), name=self.name, endpoint=endpoint)

    def _promotion(self, alias: str, progress: Progress) -> Promotion:
        return Promotion(
            registry=self.registry,
            name=self.name,
            alias=check_name(alias, kind="alias"),
            policy=self.config.promote.get(alias, PromoteTable()),
            trust_code=self.config.trust_code,
            progress=progress,
        )

    def _places(self) -> Places:
        return Places(name=self.name, registry=self.registry, endpoints=self.config.endpoint, deployer_of=self.deployer)

    def _deploying(self, package: ModelPackage, deployer: Deployer, endpoint: str, **options: Any) -> Deploying:
        return Deploying(
            package=package,
            deployer=deployer,
            registry=self.registry,
            endpoint=endpoint,
            trust_code=self.config.trust_code,
            home=Home.of(self.root, endpoint, package.digest),
            gates=self.gates[endpoint],
            **options,
        )
