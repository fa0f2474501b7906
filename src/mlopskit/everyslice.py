"""Gates on every slice of a column: a finding for each slice of enough rows, and one that names the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from mlopskit.datareport import shown

if TYPE_CHECKING:
    from mlopskit.evaluation import Estimate
    from mlopskit.gates import Finding, Gate


def column_of(slice: str, /) -> str | None:
    """Return the column of which every slice is meant, None if one slice or all rows are.

    >>> column_of("source=*")
    'source'
    """
    column, _, value = slice.partition("=")
    return column if value == "*" else None


def judgeable(estimate: Estimate | None, rows: int, /) -> int:
    """Return on how many of the rows of a slice a metric can be judged.

    One that is not defined although it has rows (its reason says so) is to fail as such: it has them all.
    """
    if estimate is None:
        return 0
    return rows if estimate.n == 0 and estimate.reason else estimate.n


def findings(gate: Gate, rows: Mapping[str, int], judge: Callable[[Gate], Finding], /) -> tuple[Finding, ...]:
    """Return the findings of a gate on every slice; `rows` says on how many rows each slice can be judged.

    The finding that names the slices with too few rows passes, unless the gate says that these fail, or all are such:
    then nothing was judged.
    """
    enough = [judge(replace(gate, slice=name)) for name, n in rows.items() if n >= gate.smallest_slice]
    small = sorted(((n, name) for name, n in rows.items() if n < gate.smallest_slice), reverse=True)
    if not small:
        return tuple(enough)
    what = f"{len(small)} slices have" if small[1:] else "1 slice has"
    named = shown([f"{name} ({n})" for n, name in small])
    why = "" if enough else "; no slice is left to judge"
    rest = gate.finding(
        f"not judged: {what} fewer than {gate.smallest_slice} rows for it: {named}{why}",
        passed=bool(enough) and gate.small_slices == "show",
        n=sum(n for n, _ in small),
    )
    return (*enough, replace(rest, judged=False))
