"""Many rows by numpy, where it is installed: a block of them at a time, each step for all rows of the block at once.

A step that has no way of its own for a block, or does not want this one, is asked for each row by itself.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from .document import Output, Program
from .values import Run, Value

_ROWS = 4096  # of a block: what it holds stays near
_MOST = 1 << 22  # numbers of a step for a block


@functools.cache
def numpy() -> Any:
    """Return numpy, or None where it is not installed."""
    try:
        import numpy as np
    except ImportError:
        return None
    return np


class Batches:
    """A checked model made ready for many rows: columns in, a column for each output."""

    def __init__(self, np: Any, program: Program) -> None:
        from .blocks import NARROW

        self._np, self._program = np, program
        values = [value for value, _ in program.steps]
        self._ways = [
            None,
            *(_way(np, value, [values[one] for one in sources]) for value, sources in program.steps[1:]),
        ]
        widest = max(min(value.width, NARROW) if value.sparse else value.width for value in values)
        self._rows = max(1, min(_ROWS, _MOST // max(widest, 1)))

    def score(self, columns: Sequence[Any], /) -> list[Any]:
        """Return the outputs: an array each, of labels a list where no array holds them as they are."""
        np, outputs = self._np, self._program.outputs
        count = len(columns[0])
        found = [np.empty(count, dtype=np.float64 if one.labels is None else np.int64) for one in outputs]
        with np.errstate(all="ignore"):
            for start in range(0, count, self._rows):
                part = slice(start, start + self._rows)
                blocks = self._blocks([cells[part] for cells in columns])
                for cells, one in zip(found, outputs, strict=True):
                    cells[part] = self._element(blocks[one.step], one)
        return [_labelled(np, cells, one.labels) for cells, one in zip(found, outputs, strict=True)]

    def _blocks(self, columns: list[Any]) -> list[Any]:
        from .blocks import block_of, vectors_of

        found = [_rows(self._np, self._program.inputs, columns)]
        steps = self._program.steps
        for (value, sources), way in zip(steps[1:], self._ways[1:], strict=True):
            made = way(*[found[one] for one in sources]) if way else None
            if made is None:
                given = [vectors_of(self._np, steps[one][0], found[one]) for one in sources]
                made = block_of(self._np, value, [*map(value.run, *given)])
            found.append(made)
        return found

    def _element(self, block: Any, output: Output) -> Any:
        from .blocks import Few

        if type(block) is not Few:
            return block[output.at]
        cells = self._np.zeros(block.count)
        here = block.places == output.at
        cells[block.rows[here]] = block.cells[here]
        return cells


def _way(np: Any, value: Value, sources: Sequence[Value]) -> Run | None:
    """Return the function from the blocks of a step's sources to its own, if there is one."""
    from . import manycells, manypoints, manyscores, manytables, manytrees, manyvectors

    modules = (manyvectors, manyscores, manytables, manypoints, manycells, manytrees)
    known = {name: way for module in modules for name, way in module.MANY.items()}
    if value.op not in known or not all(one.width for one in sources):  # nothing is gained without an element
        return None
    made: Run | None = known[value.op](np, *sources, **value.fields)
    return made


def _rows(np: Any, inputs: Mapping[str, bool], columns: list[Any]) -> Any:
    """Return cells as the block of step 0."""
    if any(inputs.values()):
        return [
            (cells if type(cells) is list else [*cells]) if text else np.array(cells, dtype=np.float64)
            for cells, text in zip(columns, inputs.values(), strict=True)
        ]
    block = np.empty((len(columns), len(columns[0])))
    for row, cells in zip(block, columns, strict=True):
        row[:] = cells
    return block


def _labelled(np: Any, cells: Any, labels: list[Any] | None) -> Any:
    if labels is None:
        return cells
    table = np.array(labels)
    if table.dtype.kind in "biUf" and [*map(type, labels)] == [*map(type, table.tolist())] and table.tolist() == labels:
        return table[cells]
    return [labels[at] for at in cells.tolist()]
