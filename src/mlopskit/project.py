"""A project: mlopskit.toml turned into objects, and what can be done with them."""

from __future__ import annotations

import dataclasses
import platform
import shutil
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from mlopskit import behaviour, config, plugins
from mlopskit.config import Config
from mlopskit.data import Dataset, split
from mlopskit.deployer import Deployer
from mlopskit.deployment import DEADLINE, Deploying, earlier, endpoint_of, quiet, verify
from mlopskit.errors import ConfigError, MlopskitError, RefusedError, unknown
from mlopskit.evaluator import Evaluator
from mlopskit.fingerprint import code_files, fingerprint
from mlopskit.gates import Gate, Verdict
from mlopskit.modelpackage import ModelPackage
from mlopskit.packaging import GoldenSpec
from mlopskit.pipeline import Pipeline, Progress
from mlopskit.records import Bundle, Deployment, Receipt, Run
from mlopskit.registry import DEFAULT, Registry
from mlopskit.runtime import canonical
from mlopskit.runtime.names import check_name
from mlopskit.status import PlaceState, Status
from mlopskit.storage import Place
from mlopskit.tables import Table
from mlopskit.trainer import Trainer

CACHE = ".mlopskit/cache"
# What a model's bytes depend on beside data, code and settings.
_ENVIRONMENT = ("mlopskit", "numpy", "polars", "scikit-learn", "scipy", "skops")


class Project:
    """The project of a mlopskit.toml; relative paths in it count from its folder."""

    def __init__(self, file: str | Path = config.FILE, /) -> None:
        """Read and check the file; nothing else is opened yet."""
        self.file = Path(file).absolute()
        self.root = self.file.parent
        self.config: Config = config.read(self.file)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.config.name

    @cached_property
    def registry(self) -> Registry:
        """The registry."""
        return Registry.at(self._place(self.config.registry))

    def run(self, *, force: bool = False, progress: Progress = quiet) -> Run:
        """Train, package, judge and register, if anything changed (see `mlopskit.pipeline.Pipeline.run`)."""
        return self._pipeline(progress).run(force=force)

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
        return deployer_from(options, root=self.root, where=f"{self.file.name} [endpoint.{endpoint}]")

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
        deployer = self.deployer(endpoint)
        package = self.package(reference)
        return self._deploying(package, deployer, endpoint, why=why, override=override, progress=progress).run()

    def rollback(
        self, endpoint: str, /, *, to: str | None = None, why: str = "rollback", progress: Progress = quiet
    ) -> Deployment:
        """Deploy an earlier package again, by default the one that was live before; the same loop, verified alike.

        Raises:
            UnknownNameError: there is no earlier deployment.
        """
        deployer = self.deployer(endpoint)
        package = self.package(to) if to else self._earlier(deployer, endpoint)
        return self._deploying(package, deployer, endpoint, why=why, rollback=True, progress=progress).run()

    def promote(
        self, reference: str, /, *, to: str, why: str = "", override: str | None = None, progress: Progress = quiet
    ) -> Deployment:
        """Move an alias of the registry to a package: the deploy loop with the registry as the file share."""
        registry = self._place(self.config.registry)
        options = {"target": "fileshare", "to": registry, "alias": check_name(to, kind="alias")}
        deployer = deployer_from(options, root=self.root, where="promote")
        endpoint = endpoint_of(deployer)
        package = self.package(reference)
        return self._deploying(package, deployer, endpoint, why=why, override=override, progress=progress).run()

    def build(self, endpoint: str, into: Path, reference: str | None = None, /) -> Bundle:
        """Build the bundle of an endpoint into a folder that is not there yet, and push nothing."""
        deploying = self._deploying(self.package(reference), self.deployer(endpoint), endpoint)
        try:
            into.mkdir(parents=True)
        except OSError as error:
            raise ConfigError(
                f"The folder {str(into)!r} cannot be made: {error.strerror}.", remedy="Name one that is not there yet."
            ) from error
        try:
            return deploying.build(into)
        except BaseException:
            shutil.rmtree(into, ignore_errors=True)
            raise

    def status(self) -> Status:
        """Return the last run, and what is live where, as the targets say it."""
        runs = self.registry.runs(self.name)
        live = [
            *map(self._alias_state, self.registry.aliases(self.name)),
            *map(self._endpoint_state, self.config.endpoint),
        ]
        return Status(name=self.name, run=runs[-1] if runs else None, places=tuple(live))

    def history(self, place: str, /) -> Table:
        """Return what was live at an endpoint, or under an alias of the registry.

        Raises:
            UnknownNameError: there is neither an endpoint nor an alias of this name.
        """
        known = {*self.config.endpoint, *self.registry.endpoints(self.name)}
        if place in known:
            rows = [
                (one.when, one.package, one.rollback, one.receipt.rows, one.who, one.override, one.why)
                for one in self.registry.deployments(self.name, place)
            ]
            return Table(("when", "package", "rollback", "golden rows", "who", "override", "why"), rows)
        aliases = self.registry.aliases(self.name)
        if place not in aliases:
            raise unknown("endpoint or alias", place, {*known, *aliases})
        records = self.registry.alias(self.name, place).history()
        moves = [(one.seq, one.when, one.digest, one.who, one.why) for one in records]
        return Table(("seq", "when", "package", "who", "why"), moves)

    def _alias_state(self, alias: str) -> PlaceState:
        kind, command = "alias", f"mlopskit promote {{}} --to {alias}"
        try:
            head = self.registry.alias(self.name, alias).head()
            if head is None or head.digest is None:
                return PlaceState(place=alias, kind=kind, package=None, state="nothing is live")
            self.registry.package(self.name, head.digest)
        except MlopskitError as error:
            return PlaceState(place=alias, kind=kind, package=None, state=error.message, repair=self._repair(command))
        return PlaceState(place=alias, kind=kind, package=head.digest, state="live", since=head.when)

    def _endpoint_state(self, endpoint: str) -> PlaceState:
        kind, command = "endpoint", f"mlopskit deploy {endpoint} {{}}"
        try:
            deployer = self.deployer(endpoint)
            live = deployer.live(self.name)
            fault = None if live is None else deployer.fault(self.name, live)
        except MlopskitError as error:
            return PlaceState(place=endpoint, kind=kind, package=None, state=error.message, repair=error.remedy)
        if live is None:
            return PlaceState(place=endpoint, kind=kind, package=None, state="nothing is live")
        records = [one for one in self.registry.deployments(self.name, endpoint) if one.locator == live]
        package = records[-1].package if records else None
        if fault:
            return PlaceState(place=endpoint, kind=kind, package=package, state=fault, repair=self._repair(command))
        state = "live" if records else "live, but not deployed from here"
        return PlaceState(
            place=endpoint, kind=kind, package=package, state=state, since=records[-1].when if records else None
        )

    def _repair(self, command: str) -> str:
        """Return the command that makes a package live that the registry holds whole and that passed."""
        for run in reversed(self.registry.runs(self.name)):
            if run.outcome == "passed" and run.digest:
                try:
                    return command.format(self.registry.package(self.name, run.digest).digest)
                except MlopskitError:
                    continue
        return "mlopskit run"

    def verify(self, endpoint: str, /, *, deadline: float = DEADLINE) -> tuple[ModelPackage, Receipt]:
        """Ask what is live at an endpoint for its golden rows and compare.

        Raises:
            VerificationError: it answers otherwise than its package's golden rows say.
            ConfigError: nothing was deployed there.
        """
        deployer = self.deployer(endpoint)
        recorded = self._live_deployment(deployer, endpoint)
        package = self.registry.package(self.name, recorded.package)
        return package, verify(package, deployer, None, deadline=deadline)

    def _live_deployment(self, deployer: Deployer, endpoint: str) -> Deployment:
        live = deployer.live(self.name)
        records = self.registry.deployments(self.name, endpoint)
        found = next((one for one in reversed(records) if one.locator == live), None)
        if live is None or found is None:
            state = "Nothing is live" if live is None else f"What is live ({live}) was not deployed from here"
            raise RefusedError(
                f"{state} at the endpoint {endpoint!r}.", remedy=f"Deploy a package: mlopskit deploy {endpoint}."
            )
        return found

    def _earlier(self, deployer: Deployer, endpoint: str) -> ModelPackage:
        live = self._live_deployment(deployer, endpoint)
        before = earlier(self.registry.deployments(self.name, endpoint), live.bundle)
        return self.registry.package(self.name, before.package)

    def _deploying(self, package: ModelPackage, deployer: Deployer, endpoint: str, **options: Any) -> Deploying:
        return Deploying(package=package, deployer=deployer, registry=self.registry, endpoint=endpoint, **options)

    # --- the pipeline's parts ---------------------------------------------------------------------------------------

    def _pipeline(self, progress: Progress) -> Pipeline:
        table = self.config
        return Pipeline(
            name=self.name,
            registry=self.registry,
            trainer=self._trainer(),
            read=self._read,
            fingerprint=self._fingerprint,
            gates=[Gate.parse(text) for text in table.evaluate.gates],
            evaluator=self._evaluator(),
            formats=table.package.formats,
            golden=self._golden,
            cases=self._cases,
            provenance={"seed": table.train.seed, "settings": self._settings()},
            progress=progress,
        )

    def _trainer(self) -> Trainer:
        table = self.config.train
        trainer: Callable[..., Trainer] = plugins.find("trainers", table.trainer, Trainer)  # type: ignore[type-abstract]
        code = {"estimator": table.estimator, "parameters": table.parameters, "root": self.root}
        return trainer(**code, seed=table.seed, threads=table.threads)

    def _evaluator(self) -> Evaluator | None:
        name = self.config.evaluate.evaluator
        return None if name is None else plugins.find("evaluators", name, Evaluator)()  # type: ignore[type-abstract]

    def _read(self) -> tuple[Dataset, Dataset]:
        test = self.config.data.test
        data = self._dataset(self.config.data.uri)
        return (data, self._dataset(test.uri)) if test.uri else split(data, share=test.share, by=test.by)

    def _dataset(self, uri: str) -> Dataset:
        table = self.config.data
        return Dataset.read(
            uri,
            target=table.target,
            columns=table.columns,
            file_column=table.file_column,
            slices=tuple(self.config.evaluate.slices),
            root=self.root,
        )

    def _golden(self) -> GoldenSpec:
        table = self.config.package.golden
        source = None if table.source == "test" else self._dataset(table.source)
        return GoldenSpec(rows=table.rows, source=source, tolerance=table.tolerance)

    def _cases(self) -> behaviour.Cases | None:
        tests = self.config.evaluate.tests
        return None if tests is None else behaviour.read(self.root / tests)

    def _settings(self) -> dict[str, Any]:
        tables = dataclasses.asdict(self.config)
        return {name: tables[name] for name in ("train", "evaluate", "package")}

    def _fingerprint(self, before: Run | None) -> Mapping[str, str]:
        """Return digests of data, code, settings and environment, without importing any of it.

        The code's files are those that the last run imported; without one, those imported in this process.
        """
        cache = self.root / CACHE
        uris = [self.config.data.uri, self.config.data.test.uri, self._golden_uri(), self.config.evaluate.tests]
        data = {path: sha for uri in uris if uri for path, sha in fingerprint(uri, self.root, cache=cache).items()}
        watched = code_files(self.root) if before is None else _code_of(before)
        code = _hashed(self.root, watched, cache)
        tables = dataclasses.asdict(self.config)
        settings = canonical.digest_of(
            canonical.dumps({key: tables[key] for key in tables if key not in ("endpoint", "registry")})
        )
        return {
            **{f"data {path}": sha for path, sha in data.items()},
            **{f"code {path}": sha for path, sha in code.items()},
            "settings": settings,
            "environment": canonical.digest_of(canonical.dumps(_environment())),
        }

    def _golden_uri(self) -> str | None:
        source = self.config.package.golden.source
        return None if source == "test" else source

    def _place(self, place: str) -> str:
        return resolve_place(place, self.root)


def resolve_place(place: str, root: Path, /) -> str:
    """Return an address with a relative path counted from a folder."""
    if not place or "://" in place:
        return place
    try:
        return str(root / Path(place).expanduser())
    except RuntimeError as error:
        raise ConfigError(f"{place!r}: {error}", remedy="Give the folder's whole path.") from error


def _code_of(run: Run) -> list[str]:
    return [key.removeprefix("code ") for key in run.fingerprint if key.startswith("code ")]


def _hashed(root: Path, paths: Sequence[str], cache: Path) -> dict[str, str]:
    return {
        key: sha
        for path in paths
        if (root / path).is_file()
        for key, sha in fingerprint(path, root, cache=cache).items()
    }


def _environment() -> dict[str, str]:
    versions = {name: metadata.version(name) for name in _ENVIRONMENT}
    # A new plugin may store the model in one more form, or judge it otherwise.
    for kind in ("evaluators", "formats", "trainers"):
        versions |= {entry.dist.name: entry.dist.version for entry in plugins.entries(kind) if entry.dist}
    return {**versions, "python": platform.python_version(), "machine": platform.machine()}


def deployer_from(options: Mapping[str, Any], /, *, root: Path, where: str) -> Deployer:
    """Return the deployer that a table of options describes; `target` names its kind.

    Raises:
        UnknownNameError: there is no such target.
        ConfigError: an option is unknown, missing, or of another type.
    """
    given = dict(options)
    kind = plugins.find("deployers", str(given.pop("target")), Deployer)  # type: ignore[type-abstract]
    hints = typing.get_type_hints(kind)
    for name, value in given.items():
        if hints.get(name) is Place and isinstance(value, str):
            given[name] = resolve_place(value, root)
    return config.convert(given, kind, where=where)


def deploy(
    package: ModelPackage,
    to: str | Deployer,
    /,
    *,
    registry: Registry | str | Path | None = None,
    why: str = "",
    override: str | None = None,
    progress: Progress = quiet,
) -> Deployment:
    """Deploy a package to an endpoint of the project here, or with a deployer; verified before and after the switch.

    `registry` holds the verdict and gets the record: the project's, or `.mlopskit/registry` here. `override` is the
    reason to deploy a package without a passing verdict.

    Raises:
        RefusedError: no passing verdict, or the deployed thing answered otherwise; what was live stays live.
    """
    if isinstance(to, str):
        project = Project()
        deployer, endpoint, home = project.deployer(to), to, project.registry
    else:
        deployer, endpoint, home = to, endpoint_of(to), _home()
    chosen = home if registry is None else registry if isinstance(registry, Registry) else Registry.at(registry)
    return Deploying(
        package=package,
        deployer=deployer,
        registry=chosen,
        endpoint=endpoint,
        why=why,
        override=override,
        progress=progress,
    ).run()


def _home() -> Registry:
    return Project().registry if Path(config.FILE).exists() else Registry.at(DEFAULT)
