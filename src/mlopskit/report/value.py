"""Report: what is reported of one package, as values."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlopskit import robustness
from mlopskit.drift import TITLE, Drift
from mlopskit.evidence import Evidence
from mlopskit.gates import Verdict
from mlopskit.modelpackage import ModelPackage
from mlopskit.records import Run
from mlopskit.tables import Table, Value

_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Report:
    """One package with its verdict, its run, its evidence, and what is live.

    `live` is the package that an alias names, `live_name` the alias; None says that nothing is live yet. `incoming`
    says how the rows that come in differ from its training rows, None where that is not known.
    """

    package: ModelPackage
    verdict: Verdict | None = None
    run: Run | None = None
    evidence: Evidence = field(default_factory=Evidence)
    live: ModelPackage | None = None
    live_name: str = "production"
    incoming: Drift | None = None

    @property
    def outcome(self) -> str:
        """What the verdict says, in a word or two."""
        if self.verdict is None:
            return "not judged"
        return "passed" if self.verdict.passed else "refused"

    @property
    def failed(self) -> list[str]:
        """Why it was refused: the failed gates with their reasons."""
        return [f"{one.gate}: {one.reason}" for one in self.verdict.findings if not one.passed] if self.verdict else []

    def gates(self) -> Table:
        """Return each gate with what was found."""
        return self.verdict.table() if self.verdict else Table(("gate", "passed", "reached", "rows", "reason"), ())

    def metrics(self) -> Table:
        """Return the figures of all rows, beside those of what is live where it was judged on the same rows."""
        found = self.package.evaluation
        live = self.live.evaluation if self.live else None
        same = found is not None and live is not None and live.dataset == found.dataset
        rows: list[tuple[Value, ...]] = []
        for one in found.estimates if found else ():
            if one.slice:
                continue
            other = live.find(one.metric) if live and same else None
            row = (one.metric, one.value, one.lower, one.upper, one.n, one.reason or one.method)
            compared = (other.value, one.value - other.value) if other else (None, None)
            rows.append((*row[:5], *(compared if same else ()), row[5]))
        beside = (self.live_name, "difference") if same else ()
        return Table(("metric", "value", "lower", "upper", "rows", *beside, "method"), rows)

    def live_note(self) -> str:
        """Return what is said of the package that is live."""
        if self.live is None:
            return f"Nothing is live under {self.live_name!r} yet: there is nothing to compare with."
        if self.live.digest == self.package.digest:
            return f"This package is what is live under {self.live_name!r}."
        found, live = self.package.evaluation, self.live.evaluation
        if found is None or live is None or found.dataset != live.dataset:
            return (
                f"What is live under {self.live_name!r} ({self.live.digest[:19]}) was judged on other test rows: "
                "figures beside each other would mislead."
            )
        return f"Beside what is live under {self.live_name!r} ({self.live.digest[:19]}), judged on the same rows."

    def slices(self) -> Table:
        """Return the figures of each slice; those of changed rows stand apart, in `robustness`."""
        found = self.package.evaluation
        rows = [
            (one.slice, one.metric, one.value, one.lower, one.upper, one.n)
            for one in (found.estimates if found else ())
            if one.slice and not robustness.is_change(one.slice)
        ]
        return Table(("slice", "metric", "value", "lower", "upper", "rows"), rows)

    def robustness(self) -> Table:
        """Return the figures of the test rows with typing errors and the like, beside those of the rows as they are."""
        return robustness.table(self.package.evaluation)

    def drift(self) -> list[Table]:
        """Return how its training rows differ from those of production, and the incoming rows from its own."""
        kept = [table for table in self.evidence.tables if table.title.startswith(TITLE)]
        now = [self.incoming.shown(f"{TITLE}the incoming rows from the training rows")] if self.incoming else []
        return [*kept, *now]

    def failures(self) -> Table:
        """Return the failed behavioural tests."""
        found = self.package.evaluation
        return Table(("failed behavioural test",), [(one,) for one in (found.failures if found else ())])

    def facts(self) -> dict[str, Value]:
        """Return what identifies the package and its run."""
        run, found = self.run, self.package.evaluation
        return {
            "package": self.package.digest,
            "task": self.package.task,
            "forms": ", ".join(model.format for model in self.package.models),
            "test rows": found.rows if found else None,
            "run": run.id if run else None,
            "made": f"{run.when} by {run.who}" if run else None,
            "overlap": self.verdict.overlap if self.verdict else None,
            "earlier verdicts on these test rows": self.verdict.seen_before if self.verdict else None,
        }

    def lineage(self) -> Table:
        """Return what the package was made of: digests of data and code, its settings' values."""
        origin = self.package.manifest["provenance"]
        rows: list[tuple[Value, ...]] = [
            (f"{kind} {name}", digest) for kind in ("data", "code") for name, digest in (origin.get(kind) or {}).items()
        ]
        rows += [(f"form left out: {form}", "; ".join(why)) for form, why in origin.get("refusals", {}).items()]
        rows += [(f"changed: {number}", text) for number, text in enumerate(self.run.changed, 1)] if self.run else []
        return Table(("made of", "what"), rows)

    def environment(self) -> Table:
        """Return what the package was made with."""
        made = self.package.manifest["environment"]
        rows = [(name, made[name]) for name in ("python", "implementation", "machine", "mlopskit")]
        return Table(("engine", "version"), [*rows, *made["packages"].items()])

    def schema(self) -> Table:
        """Return the inputs and outputs with their types."""
        from mlopskit.runtime.profile import types_of

        rows = [
            (side, name, " or ".join(types_of(table["properties"][name])))
            for side, table in (("input", self.package.schema.inputs), ("output", self.package.schema.outputs))
            for name in table["required"]
        ]
        return Table(("side", "column", "type"), rows)
