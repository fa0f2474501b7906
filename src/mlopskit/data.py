"""Dataset: rows at a URI or in hand, with a schema and a sha256 digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Rows as columns of plain cells, with the names of the inputs, the target and the slicing columns.

    `columns` holds every column, each a list of str, int, float, bool or None (missing; never NaN).
    """

    columns: Mapping[str, Sequence[Any]]
    target: str
    slices: tuple[str, ...] = ()
    weight: str | None = None

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The names of the input columns, in the order the model wants them."""
        return tuple(name for name in self.columns if name != self.target and name not in self.slices)
