"""Judge a package against the one that is live: both answer the same test rows, each in a process of its own."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mlopskit import isolated, trainingrows
from mlopskit.data import Dataset
from mlopskit.errors import MlopskitError, StoreError
from mlopskit.evaluator import Evaluator, rows_of_slice
from mlopskit.gates import Finding, Gate, Relative
from mlopskit.modelpackage import ModelPackage
from mlopskit.registry import Registry
from mlopskit.runtime.schema import Columns
from mlopskit.trust import trusted

# What an alias may be called although there is none of that name yet.
CONVENTIONAL = ("candidate", "production")
# As alike as 'production' and 'prodution'; 'testing' and 'staging' are not.
_CLOSE = 0.85


def live_digest(registry: Registry, name: str, alias: str, /) -> str | None:
    """Return the digest that is live under an alias, or was deployed last to the endpoint of that name."""
    if alias in registry.aliases(name):
        head = registry.alias(name, alias).head()
        if head is not None and head.digest is not None:
            return head.digest
    if alias not in registry.endpoints(name):
        return None
    deployed = registry.deployments(name, alias)
    return deployed[-1].package if deployed else None


@dataclass(frozen=True, kw_only=True)
class Comparing:
    """Compares a package with what is live under aliases, on the rows of a dataset.

    `outputs` are the package's answers to these rows, where they are known already; `endpoints` are names that may be
    meant although nothing was deployed there yet; `trust_code` are the digests of packages from elsewhere that may run
    code of their own.
    """

    package: ModelPackage
    registry: Registry
    evaluator: Evaluator
    data: Dataset
    outputs: Columns | None = None
    endpoints: Sequence[str] = ()
    trust_code: Sequence[str] = ()

    def findings(self, gates: Sequence[Gate], /) -> dict[Gate, Finding]:
        """Return the finding of each gate that is relative to an alias.

        Nothing live passes: there is nothing to be worse than; a name that is almost a known one fails. A live package
        that cannot answer these rows fails.
        """
        live: dict[str, _Live] = {}
        relative = [(gate, gate.limit.alias) for gate in gates if isinstance(gate.limit, Relative)]
        return {gate: self._finding(gate, alias, live) for gate, alias in relative}

    def _finding(self, gate: Gate, alias: str, known: dict[str, _Live]) -> Finding:
        digest = live_digest(self.registry, self.package.name, alias)
        if digest is None:
            return self._nothing_live(gate, alias)
        what = f"{alias} ({digest[:19]}…)"
        if digest == self.package.digest:
            return gate.finding(f"this package is what is live under {alias!r}", passed=True)
        try:
            if alias not in known:
                known[alias] = self._live(alias, digest)
            return self._compared(gate, known[alias], what)
        except MlopskitError as error:
            return gate.finding(f"{what} cannot be compared on these rows: {error.message}")

    def _nothing_live(self, gate: Gate, alias: str) -> Finding:
        """Return the finding of a gate where there is nothing to be worse than, unless its alias looks mistyped."""
        name = self.package.name
        known = {*self.registry.aliases(name), *self.registry.endpoints(name), *self.endpoints, *CONVENTIONAL}
        if alias in known:
            return gate.finding(f"nothing is live under {alias!r} yet", passed=True)
        near = difflib.get_close_matches(alias, sorted(known), 1, _CLOSE)
        if near:
            meant = "if it is meant, name it as an endpoint in mlopskit.toml"
            return gate.finding(f"there is no alias or endpoint {alias!r}: did you mean {near[0]!r}? ({meant})")
        return gate.finding(
            f"nothing is live under {alias!r} yet; no alias or endpoint has this name, known are "
            f"{', '.join(sorted(known))}",
            passed=True,
        )

    def _compared(self, gate: Gate, live: _Live, what: str) -> Finding:
        rows = rows_of_slice(self.data, gate.slice) or ()
        learned = 0 if live.trained_on is None else sum(row in live.trained_on for row in rows)
        if learned and learned == len(rows):
            return gate.finding(f"no row is left to compare on: {live.alias} was trained on all {learned}")
        difference = self.evaluator.compare(live.own, live.answers, live.data, metric=gate.metric, slice=gate.slice)
        if difference is None:
            name = f"{gate.metric}[{gate.slice}]" if gate.slice else gate.metric
            return gate.finding(f"the evaluator compares no {name} of two models")
        finding = gate.judge_difference(difference, what)
        note = f"; compared on {len(rows) - learned} of {len(rows)} rows: {live.alias} was trained on {learned}"
        if live.trained_on is None:
            note = f"; overlap with {live.alias}'s training rows not checked"
        return replace(finding, reason=f"{finding.reason}{note if learned or live.trained_on is None else ''}")

    def _live(self, alias: str, digest: str) -> _Live:
        """Return both packages' answers to the rows that the live one was not trained on."""
        package = self.registry.package(self.package.name, digest)
        answers = self._answers(package)
        learned = trainingrows.trained_on(self.registry, package, self.data)
        if not learned:
            return _Live(alias=alias, trained_on=learned, data=self.data, own=self._own, answers=answers)
        left = [row for row in range(len(self.data)) if row not in learned]
        data = self.data.take(left)
        own, answers = self._own.take(data, left), answers.take(data, left)
        return _Live(alias=alias, trained_on=learned, data=data, own=own, answers=answers)

    @cached_property
    def _own(self) -> Answered:
        if self.outputs is not None:
            return Answered(self.data.input_columns(), self.outputs)
        return self._answers(self.package)

    def _answers(self, package: ModelPackage) -> Answered:
        """Return what a package answers to the rows, as a scorer: it is asked once, in a process of its own."""
        if not package.models:
            raise StoreError("The package holds no model.", remedy="Package the model again.")
        formats = [model.format for model in package.models]
        wanted = package.schema.inputs["required"]
        inputs = {name: self.data.columns[name] for name in wanted if name in self.data.columns}
        trust = trusted(package.digest, [*self.trust_code, self.package.digest])
        with isolated.isolated_model(package.folder, digest=package.digest, formats=formats, trust_code=trust) as model:
            return Answered(self.data.input_columns(), model.score(inputs))


@dataclass(frozen=True)
class Answered:
    """A scorer of the one set of rows that was asked about."""

    inputs: Columns
    outputs: Columns

    def score(self, rows: Columns, /) -> Columns:
        """Return what was answered."""
        if rows is not self.inputs and dict(rows) != dict(self.inputs):
            raise StoreError(
                "Another set of rows is scored than the test rows.", remedy="Let compare() score the data it is given."
            )
        return self.outputs

    def take(self, data: Dataset, rows: Sequence[int]) -> Answered:
        """Return the answers to these rows alone, which are those of `data`."""
        outputs = {name: [cells[row] for row in rows] for name, cells in self.outputs.items()}
        return Answered(data.input_columns(), outputs)


@dataclass(frozen=True, kw_only=True)
class _Live:
    """What is live under an alias, the rows it was trained on, and both packages' answers to the others, `data`."""

    alias: str
    trained_on: frozenset[int] | None
    data: Dataset
    own: Answered
    answers: Answered
