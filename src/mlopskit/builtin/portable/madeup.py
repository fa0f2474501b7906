"""Rows that are made up: of the numbers and words that stand in a model's own tables, and of plain ones."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from mlopskit.builtin.portable.loader import load
from mlopskit.errors import RowError, StoreError
from mlopskit.runtime.golden import GoldenRow
from mlopskit.runtime.profile import types_of
from mlopskit.runtime.schema import Checker

ROWS = 100
_TRIED = 50 * ROWS
_MOST_WORDS = 12
_NUMBERS = (0.0, 1.0, -1.0, 0.5, 2.0, 10.0, -0.001, 1000.0)
_WORDS = ("", "a", "The", "DÉJÀ", "ΣΟΦΟΣ", "日本", "x_1", "don't")


def rows(files: Mapping[str, bytes], spec: Mapping[str, Any], /) -> list[GoldenRow]:
    """Return rows that the model answers, with these answers; nothing in them is of the data but what its tables hold.

    Raises:
        StoreError: the model answers none of many.
    """
    scorer, inputs = load(dict(files), spec), spec["schema"]["inputs"]
    (data,) = files.values()
    drawn = random.Random(hashlib.sha256(data).digest())  # noqa: S311  # the same rows each time, nothing secret
    pool, checker = _Pool(json.loads(data), drawn), Checker.of(inputs)
    found: list[GoldenRow] = []
    for _ in range(_TRIED):
        row = {name: pool.cell(inputs["properties"][name]) for name in inputs["required"]}
        try:
            answer = {name: cells[0] for name, cells in scorer.score(checker.rows([row])).items()}
        except (RowError, ValueError):  # one that the schema or the model refuses
            continue
        found.append(GoldenRow(row=row, expected=answer))
        if len(found) == ROWS:
            break
    if not found:
        raise StoreError(
            f"The model answers none of {_TRIED:,} rows that were made up: its self-test would test nothing.",
            remedy="Let golden rows go along (--publish-rows, in Python publish_rows=True), or take them from a file.",
        )
    return found


class _Pool:
    """Cells to draw from."""

    def __init__(self, document: Mapping[str, Any], drawn: random.Random) -> None:
        self._drawn = drawn
        cells = [*_cells(document["steps"])]
        self._words = sorted({one for one in cells if isinstance(one, str)}) or [*_WORDS]
        self._numbers = sorted({float(one) for one in cells if not isinstance(one, str)}) or [*_NUMBERS]

    def cell(self, spec: Mapping[str, Any]) -> Any:
        """Return a cell for a column."""
        draw = self._drawn
        kind = draw.choice(types_of(spec)) if draw.random() < 0.2 else types_of(spec)[0]  # noqa: PLR2004  # gaps are few
        if kind == "null":
            return None
        if "enum" in spec:
            return draw.choice(spec["enum"])
        if kind == "string":
            return self._text()
        if kind == "boolean":
            return draw.random() < 0.5  # noqa: PLR2004  # one or the other
        number = draw.choice(draw.choice((self._numbers, _NUMBERS)))
        return round(number) if kind == "integer" else number

    def _text(self) -> str:
        """Return a word of the tables alone, as a category is, or some in a row."""
        draw = self._drawn
        many = draw.choice((1, draw.randint(1, _MOST_WORDS)))
        if many == 1:
            return draw.choice(self._words)
        return " ".join(draw.choice(draw.choice((self._words, _WORDS))) for _ in range(many))


def _cells(value: Any, name: str = "") -> Iterator[Any]:
    """Yield what stands in those fields of steps that rows are compared with."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _cells(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from _cells(part, name)
    elif name in ("threshold", "edges", "cells", "terms") and isinstance(value, str | int | float):
        yield value
