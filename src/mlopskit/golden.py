"""Choose golden rows: few, telling, the same ones each time, and not bound to the order of the data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlopskit.runtime import canonical
from mlopskit.runtime.golden import PREDICTION, GoldenRow, probabilities_of
from mlopskit.runtime.schema import Row

Candidates = Sequence[tuple[str, int]]  # hash of the row, its number


def choose(
    rows: Sequence[Row], outputs: Sequence[Row], labels: Mapping[str, Sequence[Any]], /, *, count: int
) -> list[int]:
    """Return the numbers of at most `count` different rows, in the order of their hashes.

    Half are stratified over the classes of each target, missing and extreme values, a quarter are nearest to the
    decision boundary of some target, the rest is random (by hash).
    """
    by_hash: dict[str, int] = {}
    for number, row in enumerate(rows):
        by_hash.setdefault(hashlib.sha256(canonical.dumps(dict(row))).hexdigest(), number)
    hashed = sorted(by_hash.items())
    chosen: dict[int, None] = {}
    _take(chosen, _in_turn(_strata(rows, labels, hashed)), until=count // 2)
    _take(chosen, _nearest_boundary(outputs, hashed), until=count // 2 + count // 4)
    _take(chosen, (number for _, number in hashed), until=count)
    return [number for _, number in hashed if number in chosen]


def _take(chosen: dict[int, None], numbers: Iterable[int], *, until: int) -> None:
    for number in numbers:
        if len(chosen) >= until:
            return
        chosen[number] = None


def _strata(rows: Sequence[Row], labels: Mapping[str, Sequence[Any]], hashed: Candidates) -> list[list[int]]:
    numbers = [number for _, number in hashed]
    strata: dict[str, list[int]] = {}
    for target, cells in labels.items():
        for number in numbers:
            strata.setdefault(f"label {target} {cells[number]!r}", []).append(number)
    for column in rows[0]:
        strata[f"missing {column}"] = [number for number in numbers if rows[number][column] is None]
        present = [number for number in numbers if rows[number][column] is not None]
        # The sort is stable, so that rows of one size stay in hash order.
        by_size = sorted(present, key=lambda number: _size(rows[number][column]))
        strata[f"small {column}"] = by_size
        strata[f"large {column}"] = by_size[::-1]
    return [strata[name] for name in sorted(strata)]


def _size(cell: Any) -> float:
    return float(len(cell)) if isinstance(cell, str) else float(cell)


def _in_turn(strata: list[list[int]]) -> Iterator[int]:
    for position in range(max(map(len, strata), default=0)):
        for stratum in strata:
            if position < len(stratum):
                yield stratum[position]


def _nearest_boundary(outputs: Sequence[Row], hashed: Candidates) -> list[int]:
    predictions = [name for name in outputs[0] if name.startswith(PREDICTION)]
    classes = [probabilities_of(name, outputs[0]) for name in predictions]
    margins = [(_margin(outputs[number], classes), digest, number) for digest, number in hashed]
    return [number for margin, _, number in sorted(margins) if margin is not None] if margins[0][0] is not None else []


def _margin(output: Row, classes: Sequence[Sequence[str]]) -> float | None:
    """Return by how much the largest probability of a target exceeds its second at least, None if there are none."""
    scores = [sorted(float(output[name] or 0) for name in names) for names in classes]
    return min((one[-1] - one[-2] for one in scores if len(one) > 1), default=None)


def dump(golden: Iterable[GoldenRow], /) -> bytes:
    """Return golden rows as JSON Lines."""
    return b"".join(canonical.dumps({"row": dict(one.row), "expected": dict(one.expected)}) + b"\n" for one in golden)


def read_back(row: Mapping[str, Any], /) -> dict[str, Any]:
    """Return a row as a reader of golden.jsonl has it."""
    table: dict[str, Any] = canonical.parse(canonical.dumps(dict(row)), what="a golden row", limit=1 << 30)
    return {name: table[name] for name in row}
