"""What a data check found: findings with their severity, reason, rows and remedy, and the report of them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mlopskit.errors import DataError, MlopskitError
from mlopskit.tables import Table, plain

_SHOWN = 3
_LONGEST = 300
_MOST = 20

Severity = Literal["refuse", "warn"]


@dataclass(frozen=True, kw_only=True)
class DataFinding:
    """What one check found: how many rows (or columns) it concerns, where the first of them stand, and what to do."""

    check: str
    severity: Severity
    count: int
    reason: str
    remedy: str
    rows: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Where the first of its rows stand, and how many more there are; empty without rows."""
        return shown(self.rows, of=self.count) if self.rows else ""

    def __str__(self) -> str:
        where = f" ({self.where})" if self.rows else ""
        text = plain(f"{self.check}: {self.reason}{where}")
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """All findings on the rows to train and test on; it passes unless one of them refuses.

    `shared` holds the numbers of the test rows whose inputs stand in the training rows.
    """

    findings: tuple[DataFinding, ...]
    train: int | None = None
    test: int | None = None
    shared: tuple[int, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing refuses; there may be warnings."""
        return not self.refusals

    @property
    def refusals(self) -> tuple[DataFinding, ...]:
        """The findings that refuse."""
        return tuple(one for one in self.findings if one.severity == "refuse")

    def warnings(self) -> list[str]:
        """Return what only warns, each in one line of printable text with its first rows; at most 20 of them."""
        lines = [str(one) for one in self.findings if one.severity == "warn"]
        return lines if len(lines) <= _MOST else [*lines[: _MOST - 1], f"and {len(lines) - _MOST + 1} more"]

    def table(self) -> Table:
        """Return the findings as a table, those that refuse first."""
        ordered = sorted(self.findings, key=lambda one: one.severity)
        rows = [(one.check, one.severity, one.count, one.reason, one.where, one.remedy) for one in ordered]
        return Table(("check", "severity", "count", "reason", "rows", "remedy"), rows)

    def as_table(self) -> dict[str, Any]:
        """Return the report as plain JSON values; at most 100 rows are named for each finding."""
        findings = [{**vars(one), "rows": list(one.rows)} for one in self.findings]
        return {"findings": findings, "passed": self.passed, "rows": {"test": self.test, "train": self.train}}

    def enforce(self) -> None:
        """Raise if anything refuses.

        Raises:
            DataError: a finding refuses; the message holds the table.
        """
        if self.passed:
            return
        first, *more = self.refusals
        others = f" and {len(more)} more" if more else ""
        raise DataError(
            f"The data check refuses: {first.reason}{others}.\n{self.table().text()}\n",
            remedy=first.remedy,
            report=self,
        )

    def __str__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()


def from_error(error: MlopskitError, /) -> DataReport:
    """Return the report on data that cannot even be read or split, for the reason that an error gives."""
    known = error.culprits
    rows: tuple[str, ...] = ()
    if "file" in known:
        rows = (f"{known['file']}:{known['line']}" if "line" in known else str(known["file"]),)
    elif "place" in known:
        rows = (str(known["place"]),)
    reason = error.message.removesuffix(".")
    return DataReport(
        findings=(
            DataFinding(check="reading", severity="refuse", count=1, reason=reason, remedy=error.remedy, rows=rows),
        )
    )


def shown(texts: Sequence[str], /, *, of: int = 0) -> str:
    """Return the first of some texts in words, and how many more there are, of as many as these or more.

    >>> shown(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = max(of, len(texts)) - _SHOWN
    rest = f" and {more:,} more" if more > 0 else ""
    return f"{', '.join(texts[:_SHOWN])}{rest}"
