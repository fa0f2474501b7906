"""The tables of mlopskit.toml turned into the parts of a pipeline, and into deployers."""

from __future__ import annotations

import dataclasses
import json
import platform
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from mlopskit import behaviour, config, datacheck, datareport, git, plugins, robustness
from mlopskit.badmodels import Workshop
from mlopskit.config import Config
from mlopskit.data import Dataset
from mlopskit.datareport import DataFinding, DataReport
from mlopskit.deployer import Deployer
from mlopskit.errors import DataError
from mlopskit.evaluator import Evaluator
from mlopskit.evidence import check_worst_rows
from mlopskit.feedback import asked, with_feedback
from mlopskit.fingerprint import code_files, find_files, fingerprint
from mlopskit.functionevaluator import as_evaluator, imported
from mlopskit.gates import Gate
from mlopskit.incoming import Incoming
from mlopskit.judging import Judged, judge_again
from mlopskit.modelpackage import ModelPackage
from mlopskit.pipeline import Pipeline
from mlopskit.reading import read_table
from mlopskit.recipe import GoldenSpec, Recipe
from mlopskit.records import Run
from mlopskit.registry import Registry
from mlopskit.runtime import canonical
from mlopskit.selftest import SelfTest, Trying
from mlopskit.splits import split
from mlopskit.steps import Progress, logged
from mlopskit.storage import Place, resolve_place
from mlopskit.trainer import Trainer

CACHE = ".mlopskit/cache"
# What says where a model goes, and not what it is.
_NOT_SETTINGS = ("endpoint", "promote", "registry", "trust_code")
# What a model's bytes depend on beside data, code and settings.
_ENVIRONMENT = ("mlopskit", "numpy", "polars", "scikit-learn", "scipy", "skops")


def pipeline_of(table: Config, root: Path, registry: Registry, progress: Progress) -> Pipeline:
    """Return the pipeline that a configuration describes; relative paths in it count from `root`."""
    return Parts(table, root).pipeline(registry, progress)


@dataclass(frozen=True)
class Parts:
    """The parts of a configuration's pipeline, each made when it is asked for."""

    config: Config
    root: Path
    # The digests of data at https:// addresses, so that a run asks for them once.
    asked: dict[str, Mapping[str, str]] = field(default_factory=dict, compare=False, repr=False)
    # The rows that were read to train on, whose types others take.
    first: list[Dataset] = field(default_factory=list, compare=False, repr=False)

    def pipeline(self, registry: Registry, progress: Progress) -> Pipeline:
        """Return the pipeline of them all."""
        table = self.config
        progress = logged(f"run {table.name}", progress)
        return Pipeline(
            name=table.name,
            registry=registry,
            trainer=self._trainer(),
            read=lambda: self._read(registry, progress),
            fingerprint=self._fingerprint,
            gates=self._gates(),
            evaluator=self._evaluator,
            formats=table.package.formats,
            golden=self._golden,
            cases=self._cases,
            endpoints=[*table.endpoint],
            row_hashes=table.data.row_hashes,
            importance=table.evaluate.importance,
            robustness=robustness.check_changes(table.evaluate.robustness),
            worst_rows=check_worst_rows(table.evaluate.worst_rows),
            provenance={"seed": table.train.seed, "settings": self._settings()},
            trust_code=table.trust_code,
            progress=progress,
            alarms=lambda digest: self._alarms(registry, digest),
            commit=lambda: git.commit_of(self.root),
        )

    def _gates(self) -> list[Gate]:
        table = self.config.evaluate
        smallest, small = table.smallest_slice, table.small_slices
        return [Gate.parse(text, smallest_slice=smallest, small_slices=small) for text in table.gates]

    def _trainer(self) -> Trainer:
        table = self.config.train
        trainer: Callable[..., Trainer] = plugins.find("trainers", table.trainer, Trainer)  # type: ignore[type-abstract]
        code = {"estimator": table.estimator, "parameters": table.parameters, "root": self.root}
        return trainer(**code, seed=table.seed, threads=table.threads)

    def _evaluator(self) -> Evaluator | None:
        name = self.config.evaluate.evaluator
        if name is None:
            return None
        if ":" in name:
            return as_evaluator(imported(name, self.root))
        return plugins.find("evaluators", name, Evaluator)()  # type: ignore[type-abstract]

    def check_data(self, registry: Registry) -> DataReport:
        """Return what is to be said of the data; nothing is trained. What cannot be read is a finding, too.

        Raises:
            ConfigError: the configuration cannot be meant so.
        """
        found: list[DataFinding] = []
        try:
            given, lacking = datacheck.with_targets(self._rows(strict=False))
            found += lacking
            train, test = self._split(given, strict=False)
            test, lacking = datacheck.with_targets(test)
            found += lacking
            report = datacheck.check(train, test, before=self._inputs_before(registry), allow=self.config.data.allow)
        except DataError as error:
            report = datareport.from_error(error)
        return dataclasses.replace(report, findings=(*found, *report.findings))

    def test_data(self) -> Dataset:
        """Return the rows that models are tested on, as the files hold them now."""
        return self._split(self._rows())[1]

    def evaluate(self, package: ModelPackage, registry: Registry) -> Judged:
        """Judge a package on the test rows, behavioural tests and gates as they are now, and keep the verdict."""
        test, inputs = self.test_data(), package.schema.inputs
        recipe = Recipe(
            name=self.config.name,
            model=None,  # the package holds it
            schema=inputs,
            test=test,
            perturbed=robustness.perturbed(test, self.config.evaluate.robustness, inputs),
            evaluator=self._evaluator(),
            cases=self._cases(),
        )
        options = {"endpoints": [*self.config.endpoint], "trust_code": self.config.trust_code}
        return judge_again(package, recipe, self._gates(), registry, **options)

    def selftest(self, progress: Progress) -> SelfTest:
        """Return what the gates say of models that are bad on purpose; nothing is kept.

        Raises:
            MlopskitError: the model itself cannot be trained or judged.
        """
        workshop = self.workshop(progress)
        schema = workshop.train.joined(workshop.test).input_schema()
        perturbed = robustness.perturbed(workshop.test, self.config.evaluate.robustness, schema)
        asked: Any = {"gates": self._gates(), "evaluator": self._evaluator(), "cases": self._cases()}
        return Trying(workshop=workshop, perturbed=perturbed, **asked).run()

    def workshop(self, progress: Progress) -> Workshop:
        """Return what makes models of the project's rows that are not kept."""
        train, test = self._split(self._rows())
        return Workshop(trainer=self._trainer(), train=train, test=test, progress=progress)

    def _read(self, registry: Registry, progress: Progress) -> tuple[Dataset, Dataset, DataReport]:
        train, test = self._split(self._rows())
        self.first[:] = [train]
        progress("check data")
        before, allow = self._inputs_before(registry), self.config.data.allow
        report = datacheck.check(train, test, before=before, allow=allow, thorough=False)
        report.enforce()
        if report.findings:
            progress(f"check data: {len(report.findings)} warnings, which 'mlopskit data check' lists")
        return train, test, report

    def _inputs_before(self, registry: Registry) -> Mapping[str, Any] | None:
        """Return the schema of the inputs of the last run's package, None if there is none."""
        name = self.config.name
        digest = next((run.digest for run in reversed(registry.runs(name)) if run.digest), None)
        held = digest is not None and registry.holds(name, digest)
        return registry.manifest(name, digest)["schema"]["inputs"] if digest and held else None

    def _rows(self, *, strict: bool = True) -> Dataset:
        """Return the data, and the feedback that has come in."""
        table = self.config.data
        data = self._dataset(table.uri, strict=strict)
        if table.feedback is None:
            return data
        return with_feedback(data, table.feedback, self.root, file_column=table.file_column)

    def _split(self, data: Dataset, *, strict: bool = True) -> tuple[Dataset, Dataset]:
        test = self.config.data.test
        if test.uri:
            return data, self._dataset(test.uri, strict=strict, like=data)
        return split(data, share=test.share, by=test.by, start=test.start)

    def _dataset(self, uri: str, *, strict: bool = True, like: Dataset | None = None) -> Dataset:
        table = self.config.data
        read = Dataset.read(
            uri,
            target=table.target,
            columns=table.columns,
            file_column=table.file_column,
            slices=tuple(self.config.evaluate.slices),
            separator=table.separator,
            strict=strict,
            like=like,
            root=self.root,
        )
        return dataclasses.replace(read, weight=table.weight, group=table.group)

    def columns(self, uri: str) -> Mapping[str, Sequence[Any]]:
        """Return the columns of other files than the project's, which need not have the targets."""
        table = self.config.data
        known = {"columns": table.columns, "file_column": table.file_column, "separator": table.separator}
        return read_table(uri, self.root, target=[], **known).columns  # type: ignore[arg-type]

    def incoming(self) -> Incoming | None:
        """Return the rows that were seen in use; None unless they are configured."""
        table = self.config.data
        if table.incoming is None:
            return None
        about = {"settings": dataclasses.asdict(table), "cache": self.root / CACHE}
        return Incoming(uri=table.incoming, root=self.root, read=self._asked, **about)  # type: ignore[arg-type]

    def _asked(self, uri: str) -> Mapping[str, Sequence[Any]]:
        """Return the columns of one file of incoming rows, in the form of feedback or of the data."""
        ((path, file),) = find_files(uri, self.root).items()
        found = asked(file, path)
        return self.columns(uri) if found is None else found

    def _alarms(self, registry: Registry, digest: str) -> Mapping[str, str]:
        incoming = self.incoming()
        return {} if incoming is None else incoming.alarms(registry, registry.manifest(self.config.name, digest))

    def _golden(self) -> GoldenSpec:
        table = self.config.package.golden
        source = None if table.source == "test" else self._dataset(table.source, like=next(iter(self.first), None))
        return GoldenSpec(rows=table.rows, source=source, tolerance=table.tolerance)

    def _cases(self) -> behaviour.Cases | None:
        tests = self.config.evaluate.tests
        return None if tests is None else behaviour.read(self.root / tests)

    def _settings(self) -> dict[str, Any]:
        # As they are read back from a record: lists, where a default is a tuple.
        tables = json.loads(json.dumps(dataclasses.asdict(self.config)))
        return {name: tables[name] for name in ("train", "evaluate", "package")}

    def _fingerprint(self, before: Run | None) -> Mapping[str, str]:
        """Return digests of data, code, settings and environment, without importing any of it.

        The code's files are those that the last run imported; without one, those imported in this process.
        """
        cache = self.root / CACHE
        uris = [self.config.data.uri, self.config.data.test.uri, self._golden_uri(), self.config.evaluate.tests]
        data = {path: sha for uri in uris if uri for path, sha in self._digests(uri).items()}
        data |= self._digests(self.config.data.feedback, none_yet=True) if self.config.data.feedback else {}
        watched = code_files(self.root) if before is None else _code_of(before)
        code = _hashed(self.root, watched, cache)
        tables = dataclasses.asdict(self.config)
        settings = canonical.digest_of(
            canonical.dumps({key: tables[key] for key in tables if key not in _NOT_SETTINGS})
        )
        return {
            **{f"data {path}": sha for path, sha in data.items()},
            **{f"code {path}": sha for path, sha in code.items()},
            "settings": settings,
            "environment": canonical.digest_of(canonical.dumps(_environment())),
        }

    def _digests(self, uri: str, *, none_yet: bool = False) -> Mapping[str, str]:
        if "://" not in uri:
            return fingerprint(uri, self.root, cache=self.root / CACHE, none_yet=none_yet)
        if uri not in self.asked:
            self.asked[uri] = fingerprint(uri, self.root, cache=self.root / CACHE, none_yet=none_yet)
        return self.asked[uri]

    def _golden_uri(self) -> str | None:
        source = self.config.package.golden.source
        return None if source == "test" else source


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
    given = {key: value for key, value in options.items() if key not in config.ENDPOINT_KEYS}
    kind = plugins.find("deployers", str(options["target"]), Deployer)  # type: ignore[type-abstract]
    hints = typing.get_type_hints(kind)
    for name, value in given.items():
        if hints.get(name) is Place and isinstance(value, str):
            given[name] = resolve_place(value, root)
    return config.convert(given, kind, where=where, beside=config.ENDPOINT_KEYS)
