"""What deployments leave behind: Answer → Receipt → Deployment, and the Run that trained the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlopskit.runtime.alias import AliasRecord
from mlopskit.runtime.schema import Row
from mlopskit.tables import Table

__all__ = ["AliasRecord", "Answer", "Bundle", "Deployment", "Locator", "Mismatch", "Receipt", "Run"]

# JSON; all that a later process needs to find a deployed bundle again.
Locator = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a deployed thing said: its rows, the digest that *it* names, and what ran it.

    `place` is "target", "emulated" or "local": where the answer was computed.
    """

    rows: Sequence[Row]
    digest: str
    runtime: Mapping[str, str]
    place: str = "target"


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A golden row that was answered otherwise: its number from 0, the output, what was expected, what was said."""

    row: int
    output: str
    expected: Any
    answered: Any


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The comparison of an answer with the golden rows."""

    package: str
    place: str
    rows: int
    ties: int
    mismatches: tuple[Mismatch, ...]
    largest_difference: float
    runtime: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether there were rows, and all were answered as expected."""
        return self.rows > 0 and not self.mismatches

    def table(self) -> Table:
        """Return the mismatches as a table."""
        rows = [(one.row, one.output, _cell(one.expected), _cell(one.answered)) for one in self.mismatches]
        return Table(("row", "output", "expected", "answered"), rows)

    def as_table(self) -> dict[str, Any]:
        """Return the receipt as a plain table."""
        mismatches = [dict(vars(one)) for one in self.mismatches]
        return {**vars(self), "mismatches": mismatches, "runtime": dict(self.runtime)}

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Receipt:
        """Return the receipt that a plain table says."""
        return cls(**{**table, "mismatches": tuple(Mismatch(**one) for one in table["mismatches"])})


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
        return cls(**{**table, "receipt": Receipt.from_table(table["receipt"])})

    def _repr_html_(self) -> str:
        return self.table().html()


@dataclass(frozen=True, kw_only=True)
class Run:
    """The record of one run: what it found changed, what it took and what came of it.

    `outcome` is "passed", "refused" or "failed" (`error` then says why); `seconds` are wall-clock times of its steps.
    """

    id: str
    name: str
    outcome: str
    digest: str | None
    changed: Sequence[str]
    fingerprint: Mapping[str, str]
    seconds: Mapping[str, float]
    error: str | None
    who: str
    when: str

    def as_table(self) -> dict[str, Any]:
        """Return the run as a plain table, as it stands in the registry."""
        return dict(vars(self))


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
