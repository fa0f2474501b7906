"""Steps on vectors of numbers, for a block of rows at once; each does what that of its name in `vectors` does."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from .blocks import NARROW, Few, count_of, few_of, in_order, on_numbers, packed, written_out
from .values import Run, Value

_WEIGHTS = 1024  # up to which a sum is made in order, as for one row, and not by BLAS


def _take(np: Any, x: Value, *, indexes: list[int]) -> Run:
    at = np.array(indexes, dtype=np.int64)
    texts = any(x.texts[i] for i in indexes) if x.has_texts else False
    once = len(set(indexes)) == len(indexes)

    def few(block: Few) -> Any:
        if not once:
            return None
        new = np.full(x.width, -1)
        new[at] = np.arange(len(at))
        places = new[block.places]
        kept = places >= 0
        return packed(np, len(at), Few(block.rows[kept], places[kept], block.cells[kept], block.count))

    def run(block: Any) -> Any:
        if type(block) is Few:
            return few(block)
        if type(block) is not list:
            return block[at]
        columns = [block[i] for i in indexes]
        return columns if texts else np.array(columns).reshape(len(indexes), count_of(block))

    return run


def _concat(np: Any, *parts: Value) -> Run:
    texts = any(part.has_texts for part in parts)
    starts = [0, *itertools.accumulate(part.width for part in parts)]
    wide = starts[-1] > NARROW and any(part.sparse for part in parts)

    def few(blocks: Any) -> Any:
        given = [few_of(np, block) for block in blocks]
        places = [one.places + start for one, start in zip(given, starts, strict=False)]
        rows, cells = ([getattr(one, name) for one in given] for name in ("rows", "cells"))
        return Few(np.concatenate(rows), np.concatenate(places), np.concatenate(cells), given[0].count)

    def run(*blocks: Any) -> Any:
        if texts:
            return [*itertools.chain(*blocks)]
        return few(blocks) if wide else np.concatenate(blocks)

    return run


def _elementwise(name: str, *, keeps_zero: bool) -> Any:
    def make(np: Any, x: Value, *, values: list[float]) -> Run:
        function, table = getattr(np, name), np.array(values)
        whole = on_numbers(np, x, lambda block: function(block, table[:, None]))
        if not keeps_zero:
            return whole

        def run(block: Any) -> Any:
            if type(block) is not Few:
                return whole(block)
            return Few(block.rows, block.places, function(block.cells, table[block.places]), block.count)

        return run

    return make


def _each(function: Run) -> Run:
    """Return what is done to each element that is not zero, where zero stays zero."""

    def run(block: Any) -> Any:
        if type(block) is not Few:
            return function(block)
        return Few(block.rows, block.places, function(block.cells), block.count)

    return run


def _sum(np: Any, *parts: Value) -> Run:
    def run(*blocks: Any) -> Any:
        given = [written_out(np, part.width, block) for part, block in zip(parts, blocks, strict=True)]
        return None if any(one is None for one in given) else in_order(np, given)

    return run


def _clip(np: Any, x: Value, *, low: list[float], high: list[float]) -> Run:
    least, most = np.array(low)[:, None], np.array(high)[:, None]
    return on_numbers(np, x, lambda block: np.where(block < least, least, np.where(most < block, most, block)))


def _finite(np: Any, x: Value, *, missing: bool) -> Run:
    del x

    def run(block: Any) -> Any:
        cells = block.cells if type(block) is Few else block
        bad = np.isinf(cells).any() if missing else not np.isfinite(cells).all()
        return None if bad else block  # the row by itself says what is wrong with it

    return run


def _float32(np: Any, x: Value) -> Run:
    del x
    return _each(lambda cells: cells.astype(np.float32).astype(np.float64))


def _linear(np: Any, x: Value, *, weights: list[list[float]], bias: list[float]) -> Run:
    del x
    table, start = np.array(weights), np.array(bias)
    exact = table.size <= _WEIGHTS

    def few(block: Few) -> Any:
        sums = [np.bincount(block.rows, row[block.places] * block.cells, block.count) for row in table]
        return np.array(sums) + start[:, None]

    def run(block: Any) -> Any:
        if type(block) is Few:
            return few(block)
        if not exact:
            return table @ block + start[:, None]
        made, part = np.zeros((len(table), block.shape[1])), np.empty(block.shape[1])
        for number, row in enumerate(weights):
            for cells, weight in zip(block, row, strict=True):
                np.multiply(cells, weight, out=part)
                made[number] += part
        made += start[:, None]
        return made

    return run


def _constant(np: Any, x: Value, *, values: list[float]) -> Run:
    del x
    table = np.array(values)[:, None]
    return lambda block: np.broadcast_to(table, (len(values), count_of(block)))


def _normalize(np: Any, x: Value, *, norm: str, least: float) -> Run:
    def size(block: Any) -> Any:
        if norm == "max":
            return np.abs(block).max(axis=0, initial=0.0)
        parts = np.abs(block) if norm == "l1" else block * block
        total = in_order(np, parts) if len(parts) else np.zeros(block.shape[1])
        return total if norm == "l1" else np.sqrt(total)

    def few(block: Few) -> Any:
        cells = np.abs(block.cells) if norm == "l1" else block.cells * block.cells
        total = np.bincount(block.rows, cells, block.count)
        by = usable(total if norm == "l1" else np.sqrt(total))
        return Few(block.rows, block.places, block.cells / by[block.rows], block.count)

    def usable(by: Any) -> Any:
        return np.where((by < least) | (by == 0), 1.0, by)

    def run(block: Any) -> Any:
        if type(block) is Few and norm != "max":
            return few(block)
        block = written_out(np, x.width, block)
        if block is None or np.isnan(block).any():
            return None
        return block / usable(size(block))

    return run


def _sublinear(np: Any, x: Value) -> Run:
    del x

    def run(block: Any) -> Any:
        cells = block.cells if type(block) is Few else block
        return None if (cells < 0).any() else logs(block)

    logs = _each(lambda cells: np.where(cells == 0, 0.0, np.log(cells) + 1.0))
    return run


def _binarize(np: Any, x: Value, *, threshold: float) -> Run:
    function = lambda cells: (cells > threshold).astype(np.float64)  # noqa: E731  # used twice
    return _each(function) if threshold >= 0 else on_numbers(np, x, function)


MANY: Mapping[str, Any] = {
    "take": _take,
    "concat": _concat,
    "sum": _sum,
    "add": _elementwise("add", keeps_zero=False),
    "subtract": _elementwise("subtract", keeps_zero=False),
    "multiply": _elementwise("multiply", keeps_zero=True),
    "divide": _elementwise("divide", keeps_zero=True),
    "clip": _clip,
    "finite": _finite,
    "float32": _float32,
    "linear": _linear,
    "constant": _constant,
    "normalize": _normalize,
    "sublinear": _sublinear,
    "binarize": _binarize,
}
