"""Steps from categories to numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .fields import CELLS, COUNT, FLAG, GAPS, INTEGERS, PLACE, listing, record
from .values import Op, Run, Sparse, Value, below, dense, same

_NONE = -1  # no element
_REFUSE = -2  # the row


def _looked_up(x: Value, tables: list[Mapping[str, Any]], key: str) -> list[dict[Any, Any]]:
    same(x, tables)
    texts = x.texts or (False,) * x.width
    found = []
    for table, text in zip(tables, texts, strict=True):
        cells, values = table["cells"], table[key]
        if len(cells) != len(values):
            raise ValueError("has a table of categories with other lengths")
        if any(cell is not None and (type(cell) is str) != text for cell in cells):
            raise ValueError("has categories of another type than its source")
        known = dict(zip(cells, values, strict=True))
        if len(known) != len(cells):
            raise ValueError("has a category twice")
        found.append(known)
    return found


def _onehot(x: Value, *, width: int, tables: list[Mapping[str, Any]]) -> Value:
    """Make a vector of zeros with a one for each element's category."""
    known = _looked_up(x, tables, "at")
    for table in tables:
        below(width, [at for at in table["at"] if at != _NONE], "output")
        below(width, [at for at in [table["unknown"]] if at not in (_NONE, _REFUSE)], "output")
    ways = [(one.get, table["unknown"]) for one, table in zip(known, tables, strict=True)]

    def run(v: Any) -> Sparse:
        found = Sparse()
        for cell, (get, unknown) in zip(v, ways, strict=True):
            at = get(None if cell != cell else cell, unknown)  # noqa: PLR0124  # NaN equals nothing
            if at >= 0:
                found[at] = 1.0
            elif at == _REFUSE:
                raise ValueError(f"the row has a category that this model does not know: {cell!a:.80}")
        return found

    return Value(width, dense(x, run), sparse=True)


def _lookup(x: Value, *, tables: list[Mapping[str, Any]]) -> Value:
    """Make a number of each element's category."""
    known = _looked_up(x, tables, "values")
    ways: list[tuple[Run, float, bool]] = []
    for one, table in zip(known, tables, strict=True):
        same(Value(1, list), table["unknown"])
        ways.append((one.get, table["unknown"][0], table["refuse"]))

    def run(v: Any) -> list[float]:
        found = []
        for cell, (get, unknown, refuse) in zip(v, ways, strict=True):
            number = get(None if cell != cell else cell)  # noqa: PLR0124
            if number is None:
                if refuse:
                    raise ValueError(f"the row has a category that this model does not know: {cell!a:.80}")
                number = unknown
            found.append(number)
        return found

    return Value(x.width, dense(x, run))


OPS: Mapping[str, Op] = {
    "onehot": Op(
        _onehot,
        {"width": COUNT, "tables": listing(record(cells=CELLS, at=INTEGERS, unknown=PLACE))},
    ),
    "lookup": Op(_lookup, {"tables": listing(record(cells=CELLS, values=GAPS, unknown=GAPS, refuse=FLAG))}),
}
