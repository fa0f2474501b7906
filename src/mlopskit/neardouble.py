"""Test rows whose texts are nearly those of a training row: copied, with a few words changed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from mlopskit.data import Dataset

ALIKE = 0.8
MOST_ROWS = 100_000
_WORD = re.compile(r"\w+")
_RUN = 3
# Short texts are alike without being copies.
_FEWEST_WORDS = 10
# That two rows share four fifths of their runs and none of the eight least ones of each is next to impossible.
_SKETCH = 8
# What very many rows share is a form of words; so many of them are compared with.
_MOST_CANDIDATES = 20


def near_doubles(train: Dataset, test: Dataset, /) -> list[int]:
    """Return the numbers of the test rows that share four fifths of their runs of three words with a training row.

    The share is of the runs that either has; words are those of all text inputs, of any case and with any signs between
    them; rows of fewer than ten words are passed over. Of more than 100,000 rows none are looked at. Candidates are
    found by their least hashes. Source: A. Z. Broder, "On the resemblance and containment of documents", Compression
    and Complexity of Sequences (1997) 21-29.
    """
    if len(train) + len(test) > MOST_ROWS:
        return []
    names = [name for name in train.inputs if any(isinstance(cell, str) for cell in test.columns[name])]
    known: dict[int, list[frozenset[int]]] = {}
    for runs in _runs(train, names):
        for one in sorted(runs)[:_SKETCH]:
            rows = known.setdefault(one, [])
            if len(rows) < _MOST_CANDIDATES:
                rows.append(runs)
    return [row for row, runs in enumerate(_runs(test, names)) if _has_double(runs, known)]


def _runs(data: Dataset, names: Sequence[str]) -> Iterator[frozenset[int]]:
    """Yield the hashes of the runs of three words of each row, none of a row of few words."""
    columns: list[Sequence[Any]] = [data.columns[name] for name in names]
    for cells in zip(*columns, strict=True):
        words = _WORD.findall(" ".join(cell for cell in cells if isinstance(cell, str)).casefold())
        few = len(words) < _FEWEST_WORDS
        ends = range(0 if few else len(words) - _RUN + 1)
        yield frozenset(zlib.crc32(" ".join(words[at : at + _RUN]).encode("utf-8", "replace")) for at in ends)


def _has_double(runs: frozenset[int], known: dict[int, list[frozenset[int]]]) -> bool:
    candidates = (one for least in sorted(runs)[:_SKETCH] for one in known.get(least, ()))
    return any(len(runs & one) >= ALIKE * len(runs | one) for one in candidates)
