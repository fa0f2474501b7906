"""Evidence: what a person looks at to believe an evaluation. Curves, counts and rows as bounded, plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mlopskit.tables import Table, Value

# What keeps a report small whatever the number of rows, classes and columns.
MOST_POINTS = 200
MOST_CLASSES = 20
MOST_ROWS = 20
MOST_COLUMNS = 12
LONGEST_CELL = 200

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Series:
    """A named line, or a named cloud of points."""

    name: str
    points: Points


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One picture: lines, bars or points over two axes; with `diagonal`, the line y = x behind them."""

    title: str
    x: str
    y: str
    kind: str  # "line", "bars" or "points"
    series: Sequence[Series]
    diagonal: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Counts of rows by their label (down) and what was predicted (across)."""

    title: str
    labels: Sequence[str]
    counts: Sequence[Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The plots, matrices and tables of one model on one dataset; an evaluator makes them, a report shows them."""

    plots: Sequence[Plot] = ()
    matrices: Sequence[Matrix] = ()
    tables: Sequence[Table] = ()

    def as_table(self) -> dict[str, Any]:
        """Return the evidence as a plain table, as a registry keeps it."""
        return asdict(self)

    @classmethod
    def from_table(cls, table: Mapping[str, Any], /) -> Evidence:
        """Return the evidence that a plain table says."""
        return cls(
            plots=[Plot(**{**one, "series": [Series(**line) for line in one["series"]]}) for one in table["plots"]],
            matrices=[Matrix(**one) for one in table["matrices"]],
            tables=[Table(**one) for one in table["tables"]],
        )


def shortened(cell: Value, /) -> Value:
    """Return a cell of data as a report keeps it: a long text by its beginning."""
    return f"{cell[:LONGEST_CELL]}…" if isinstance(cell, str) and len(cell) > LONGEST_CELL else cell
