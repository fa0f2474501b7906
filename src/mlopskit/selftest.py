"""Gates that prove themselves: each is shown models that are bad on purpose, and what it refuses is counted."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlopskit import behaviour, everyslice, packaging, robustness
from mlopskit.badmodels import FLIPPED, BadModel, Workshop
from mlopskit.data import Dataset
from mlopskit.errors import ConfigError, MlopskitError, RowError
from mlopskit.evaluation import Evaluation
from mlopskit.evaluator import Answered, Evaluator, slices_of
from mlopskit.gates import Finding, Gate, Relative
from mlopskit.runtime.scoring import Model, Scorer
from mlopskit.tables import Table, plain
from mlopskit.timing import LATENCY, SIZE

BEHAVIOUR = "behavioural tests"
_MOST_DIGITS = 12
_NARROWEST = 1e-9


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What the gates said of one bad model.

    `note` says why it is counted apart, if it is; `missing` names a gate that would have refused it, where none did.
    """

    model: str
    refused_by: tuple[str, ...] = ()
    note: str = ""
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """What each gate said of each bad model. It passes if every one that counts was refused by at least one gate.

    `unjudged` are gates on what is measured of a package. `itself` are those that refuse the model as it is, too, and
    therefore tell nothing apart: what they refuse does not count.
    """

    rows: int
    gates: tuple[str, ...]
    unjudged: tuple[str, ...]
    itself: tuple[str, ...]
    trials: tuple[Trial, ...]

    @property
    def counted(self) -> tuple[Trial, ...]:
        """The trials that count: of models that were made, and that are worse than the model itself."""
        return tuple(trial for trial in self.trials if not trial.note)

    @property
    def let_through(self) -> tuple[Trial, ...]:
        """The trials of bad models that no gate refused."""
        return tuple(trial for trial in self.counted if not self._refusing(trial))

    @property
    def passed(self) -> bool:
        """Whether every bad model was refused, and there was at least one."""
        return bool(self.counted) and not self.let_through

    def without(self, gate: str, /) -> list[str]:
        """Return the bad models that would pass without this gate: those that it alone refused."""
        return [trial.model for trial in self.counted if self._refusing(trial) == {gate}]

    @property
    def redundant(self) -> list[str]:
        """The gates without which every bad model that is refused still would be."""
        return [gate for gate in self.gates if not self.without(gate) and gate not in self.itself]

    def table(self) -> Table:
        """Return what each gate said of each bad model."""
        rows = []
        for gate in self.gates:
            cells = ["refused" if gate in trial.refused_by else "-" for trial in self.counted]
            passing = len(self.without(gate))
            left = f"{passing} pass" if passing else "does not count" if gate in self.itself else "redundant"
            rows.append((gate, *cells, left))
        return Table(("gate", *[trial.model for trial in self.counted], "if deleted"), rows)

    def text(self) -> str:
        """Return all of it for a person."""
        lines = [] if self.gates else ["There is no gate."]
        lines += [f"Without {gate!r}, these pass: {', '.join(self.without(gate))}." for gate in self._needed]
        lines += [f"Redundant: {gate!r} refuses {self._others(gate)}." for gate in self.redundant]
        lines += [f"Not judged here: {gate!r} is measured of a package." for gate in self.unjudged]
        lines += [f"Does not count: {gate!r} refuses the model itself, too." for gate in self.itself]
        lines += [f"Counted apart: {trial.model}: {trial.note}." for trial in self.trials if trial.note]
        lines += [f"Passes all gates: {trial.model}. {self._advice(trial)}" for trial in self.let_through]
        refused = len(self.counted) - len(self.let_through)
        lines.append(f"{refused} of {len(self.counted)} bad models refused, on {self.rows:,} test rows.")
        return "\n".join([*([self.table().text()] if self.gates else []), *map(plain, lines)])

    def as_table(self) -> dict[str, Any]:
        """Return the same as a plain table."""
        lists: dict[str, Any] = {"trials": [vars(trial) for trial in self.trials], "redundant": self.redundant}
        needed = {gate: self.without(gate) for gate in self._needed}
        return {**vars(self), **lists, "lets_through_if_deleted": needed, "passed": self.passed}

    def _refusing(self, trial: Trial) -> set[str]:
        return {*trial.refused_by} - {*self.itself}

    @property
    def _needed(self) -> list[str]:
        return [gate for gate in self.gates if self.without(gate)]

    def _others(self, gate: str) -> str:
        refuses = any(gate in trial.refused_by for trial in self.counted)
        return "nothing that another gate does not refuse too" if refuses else "no bad model at all"

    def _advice(self, trial: Trial) -> str:
        if trial.missing:
            return f"Missing: a gate such as {trial.missing!r}."
        return "No metric tells it from the model itself on these rows: give more test rows, or behavioural tests."


@dataclass(frozen=True, kw_only=True)
class Trying:
    """Tries gates on bad models, on the test rows of a project.

    A gate that is relative to what is live compares a bad model with the one that the project trains now: it stands for
    what is live.
    """

    workshop: Workshop
    gates: Sequence[Gate]
    evaluator: Evaluator | None = None
    cases: behaviour.Cases | None = None
    perturbed: Mapping[str, Dataset] = field(default_factory=dict)

    def run(self) -> SelfTest:
        """Train the models, judge each, and return what came out.

        Raises:
            MlopskitError: the model itself cannot be trained or judged.
        """
        judged = [gate for gate in dict.fromkeys(self.gates) if not _measured(gate)]
        good, task = self.workshop.good()
        bench = _Bench(
            good=good,
            test=self.workshop.test,
            evaluator=self.evaluator or packaging.evaluator_for(task),
            gates=judged,
            cases=self.cases,
            perturbed=self.perturbed,
        )
        own = bench.evaluated(good, behaviour.run(self.cases or (), good))
        itself = _refusing({gate: gate.findings(own) for gate in judged if not _relative(gate)}, own)
        tried = [bench.tried(model) for model in self.workshop.bad(good)]
        flipped = next((evaluation for trial, evaluation in tried if trial.model == FLIPPED), None)
        return SelfTest(
            rows=len(self.workshop.test),
            gates=(*map(str, judged), *([BEHAVIOUR] if self.cases else [])),
            unjudged=tuple(str(gate) for gate in dict.fromkeys(self.gates) if _measured(gate)),
            itself=tuple(itself),
            trials=tuple(_concluded(trial, evaluation, own, flipped, itself) for trial, evaluation in tried),
        )


@dataclass(frozen=True, kw_only=True)
class _Bench:
    """Where one model after the other is judged."""

    good: Model
    test: Dataset
    evaluator: Evaluator
    gates: Sequence[Gate]
    cases: behaviour.Cases | None
    perturbed: Mapping[str, Dataset]

    def tried(self, model: BadModel) -> tuple[Trial, Evaluation | None]:
        if model.scorer is None:
            return Trial(model=model.name, note=model.reason.removesuffix(".")), None
        try:
            evaluation = self.evaluated(model.scorer, self._failures(model.scorer))
            compared = self._compared(model.scorer)
            found = {gate: compared.get(gate) or gate.findings(evaluation) for gate in self.gates}
        except RowError as error:
            return Trial(model=model.name, note=f"the schema refuses it. {error.message.removesuffix('.')}"), None
        except MlopskitError as error:
            return Trial(model=model.name, note=f"it cannot be judged. {error.message.removesuffix('.')}"), None
        return Trial(model=model.name, refused_by=tuple(_refusing(found, evaluation))), evaluation

    def evaluated(self, scorer: Scorer, failures: tuple[str, ...]) -> Evaluation:
        evaluation = robustness.evaluate(self.evaluator, self._answered(scorer), self.test, self.perturbed)
        return dataclasses.replace(evaluation, failures=failures)

    def _failures(self, scorer: Scorer) -> tuple[str, ...]:
        try:
            return behaviour.run(self.cases or (), scorer)
        except ConfigError as error:  # the model itself has the output that this one lacks
            return (error.message,)

    def _answered(self, scorer: Scorer) -> Answered:
        inputs = self.test.input_columns()
        return Answered(inputs, scorer.score(inputs), scorer)

    def _compared(self, scorer: Scorer) -> Mapping[Gate, Sequence[Finding]]:
        relative = [gate for gate in self.gates if _relative(gate)]
        if not relative:
            return {}
        sides = self._answered(scorer), self._answered(self.good)
        return {gate: self._differences(gate, *sides) for gate in relative}

    def _differences(self, gate: Gate, bad: Answered, good: Answered) -> Sequence[Finding]:
        column = everyslice.column_of(gate.slice)
        if column is None:
            return [self._difference(gate, bad, good)]
        slices = dict(slices_of(self.test)) | dict.fromkeys(self.perturbed, range(len(self.test)))
        rows = {name: len(numbers) for name, numbers in slices.items() if name.startswith(f"{column}=")}
        return everyslice.findings(gate, rows, lambda one: self._difference(one, bad, good))

    def _difference(self, gate: Gate, bad: Answered, good: Answered) -> Finding:
        changed = self.perturbed.get(gate.slice)
        if changed is None:
            found = self.evaluator.compare(bad, good, self.test, metric=gate.metric, slice=gate.slice)
        else:
            found = robustness.compare(self.evaluator, bad, good, changed, metric=gate.metric, slice=gate.slice)
        if found is None:
            return gate.finding(f"the evaluator compares no {gate.metric} of two models")
        return gate.judge_difference(found, "the model itself")


def _refusing(found: Mapping[Gate, Sequence[Finding]], evaluation: Evaluation) -> list[str]:
    """Return the gates, as they are written, that refuse a model, and the behavioural tests if one failed."""
    gates = [str(gate) for gate, findings in found.items() if not all(one.passed for one in findings)]
    return [*gates, *([BEHAVIOUR] if evaluation.failures else [])]


def _relative(gate: Gate) -> bool:
    return isinstance(gate.limit, Relative)


def _measured(gate: Gate) -> bool:
    return gate.metric == SIZE or LATENCY.fullmatch(gate.metric) is not None


def _concluded(
    trial: Trial, bad: Evaluation | None, own: Evaluation, flipped: Evaluation | None, itself: Sequence[str] = ()
) -> Trial:
    """Return a trial with what is to be said of a model that passed: that it is no worse, or which gate is missing."""
    if {*trial.refused_by} - {*itself} or bad is None or flipped is None:
        return trial
    pairs = [_Pair.of(one.metric, own, bad, flipped) for one in own.estimates if not one.slice]
    known = [pair for pair in pairs if pair is not None]
    if known and not any(pair.worse for pair in known):
        return dataclasses.replace(trial, note="by no metric is it worse than the model itself")
    apart = [pair for pair in known if pair.apart > 0]
    missing = str(max(apart, key=lambda pair: pair.apart).gate()) if apart else ""
    return dataclasses.replace(trial, missing=missing)


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """One metric of the model itself and of a bad one: values, and the bounds that a gate would judge.

    Which way is worse is where flipped labels lead.
    """

    metric: str
    less: bool  # less is better
    own: tuple[float, float]
    bad: tuple[float, float]

    @classmethod
    def of(cls, metric: str, own: Evaluation, bad: Evaluation, flipped: Evaluation) -> _Pair | None:
        found = [evaluation.find(metric) for evaluation in (own, bad, flipped)]
        if any(one is None or not one.n or not math.isfinite(one.value) for one in found):
            return None
        mine, other, worst = (one for one in found if one is not None)
        less = worst.value > mine.value
        bounds = [one.upper if less else one.lower for one in (mine, other)]
        if worst.value == mine.value or any(bound is None or not math.isfinite(bound) for bound in bounds):
            return None
        ours, theirs = (bound for bound in bounds if bound is not None)
        return cls(metric=metric, less=less, own=(mine.value, ours), bad=(other.value, theirs))

    @property
    def worse(self) -> bool:
        """Whether the bad model's value is worse."""
        return self.bad[0] > self.own[0] if self.less else self.bad[0] < self.own[0]

    @property
    def apart(self) -> float:
        """How far the bad model's bound lies behind the own one, in units of how far that lies from its value."""
        gap = self.bad[1] - self.own[1] if self.less else self.own[1] - self.bad[1]
        return gap / max(abs(self.own[0] - self.own[1]), _NARROWEST)

    def gate(self) -> Gate:
        """Return the gate in the middle, with as few digits as will do, that the own model passes and the bad not."""
        low, high = sorted((self.own[1], self.bad[1]))
        middle = (low + high) / 2
        limit = next((x for n in range(1, _MOST_DIGITS) if low < (x := round(middle, n)) < high), middle)
        return Gate(metric=self.metric, op="<=" if self.less else ">=", limit=limit)
