"""Estimate and Evaluation: what was measured of one model on one dataset, with bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlopskit.tables import Table, Value, card


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One metric's value with its one-sided 95 % bounds.

    `n` is the metric's own denominator, `method` names how the bounds were computed, `slice` is "" for all rows or
    "column=value". A bound is None where there is none, and `reason` says why. `counts` holds what the bounds of a
    proportion's difference were computed from, where they were: how many rows were gained and lost.
    """

    metric: str
    value: float
    lower: float | None
    upper: float | None
    n: int
    method: str
    slice: str = ""
    reason: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The metric, with its slice as gates write it: metric[column=value]."""
        return f"{self.metric}[{self.slice}]" if self.slice else self.metric

    def as_table(self) -> dict[str, Any]:
        """Return the estimate as a plain table, without what it does not say."""
        return {name: value for name, value in vars(self).items() if value or name not in ("reason", "counts")}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Estimates and failed behavioural tests of one model on one dataset. Deterministic."""

    dataset: str
    rows: int
    estimates: tuple[Estimate, ...]
    failures: tuple[str, ...] = ()

    def find(self, metric: str, slice: str = "") -> Estimate | None:
        """Return the estimate of a metric on a slice, None if there is none."""
        wanted = (metric, slice)
        return next((one for one in self.estimates if (one.metric, one.slice) == wanted), None)

    def table(self) -> Table:
        """Return the estimates as a table."""
        rows = [(one.metric, one.slice or "all", one.value, one.lower, one.upper, one.n) for one in self.estimates]
        return Table(("metric", "slice", "value", "lower", "upper", "rows"), rows)

    def as_table(self) -> dict[str, Any]:
        """Return the evaluation as a plain table, as it stands in a package."""
        return {
            "dataset": self.dataset,
            "rows": self.rows,
            "estimates": [one.as_table() for one in self.estimates],
            "failures": list(self.failures),
        }

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Evaluation:
        """Return the evaluation that a plain table says."""
        return cls(
            dataset=table["dataset"],
            rows=table["rows"],
            estimates=tuple(Estimate(**one) for one in table["estimates"]),
            failures=tuple(table["failures"]),
        )

    def _repr_html_(self) -> str:
        facts: dict[str, Value] = {"test rows": self.rows, "dataset": self.dataset}
        failures = Table(("failed behavioural test",), [(one,) for one in self.failures])
        return card("Evaluation", facts, self.table(), failures)
