"""What deployments leave behind: Answer → Receipt → Deployment, and the Run that trained the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlopskit.errors import ManifestError
from mlopskit.runtime.alias import AliasRecord
from mlopskit.runtime.golden import Mismatch
from mlopskit.runtime.schema import Row
from mlopskit.tables import Table, Value, card, known, plain

__all__ = [
    "AliasRecord",
    "Answer",
    "Approval",
    "Bundle",
    "Deployment",
    "Locator",
    "Receipt",
    "Run",
    "Runs",
]

# JSON; all that a later process needs to find a deployed bundle again.
Locator = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a deployed thing said: its rows, the digest that *it* names, and what ran it.

    `place` is "target", "emulated" or "local": where the answer was computed. `measurements` are times and sizes that
    were measured with it, by names that end with their unit: `cold_start_ms`, `memory_mb`, `bundle_mb` (2**20 bytes).
    """

    rows: Sequence[Row]
    digest: str
    runtime: Mapping[str, str]
    place: str = "target"
    measurements: Mapping[str, float] = field(default_factory=dict)


_WORDS = {"target": "the target", "emulated": "the target, emulated", "local": "the target, run here"}


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The comparison of an answer with the golden rows, and what was measured with it."""

    package: str
    place: str
    rows: int
    ties: int
    mismatches: tuple[Mismatch, ...]
    largest_difference: float
    runtime: Mapping[str, str]
    # Not compared: they are others each time, and whoever repeats a deployment has deployed once.
    measurements: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def passed(self) -> bool:
        """Whether there were rows, and all were answered as expected."""
        return self.rows > 0 and not self.mismatches

    @property
    def answered_by(self) -> str:
        """What answered, where, in words."""
        machine = f" on {self.runtime.get('machine', 'its processor')}" if self.place == "emulated" else ""
        return f"{_WORDS.get(self.place, self.place)} ({self.runtime.get('engine', 'unknown')}{machine})"

    def table(self) -> Table:
        """Return the mismatches as a table."""
        rows = [(one.row, one.output, _cell(one.expected), _cell(one.answered)) for one in self.mismatches]
        return Table(("row", "output", "expected", "answered"), rows)

    def facts(self) -> dict[str, Value]:
        """Return the receipt in a few numbers and words."""
        return {
            "golden rows": self.rows,
            "mismatches": len(self.mismatches),
            "ties": self.ties,
            "largest difference": self.largest_difference,
            "answered by": self.answered_by,
            **self.measurements,
        }

    def _repr_html_(self) -> str:
        outcome = "✓ passed" if self.passed else "✗ did not pass"
        return card(f"Receipt: {outcome}", {"package": self.package, **self.facts()}, self.table())

    def as_table(self) -> dict[str, Any]:
        """Return the receipt as a plain table."""
        mismatches = [dict(vars(one)) for one in self.mismatches]
        tables = {"runtime": dict(self.runtime), "measurements": dict(self.measurements)}
        return {**vars(self), "mismatches": mismatches, **tables}

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Receipt:
        """Return the receipt that a plain table says."""
        mismatches = tuple(Mismatch(**known(Mismatch, one)) for one in table["mismatches"])
        return cls(**{**known(cls, table), "mismatches": mismatches})


def _cell(value: Any) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The record of one deployment to one endpoint.

    `bundle` is the digest of what was pushed, `package` that of the package it was built from. `override` is the
    reason why a package without a passing verdict was let through.
    """

    endpoint: str
    target: str
    name: str
    package: str
    bundle: str
    locator: Locator
    receipt: Receipt
    operation: str
    who: str
    why: str
    when: str
    rollback: bool = False
    override: str | None = None

    def table(self) -> Table:
        """Return the deployment as a table of one line."""
        receipt = self.receipt
        row = (
            self.endpoint,
            self.target,
            self.name,
            self.package[:19],
            receipt.rows,
            len(receipt.mismatches),
            receipt.largest_difference,
        )
        return Table(
            ("endpoint", "target", "model", "package", "golden rows", "mismatches", "largest difference"), [row]
        )

    def as_table(self) -> dict[str, Any]:
        """Return the deployment as a plain table, as it stands in the registry."""
        return {**vars(self), "locator": dict(self.locator), "receipt": self.receipt.as_table()}

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Deployment:
        """Return the deployment that a plain table says."""
        return cls(**{**known(cls, table), "receipt": Receipt.from_table(table["receipt"])})

    def _repr_html_(self) -> str:
        what = "Rolled back" if self.rollback else "Deployed"
        facts = {"package": self.package, "when": self.when, "who": self.who, "why": self.why}
        title = f"{what}: {self.name} to {self.endpoint} ({self.target})"
        return card(title, {**facts, "override": self.override, **self.receipt.facts()}, self.receipt.table())


@dataclass(frozen=True, kw_only=True)
class Approval:
    """The record that somebody approved a package for an alias; whoever says it twice counts once."""

    name: str
    digest: str
    alias: str
    operation: str
    who: str
    why: str
    when: str

    def as_table(self) -> dict[str, Any]:
        """Return the approval as a plain table, as it stands in the registry."""
        return dict(vars(self))

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Approval:
        """Return the approval that a plain table says."""
        return cls(**known(cls, table))


@dataclass(frozen=True, kw_only=True)
class Run:
    """The record of one run: what it found changed, what it took and what came of it.

    `outcome` is "passed", "refused" or "failed" (`error` then says why); `seconds` are wall-clock times of its steps.
    `rows` and `data` are the numbers of rows and the digests of "train" and "test"; `settings` are the tables of
    mlopskit.toml that made the model; `metrics` are values by metric, or metric[slice]; `measurements` are sizes in
    bytes and times in seconds; `warnings` are what the data check said; `commit` is git's when the run began, and
    `clean` whether all was committed, both None where that is not known; `verdict` says whether it passed, and of each
    gate that did not, why; `installed` are the versions of the distributions that it imported. A failed run has what
    was known until then; one that an earlier release recorded lacks the fields that were not there yet.
    """

    id: str
    name: str
    outcome: str
    digest: str | None = None
    changed: Sequence[str] = ()
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    who: str = ""
    when: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    measurements: Mapping[str, float] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    commit: str | None = None
    clean: bool | None = None
    verdict: Mapping[str, Any] | None = None
    installed: Mapping[str, str] = field(default_factory=dict)

    @property
    def why(self) -> str:
        """Why it came out so: the error, or the gates that failed, or else what had changed."""
        failed = (self.verdict or {}).get("failed", {})
        if self.error:
            return self.error
        if failed:
            return "; ".join(f"{gate}: {reason}" for gate, reason in failed.items())
        return ", ".join(self.changed) or "forced"

    def table(self) -> Table:
        """Return the run as a table of one line."""
        return Runs([self]).table()

    def _repr_html_(self) -> str:
        facts = {"package": self.digest, "when": self.when, "who": self.who, "why": self.why}
        rows = {f"{part} rows": count for part, count in self.rows.items()}
        metrics = Table(("metric", "value"), [*self.metrics.items()])
        seconds = Table(("step", "seconds"), [*self.seconds.items()])
        warnings = Table(("warning of the data check",), [(text,) for text in self.warnings])
        return card(f"Run {self.id} of {self.name}: {self.outcome}", {**facts, **rows}, metrics, warnings, seconds)

    def as_table(self) -> dict[str, Any]:
        """Return the run as a plain table, as it stands in the registry."""
        return dict(vars(self))

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Run:
        """Return the run that a plain table says; fields of other releases are passed over, or have their defaults.

        Raises:
            ManifestError: it does not even say which run of which model this is, and how it ended.
        """
        for name in ("id", "name", "outcome"):
            if not isinstance(table.get(name), str):
                raise ManifestError(
                    f"The record of a run has no {name!r}.", remedy="Restore the registry from a copy.", field=name
                )
        return cls(**known(cls, table))


class Runs(tuple[Run, ...]):
    """The records of runs, oldest first."""

    __slots__ = ()

    def table(self) -> Table:
        """Return the runs as a table, the newest first."""
        rows = [
            (one.id, one.when, one.outcome, one.digest, _metrics(one), len(one.warnings) or None, one.why)
            for one in reversed(self)
        ]
        return Table(("run", "when", "outcome", "package", "metrics", "warnings", "why"), rows)

    def as_table(self) -> list[dict[str, Any]]:
        """Return the runs as plain tables, oldest first."""
        return [one.as_table() for one in self]

    def _repr_html_(self) -> str:
        return card("Runs", {"runs": len(self)}, self.table())


def _metrics(run: Run) -> str | None:
    """Return the metrics of all rows, in a few words."""
    shown = [f"{name} {plain(value)}" for name, value in run.metrics.items() if "[" not in name]
    return ", ".join(shown) or None


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What a deployer built from a package for one target: a sealed folder.

    `digest` is that of the bundle's own listing, `package` that of the package; `format` is the form of the model
    that it holds, None if it needs none. `listing` is the file that lists the others.
    """

    folder: Any
    name: str
    package: str
    digest: str
    format: str | None
    listing: str
    files: tuple[str, ...]
