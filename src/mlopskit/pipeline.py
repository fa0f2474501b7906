"""Run: what changed, train, package, gate, register. And the same for a model that is already fitted."""

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

from mlopskit import behaviour, packaging, plugins, trainingrows
from mlopskit.aliases import now, who
from mlopskit.data import Dataset
from mlopskit.errors import MlopskitError
from mlopskit.evaluator import Evaluator
from mlopskit.functionevaluator import Measure, as_evaluator
from mlopskit.gates import Gate, Verdict
from mlopskit.isolated import IsolatedModel
from mlopskit.judging import judge_package, outcome_of
from mlopskit.modelpackage import ModelPackage
from mlopskit.recipe import GoldenSpec, Recipe
from mlopskit.records import Run
from mlopskit.registry import Registry, home
from mlopskit.steps import Progress, quiet
from mlopskit.trainer import Trainer


def package(
    model: object,
    X_test: Any,  # noqa: N803  # scikit-learn's name for it
    y_test: Any,
    /,
    *,
    name: str,
    gates: Sequence[str] = (),
    X_train: Any = None,  # noqa: N803
    evaluator: Evaluator | Measure | None = None,
    formats: Sequence[str] | None = None,
    golden: GoldenSpec | None = None,
    tests: str | Path | None = None,
    row_hashes: bool = True,
    registry: Registry | str | Path | None = None,
    progress: Progress = quiet,
) -> ModelPackage:
    """Package a fitted model, judge it on its test rows, and register both package and verdict.

    `X_test` is a pandas or polars frame, a 2-D array, a list of row dicts or a sequence of texts; `y_test` has a label
    for each row. With `X_train`, test rows that stand in the training data are looked for, and fail the verdict.
    `evaluator` is an Evaluator, or a function of `y_true` and `y_pred` that returns a number for each metric's name.
    With `row_hashes`, hashes of the training rows are kept in the registry, so that later models are not compared with
    this one on rows that it has learned.

    Raises:
        StoreError: no format can hold the model exactly and safely.
        ConfigError: a gate is malformed.
    """
    rules = [Gate.parse(text) for text in _several(gates)]
    test = Dataset.from_frame(X_test, y_test)
    train = None if X_train is None else Dataset.from_frame(X_train, None)
    cases = behaviour.read(Path(tests)) if tests else None
    everything = test if train is None else test.joined(train)
    recipe = Recipe(
        name=name,
        model=model,
        schema=everything.input_schema(),
        test=test,
        evaluator=as_evaluator(evaluator),
        formats=None if formats is None else _several(formats),
        golden=golden or GoldenSpec(),
        cases=cases,
        provenance={
            "data": {"test": test.digest, "train": train.digest if train else None},
            "gates": [*map(str, rules)],
        },
    )
    place = home() if registry is None else registry if isinstance(registry, Registry) else Registry.at(registry)
    registered, _ = register(recipe, rules, place, train=train, row_hashes=row_hashes, progress=progress)
    return registered


def _several(texts: Sequence[str]) -> Sequence[str]:
    return [texts] if isinstance(texts, str) else texts


def register(
    recipe: Recipe,
    gates: Sequence[Gate],
    registry: Registry,
    /,
    *,
    train: Dataset | None,
    row_hashes: bool = True,
    process: IsolatedModel | None = None,
    progress: Progress = quiet,
) -> tuple[ModelPackage, Verdict]:
    """Write a recipe's package, judge it, and add package and verdict to the registry.

    `process` is one of `mlopskit.packaging.reference_process`; without it one is started.
    """
    observers = plugins.observers()
    with tempfile.TemporaryDirectory(prefix="mlopskit-") as temporary:
        progress("package")
        written = packaging.write(recipe, Path(temporary), process=process)
        progress("judge")
        verdict = judge_package(written, recipe, gates, registry, train)
        plugins.notify(observers, "mlopskit_evaluated", evaluation=written.evaluation, name=recipe.name)
        progress("register")
        if train is not None and row_hashes:
            trainingrows.keep(registry, recipe.name, train)
        registered = registry.add(written)
    registry.add_verdict(verdict)
    plugins.notify(observers, "mlopskit_packaged", package=registered)
    return registered, verdict


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """All that a run needs, as objects. `fingerprint` maps what the run depends on to a digest of it."""

    name: str
    registry: Registry
    trainer: Trainer
    read: Callable[[], tuple[Dataset, Dataset]]
    fingerprint: Callable[[Run | None], Mapping[str, str]]
    gates: Sequence[Gate]
    evaluator: Callable[[], Evaluator | None] = lambda: None
    formats: Sequence[str] | None = None
    golden: Callable[[], GoldenSpec] = GoldenSpec
    cases: Callable[[], behaviour.Cases | None] = lambda: None
    row_hashes: bool = True
    provenance: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = quiet

    def run(self, *, force: bool = False) -> Run:
        """Train, package, judge and register if anything changed since the last run that was judged.

        Returns:
            The run's record; that of the earlier run, with nothing in `changed`, if nothing changed.

        Raises:
            MlopskitError: a step failed; the failed run is recorded.
        """
        before = self._last()
        now_is = dict(self.fingerprint(before))
        changed = changes(before.fingerprint if before else {}, now_is)
        if before is not None and not changed and not force:
            return dataclasses.replace(before, changed=())
        clock = _Clock(self.progress)
        try:
            # It imports its engine while we read and train.
            with packaging.reference_process() as process:
                digest, verdict = self._train_and_judge(clock, process)
        except BaseException as error:
            self._fail(clock, now_is, changed, error)
            raise
        outcome = "passed" if verdict.passed else "refused"
        return self._record(outcome, digest, changed, self._watched(now_is), clock, None)

    def _train_and_judge(self, clock: _Clock, process: IsolatedModel) -> tuple[str, Verdict]:
        with clock.step("read"):
            train, test = self.read()
            clock.found |= {"rows": {"train": len(train), "test": len(test)}}
            clock.found |= {"data": {"train": train.digest, "test": test.digest}}
            schema = train.joined(test).input_schema()
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
            provenance={**self.provenance, "code": self._code(), "data": clock.found["data"]},
        )
        with clock.step("package and judge"):
            options: dict[str, Any] = {"train": train, "row_hashes": self.row_hashes, "process": process}
            registered, verdict = register(recipe, self.gates, self.registry, **options)
        clock.found |= outcome_of(registered, verdict)
        return registered.digest, verdict

    def _code(self) -> dict[str, str]:
        return {
            key.removeprefix("code "): sha for key, sha in self.fingerprint(None).items() if key.startswith("code ")
        }

    def _watched(self, began: Mapping[str, str]) -> dict[str, str]:
        """Return what the next run compares: all as it was when this one began, for it may have changed since.

        Training imported the code: from now on exactly those files are watched.
        """
        code = {f"code {path}": sha for path, sha in self._code().items()}
        rest = {key: sha for key, sha in began.items() if not key.startswith("code ")}
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
        return self.registry.add_run(run)


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
    """Return what differs between two fingerprints, in words.

    >>> changes({"data a.tsv": "1", "data b.tsv": "1"}, {"data a.tsv": "2", "data c.tsv": "1"})
    ['changed: data a.tsv', 'new: data c.tsv', 'gone: data b.tsv']
    """
    changed = [f"changed: {key}" for key in now_is if key in before and before[key] != now_is[key]]
    new = [f"new: {key}" for key in now_is if key not in before]
    return [*changed, *new, *[f"gone: {key}" for key in before if key not in now_is]]
