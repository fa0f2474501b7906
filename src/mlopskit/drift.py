"""Drift: in which columns new rows are not like the training rows any more, and by how much."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlopskit.data import Dataset
from mlopskit.evidence import shortened
from mlopskit.tables import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

SIGNIFICANCE = 0.05
LEAST = 0.1
MOST_ROWS = 100_000
# How the titles of tables begin that a report shows as drift, and what their second column says.
TITLE = "Drift of "
ALARM = "alarm"
_MOST_SHOWN = 100
# What is kept of training rows shows no cell that fewer have.
_FEWEST = 10
_BINS = 10
_MOST_NAMES = 50
_FEW_VALUES = 20
_COVERED = 0.5
_EXPECTED = 5.0


@dataclass(frozen=True, kw_only=True)
class ColumnCounts:
    """How many training rows had a cell in each place of a column.

    `kind` is "number" (places lie between `edges`, ten of about as many rows), "length" (the same of the lengths of
    texts) or "value" (a place for each of `names`, the values that at least ten rows have). The last two counts are of
    other cells and of missing ones.
    """

    column: str
    kind: str
    edges: Sequence[float]
    names: Sequence[Any]
    counts: Sequence[int]

    def place(self, cells: Sequence[Any], /) -> list[int]:
        """Return how many of some cells are in each place."""
        import numpy as np

        missing = sum(cell is None for cell in cells)
        if self.kind == "value":
            seen = Counter(cell for cell in cells if cell is not None)
            counts = [seen.pop(name, 0) for name in self.names]
            return [*counts, seen.total(), missing]
        numbers = _numbers(cells, self.kind)
        bins = np.bincount(np.searchsorted(self.edges, numbers, side="right"), minlength=len(self.edges) + 1)
        return [*bins.tolist(), len(cells) - missing - len(numbers), missing]

    def labels(self) -> list[str]:
        """Return what is in each place, in words."""
        if self.kind == "value":
            return [*(repr(name) for name in self.names), "other values", "missing"]
        ends = ["", *(f"{edge:.4g}" for edge in self.edges), ""]
        what = " characters" if self.kind == "length" else ""
        between = [f"{low} to {high}{what}" for low, high in itertools.pairwise(ends)]
        between[0], between[-1] = f"below {ends[1]}{what}", f"from {ends[-2]}{what}"
        return [*(between if self.edges else ["any"]), "of another type", "missing"]

    def as_table(self) -> dict[str, Any]:
        """Return the counts as a plain table, as a registry keeps them."""
        lists = {name: list(getattr(self, name)) for name in ("edges", "names", "counts")}
        return {"column": self.column, "kind": self.kind, **lists}


def sampled(data: Dataset, /) -> dict[str, Sequence[Any]]:
    """Return the input and target columns; of more than 100,000 rows those of a sample, the same each time."""
    rows = range(len(data))
    kept = data if len(data) <= MOST_ROWS else data.take(sorted(random.Random(0).sample(rows, MOST_ROWS)))  # noqa: S311  # no secret
    return {name: kept.columns[name] for name in (*data.inputs, *data.targets)}


def counted(data: Dataset, /) -> tuple[ColumnCounts, ...]:
    """Return the counts of each input and target column, of the rows of `sampled`.

    Columns without a cell, as targets that are not known, are left out.
    """
    columns = sampled(data)
    return tuple(_counted(name, cells) for name, cells in columns.items() if any(cell is not None for cell in cells))


def _counted(name: str, cells: Sequence[Any]) -> ColumnCounts:
    seen = Counter(cell for cell in cells if cell is not None)
    kind, edges, names = "value", [], []
    if len(seen) > _FEW_VALUES and len(_numbers(cells, "number")) == seen.total():
        kind, edges = "number", _edges(cells, "number")
    else:
        frequent = [value for value, times in seen.most_common(_MOST_NAMES) if times >= _FEWEST]
        if sum(seen[value] for value in frequent) >= _COVERED * seen.total() or not _numbers(cells, "length"):
            names = sorted(frequent, key=repr)
        else:
            kind, edges = "length", _edges(cells, "length")
    made = ColumnCounts(column=name, kind=kind, edges=edges, names=names, counts=())
    return ColumnCounts(column=name, kind=kind, edges=edges, names=names, counts=made.place(cells))


def _numbers(cells: Sequence[Any], kind: str) -> list[float]:
    if kind == "length":
        return [len(cell) for cell in cells if isinstance(cell, str)]
    return [float(cell) for cell in cells if isinstance(cell, int | float) and not isinstance(cell, bool)]


def _edges(cells: Sequence[Any], kind: str) -> list[float]:
    import numpy as np

    numbers = _numbers(cells, kind)
    bins = min(_BINS, len(numbers) // _FEWEST)
    if bins <= 1:
        return []
    edges: list[float] = np.unique(np.quantile(numbers, np.linspace(0, 1, bins + 1)[1:-1])).tolist()
    return edges


@dataclass(frozen=True, kw_only=True)
class ColumnDrift:
    """How a column of new rows differs from the training rows.

    `p` is the probability of so great a difference by chance, corrected for the number of columns; `moved` the share of
    the rows that lie elsewhere (half of the sum of the differences of the places' shares), `most` where that is most.
    """

    column: str
    p: float
    moved: float
    most: str
    alarm: bool


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How new rows differ from the training rows, by column; `absent` are the input columns that they lack."""

    rows: int
    columns: tuple[ColumnDrift, ...]
    absent: tuple[str, ...] = ()

    @property
    def alarm(self) -> bool:
        """Whether a column is absent, or has moved by more than chance and by more than was allowed."""
        return bool(self.alarms)

    @property
    def alarms(self) -> list[str]:
        """The columns for which there is an alarm."""
        return [*self.absent, *(one.column for one in self.columns if one.alarm)]

    def table(self) -> Table:
        """Return the columns as a table, the most moved first."""
        ordered = sorted(self.columns, key=lambda one: (-one.alarm, -one.moved))
        rows = [(one.column, one.alarm, one.moved, one.p, one.most) for one in ordered]
        absent = [(name, True, None, None, "absent") for name in self.absent]
        return Table(("column", "alarm", "moved", "p", "most"), [*absent, *rows])

    def shown(self, title: str, /) -> Table:
        """Return the most moved columns as a table for a report, cut to what a page holds."""
        rows = [
            (shortened(name), ALARM if alarm else None, moved, p, shortened(most))
            for name, alarm, moved, p, most in self.table().rows[:_MOST_SHOWN]
        ]
        return Table(("column", ALARM, "moved", "p", "most"), rows, title)

    def as_table(self) -> dict[str, Any]:
        """Return the drift as plain values."""
        columns = [dict(vars(one)) for one in self.columns]
        return {"rows": self.rows, "alarm": self.alarm, "columns": columns, "absent": list(self.absent)}


def drift(
    reference: Sequence[ColumnCounts],
    columns: Mapping[str, Sequence[Any]],
    /,
    *,
    needed: Sequence[str] = (),
    least: float = LEAST,
) -> Drift:
    """Return how new rows, as columns, differ from what was counted; columns that were not counted are passed over.

    Each column's counts are compared by the chi-square test of homogeneity, places with fewer than five expected rows
    pooled. An alarm takes a p of less than 0.05 by Holm's correction over the columns, and that at least the share
    `least` of the rows have moved: of very many rows every difference is more than chance. `needed` are the columns
    that must be there. Source: S. Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.
    """
    both = [one for one in reference if one.column in columns]
    compared = [_compared(one, one.place(columns[one.column])) for one in both]
    corrected = holm([p for p, _, _ in compared])
    found = tuple(
        ColumnDrift(column=one.column, p=p, moved=moved, most=most, alarm=p < SIGNIFICANCE and moved >= least)
        for one, p, (_, moved, most) in zip(both, corrected, compared, strict=True)
    )
    rows = max(map(len, columns.values()), default=0)
    return Drift(rows=rows, columns=found, absent=tuple(name for name in needed if name not in columns))


def _compared(reference: ColumnCounts, new: Sequence[int]) -> tuple[float, float, str]:
    """Return the p value, the share that moved, and where most did."""
    import numpy as np
    from scipy.stats import chi2_contingency

    counts = np.array([reference.counts, new], float)
    if not counts.sum(axis=1).all():
        return 1.0, 0.0, "no rows"
    pooled = _pooled(counts)
    p = float(chi2_contingency(pooled, correction=False).pvalue) if pooled.shape[1] > 1 else 1.0
    moved = float(np.abs(np.subtract(*_shares(pooled))).sum() / 2)
    shares = _shares(counts)
    at = int(np.abs(np.subtract(*shares)).argmax())
    return p, moved, f"{reference.labels()[at]}: {shares[0, at]:.1%} before, {shares[1, at]:.1%} now"


def _pooled(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the counts with the rarest places as one, so that at least five rows are expected in each."""
    import numpy as np

    ordered = counts[:, np.argsort(counts.sum(axis=0), kind="stable")]
    fewer = counts.sum(axis=1).min() / counts.sum()
    total = ordered.sum(axis=0)
    rare = int((total * fewer < _EXPECTED).sum())
    while rare and total[:rare].sum() * fewer < _EXPECTED and rare < len(total):
        rare += 1
    rest = ordered[:, rare:]
    return np.column_stack([ordered[:, :rare].sum(axis=1), rest]) if total[:rare].sum() else rest


def _shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = counts / counts.sum(axis=1, keepdims=True)
    return shares


def holm(p_values: Sequence[float], /) -> list[float]:
    """Return p values corrected for their number by Holm's method, in their order.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda one: p_values[one])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[at]))
        corrected[at] = highest
    return corrected
