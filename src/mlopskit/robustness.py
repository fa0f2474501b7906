"""Robustness: a model is judged again on its test rows with typing errors, other letter case, or missing values.

Each kind of change is a slice of its own, `perturbed=typos` for example, of all test rows. No evaluator knows of it: it
is given other rows, once more.
"""

from __future__ import annotations

import logging
import random
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlopskit.data import Dataset
from mlopskit.errors import ConfigError, LimitError, MlopskitError, PackageError, RowError, UnsafeModelError, unknown
from mlopskit.evaluation import Estimate, Evaluation
from mlopskit.evaluator import Evaluator
from mlopskit.runtime.profile import types_of
from mlopskit.runtime.scoring import Scorer
from mlopskit.tables import Table, Value

COLUMN = "perturbed"
RATE = 0.1
_log = logging.getLogger("mlopskit")
_WORD = re.compile(r"\S+")
_JOINER = "\u200d"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A kind of change: what it makes of a column's cell, of which JSON type columns must be, and that in words."""

    cell: Callable[[Any, random.Random], Any]
    of: str
    needs: str


def check_changes(changes: Sequence[str], /) -> Sequence[str]:
    """Return kinds of changes, once it is known that there are such.

    Raises:
        UnknownNameError: there is no such kind of change.
    """
    for change in changes:
        if change not in CHANGES:
            raise unknown("kind of change", change, CHANGES)
    return changes


def perturbed(data: Dataset, changes: Sequence[str], schema: Mapping[str, Any], /) -> dict[str, Dataset]:
    """Return the rows of a dataset once for each kind of change, by the name of the slice that they are.

    `typos` edits about each tenth word of each text column: two letters are swapped, one is left out or doubled. `case`
    writes each cell of text in capitals or in small letters. `missing` takes away about a tenth of the cells of each
    column that may lack some by the schema of the inputs. Labels, weight and group stay; slices are left out. What is
    drawn is the same each time.

    Raises:
        UnknownNameError: there is no such kind of change.
        ConfigError: it changes none of the rows, or a column has the name that such slices have.
    """
    check_changes(changes)
    if changes and COLUMN in data.columns:
        raise ConfigError(
            f"The data have a column {COLUMN!r}, which is what the slices of changed rows are called by.",
            remedy="Name the column otherwise, or leave robustness out.",
            key="robustness",
        )
    return {f"{COLUMN}={change}": _changed(data, change, schema) for change in changes} if len(data) else {}


def _changed(data: Dataset, change: str, schema: Mapping[str, Any]) -> Dataset:
    kind = CHANGES[change]
    columns = {name: cells for name, cells in data.columns.items() if name not in data.slices}
    for name in data.inputs:
        if kind.of in types_of(schema["properties"].get(name, {"type": []})):
            drawn = random.Random(f"{change} {name}")  # noqa: S311  # the same each time, no secret
            columns[name] = [cell if cell is None else kind.cell(cell, drawn) for cell in data.columns[name]]
    if all(columns[name] == data.columns[name] for name in data.inputs):
        raise ConfigError(
            f"{change!r} in robustness changes none of the {len(data):,} test rows: it needs {kind.needs}.",
            remedy=f"Leave {change!r} out of robustness, or give test rows of that kind.",
            key="robustness",
        )
    return replace(data, columns=columns, slices=(), places=None)


def evaluate(evaluator: Evaluator, model: Scorer, data: Dataset, changed: Mapping[str, Dataset], /) -> Evaluation:
    """Return the evaluation of a model on a dataset, and on its rows changed, as further slices.

    Where the model fails on changed rows, no metric is defined on them, and says so: no gate on it passes.
    """
    found = evaluator.evaluate(model, data)
    whole = [one for one in found.estimates if not one.slice]
    more = [one for slice, rows in changed.items() for one in _estimates(evaluator, model, rows, slice, whole)]
    return replace(found, estimates=(*found.estimates, *more))


def _estimates(
    evaluator: Evaluator, model: Scorer, rows: Dataset, slice: str, whole: Sequence[Estimate]
) -> list[Estimate]:
    try:
        found = evaluator.evaluate(model, rows).estimates
    except (PackageError, RowError) as error:
        if isinstance(error, LimitError | UnsafeModelError):  # its process has ended: that is no answer
            raise
        reason = failing(slice, error)
        nothing: dict[str, Any] = {"value": 0.0, "lower": None, "upper": None, "n": 0, "reason": reason}
        return [replace(one, slice=slice, counts={}, **nothing) for one in whole]
    return [replace(one, slice=slice) for one in found if not one.slice]


def failing(slice: str, error: MlopskitError, /) -> str:
    """Return what is kept of a model's failure on changed rows; all of it is logged alone, for it may hold a cell."""
    _log.warning("The model fails on the rows %s: %s", slice, error.message)
    return f"the model fails on rows changed so ({type(error).__name__})"


def compare(
    evaluator: Evaluator, model: Scorer, other: Scorer, data: Dataset, /, *, metric: str, slice: str
) -> Estimate | None:
    """Return what an evaluator's `compare` says of all rows of changed data, as that of their slice."""
    found = evaluator.compare(model, other, data, metric=metric, slice="")
    return None if found is None else replace(found, slice=slice)


def is_change(slice: str, /) -> bool:
    """Say whether a slice is of changed rows.

    >>> is_change("perturbed=typos"), is_change("source=movies")
    (True, False)
    """
    column, _, change = slice.partition("=")
    return column == COLUMN and change in CHANGES


def table(evaluation: Evaluation | None, /) -> Table:
    """Return each figure of changed rows, and how far it lies from that of the rows as they are."""
    rows: list[tuple[Value, ...]] = []
    for one in evaluation.estimates if evaluation else ():
        if not is_change(one.slice):
            continue
        plain = evaluation.find(one.metric) if evaluation else None
        value = one.value if one.n else None
        difference = None if plain is None or not plain.n or value is None else value - plain.value
        rows.append(
            (one.slice.partition("=")[2], one.metric, value, one.lower, one.upper, one.n, difference, one.reason)
        )
    return Table(("changed by", "metric", "value", "lower", "upper", "rows", "difference", "note"), rows, "Robustness")


def _mistyped(cell: str, drawn: random.Random) -> str:
    return _WORD.sub(lambda word: _edited(word[0], drawn) if drawn.random() < RATE else word[0], cell)


def _edited(word: str, drawn: random.Random) -> str:
    """Return a word with one edit: two letters swapped, one left out, or one doubled; without two letters, the word."""
    letters = _letters(word)
    places = [at for at in range(len(letters) - 1) if letters[at][0].isalpha() and letters[at + 1][0].isalpha()]
    if not places:
        return word
    at = places[int(drawn.random() * len(places))]
    first, second = letters[at : at + 2]
    swapped = second + first if first != second else first
    edits = (swapped, second, first + first + second)
    return "".join([*letters[:at], edits[int(drawn.random() * len(edits))], *letters[at + 2 :]])


def _letters(word: str) -> list[str]:
    """Return what a reader takes for the letters of a word: an accent of its own belongs to the letter before it."""
    letters: list[str] = []
    for character in word:
        if letters and (unicodedata.category(character).startswith("M") or _JOINER in (character, letters[-1][-1])):
            letters[-1] += character
        else:
            letters.append(character)
    return letters


def _recased(cell: str, drawn: random.Random) -> str:
    """Return a text in capitals or in small letters, whichever is drawn, or the other one where that is the text."""
    ways = (cell.upper(), cell.lower())
    first = int(drawn.random() * len(ways))
    return ways[first] if ways[first] != cell else ways[1 - first]


def _taken(cell: Any, drawn: random.Random) -> Any:
    return None if drawn.random() < RATE else cell


CHANGES: Mapping[str, Change] = {
    "typos": Change(cell=_mistyped, of="string", needs="words of two letters or more in an input column of text"),
    "case": Change(cell=_recased, of="string", needs="letters that have a case in an input column of text"),
    "missing": Change(cell=_taken, of="null", needs="an input column that lacks a cell in a training or test row"),
}
