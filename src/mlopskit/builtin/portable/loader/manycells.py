"""Steps that look cells up, fill them, or count terms, for a block of rows at once."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from .blocks import NARROW, Few, count_of, on_numbers, packed
from .hashing import murmur3
from .text import tokens_of
from .values import Run, Value

_REFUSE = -2  # the row
_HASHES = 1 << 16  # that are remembered


def _finder(np: Any, cells: list[Any], *, text: bool) -> Run:
    """Return the function that finds the place of each cell among some, or -1."""
    known = {cell: place for place, cell in enumerate(cells)}
    if text:
        return lambda column: np.fromiter(map(known.get, column, itertools.repeat(-1)), np.int64, len(column))
    order = sorted((cell, place) for cell, place in known.items() if cell is not None)
    numbers, places = np.array([one for one, _ in order]), np.array([place for _, place in order], dtype=np.int64)
    gap = known.get(None, -1)

    def find(column: Any) -> Any:
        gone = np.isnan(column)
        if not len(numbers):
            return np.where(gone, gap, -1)
        near = np.minimum(numbers.searchsorted(column), len(numbers) - 1)
        return np.where(gone, gap, np.where(numbers[near] == column, places[near], -1))

    return find


def _finders(np: Any, x: Value, tables: list[Mapping[str, Any]]) -> list[Run]:
    texts = x.texts or (False,) * x.width
    return [_finder(np, table["cells"], text=text) for table, text in zip(tables, texts, strict=True)]


def _onehot(np: Any, x: Value, *, width: int, tables: list[Mapping[str, Any]]) -> Run | None:
    targets = [{*table["at"], table["unknown"]} - {-1, _REFUSE} for table in tables]
    if len(set().union(*targets)) < sum(map(len, targets)):
        return None  # two elements make the same one
    find = _finders(np, x, tables)
    ways = [np.array([*table["at"], table["unknown"]]) for table in tables]

    def run(block: Any) -> Any:
        places = [way[of(cells)] for cells, of, way in zip(block, find, ways, strict=True)]
        if any((one == _REFUSE).any() for one in places):
            return None
        count = count_of(block)
        rows = np.arange(count)
        if width <= NARROW:
            found = np.zeros((width + 1, count))
            for one in places:
                found[one, rows] = 1.0
            return found[:width]
        kept = [one >= 0 for one in places]
        at = np.concatenate([one[keep] for one, keep in zip(places, kept, strict=True)])
        return Few(np.concatenate([rows[keep] for keep in kept]), at, np.ones(len(at)), count)

    return run if x.has_texts else on_numbers(np, x, run)


def _lookup(np: Any, x: Value, *, tables: list[Mapping[str, Any]]) -> Run:
    find = _finders(np, x, tables)
    ways = [(np.array([*table["values"], *table["unknown"]]), table["refuse"]) for table in tables]

    def run(block: Any) -> Any:
        made = np.empty((x.width, count_of(block)))
        for number, (cells, of, (values, refuse)) in enumerate(zip(block, find, ways, strict=True)):
            place = of(cells)
            if refuse and (place < 0).any():
                return None
            made[number] = values[place]
        return made

    return run if x.has_texts else on_numbers(np, x, run)


def _gone(np: Any, cells: Any, missing: Any) -> Any:
    if type(cells) is list:
        return np.fromiter((cell == missing for cell in cells), bool, len(cells))
    if missing is None:
        return np.isnan(cells)
    return cells == missing if type(missing) is not str else np.zeros(len(cells), dtype=bool)


def _fill(np: Any, x: Value, *, values: list[Any], missing: Any) -> Run:
    values = [np.nan if value is None else value for value in values]

    def filled(cells: Any, value: Any) -> Any:
        if type(cells) is list:
            return [value if cell == missing else cell for cell in cells]
        return np.where(_gone(np, cells, missing), value, cells)

    def run(block: Any) -> Any:
        made = [filled(cells, value) for cells, value in zip(block, values, strict=True)]
        return made if x.has_texts else np.array(made).reshape(block.shape)

    return run if x.has_texts else on_numbers(np, x, run)


def _missing(np: Any, x: Value, *, indexes: list[int], missing: Any) -> Run:
    def run(block: Any) -> Any:
        made = np.empty((len(indexes), count_of(block)))
        for number, place in enumerate(indexes):
            made[number] = _gone(np, block[place], missing)
        return made

    return run if x.has_texts else on_numbers(np, x, run)


def _counted(np: Any, width: int, counts: Sequence[Mapping[int, float]]) -> Any:
    rows = np.repeat(np.arange(len(counts)), [*map(len, counts)])
    chain = itertools.chain.from_iterable
    places = np.fromiter(chain(counts), np.int64, len(rows))
    cells = np.fromiter(chain(one.values() for one in counts), np.float64, len(rows))
    return packed(np, width, Few(rows, places, cells, len(counts)))


def _count(np: Any, x: Value, *, terms: list[str], binary: bool, **f: Any) -> Run:
    del x
    tokens = tokens_of(f)
    get = {term: place for place, term in enumerate(terms)}.get
    kind: Any = dict.fromkeys if binary else collections.Counter

    def run(block: Any) -> Any:
        counts = []
        for text in block[0]:
            found = kind(map(get, tokens([text])))
            found.pop(None, None)
            counts.append(dict.fromkeys(found, 1.0) if binary else found)
        return _counted(np, len(terms), counts)

    return run


def _hash(np: Any, x: Value, *, width: int, signs: bool, binary: bool, **f: Any) -> Run:
    del x
    tokens = tokens_of(f)

    def run(block: Any) -> Any:
        known: dict[str, tuple[int, float]] = {}
        counts = []
        for text in block[0]:
            found: collections.Counter[int] = collections.Counter()
            for token in tokens([text]):
                if token not in known:
                    if len(known) == _HASHES:
                        known.clear()
                    hashed = murmur3(token.encode())
                    known[token] = abs(hashed) % width, -1.0 if signs and hashed < 0 else 1.0
                place, by = known[token]
                found[place] += by  # type: ignore[assignment]  # a count of doubles
            counts.append(dict.fromkeys(found, 1.0) if binary else found)
        return _counted(np, width, counts)

    return run


MANY: Mapping[str, Any] = {
    "onehot": _onehot,
    "lookup": _lookup,
    "fill": _fill,
    "missing": _missing,
    "count": _count,
    "hash": _hash,
}
