"""What a step makes of a block of rows, by numpy: each element's numbers beside one another, or only what is not zero.

A block is one of three: an array of double precision, an element a row and a row of the model a column; where there are
texts, a list with a column for each element, an array or a list; or a `Few`, where a vector is sparse and wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .values import Run, Sparse, Value

NARROW = 512  # elements up to which a sparse vector is written out
_MOST = 1 << 24  # numbers of a block that is written out


@dataclass(frozen=True)
class Few:
    """Sparse vectors of `count` rows: the number at `cells[i]` is the element `places[i]` of the row `rows[i]`."""

    rows: Any
    places: Any
    cells: Any
    count: int


def count_of(block: Any) -> int:
    """Return the number of rows of a block."""
    if type(block) is Few:
        return block.count
    return len(block[0]) if type(block) is list else int(block.shape[1])


def packed(np: Any, width: int, few: Few) -> Any:
    """Return sparse vectors as they are if they are wide, or else written out."""
    return written_out(np, width, few) if width <= NARROW else few


def written_out(np: Any, width: int, block: Any) -> Any:
    """Return numbers written out, or None where that would take too much."""
    if type(block) is not Few:
        return block
    if width * block.count > _MOST:
        return None
    found = np.zeros((width, block.count))
    found[block.places, block.rows] = block.cells
    return found


def few_of(np: Any, block: Any) -> Few:
    """Return numbers as those that are not zero."""
    if type(block) is Few:
        return block
    places, rows = np.nonzero(block)
    return Few(rows, places, block[places, rows], block.shape[1])


def on_numbers(np: Any, x: Value, run: Run) -> Run:
    """Return what is done to numbers that are written out as done to any block; it returns None where it cannot."""

    def on_any(block: Any) -> Any:
        numbers = written_out(np, x.width, block)
        return None if numbers is None else run(numbers)

    return on_any


def vectors_of(np: Any, value: Value, block: Any) -> list[Any]:
    """Return the vectors of a block, one for each row, as the steps on one row take them."""
    if value.sparse:
        few = few_of(np, block)
        found = [Sparse() for _ in range(few.count)]
        for row, place, cell in zip(few.rows.tolist(), few.places.tolist(), few.cells.tolist(), strict=True):
            found[row][place] = cell
        return found
    if type(block) is list:
        columns = [cells if type(cells) is list else cells.tolist() for cells in block]
        return [*map(list, zip(*columns, strict=True))]
    listed: list[Any] = block.T.tolist()
    return listed


def block_of(np: Any, value: Value, vectors: Sequence[Any]) -> Any:
    """Return vectors, one for each row, as a block."""
    if value.sparse:
        rows = np.repeat(np.arange(len(vectors)), [len(one) for one in vectors])
        places = np.array([place for one in vectors for place in one], dtype=np.int64)
        cells = np.array([cell for one in vectors for cell in one.values()], dtype=np.float64)
        return packed(np, value.width, Few(rows, places, cells, len(vectors)))
    if value.has_texts:
        columns = zip(*vectors, strict=True)
        return [
            list(cells) if text else np.array(cells, dtype=np.float64)
            for cells, text in zip(columns, value.texts, strict=True)
        ]
    made = np.array(vectors, dtype=np.float64).reshape(len(vectors), value.width)
    return np.ascontiguousarray(made.T)


def in_order(np: Any, parts: Any) -> Any:
    """Return the sum of arrays, from the first to the last."""
    total = np.array(parts[0])
    for part in parts[1:]:
        total += part
    return total
