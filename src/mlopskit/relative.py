"""Judge a package against the one that is live: both answer the same test rows, each in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from mlopskit import isolated
from mlopskit.data import Dataset
from mlopskit.errors import MlopskitError, StoreError
from mlopskit.evaluator import Evaluator
from mlopskit.gates import Finding, Gate, Relative
from mlopskit.modelpackage import ModelPackage
from mlopskit.registry import Registry
from mlopskit.runtime.schema import Columns
from mlopskit.runtime.scoring import Scorer


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
    """Compares a package with what is live under aliases, on the rows of a dataset."""

    package: ModelPackage
    registry: Registry
    evaluator: Evaluator
    data: Dataset

    def findings(self, gates: Sequence[Gate], /) -> dict[Gate, Finding]:
        """Return the finding of each gate that is relative to an alias.

        Nothing live passes: there is nothing to be worse than. A live package that cannot answer these rows fails.
        """
        live: dict[str, Scorer] = {}
        relative = [(gate, gate.limit.alias) for gate in gates if isinstance(gate.limit, Relative)]
        return {gate: self._finding(gate, alias, live) for gate, alias in relative}

    def _finding(self, gate: Gate, alias: str, scorers: dict[str, Scorer]) -> Finding:
        digest = live_digest(self.registry, self.package.name, alias)
        if digest is None:
            others = self.registry.aliases(self.package.name) + self.registry.endpoints(self.package.name)
            known = f"; known are {', '.join(sorted(set(others)))}" if others else ""
            return gate.finding(f"nothing is live under {alias!r} yet{known}", passed=True)
        what = f"{alias} ({digest[:19]}…)"
        if digest == self.package.digest:
            return gate.finding(f"this package is what is live under {alias!r}", passed=True)
        try:
            if alias not in scorers:
                live = self.registry.package(self.package.name, digest)
                scorers[alias] = self._answers(live)
            difference = self.evaluator.compare(
                self._own, scorers[alias], self.data, metric=gate.metric, slice=gate.slice
            )
        except MlopskitError as error:
            return gate.finding(f"{what} cannot be compared on these rows: {error.message}")
        if difference is None:
            name = f"{gate.metric}[{gate.slice}]" if gate.slice else gate.metric
            return gate.finding(f"the evaluator compares no {name} of two models")
        return gate.judge_difference(difference, what)

    @cached_property
    def _own(self) -> Scorer:
        return self._answers(self.package)

    def _answers(self, package: ModelPackage) -> Scorer:
        """Return what a package answers to the rows, as a scorer: it is asked once, in a process of its own."""
        if not package.models:
            raise StoreError("The package holds no model.", remedy="Package the model again.")
        formats = [model.format for model in package.models]
        wanted = package.schema.inputs["required"]
        inputs = {name: self.data.columns[name] for name in wanted if name in self.data.columns}
        with isolated.isolated_model(package.folder, digest=package.digest, formats=formats) as model:
            return _Answered(self.data.input_columns(), model.score(inputs))


@dataclass(frozen=True)
class _Answered:
    """A scorer of the one set of rows that was asked about."""

    inputs: Columns
    outputs: Columns

    def score(self, rows: Columns, /) -> Columns:
        if rows is not self.inputs and dict(rows) != dict(self.inputs):
            raise StoreError(
                "Another set of rows is scored than the test rows.", remedy="Let compare() score the data it is given."
            )
        return self.outputs
