"""Judge a package against the one that is live: both answer the same test rows, each in a process of its own."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from mlopskit import everyslice, isolated, robustness, trainingrows
from mlopskit.data import Dataset
from mlopskit.errors import MlopskitError, StoreError
from mlopskit.evaluation import Estimate
from mlopskit.evaluator import Answered, Evaluator, slices_of
from mlopskit.gates import Finding, Gate, Relative
from mlopskit.modelpackage import ModelPackage
from mlopskit.registry import Registry
from mlopskit.runtime.schema import Columns, check_columns
from mlopskit.runtime.scoring import Scorer
from mlopskit.tables import Table, Value
from mlopskit.trust import trusted

# What an alias may be called although there is none of that name yet.
CONVENTIONAL = ("candidate", "production")
# As alike as 'production' and 'prodution'; 'testing' and 'staging' are not.
_CLOSE = 0.85
_MOST_METRICS = 20

# What a package answers to the rows and, by the name of their slice, to them changed; or why it does not.
Answers = Mapping[str, Answered | str]


@dataclass(frozen=True, kw_only=True)
class Comparing:
    """Compares a package with what is live under aliases, on the rows of a dataset.

    `outputs` are the package's answers to these rows, where they are known already; `perturbed` are these rows changed
    on purpose, by the name of their slice; `endpoints` are names that may be meant although nothing was deployed there
    yet; `trust_code` are the digests of packages from elsewhere that may run code of their own.
    """

    package: ModelPackage
    registry: Registry
    evaluator: Evaluator
    data: Dataset
    outputs: Columns | None = None
    perturbed: Mapping[str, Dataset] = field(default_factory=dict)
    endpoints: Sequence[str] = ()
    trust_code: Sequence[str] = ()
    # What is live under the aliases that gates named.
    _known: dict[str, _Live] = field(default_factory=dict, init=False, repr=False, compare=False)

    def findings(self, gates: Sequence[Gate], /) -> dict[Gate, tuple[Finding, ...]]:
        """Return the findings of each gate that is relative to an alias: one, or of every slice of a column one each.

        Nothing live passes: there is nothing to be worse than; a name that is almost a known one fails. A live package
        that cannot answer these rows fails.
        """
        relative = [(gate, gate.limit.alias) for gate in gates if isinstance(gate.limit, Relative)]
        return {gate: self._findings(gate, alias) for gate, alias in relative}

    def tables(self) -> list[Table]:
        """Return by how much each metric differs from what is live under each alias that gates named, for a report.

        McNemar's mid-p says, of a share of rows, how often chance alone would make models that are equally good differ
        so much. It judges nothing.
        """
        found = []
        for live in self._known.values():
            with contextlib.suppress(MlopskitError):  # its gates have said so
                differences = self.evaluator.differences(live.own, live.answers, live.data)
                found.append(_differences(differences, live))
        return [table for table in found if table.rows]

    def _findings(self, gate: Gate, alias: str) -> tuple[Finding, ...]:
        digest = self.registry.live(self.package.name, alias)
        if digest is None:
            return (self._nothing_live(gate, alias),)
        what = f"{alias} ({digest[:19]}…)"
        if digest == self.package.digest:
            return (gate.finding(f"this package is what is live under {alias!r}", passed=True),)
        try:
            if alias not in self._known:
                self._known[alias] = self._live(alias, digest)
            live = self._known[alias]
            if everyslice.column_of(gate.slice) is None:
                return (self._compared(gate, live, what),)
            return self._every_slice(gate, live, what)
        except MlopskitError as error:
            return (gate.finding(f"{what} cannot be compared on these rows: {error.message}"),)

    def _nothing_live(self, gate: Gate, alias: str) -> Finding:
        """Return the finding of a gate where there is nothing to be worse than, unless its alias looks mistyped."""
        name = self.package.name
        known = {*self.registry.aliases(name), *self.registry.endpoints(name), *self.endpoints, *CONVENTIONAL}
        if alias in known:
            return gate.finding(f"nothing is live under {alias!r} yet", passed=True)
        near = difflib.get_close_matches(alias, sorted(known), 1, _CLOSE)
        if near:
            meant = "if it is meant, name it as an endpoint in mlopskit.toml"
            return gate.finding(f"there is no endpoint or alias {alias!r}: did you mean {near[0]!r}? ({meant})")
        return gate.finding(
            f"nothing is live under {alias!r} yet; no endpoint or alias has this name, known are "
            f"{', '.join(sorted(known))}",
            passed=True,
        )

    def _compared(self, gate: Gate, live: _Live, what: str) -> Finding:
        rows, left = self._rows.get(gate.slice, ()), live.left(self._rows.get(gate.slice, ()))
        if rows and not left:
            return gate.finding(f"no row is left to compare on: {live.alias} was trained on all {len(rows)}")
        difference = self._difference(gate, live)
        return self._judged(gate, difference, live, what) if difference else _not_compared(gate)

    def _every_slice(self, gate: Gate, live: _Live, what: str) -> tuple[Finding, ...]:
        slices = [name for name in self._rows if name.startswith(f"{everyslice.column_of(gate.slice)}=")]
        left = {name: live.left(self._rows[name]) for name in slices}
        large = [replace(gate, slice=name) for name, n in left.items() if n >= gate.smallest_slice]
        differences = {one.slice: self._difference(one, live) for one in large}
        if not left or (large and not any(differences.values())):
            return (_not_compared(gate),)
        rows = left | {name: everyslice.judgeable(one, left[name]) for name, one in differences.items()}

        def judge(one: Gate) -> Finding:
            difference = differences[one.slice]
            return self._judged(one, difference, live, what) if difference else _not_compared(one)

        return everyslice.findings(gate, rows, judge)

    def _difference(self, gate: Gate, live: _Live) -> Estimate | None:
        changed = self.perturbed.get(gate.slice)
        if changed is None:
            return self.evaluator.compare(live.own, live.answers, live.data, metric=gate.metric, slice=gate.slice)
        data = changed.take(live.rows)
        sides = {"this package": self._own, live.alias: live.all}
        own, answers = (_known(side[gate.slice], who).take(data, live.rows) for who, side in sides.items())
        return robustness.compare(self.evaluator, own, answers, data, metric=gate.metric, slice=gate.slice)

    def _judged(self, gate: Gate, difference: Estimate, live: _Live, what: str) -> Finding:
        finding = gate.judge_difference(difference, what)
        total, left = len(self._rows[gate.slice]), live.left(self._rows[gate.slice])
        note = f"; compared on {left} of {total} rows: {live.alias} was trained on {total - left}"
        if live.trained_on is None:
            note = f"; overlap with {live.alias}'s training rows not checked"
        return replace(finding, reason=f"{finding.reason}{note if left < total or live.trained_on is None else ''}")

    @cached_property
    def _rows(self) -> dict[str, Sequence[int]]:
        """The numbers of the rows of each slice; the name of all rows is empty."""
        return dict(slices_of(self.data)) | dict.fromkeys(self.perturbed, range(len(self.data)))

    def _live(self, alias: str, digest: str) -> _Live:
        """Return both packages' answers to the rows that the live one was not trained on."""
        package = self.registry.package(self.package.name, digest)
        everything = self._answers(package)
        own, answers = _known(self._own[""], "this package"), _known(everything[""], alias)
        learned = trainingrows.trained_on(self.registry, package, self.data)
        left = [row for row in range(len(self.data)) if row not in (learned or ())]
        data = self.data
        if learned:
            data = self.data.take(left)
            own, answers = own.take(data, left), answers.take(data, left)
        about: dict[str, Any] = {"alias": alias, "trained_on": learned, "rows": left}
        return _Live(**about, data=data, own=own, answers=answers, all=everything)

    @cached_property
    def _own(self) -> Answers:
        if self.outputs is not None and not self.perturbed:
            return {"": Answered(self.data.input_columns(), self.outputs)}
        return self._answers(self.package)

    def _answers(self, package: ModelPackage) -> Answers:
        """Return what a package answers to the rows, and to them changed: it is asked once, in a process of its own."""
        if not package.models:
            raise StoreError("The package holds no model.", remedy="Package the model again.")
        formats = [model.format for model in package.models]
        wanted = package.schema.inputs["required"]
        inputs = {name: self.data.columns[name] for name in wanted if name in self.data.columns}
        check_columns(package.schema.inputs, inputs)
        trust = trusted(package.digest, [*self.trust_code, self.package.digest])
        with isolated.isolated_model(package.folder, digest=package.digest, formats=formats, trust_code=trust) as model:
            answers: Answers = {"": Answered(self.data.input_columns(), model.score(inputs))}
            return {**answers, **{slice: self._asked(model, slice, wanted) for slice in self.perturbed}}

    def _asked(self, model: Scorer, slice: str, wanted: Sequence[str]) -> Answered | str:
        """Return what a model answers to changed rows, or why it does not: the rows as they are may be compared."""
        changed = self.perturbed[slice]
        columns = {**self.data.columns, **changed.columns}  # what is a slice here may be an input there
        try:
            return Answered(changed.input_columns(), model.score({name: columns[name] for name in wanted}))
        except MlopskitError as error:
            return robustness.failing(slice, error)


def _known(answers: Answered | str, who: str) -> Answered:
    if isinstance(answers, str):
        raise StoreError(f"{who}: {answers}", remedy="Train it on such rows, or leave that gate out.")
    return answers


def _differences(differences: Sequence[Estimate], live: _Live) -> Table:
    from mlopskit.paired import mcnemar

    # Figures of the whole first, those of single classes and targets as far as there is room.
    ordered = sorted(differences, key=lambda one: "(" in one.metric)[:_MOST_METRICS]
    rows: list[tuple[Value, ...]] = []
    for one in ordered:
        value = one.value if one.n else None
        counts = [one.counts["gained"], one.counts["lost"]] if one.counts else None
        shares = (*counts, mcnemar(*counts)) if counts else (None, None, None)
        rows.append((one.metric, value, one.lower, one.upper, one.n, *shares, one.reason or one.method))
    columns = ("metric", "difference", "lower", "upper", "rows", "gained", "lost", "McNemar mid-p", "method")
    return Table(columns, rows, f"Difference from {live.alias}")


def _not_compared(gate: Gate) -> Finding:
    name = f"{gate.metric}[{gate.slice}]" if gate.slice else gate.metric
    return gate.finding(f"the evaluator compares no {name} of two models")


@dataclass(frozen=True, kw_only=True)
class _Live:
    """What is live under an alias, the rows it was trained on, and both packages' answers to the others, `data`."""

    alias: str
    trained_on: frozenset[int] | None
    rows: Sequence[int]  # the numbers of the others
    data: Dataset
    own: Answered
    answers: Answered
    all: Answers  # its own, to all the rows

    def left(self, rows: Sequence[int]) -> int:
        """Return how many of some rows it was not trained on, as far as is known."""
        learned = self.trained_on or frozenset()
        return sum(row not in learned for row in rows)
