"""Run: what changed, train, package, gate, register."""

from __future__ import annotations

import dataclasses
import inspect
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlopskit import behaviour, environment, packaging, plugins, robustness, trainingrows, trust
from mlopskit.aliases import now, who
from mlopskit.data import Dataset
from mlopskit.datareport import DataReport
from mlopskit.errors import MlopskitError
from mlopskit.evaluator import Evaluator
from mlopskit.evidence import MOST_ROWS
from mlopskit.gates import Gate, Verdict
from mlopskit.incoming import KEY
from mlopskit.isolated import IsolatedModel
from mlopskit.judging import comparing_of, evidence_of, judge_package, outcome_of
from mlopskit.log import logger
from mlopskit.modelpackage import ModelPackage
from mlopskit.recipe import GoldenSpec, Recipe
from mlopskit.records import Run
from mlopskit.registry import Registry
from mlopskit.steps import Progress, quiet, telling
from mlopskit.trainer import Trainer

_log = logger()


@dataclass(frozen=True, kw_only=True)
class Training:
    """The rows that a model was trained on, the data check's report on them, and whether hashes of them are kept."""

    rows: Dataset
    checked: DataReport
    row_hashes: bool = True


def register(
    recipe: Recipe,
    gates: Sequence[Gate],
    registry: Registry,
    /,
    *,
    training: Training | None,
    endpoints: Sequence[str] = (),
    process: IsolatedModel | None = None,
    trust_code: Sequence[str] = (),
    progress: Progress = quiet,
) -> tuple[ModelPackage, Verdict]:
    """Write a recipe's package, judge it, and add package, evidence and verdict to the registry.

    `training` is None where the rows that the model was trained on are not known; `process` is one of
    `mlopskit.packaging.reference_process`, without it one is started.
    """
    observers = plugins.observers()
    with tempfile.TemporaryDirectory(prefix="mlopskit-") as temporary:
        progress("package")
        written = packaging.write(recipe, Path(temporary), process=process)
        trust.remember(written.package)
        progress("judge")
        checked = training.checked if training else None
        comparing = comparing_of(written, recipe, registry, endpoints=endpoints, trust_code=trust_code)
        verdict = judge_package(written, recipe, gates, comparing, checked=checked)
        plugins.notify(observers, "mlopskit_evaluated", evaluation=written.package.evaluation, name=recipe.name)
        progress("register")
        if training is not None and training.row_hashes:
            trainingrows.keep(registry, recipe.name, training.rows)
        with telling(progress, "register"):
            registered = registry.add(written.package)
        train = training.rows if training else None
        evidence = evidence_of(written, train, comparing, worst_rows=recipe.worst_rows)
    registry.add_evidence(recipe.name, registered.digest, evidence)
    registry.add_verdict(verdict)
    plugins.notify(observers, "mlopskit_packaged", package=registered)
    return registered, verdict


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """All that a run needs, as objects.

    `read` returns the rows to train and to test on, and the data check's report on them; `fingerprint` maps what the
    run depends on to a digest of it; `alarms` maps, for a package's digest, what has drifted from its training rows to
    the digest of these; `commit` returns what is recorded of git.
    """

    name: str
    registry: Registry
    trainer: Trainer
    read: Callable[[], tuple[Dataset, Dataset, DataReport]]
    fingerprint: Callable[[Run | None], Mapping[str, str]]
    gates: Sequence[Gate]
    evaluator: Callable[[], Evaluator | None] = lambda: None
    formats: Sequence[str] | None = None
    golden: Callable[[], GoldenSpec] = GoldenSpec
    cases: Callable[[], behaviour.Cases | None] = lambda: None
    endpoints: Sequence[str] = ()
    row_hashes: bool = True
    importance: bool = False
    robustness: Sequence[str] = ()
    worst_rows: int = MOST_ROWS
    provenance: Mapping[str, Any] = field(default_factory=dict)
    trust_code: Sequence[str] = ()
    progress: Progress = quiet
    alarms: Callable[[str], Mapping[str, str]] = lambda _: {}
    commit: Callable[[], Mapping[str, str | bool | None]] = dict

    def now(self) -> Mapping[str, str]:
        """Return the fingerprint of what a run would begin with."""
        return self._now(self._last())

    def _now(self, before: Run | None) -> Mapping[str, str]:
        alarms = self.alarms(before.digest) if before and before.digest else {}
        return {**self.fingerprint(before), **alarms}

    def changed(self) -> list[str]:
        """Return, in words, what differs from the last run that was judged; without one, all is new."""
        before = self._last()
        return changes(before.fingerprint if before else {}, self._now(before))

    def run(self, *, force: bool = False) -> Run:
        """Train, package, judge and register if anything changed since the last run that was judged.

        Returns:
            The run's record; that of the earlier run, with nothing in `changed`, if nothing changed.

        Raises:
            MlopskitError: a step failed; the failed run is recorded.
        """
        before = self._last()
        now_is = dict(self._now(before))
        changed = changes(before.fingerprint if before else {}, now_is)
        if before is not None and not changed and not force:
            _log.info("run %s: nothing changed since run %s", self.name, before.id)
            return dataclasses.replace(before, changed=())
        clock = _Clock(self.progress)
        clock.found |= self.commit()
        try:
            # It imports its engine while we read and train.
            with packaging.reference_process() as process:
                digest, verdict = self._train_and_judge(clock, process)
            watched = {**self._watched(now_is), **self.alarms(digest)}
        except BaseException as error:
            self._fail(clock, now_is, changed, error)
            raise
        outcome = "passed" if verdict.passed else "refused"
        return self._record(outcome, digest, changed, watched, clock, None)

    def _train_and_judge(self, clock: _Clock, process: IsolatedModel) -> tuple[str, Verdict]:
        with clock.step("read"):
            train, test, checked = self.read()
            clock.found |= {"rows": {"train": len(train), "test": len(test)}}
            clock.found |= {"data": {"train": train.digest, "test": test.digest}}
            clock.found |= {"warnings": checked.warnings()}
            schema = train.joined(test).input_schema()
            perturbed = robustness.perturbed(test, self.robustness, schema)
        with clock.step("train"):
            model = _train(self.trainer, train, self.progress)
        plugins.notify(plugins.observers(), "mlopskit_trained", model=model, name=self.name)
        recipe = Recipe(
            name=self.name,
            model=model,
            schema=schema,
            test=test,
            evaluator=self.evaluator(),
            formats=self.formats,
            golden=self.golden(),
            cases=self.cases(),
            importance=self.importance,
            perturbed=perturbed,
            worst_rows=self.worst_rows,
            provenance={**self.provenance, "code": self._code(), "data": clock.found["data"]},
        )
        with clock.step("package and judge"):
            training = Training(rows=train, checked=checked, row_hashes=self.row_hashes)
            options: dict[str, Any] = {"endpoints": self.endpoints, "process": process, "trust_code": self.trust_code}
            registered, verdict = register(recipe, self.gates, self.registry, training=training, **options)
        clock.found |= {**outcome_of(registered, verdict), "installed": environment.imported()}
        return registered.digest, verdict

    def _code(self) -> dict[str, str]:
        return {
            key.removeprefix("code "): sha for key, sha in self.fingerprint(None).items() if key.startswith("code ")
        }

    def _watched(self, began: Mapping[str, str]) -> dict[str, str]:
        """Return what the next run compares: all as it was when this one began, for it may have changed since.

        Training imported the code: from now on exactly those files are watched. Alarms are of the package before.
        """
        code = {f"code {path}": sha for path, sha in self._code().items()}
        rest = {key: sha for key, sha in began.items() if not key.startswith(("code ", KEY))}
        return rest | {key: began.get(key, sha) for key, sha in code.items()}

    def _last(self) -> Run | None:
        """Return the last run that was judged, if its package and verdict are still there."""
        judged = (run for run in reversed(self.registry.runs(self.name)) if run.outcome != "failed")
        last = next(judged, None)
        if last is None or last.digest is None:
            return None
        held = self.registry.holds(self.name, last.digest) and self.registry.verdict(self.name, last.digest)
        return last if held else None

    def _fail(
        self, clock: _Clock, fingerprint: Mapping[str, str], changed: Sequence[str], error: BaseException
    ) -> None:
        plugins.notify(plugins.observers(), "mlopskit_failed", step=clock.current, error=error)
        text = error.message if isinstance(error, MlopskitError) else f"{type(error).__name__}: {error}"
        try:
            self._record("failed", None, changed, fingerprint, clock, f"{clock.current}: {text}")
        except MlopskitError as second:
            error.add_note(f"The failed run could not be recorded: {second}")

    def _record(
        self,
        outcome: str,
        digest: str | None,
        changed: Sequence[str],
        fingerprint: Mapping[str, str],
        clock: _Clock,
        error: str | None,
    ) -> Run:
        run = Run(
            id="",
            name=self.name,
            outcome=outcome,
            digest=digest,
            changed=list(changed),
            fingerprint=dict(fingerprint),
            seconds=clock.seconds,
            error=error,
            who=who(),
            when=now(),
            settings=self.provenance.get("settings", {}),
            **clock.found,
        )
        recorded = self.registry.add_run(run)
        _log.info("run %s: run %s %s: %s", self.name, recorded.id, outcome, digest or error)
        return recorded


def _train(trainer: Trainer, data: Dataset, progress: Progress) -> object:
    """Train; a trainer that can say how far it is, is given what to say it with."""
    if "progress" not in inspect.signature(trainer.train).parameters:
        return trainer.train(data)
    train: Callable[..., object] = trainer.train
    return train(data, progress=lambda text: progress(f"train: {text}"))


class _Clock:
    """Times the steps of a run, says when each begins, and keeps what they found for the record."""

    def __init__(self, progress: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self.found: dict[str, Any] = {}
        self.current = "start"
        self._progress = progress

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.current = name
        self._progress(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 3)


def changes(before: Mapping[str, str], now_is: Mapping[str, str], /) -> list[str]:
    """Return what differs between two fingerprints, in words; an alarm that is over is nothing to be done.

    >>> changes({"data a.tsv": "1", "data b.tsv": "1"}, {"data a.tsv": "2", "data c.tsv": "1"})
    ['changed: data a.tsv', 'new: data c.tsv', 'gone: data b.tsv']
    """
    changed = [f"changed: {key}" for key in now_is if key in before and before[key] != now_is[key]]
    new = [f"new: {key}" for key in now_is if key not in before]
    return [*changed, *new, *[f"gone: {key}" for key in before if key not in now_is and not key.startswith(KEY)]]
