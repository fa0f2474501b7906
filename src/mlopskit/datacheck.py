"""Data check: what is wrong with rows before anything is trained on them, with the reason and where each row stands."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from mlopskit import rowkeys
from mlopskit.data import Dataset, overlap
from mlopskit.datareport import DataFinding, DataReport, Severity, shown
from mlopskit.errors import MlopskitError, unknown
from mlopskit.neardouble import near_doubles
from mlopskit.runtime.profile import types_of
from mlopskit.targetlike import are_classes, target_like

# What a project may take on purpose, by [data] allow.
ALLOWABLE = ("drift", "leakage")
# Where many rows are meant, so many are named; a table shows fewer.
_NAMED = 100
# Fewer test rows than this prove little: 30 right ones have the lower bound 0.05 ** (1 / 30) = 0.905.
_FEW = 30
_MOST_CATEGORIES = 50
_WIDENED = {("integer", "number")}
# A number as text, with a decimal comma or without: 1,5 and 1.234,5 and 7.
_NUMBER = re.compile(r"[-+]?[0-9]+(?:[.' ][0-9]{3})*(?:,[0-9]+)?", re.ASCII)

Named = tuple[str, Dataset]


def with_targets(data: Dataset, /, *, side: str = "") -> tuple[Dataset, list[DataFinding]]:
    """Return the rows that have every target, and the finding on those that have not."""
    columns = data.label_columns().values()
    lacking = sorted({row for labels in columns for row, cell in enumerate(labels) if cell is None})
    if not lacking:
        return data, []
    gone = set(lacking)
    how = "no row has" if len(lacking) == len(data) else f"{len(lacking):,} of {len(data):,} rows lack"
    found = DataFinding(
        check="target",
        severity="refuse",
        count=len(lacking),
        reason=f"{how} the target {', '.join(map(repr, data.targets))}",
        remedy="Fill it in, or leave those rows out.",
        rows=_places([(side, data)], [(0, row) for row in lacking]),
    )
    return data.take(row for row in range(len(data)) if row not in gone), [found]


def check(
    train: Dataset,
    test: Dataset,
    /,
    *,
    before: Mapping[str, Any] | None = None,
    allow: Sequence[str] = (),
    thorough: bool = True,
) -> DataReport:
    """Return what is to be said of the rows to train and test on; each has its targets, or no training row has.

    `before` is the JSON Schema of the inputs of the last run's package; `allow` names what refuses otherwise and is
    wanted here, one of `ALLOWABLE`. Only a `thorough` check looks for near doubles, which takes longer than all others.

    Raises:
        UnknownNameError: `allow` names something else.
    """
    for name in allow:
        if name not in ALLOWABLE:
            raise unknown("check that may be allowed", name, ALLOWABLE)
    labelled = any(label is not None for labels in train.label_columns().values() for label in labels)
    sides = [("train", train), ("test", test)]
    found = [*_columns(train, test, before), *_commas(sides)]
    shared: list[int] = []
    if set(train.inputs) == set(test.inputs) and train.inputs:
        shared = overlap(train, test)
        found += _classes(train, test) if labelled else []
        found += [*_sizes(train, test), *_twins(sides if labelled else sides[1:])]
        found += _leaks(train, test, shared, thorough=thorough)
        found += [*_missing(train, test), *_unseen(train, test)]
        if labelled and not any(one.severity == "refuse" for one in found):  # that is mended first
            found += target_like(train, test)
    findings = tuple(replace(one, severity="warn") if one.check in allow else one for one in found)
    return DataReport(findings=findings, train=len(train), test=len(test), shared=tuple(shared))


# --- columns --------------------------------------------------------------------------------------------------------


def _columns(train: Dataset, test: Dataset, before: Mapping[str, Any] | None) -> Iterator[DataFinding]:
    try:
        schema = train.joined(test).input_schema()
    except MlopskitError as error:
        reason = error.message.removesuffix(".")
        yield DataFinding(check="columns", severity="refuse", count=1, reason=reason, remedy=error.remedy)
        return
    if before is None:
        return
    for severity, changes in _drift(before["properties"], schema["properties"]).items():
        if changes:
            yield DataFinding(
                check="drift",
                severity=severity,
                count=len(changes),
                reason=f"the inputs are not those of the last package: {'; '.join(changes)}",
                remedy='Correct the data; if the change is meant, write allow = ["drift"] in [data] for one run.'
                if severity == "refuse"
                else "See that whoever sends rows knows of it.",
            )


def _drift(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[Severity, list[str]]:
    refuse = [f"{name!r} is gone" for name in before if name not in now]
    refuse += [f"{name!r} is new" for name in now if name not in before]
    warn: list[str] = []
    for name in now:
        if name in before and before[name]["type"] != now[name]["type"]:
            old, new = set(types_of(before[name])), set(types_of(now[name]))
            change = f"{name!r} was {' or '.join(sorted(old))}, is {' or '.join(sorted(new))}"
            kinds = (*(old - {"null"}), *(new - {"null"}))
            (warn if kinds[0] == kinds[-1] or kinds in _WIDENED else refuse).append(change)
    return {"refuse": refuse, "warn": warn}


def _commas(sides: Sequence[Named]) -> Iterator[DataFinding]:
    """Yield the columns of texts that all are numbers, some of them with a comma."""
    for name in (*sides[0][1].inputs, *sides[0][1].targets):
        columns = [data.columns.get(name, ()) for _, data in sides]
        if not all(cell is None or (isinstance(cell, str) and _NUMBER.fullmatch(cell)) for cell in chain(*columns)):
            continue
        rows = [(at, row) for at, cells in enumerate(columns) for row, cell in enumerate(cells) if cell and "," in cell]
        if rows:
            yield DataFinding(
                check="decimal commas",
                severity="warn",
                count=len(rows),
                reason=f"{name!r} is text, though it holds numbers with a comma",
                remedy="Write plain numbers, 1.5 instead of 1,5, so that the column is read as such.",
                rows=_places(sides, rows),
            )


def _missing(train: Dataset, test: Dataset) -> Iterator[DataFinding]:
    for name in train.inputs:
        if None in test.columns[name] and None not in train.columns[name]:
            rows = [(0, row) for row, cell in enumerate(test.columns[name]) if cell is None]
            yield DataFinding(
                check="missing",
                severity="warn",
                count=len(rows),
                reason=f"{name!r} is missing in test rows, in training rows never: the model learns nothing about that",
                remedy="Fill it in, or add an imputer to the model.",
                rows=_places([("test", test)], rows),
            )


def _unseen(train: Dataset, test: Dataset) -> Iterator[DataFinding]:
    for name in train.inputs:
        known = set(train.columns[name])
        if len(known) > min(_MOST_CATEGORIES, len(train) // 2) or not any(isinstance(cell, str) for cell in known):
            continue
        rows = [(0, row) for row, cell in enumerate(test.columns[name]) if cell is not None and cell not in known]
        if rows:
            values = sorted({repr(test.columns[name][row]) for _, row in rows})
            yield DataFinding(
                check="categories",
                severity="warn",
                count=len(rows),
                reason=f"{name!r} has values in test rows that no training row has: {shown(values)}",
                remedy="See that the model takes them, for example by OneHotEncoder(handle_unknown='ignore').",
                rows=_places([("test", test)], rows),
            )


# --- targets --------------------------------------------------------------------------------------------------------


def _classes(train: Dataset, test: Dataset) -> Iterator[DataFinding]:
    for name, labels in train.label_columns().items():
        counts = Counter(labels)
        if len(counts) == 1:
            yield DataFinding(
                check="classes",
                severity="refuse",
                count=len(train),
                reason=f"all training rows have the same {name!r}: {labels[0]!r}",
                remedy="Give rows of at least two classes.",
            )
        elif are_classes(labels):
            yield from _rare(train, test, name, counts)


def _rare(train: Dataset, test: Dataset, name: str, counts: Counter[Any]) -> Iterator[DataFinding]:
    new = [(0, row) for row, label in enumerate(test.columns[name]) if label not in counts]
    rare = [(0, row) for row, label in enumerate(train.columns[name]) if counts[label] == 1]
    labels = shown(sorted({repr(test.columns[name][row]) for _, row in new}))
    about = {
        f"{name!r} has values in test rows that no training row has: {labels}": (new, ("test", test)),
        f"{len(rare)} values of {name!r} have one training row each": (rare, ("train", train)),
    }
    for reason, (rows, side) in about.items():
        if rows:
            yield DataFinding(
                check="classes",
                severity="warn",
                count=len(rows),
                reason=reason,
                remedy="Give more rows of these classes, or leave them out.",
                rows=_places([side], rows),
            )


def _sizes(train: Dataset, test: Dataset) -> Iterator[DataFinding]:
    for side, data in (("training", train), ("test", test)):
        if len(data) < _FEW:
            proven = math.floor(1000 * 0.05 ** (1 / max(len(data), 1))) / 1000
            limit = f"; if all were right, a share of {proven} would be proven" if side == "test" else ""
            yield DataFinding(
                check="rows",
                severity="warn",
                count=len(data),
                reason=f"there are only {len(data)} {side} rows{limit}",
                remedy="Give more rows.",
            )


# --- rows that repeat -----------------------------------------------------------------------------------------------


def _twins(sides: Sequence[Named]) -> Iterator[DataFinding]:
    """Yield the rows that repeat an earlier one, and those whose inputs an earlier one has with another target."""
    first: dict[Hashable, Hashable] = {}
    seen: set[Hashable] = set()
    duplicates, conflicts = [], []
    for at, (_, data) in enumerate(sides):
        names = sides[0][1].inputs
        labels = zip(*data.label_columns().values(), strict=True)
        inputs = zip(*(data.columns[name] for name in names), strict=True)
        for row, (key, label) in enumerate(zip(inputs, labels, strict=True)):
            if (key, label) in seen:
                duplicates.append((at, row))
            elif first.setdefault(key, label) != label:
                conflicts.append((at, row))
            seen.add((key, label))
    remedy = "Leave them out unless they are meant."
    yield from _repeated("duplicates", duplicates, sides, "repeat an earlier row", remedy)
    if all(are_classes([*chain.from_iterable(data.label_columns().values())]) for _, data in sides):
        what = "have the inputs of an earlier row and another target"
        remedy = "Correct the targets, or add a column that tells the rows apart."
        yield from _repeated("conflicts", conflicts, sides, what, remedy)


def _repeated(
    check: str, rows: Sequence[tuple[int, int]], sides: Sequence[Named], what: str, remedy: str
) -> Iterator[DataFinding]:
    if rows:
        total = sum(len(data) for _, data in sides)
        reason = f"{len(rows):,} of {total:,} rows {what}"
        places = _places(sides, rows)
        yield DataFinding(check=check, severity="warn", count=len(rows), reason=reason, remedy=remedy, rows=places)


def _leaks(train: Dataset, test: Dataset, exact: Sequence[int], *, thorough: bool) -> Iterator[DataFinding]:
    alike = sorted(set(_alike(train, test)) - set(exact))
    near = sorted(set(near_doubles(train, test)) - set(exact) - set(alike)) if thorough else []
    what = "stand in the training rows"
    yield from _leaked("leakage", test, exact, what, "Leave them out of one side, or split by 'row' or by a group.")
    what = "differ from training rows by case, spaces or form alone"
    remedy = "Write such texts alike in the data, so that they stay on one side."
    yield from _leaked("near leakage", test, alike, what, remedy, severity="warn")
    what = "have nearly the words of a training row"
    remedy = "Split by a group that keeps copies together, or leave them out of one side."
    yield from _leaked("near doubles", test, near, what, remedy, severity="warn")


def _leaked(
    check: str, test: Dataset, rows: Sequence[int], what: str, remedy: str, *, severity: Severity = "refuse"
) -> Iterator[DataFinding]:
    if rows:
        reason = f"{len(rows):,} of {len(test):,} test rows {what}"
        places = _places([("test", test)], [(0, row) for row in rows])
        yield DataFinding(check=check, severity=severity, count=len(rows), reason=reason, remedy=remedy, rows=places)


def _alike(train: Dataset, test: Dataset) -> list[int]:
    """Return the numbers of the test rows whose inputs stand in the training rows, when written alike."""
    names = train.inputs
    if not any(isinstance(cell, str) for name in names for cell in test.columns[name]):
        return []
    known = set(rowkeys.keys(train.columns, names, alike=True))
    return [row for row, key in enumerate(rowkeys.keys(test.columns, names, alike=True)) if key in known]


# --- where ----------------------------------------------------------------------------------------------------------


def _places(sides: Sequence[Named], rows: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Return where the first of some rows stand: file and line, or the side and the number (from 0) of rows in hand."""
    named: list[str] = []
    for at, row in rows[:_NAMED]:
        side, data = sides[at]
        named.append(data.places[row] if data.places else f"{side} row {row}".strip())
    return tuple(named)
