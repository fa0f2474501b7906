"""Judge a package: its evaluation, what is measured of it, and what is live, against the gates."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mlopskit import behaviour, isolated, packaging, plugins, robustness, timing, trainingrows
from mlopskit.cells import plain_cells
from mlopskit.data import Dataset
from mlopskit.datareport import DataReport
from mlopskit.datasummary import summary
from mlopskit.drift import TITLE, drift, sampled
from mlopskit.errors import VerdictError
from mlopskit.evaluation import Estimate, Evaluation
from mlopskit.evaluator import Answered
from mlopskit.evidence import Evidence
from mlopskit.gates import Finding, Gate, Verdict, judge
from mlopskit.modelpackage import ModelPackage
from mlopskit.packaging import Written
from mlopskit.recipe import Recipe
from mlopskit.registry import Registry
from mlopskit.relative import Comparing
from mlopskit.runtime.schema import Columns, check_columns
from mlopskit.tables import Table
from mlopskit.trainingrows import counts_of
from mlopskit.trust import trusted

LIVE = "production"


def judge_package(
    written: Written,
    recipe: Recipe,
    gates: Sequence[Gate],
    comparing: Comparing,
    /,
    *,
    checked: DataReport | None,
    evaluation: Evaluation | None = None,
) -> Verdict:
    """Return the verdict on a package that was just written: its gates, and whether test rows stand in the training.

    `comparing` is what `comparing_of` gave; `checked` is the report of the data check, None if the training rows are
    not known; `evaluation` is a later one than the package's own.
    """
    package, evaluation = written.package, evaluation or written.package.evaluation
    if evaluation is None:  # packaging always evaluates
        raise VerdictError("The package was not evaluated.", remedy="Package the model again.")
    measurements = timing.measure(package, recipe.test, gates)
    findings = judge(gates, _with(evaluation, measurements), comparing.findings(gates))
    overlap = "not checked"
    if checked is not None:
        overlap = f"{len(checked.shared)} of {len(recipe.test)} test rows stand in the training data"
        findings += _leaked(checked.shared, overlap)
    return Verdict(
        name=recipe.name,
        digest=package.digest,
        dataset=evaluation.dataset,
        findings=findings,
        seen_before=comparing.registry.verdicts_on(recipe.name, evaluation.dataset),
        overlap=overlap,
        warnings=tuple(checked.warnings()) if checked else (),
        measurements=measurements,
    )


def comparing_of(
    written: Written,
    recipe: Recipe,
    registry: Registry,
    /,
    *,
    endpoints: Sequence[str] = (),
    trust_code: Sequence[str] = (),
) -> Comparing:
    """Return what compares a package that was just written with what is live.

    `endpoints` are names that a gate may mean although nothing was deployed there yet; `trust_code` are the digests of
    packages from elsewhere that may run code of their own.
    """
    return Comparing(
        package=written.package,
        registry=registry,
        evaluator=recipe.evaluator or packaging.evaluator_for(written.package.task),
        data=recipe.test,
        outputs=written.outputs,
        perturbed=recipe.perturbed,
        endpoints=endpoints,
        trust_code=trust_code,
    )


def evidence_of(written: Written, train: Dataset | None, comparing: Comparing, /, *, worst_rows: int) -> Evidence:
    """Return what a person looks at beside the figures: what the evaluator shows, and what the data hold.

    So is by how much each metric differs from what is live, where a gate asked about that, and in which columns the
    training rows are not like those of production. Of the rows that went worst there are at most `worst_rows`.
    """
    test = comparing.data
    shown = comparing.evaluator.evidence(Answered(test.input_columns(), written.outputs), test)
    worth = [written.importance] if written.importance else []
    tables = [*comparing.tables(), *shown.tables, *worth, summary(train, test), *_drifted(train, comparing)]
    return dataclasses.replace(shown.limited(worst_rows), tables=tables)


def _drifted(train: Dataset | None, comparing: Comparing) -> list[Table]:
    """Return how the training rows differ from those of what is live in production, if it has learned others."""
    registry, name = comparing.registry, comparing.package.name
    digest = registry.live(name, LIVE)
    if train is None or digest is None or not registry.holds(name, digest):
        return []
    manifest = registry.manifest(name, digest)
    counts = counts_of(registry, manifest)
    if counts is None or manifest["provenance"]["data"]["train"] == train.digest:
        return []
    found = drift(counts, sampled(train), needed=manifest["schema"]["inputs"]["required"])
    return [found.shown(f"{TITLE}the training rows from those of {LIVE} ({digest[:19]})")]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A package that was judged again; `cases` holds the name of each behavioural test, and why it failed or None.

    `data` are the test rows, `outputs` what the package answered to them, by column.
    """

    package: ModelPackage
    verdict: Verdict
    cases: tuple[tuple[str, str | None], ...]
    data: Dataset = field(repr=False)
    outputs: Columns = field(repr=False)

    def answers(self) -> Table:
        """Return each test row with its label, what was answered, and its inputs, for a spreadsheet or a notebook."""
        data = self.data
        columns: dict[str, Sequence[Any]] = {"row": range(len(data))}
        columns |= {f"label {name}" if data.targets[1:] else "label": data.columns[name] for name in data.targets}
        columns |= {name: plain_cells(name, cells) for name, cells in self.outputs.items()}
        columns |= {f"input {name}": data.columns[name] for name in data.inputs}
        columns |= {f"slice {name}": data.columns[name] for name in data.slices if name not in data.inputs}
        return Table(tuple(columns), list(zip(*columns.values(), strict=True)))


def judge_again(
    package: ModelPackage,
    recipe: Recipe,
    gates: Sequence[Gate],
    registry: Registry,
    /,
    *,
    endpoints: Sequence[str] = (),
    trust_code: Sequence[str] = (),
) -> Judged:
    """Let a package of the registry answer the test rows and tests of a recipe, judge it, and keep the verdict.

    Raises:
        RowError: the test rows are not of its schema.
        UntrustedCodeError: it has code of its own, and may not run it here.
    """
    test, trust = recipe.test, trusted(package.digest, trust_code)
    formats = [model.format for model in package.models]
    check_columns(package.schema.inputs, test.input_columns())  # before a process is started for it
    with isolated.isolated_model(package.folder, digest=package.digest, formats=formats, trust_code=trust) as model:
        outputs = model.score(test.input_columns())
        cases = tuple((one.name, next(iter(behaviour.run([one], model)), None)) for one in recipe.cases or ())
        written = Written(package=package, outputs=outputs)
        comparing = comparing_of(written, recipe, registry, endpoints=endpoints, trust_code=trust_code)
        scorer = Answered(test.input_columns(), outputs, model)
        evaluation = robustness.evaluate(comparing.evaluator, scorer, test, recipe.perturbed)
    failures = tuple(failure for _, failure in cases if failure is not None)
    evaluation = dataclasses.replace(evaluation, failures=failures)
    learned = trainingrows.trained_on(registry, package, test, alike=False)  # as a run judges
    checked = None if learned is None else DataReport(findings=(), test=len(test), shared=tuple(sorted(learned)))
    verdict = judge_package(written, recipe, gates, comparing, checked=checked, evaluation=evaluation)
    plugins.notify(plugins.observers(), "mlopskit_evaluated", evaluation=evaluation, name=recipe.name)
    registry.add_verdict(verdict)
    return Judged(package=package, verdict=verdict, cases=cases, data=test, outputs=outputs)


def _with(evaluation: Evaluation, measurements: Sequence[Estimate]) -> Evaluation:
    return dataclasses.replace(evaluation, estimates=(*evaluation.estimates, *measurements))


def _leaked(shared: Sequence[int], text: str) -> tuple[Finding, ...]:
    if not shared:
        return ()
    reason = f"{text}, for example row {shared[0]}"
    return (
        Finding(gate="test rows apart from training rows", passed=False, reached=None, n=len(shared), reason=reason),
    )


def outcome_of(package: ModelPackage, verdict: Verdict, /) -> dict[str, Any]:
    """Return what a run's record keeps of its package and verdict: metrics, measurements, and which gates failed."""
    estimates = package.evaluation.estimates if package.evaluation else ()
    metrics = {one.title: one.value for one in estimates}
    sizes = {path: entry["size"] for path, entry in package.manifest["files"].items()}
    models = {f"{model.format}_bytes": sum(sizes[path] for path in model.files) for model in package.models}
    measured = {one.metric: one.value for one in verdict.measurements if math.isfinite(one.value)}
    failed = {finding.gate: finding.reason for finding in verdict.findings if not finding.passed}
    return {
        "metrics": {name: value for name, value in metrics.items() if math.isfinite(value)},
        "measurements": {**models, "package_bytes": sum(sizes.values()), **measured},
        "verdict": {"passed": verdict.passed, "gates": len(verdict.findings), "failed": failed},
    }
