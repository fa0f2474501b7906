"""Read delimited text files into columns of plain cells, with errors that name the file and the line.

How a file is read:

- UTF-8 (a byte order mark is skipped). `.csv`: RFC 4180, commas and double quotes. `.tsv` and `.tab`: tabs, and no
  quoting at all: a quotation mark is a character like any other, so a cell holds neither tab nor line break.
- Blank lines are skipped; an empty cell is missing (None), quoted or not.
- A column's type is found once over all files: boolean (true, false, also capitalised), integer, number, else string.
  Integers with leading zeros or a plus sign, and those that 64 bits do not hold, are strings: they are names, not
  numbers. `nan` in a column of numbers is missing.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from mlopskit.errors import ConfigError, DataError, nearest, unknown
from mlopskit.fingerprint import SUFFIXES, find_files, read_bytes
from mlopskit.runtime.schema import Cell

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|nan|NaN|NAN", re.ASCII)
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NAN = frozenset({"nan", "NaN", "NAN"})
_MAX_INTEGER = 2**63


@dataclass(frozen=True)
class _Records:
    """A file's cells one after the other; of each record, the number of its cells and of the line it ends in."""

    cells: list[str]
    widths: list[int]
    lines: list[int]


def read_columns(
    uri: str, root: Path, /, *, target: str, columns: Sequence[str] | None = None, file_column: str | None = None
) -> dict[str, list[Cell]]:
    """Return the columns of all the files that a URI names, in the sorted order of their relative paths.

    `columns` names the columns of files without a header; `file_column` adds each file's stem as a column.

    Raises:
        DataError: a file is missing, empty, unreadable, not UTF-8, malformed or unlike the others, or a row has no
            target.
        UnknownNameError: there is no column `target`.
    """
    names: list[str] = []
    texts: dict[str, list[str]] = {}
    stems: list[str] = []
    for path, file in find_files(uri, root).items():
        header, cells, lines = _table(_records(file, path), path, columns)
        names = names or _usable_names(header, target, file_column)
        _check_names(header, names, path)
        for name, column in zip(header, cells, strict=True):
            _check_filled(column if name == target else (), lines, path, target)
            texts.setdefault(name, []).extend(column)
        stems += [file.stem] * len(lines)
    typed = {name: _typed(texts[name]) for name in names}
    return typed if file_column is None else {**typed, file_column: [*stems]}


def _records(file: Path, path: str) -> _Records:
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            f"The file {path!r} is neither {' nor '.join(SUFFIXES)}.",
            remedy="Rename it to .csv (commas) or .tsv (tabs).",
            file=path,
        )
    text = _decoded(read_bytes(file, path), path)
    if suffix != ".csv":
        return _plain(text, "\t")
    # Splitting is several times as fast as reading what may be quoted, or has the line ends of old Macs.
    quoted = '"' in text or text.count("\r") != text.count("\r\n")
    return _quoted(text, path) if quoted else _plain(text, ",")


def _table(
    records: _Records, path: str, columns: Sequence[str] | None
) -> tuple[Sequence[str], Sequence[list[str]], Sequence[int]]:
    """Return the names of a file's columns, their cells, and the line of each row."""
    first = 1 if columns is None else 0
    if len(records.lines) <= first:
        raise DataError(f"The file {path!r} has no rows.", remedy="Fill it, or leave it out of the data.", file=path)
    header = records.cells[: records.widths[0]] if columns is None else list(columns)
    count = len(header)
    for line, width in zip(records.lines, records.widths, strict=True):
        if width != count:
            raise DataError(
                f"Line {line} of {path!r} has {width} columns, expected {count} ({', '.join(map(repr, header))}).",
                remedy="Correct that line, or name the columns that the files have.",
                file=path,
                line=line,
            )
    return header, [records.cells[first * count + at :: count] for at in range(count)], records.lines[first:]


def _decoded(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"The file {path!r} is not UTF-8: line {line} has the byte 0x{data[error.start]:02x}.",
            remedy="Save it as UTF-8, for example with: iconv -f latin1 -t utf-8.",
            file=path,
            line=line,
        ) from error


def _plain(text: str, separator: str) -> _Records:
    # Not splitlines: it also splits at characters that may stand in a text, such as U+2028.
    numbered = {number: line.removesuffix("\r") for number, line in enumerate(text.split("\n"), 1)}
    lines = [number for number, line in numbered.items() if line]
    records = [line for line in numbered.values() if line]
    widths = [line.count(separator) + 1 for line in records]
    return _Records(separator.join(records).split(separator) if records else [], widths, lines)


def _quoted(text: str, path: str) -> _Records:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    before = csv.field_size_limit(max(len(text), csv.field_size_limit()))
    try:
        records = [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise DataError(
            f"The file {path!r} is malformed at line {reader.line_num}: {error}.",
            remedy='Put cells with commas, quotes or line breaks between quotes, and write a quote in them as "".',
            file=path,
            line=reader.line_num,
        ) from error
    finally:
        csv.field_size_limit(before)
    widths = [len(cells) for _, cells in records]
    return _Records([*chain.from_iterable(cells for _, cells in records)], widths, [line for line, _ in records])


def _usable_names(header: Sequence[str], target: str, file_column: str | None) -> list[str]:
    """Return the names of the columns, once they are known to be clear and the target is among them."""
    for name in header:
        if not name or header.count(name) > 1:
            state = "twice" if name else "without a name"
            raise DataError(
                f"There is a column {name!r} {state}.", remedy="Give each column a name of its own.", column=name
            )
    if file_column in header:
        raise ConfigError(
            f"The files have a column {file_column!r} already.",
            remedy="Give file_column another name, or leave it away.",
            key="file_column",
        )
    if target not in (*header, file_column):
        raise unknown("column", target, [*header, *([file_column] if file_column else [])])
    return [*header]


def _check_names(header: Sequence[str], names: Sequence[str], path: str) -> None:
    if set(header) == set(names) and len(header) == len(names):
        return
    odd = [name for name in header if name not in names] or [name for name in names if name not in header]
    near = nearest(odd[0], names) if odd else None
    raise DataError(
        f"The file {path!r} has the columns {', '.join(map(repr, header))}, "
        f"the first file {', '.join(map(repr, names))}.",
        remedy=f"Give all files the same columns{f' (is {odd[0]!r} meant to be {near!r}?)' if near else ''}.",
        file=path,
    )


def _check_filled(cells: Sequence[str], lines: Sequence[int], path: str, target: str) -> None:
    if "" in cells:
        line = lines[cells.index("")]
        raise DataError(
            f"Line {line} of {path!r} has no {target!r}, which is the target.",
            remedy="Fill it in, or leave that row out.",
            file=path,
            line=line,
        )


def _typed(texts: list[str]) -> list[Cell]:
    """Return the cells in the narrowest type that holds all of them."""
    given = [text for text in texts if text]
    if given and _BOOLEANS.keys() >= set(given):
        return [_BOOLEANS.get(text) for text in texts]
    if given and all(map(_INTEGER.fullmatch, given)):
        integers = [int(text) if text else None for text in texts]
        in_64_bits = all(
            -_MAX_INTEGER <= int(text) < _MAX_INTEGER for text in (min(given, key=int), max(given, key=int))
        )
        return [*integers] if in_64_bits else [text or None for text in texts]
    if given and all(map(_NUMBER.fullmatch, given)):
        return [float(text) if text and text not in _NAN else None for text in texts]
    return [text or None for text in texts]
