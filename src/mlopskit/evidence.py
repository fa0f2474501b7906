"""Evidence: what a person looks at to believe an evaluation. Curves, counts and rows as bounded, plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mlopskit.errors import ConfigError
from mlopskit.tables import Table, Value

# What keeps a report small whatever the number of rows, classes and columns.
MOST_POINTS = 200
MOST_CLASSES = 20
MOST_ROWS = 20
MOST_COLUMNS = 12
MOST_TARGETS = 100
LONGEST_CELL = 200

POINTS = "points"

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
    kind: str  # "line", "bars" or "points", each of which is a row of the data
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
    """The plots, matrices and tables of one model on one dataset; an evaluator makes them, a report shows them.

    `rows` are tables whose lines are rows of the data, those that went worst first: settings may keep them out.
    """

    plots: Sequence[Plot] = ()
    matrices: Sequence[Matrix] = ()
    tables: Sequence[Table] = ()
    rows: Sequence[Table] = ()

    def limited(self, most: int, /) -> Evidence:
        """Return the evidence with at most so many rows of the data; with 0 also without plots of single rows."""
        kept = [replace(one, rows=list(one.rows)[:most]) for one in self.rows] if most else []
        plots = self.plots if most else [one for one in self.plots if one.kind != POINTS]
        return replace(self, plots=plots, rows=kept)

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
            rows=[Table(**one) for one in table.get("rows", ())],
        )


def check_worst_rows(most: int, /) -> int:
    """Return how many of the worst rows are to be shown, once it is known that so many can be.

    Raises:
        ConfigError: it is below 0, or more than are ever shown.
    """
    if not 0 <= most <= MOST_ROWS:
        raise ConfigError(
            f"worst_rows is {most}, expected 0 to {MOST_ROWS}.",
            remedy="Give how many of the worst test rows a report may show; 0 shows none.",
            key="worst_rows",
        )
    return most


def shortened(cell: Value, /) -> Value:
    """Return a cell of data as a report keeps it: a long text by its beginning."""
    return f"{cell[:LONGEST_CELL]}…" if isinstance(cell, str) and len(cell) > LONGEST_CELL else cell
