"""Feedback: rows that a model answered in use, with the label that was found out later, as JSON Lines."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from mlopskit.cells import check_cells
from mlopskit.data import Dataset
from mlopskit.errors import DataError
from mlopskit.fingerprint import find_files, read_bytes
from mlopskit.reading import Places

_KEYS = ("row", "prediction", "label", "digest", "when", "request", "number")
_SUFFIXES = (".jsonl", ".ndjson")
_TYPES = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}


def feedback_files(uri: str, root: Path, /) -> dict[str, Path]:
    """Return the files of a path or glob by their paths relative to `root`; there may be none yet."""
    return find_files(uri, root, none_yet=True)


def with_feedback(data: Dataset, uri: str, root: Path, /, *, file_column: str | None = None) -> Dataset:
    """Return data, and behind them the feedback rows that have a label.

    `file_column` is the column that holds the stem of each row's file. docs/reference/feedback.md has the format.

    Raises:
        DataError: a line is malformed or does not fit the data; it names the file and the line.
    """
    form = _Form(targets=data.targets, kinds=data.kinds(), columns=tuple(data.columns), file_column=file_column)
    files = feedback_files(uri, root)
    rows: list[dict[str, Any]] = []
    places = data.places or Places([], array("q", [-1] * len(data)), array("q", [0] * len(data)))
    labels = {
        key: table["label"] for path, file in files.items() for _, table in _lines(file, path) if (key := _key(table))
    }
    for number, (path, file) in enumerate(files.items(), len(places.files)):
        tables = ((line, _labelled(table, labels)) for line, table in _lines(file, path) if not _key(table))
        found = [(line, row) for line, table in tables if (row := form.row(table, f"{path}:{line}", file))]
        rows += [row for _, row in found]
        places = _behind(places, number, [line for line, _ in found])
    if not rows:
        return data
    columns = {name: [*cells, *(row[name] for row in rows)] for name, cells in data.columns.items()}
    return replace(
        data, columns=columns, places=replace(places, files=[*places.files, *files]) if data.places else None
    )


def asked(file: Path, path: str, /) -> dict[str, list[Any]] | None:
    """Return the columns of the rows in a file of feedback, with a label or without; None if it is no such file.

    Raises:
        DataError: a line is malformed; it names the file and the line.
    """
    lines = _lines(file, path) if file.suffix.lower() in _SUFFIXES else iter(())
    _, first = next(lines, (0, {}))
    if not isinstance(first.get("row"), dict):
        return None
    rows = [first["row"]]
    for number, table in lines:
        if not isinstance(table.get("row"), dict):
            _refuse(f"{path}:{number}", "has no table as 'row'", "Write that row as the first one is.")
        rows.append(table["row"])
    columns = {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}
    for name, cells in columns.items():
        check_cells(name, cells)
    return columns


def _key(table: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return which answered row a line is the label of; None if it is a row itself."""
    request, number = table.get("request"), table.get("number")
    is_label = table.keys() == {"request", "number", "label"} and type(request) is str and type(number) is int
    return (request, number) if is_label else None  # type: ignore[return-value]  # of these types, as was just seen


def _labelled(table: dict[str, Any], labels: Mapping[tuple[str, int], Any]) -> dict[str, Any]:
    """Return a row with the label that was told for it by its request, if there is one."""
    told = labels.get((table.get("request", ""), table.get("number", 0))) if labels else None
    return table if told is None else {**table, "label": told}


@dataclass(frozen=True, kw_only=True)
class _Form:
    """What a feedback row must look like to stand among the data."""

    targets: Sequence[str]
    kinds: Mapping[str, str]
    columns: Sequence[str]
    file_column: str | None

    def row(self, table: Mapping[str, Any], place: str, file: Path) -> dict[str, Any] | None:
        """Return the cell of each column; None if the label is not known yet."""
        for key in table:
            if key not in _KEYS:
                _refuse(place, f"has the unknown key {key!a:.100}", f"Known keys: {', '.join(_KEYS)}.")
        for key in ("digest", "when", "request"):
            if not isinstance(table.get(key), str | None):
                _refuse(
                    place, f"has {table[key]!r:.100} as {key!r}, which is no text", "Write it as text, or leave it out."
                )
        given = table.get("row")
        inputs = [name for name in self.columns if name not in (*self.targets, self.file_column)]
        if not isinstance(given, dict) or {*given} != {*inputs}:
            said = "no table" if not isinstance(given, dict) else ", ".join(map(ascii, given)) or "no columns"
            _refuse(place, f"has {said} as 'row'", f"Give exactly these columns: {', '.join(inputs)}.")
        labels = self._labels(table.get("label"), place)
        if labels is None:
            return None
        cells = {name: self._cell(name, cell, place) for name, cell in {**given, **labels}.items()}
        return cells if self.file_column is None else {**cells, self.file_column: file.stem}

    def _labels(self, label: Any, place: str) -> dict[str, Any] | None:
        if label is None or not self.targets[1:]:
            return None if label is None else {self.targets[0]: label}
        if not isinstance(label, dict) or {*label} != {*self.targets}:
            _refuse(place, f"has {label!r:.100} as 'label'", f"Give a table of exactly: {', '.join(self.targets)}.")
        return None if None in label.values() else label

    def _cell(self, name: str, cell: Any, place: str) -> Any:
        kind = self.kinds.get(name)
        fits = cell is None or kind is None or type(cell) in _TYPES[kind]
        if not fits:
            _refuse(place, f"has {cell!r:.100} in {name!r}", f"The data have cells of the type {kind} there: give one.")
        return float(cell) if kind == "number" and cell is not None else cell


def _behind(places: Places, file: int, lines: Iterable[int]) -> Places:
    numbers = array("q", lines)
    return replace(
        places,
        file_of=array("q", [*places.file_of, *([file] * len(numbers))]),
        number_of=array("q", [*places.number_of, *numbers]),
    )


def _lines(file: Path, path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each line that is not blank, with its number from 1."""
    for number, line in enumerate(read_bytes(file, path).split(b"\n"), 1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            table = json.loads(line.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            _refuse(
                place, f"is no JSON: {error}", "Correct or remove that line; a writer that was stopped may cut it off."
            )
        if not isinstance(table, dict):
            _refuse(place, "is no JSON object", "Write one object a line.")
        yield number, table


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key stands there twice")
    return table


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _refuse(place: str, what: str, remedy: str) -> NoReturn:
    raise DataError(f"Feedback {place} {what}.", remedy=remedy, place=place)
