"""Gate → Finding → Verdict: a rule, its result, and all results for one digest with their reasons."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlopskit.errors import ConfigError, unknown
from mlopskit.evaluation import Estimate, Evaluation
from mlopskit.tables import Table, Value, card

_RULE = re.compile(
    r"(?P<metric>[A-Za-z][A-Za-z0-9_]*)(?P<value>\.value)?(?:\[(?P<slice>[^\]=]+=[^\]]*)\])?"
    r"\s*(?P<op>>=|<=)\s*(?P<limit>[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)"
)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A rule that reads as its user would say it.

    `at` is "bound" (`>=` judges the one-sided 95 % lower bound, `<=` the upper) or "value" (the plain value).

    >>> Gate.parse("accuracy >= 0.75")
    Gate(metric='accuracy', op='>=', limit=0.75, slice='', at='bound')
    >>> print(Gate.parse("recall.value[source=movies] >= 0.5"))
    recall.value[source=movies] >= 0.5
    """

    metric: str
    op: str
    limit: float
    slice: str = ""
    at: str = "bound"

    @classmethod
    def parse(cls, text: str) -> Gate:
        """Return the gate that a text says.

        Raises:
            ConfigError: it is not `metric >= number` or `<=`, with `.value` or `[column=value]` if need be.
        """
        match = _RULE.fullmatch(text.strip())
        limit = _number(match["limit"]) if match else math.nan
        if match is None or not math.isfinite(limit):
            raise ConfigError(
                f"{ascii(text)} is not a gate.",
                remedy="Write a metric, '>=' or '<=', and a number, for example 'accuracy >= 0.75' "
                "or 'accuracy[source=movies] >= 0.65'.",
                gate=text,
            )
        return cls(
            metric=match["metric"],
            op=match["op"],
            limit=limit,
            slice=match["slice"] or "",
            at="value" if match["value"] else "bound",
        )

    def judge(self, evaluation: Evaluation) -> Finding:
        """Return the finding of this gate on an evaluation; nothing to judge is a failure with its reason."""
        estimate = evaluation.find(self.metric, self.slice)
        if estimate is None:
            return Finding(gate=str(self), passed=False, reached=None, n=0, reason=_missing(self, evaluation))
        reached = self._reached(estimate)
        if estimate.n == 0 or not math.isfinite(reached):
            reason = f"{self.metric} is not defined on {estimate.n} rows"
            return Finding(gate=str(self), passed=False, reached=None, n=estimate.n, reason=reason)
        passed = reached >= self.limit if self.op == ">=" else reached <= self.limit
        return Finding(
            gate=str(self), passed=passed, reached=reached, n=estimate.n, reason=self._reason(estimate, reached)
        )

    def _reached(self, estimate: Estimate) -> float:
        if self.at == "value":
            return estimate.value
        return estimate.lower if self.op == ">=" else estimate.upper

    def _reason(self, estimate: Estimate, reached: float) -> str:
        rows = f"on {estimate.n} rows"
        if self.at == "value":
            return f"the value {reached:.4g} {rows}, without regard to chance"
        side = "lower" if self.op == ">=" else "upper"
        return f"the 95 % {side} bound {reached:.4g} of the value {estimate.value:.4g} {rows}"

    def __str__(self) -> str:
        at = ".value" if self.at == "value" else ""
        where = f"[{self.slice}]" if self.slice else ""
        return f"{self.metric}{at}{where} {self.op} {self.limit:g}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _missing(gate: Gate, evaluation: Evaluation) -> str:
    metrics = {one.metric for one in evaluation.estimates}
    if gate.metric not in metrics:
        return str(unknown("metric", gate.metric, metrics))
    return str(unknown("slice", gate.slice, {one.slice for one in evaluation.estimates if one.slice}))


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one gate: what it reached on how many rows, and why it passed or failed."""

    gate: str
    passed: bool
    reached: float | None
    n: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """All findings for one digest. It passes if there are findings and all passed, or by an override's reason.

    `seen_before` counts earlier verdicts on the same test rows; `overlap` says whether rows of the training set were
    looked for among them.
    """

    name: str
    digest: str
    dataset: str
    findings: tuple[Finding, ...]
    seen_before: int = 0
    overlap: str = "not checked"
    override: str | None = None

    @property
    def passed(self) -> bool:
        """Whether every gate passed, and there was at least one."""
        return bool(self.findings) and all(finding.passed for finding in self.findings)

    @property
    def deployable(self) -> bool:
        """Whether it passed, or somebody took the responsibility and said why."""
        return self.passed or bool(self.override)

    def table(self) -> Table:
        """Return the findings as a table."""
        rows = [(one.gate, one.passed, one.reached, one.n, one.reason) for one in self.findings]
        return Table(("gate", "passed", "reached", "rows", "reason"), rows)

    def as_table(self) -> dict[str, Any]:
        """Return the verdict as a plain table, as it stands in the registry."""
        return {**vars(self), "findings": [dict(vars(one)) for one in self.findings]}

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Verdict:
        """Return the verdict that a plain table says."""
        return cls(**{**table, "findings": tuple(Finding(**one) for one in table["findings"])})

    def _repr_html_(self) -> str:
        outcome = "✓ passed" if self.passed else "✗ did not pass"
        facts: dict[str, Value] = {
            "package": self.digest,
            "overlap": self.overlap,
            "earlier verdicts on these rows": self.seen_before,
            "override": self.override,
        }
        return card(f"Verdict on {self.name}: {outcome}", facts, self.table())


def judge(gates: Sequence[Gate], evaluation: Evaluation) -> tuple[Finding, ...]:
    """Return a finding for each gate, and one more if behavioural tests failed."""
    findings = [gate.judge(evaluation) for gate in gates]
    if evaluation.failures:
        shown = "; ".join(evaluation.failures[:3])
        findings.append(
            Finding(gate="behavioural tests", passed=False, reached=None, n=len(evaluation.failures), reason=shown)
        )
    return tuple(findings)
