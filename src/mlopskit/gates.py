"""Gate → Finding → Verdict: a rule, its result, and all results for one digest with their reasons."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mlopskit import everyslice
from mlopskit.errors import ConfigError, unknown
from mlopskit.evaluation import Estimate, Evaluation
from mlopskit.tables import Table, Value, card, known

# A slice of fewer rows is not judged by a gate on every slice.
SMALLEST_SLICE = 50

SmallSlices = Literal["show", "fail"]

_NUMBER = r"[0-9.]+(?:[eE][-+]?[0-9]+)?"
_RULE = re.compile(
    r"(?P<metric>[A-Za-z][A-Za-z0-9_]*(?:\(.+?\))?)(?P<value>\.value)?(?:\[(?P<slice>[^\]=]+=[^\]]*)\])?"
    r"\s*(?P<op>>=|<=)\s*"
    # A name may hold '-' itself: only spaces around the sign make clear where it ends.
    rf"(?:(?P<limit>[-+]?{_NUMBER})|(?P<alias>[a-z][a-z0-9._-]*)(?:\s+(?P<sign>[-+])\s+(?P<margin>{_NUMBER}))?)"
)
_UNCLEAR = re.compile(r".*[-+][0-9.]+")


@dataclass(frozen=True, kw_only=True)
class Relative:
    """The limit of a gate that compares with what is live: `margin` is added to what the alias's package reaches."""

    alias: str
    margin: float = 0.0

    def __str__(self) -> str:
        sign = "-" if self.margin < 0 else "+"
        return f"{self.alias} {sign} {abs(self.margin):g}" if self.margin else self.alias


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A rule that reads as its user would say it.

    `at` is "bound" (`>=` judges the one-sided 95 % lower bound, `<=` the upper) or "value" (the plain value). A limit
    that is `Relative` judges the difference to another package on the same rows. The slice "column=*" means every slice
    of that column; those on which it has fewer than `smallest_slice` rows are not judged, which `small_slices` only
    shows or lets fail.

    >>> Gate.parse("accuracy >= 0.75")
    Gate(metric='accuracy', op='>=', limit=0.75, slice='', at='bound')
    >>> print(Gate.parse("recall.value[source=movies] >= 0.5"))
    recall.value[source=movies] >= 0.5
    >>> Gate.parse("accuracy >= production - 0.01").limit
    Relative(alias='production', margin=-0.01)
    """

    metric: str
    op: str
    limit: float | Relative
    slice: str = ""
    at: str = "bound"
    smallest_slice: int = field(default=SMALLEST_SLICE, repr=False)
    small_slices: SmallSlices = field(default="show", repr=False)

    @classmethod
    def parse(cls, text: str, /, *, smallest_slice: int = SMALLEST_SLICE, small_slices: SmallSlices = "show") -> Gate:
        """Return the gate that a text says.

        Raises:
            ConfigError: it is not `metric >= number` or `<=`, with `.value` or `[column=value]` if need be, or with an
                alias and a margin instead of the number.
        """
        match = _RULE.fullmatch(text.strip())
        limit = _limit(match) if match else None
        if match is None or limit is None:
            raise ConfigError(
                f"{ascii(text)} is not a gate.",
                remedy="Write a metric, '>=' or '<=', and a number, for example 'accuracy >= 0.75', "
                "'accuracy[source=movies] >= 0.65', or 'accuracy >= production - 0.01' with spaces around the sign.",
                gate=text,
            )
        return cls(
            metric=match["metric"],
            op=match["op"],
            limit=limit,
            slice=match["slice"] or "",
            at="value" if match["value"] else "bound",
            smallest_slice=smallest_slice,
            small_slices=small_slices,
        )

    def findings(self, evaluation: Evaluation) -> tuple[Finding, ...]:
        """Return the findings of this gate on an evaluation: one, or of every slice of a column one each."""
        column = everyslice.column_of(self.slice)
        rows: dict[str, int] = {}
        for one in evaluation.estimates if column and not isinstance(self.limit, Relative) else ():
            if one.slice.startswith(f"{column}="):
                rows[one.slice] = max(rows.get(one.slice, 0), one.n)
        if not rows or all(one.metric != self.metric for one in evaluation.estimates):
            return (self.judge(evaluation),)
        for name, n in rows.items():
            estimate = evaluation.find(self.metric, name)
            # Of rows on which the model fails nothing has a number of rows: they are not few for that.
            there = n or (evaluation.rows if estimate and estimate.reason else 0)
            if there >= self.smallest_slice:
                rows[name] = everyslice.judgeable(estimate, there)
        return everyslice.findings(self, rows, lambda one: one.judge(evaluation))

    def judge(self, evaluation: Evaluation) -> Finding:
        """Return the finding of this gate on an evaluation; nothing to judge is a failure with its reason."""
        if isinstance(self.limit, Relative):
            return self.finding(f"nothing to compare with {self.limit.alias!r} was given")
        estimate = evaluation.find(self.metric, self.slice)
        if estimate is None:
            return self.finding(_missing(self, evaluation))
        return self._judged(estimate, self.limit, "")

    def judge_difference(self, difference: Estimate, live: str) -> Finding:
        """Return the finding of a relative gate; `live` says what the difference is to."""
        margin = self.limit.margin if isinstance(self.limit, Relative) else self.limit
        return self._judged(difference, margin, f" beyond {live}")

    def judge_value(self, value: float, what: str, /) -> Finding:
        """Return the finding of a gate on one plain value, which is not estimated from rows; `what` says what it is."""
        passed = not isinstance(self.limit, Relative) and self._keeps(value, self.limit)
        return self.finding(f"{what} {value:.6g}", passed=passed, reached=value, n=1)

    def finding(
        self, reason: str, *, passed: bool = False, reached: float | None = None, n: int = 0, needed: int | None = None
    ) -> Finding:
        """Return a finding of this gate with a reason."""
        return Finding(gate=str(self), passed=passed, reached=reached, n=n, reason=reason, needed=needed)

    def _judged(self, estimate: Estimate, limit: float, beyond: str) -> Finding:
        reached = self._reached(estimate)
        if estimate.n == 0 or (reached is not None and not math.isfinite(reached)):
            return self.finding(estimate.reason or f"{self.metric} is not defined on {estimate.n} rows", n=estimate.n)
        if reached is None:
            return self.finding(f"not judged: {estimate.reason}, there are {estimate.n}", n=estimate.n)
        passed = self._keeps(reached, limit)
        reason, needed = self._reason(estimate, reached, beyond), None
        if not passed and self.at == "bound":
            from mlopskit.needed import rows_needed

            needed = rows_needed(estimate, limit, at_least=self.op == ">=")
            reason += f"; about {needed:,} rows would do at the same rates" if needed else ""
        return self.finding(reason, passed=passed, reached=reached, n=estimate.n, needed=needed)

    def _keeps(self, reached: float, limit: float) -> bool:
        return reached >= limit if self.op == ">=" else reached <= limit

    def _reached(self, estimate: Estimate) -> float | None:
        if self.at == "value":
            return estimate.value
        return estimate.lower if self.op == ">=" else estimate.upper

    def _reason(self, estimate: Estimate, reached: float, beyond: str) -> str:
        rows = f"on {estimate.n} rows"
        what = f"difference {estimate.value:+.4g}{beyond}" if beyond else f"value {estimate.value:.4g}"
        if self.at == "value":
            return f"the {what} {rows}, without regard to chance"
        side = "lower" if self.op == ">=" else "upper"
        return f"the 95 % {side} bound {reached:.4g} of the {what} {rows}"

    def __str__(self) -> str:
        at = ".value" if self.at == "value" else ""
        where = f"[{self.slice}]" if self.slice else ""
        limit = str(self.limit) if isinstance(self.limit, Relative) else f"{self.limit:g}"
        return f"{self.metric}{at}{where} {self.op} {limit}"


def _limit(match: re.Match[str]) -> float | Relative | None:
    """Return the limit that a rule says, None if it is none."""
    if match["alias"] is None:
        limit = _number(match["limit"])
        return limit if math.isfinite(limit) else None
    margin = _number(match["margin"] or "0")
    if not math.isfinite(margin) or _UNCLEAR.fullmatch(match["alias"]):
        return None
    return Relative(alias=match["alias"], margin=-margin if match["sign"] == "-" else margin)


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
    """The result of one gate: what it reached on how many rows, and why it passed or failed.

    `needed` is how many rows would let it pass at the same rates, where only rows are lacking. One that is not `judged`
    names slices with too few rows.
    """

    gate: str
    passed: bool
    reached: float | None
    n: int
    reason: str
    needed: int | None = None
    judged: bool = True


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """All findings for one digest. It passes if there are findings and all passed, or by an override's reason.

    `seen_before` counts earlier verdicts on the same test rows; `overlap` says whether rows of the training set were
    looked for among them, and `warnings` what else the data check said. `measurements` are timings and sizes, which
    differ from one machine to the next and are therefore no part of the package.
    """

    name: str
    digest: str
    dataset: str
    findings: tuple[Finding, ...]
    seen_before: int = 0
    overlap: str = "not checked"
    override: str | None = None
    warnings: tuple[str, ...] = ()
    measurements: tuple[Estimate, ...] = ()

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
        rows = [
            (one.gate, one.passed if one.judged or not one.passed else None, one.reached, one.n, one.reason)
            for one in self.findings
        ]
        return Table(("gate", "passed", "reached", "rows", "reason"), rows)

    def as_table(self) -> dict[str, Any]:
        """Return the verdict as a plain table, as it stands in the registry."""
        findings = [dict(vars(one)) for one in self.findings]
        lists = {"warnings": list(self.warnings), "measurements": [one.as_table() for one in self.measurements]}
        return {**vars(self), "findings": findings, **lists}

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Verdict:
        """Return the verdict that a plain table says."""
        findings = tuple(Finding(**known(Finding, one)) for one in table["findings"])
        measurements = tuple(Estimate(**known(Estimate, one)) for one in table.get("measurements", ()))
        warnings = tuple(table.get("warnings", ()))
        return cls(**{**known(cls, table), "findings": findings, "warnings": warnings, "measurements": measurements})

    def _repr_html_(self) -> str:
        outcome = "✓ passed" if self.passed else "✗ did not pass"
        facts: dict[str, Value] = {
            "package": self.digest,
            "overlap": self.overlap,
            "earlier verdicts on these rows": self.seen_before,
            "override": self.override,
        }
        warnings = Table(("warning of the data check",), [(text,) for text in self.warnings])
        return card(f"Verdict on {self.name}: {outcome}", facts, self.table(), warnings)


def judge(
    gates: Sequence[Gate], evaluation: Evaluation, relative: Mapping[Gate, Sequence[Finding]] | None = None, /
) -> tuple[Finding, ...]:
    """Return the findings of each gate, and one more if behavioural tests failed.

    `relative` holds the findings of the gates that compare with what is live.
    """
    known = relative or {}
    findings = [one for gate in gates for one in known.get(gate) or gate.findings(evaluation)]
    if evaluation.failures:
        shown = "; ".join(evaluation.failures[:3])
        findings.append(
            Finding(gate="behavioural tests", passed=False, reached=None, n=len(evaluation.failures), reason=shown)
        )
    return tuple(findings)
