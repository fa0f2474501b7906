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
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mlopskit.errors import ConfigError, DataError, nearest, unknown
from mlopskit.fingerprint import SUFFIXES, find_files, read_bytes
from mlopskit.runtime.schema import Cell

Lines = Iterator[tuple[int, list[str]]]

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|nan|NaN|NAN", re.ASCII)
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_MAX_INTEGER = 2**63


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
        header, rows = _read(file, path, columns)
        names = names or _usable_names(header, target, file_column)
        _check_rows(rows, path, [*_agreeing(header, names, path)], target)
        for name, cells in zip(header, zip(*(cells for _, cells in rows), strict=True), strict=True):
            texts.setdefault(name, []).extend(cells)
        stems += [file.stem] * len(rows)
    typed = {name: _typed(texts[name]) for name in names}
    return typed if file_column is None else {**typed, file_column: [*stems]}


def _read(file: Path, path: str, columns: Sequence[str] | None) -> tuple[list[str], list[tuple[int, list[str]]]]:
    rows = list(_lines(file, path))
    header = list(columns) if columns is not None else rows.pop(0)[1] if rows else []
    if not rows:
        raise DataError(f"The file {path!r} has no rows.", remedy="Fill it, or leave it out of the data.", file=path)
    return header, rows


def _lines(file: Path, path: str) -> Lines:
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            f"The file {path!r} is neither {' nor '.join(SUFFIXES)}.",
            remedy="Rename it to .csv (commas) or .tsv (tabs).",
            file=path,
        )
    text = _decoded(read_bytes(file, path), path)
    return _comma_separated(text, path) if suffix == ".csv" else _tab_separated(text)


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


def _tab_separated(text: str) -> Lines:
    # Not splitlines: it also splits at characters that may stand in a text, such as U+2028.
    for number, line in enumerate(text.split("\n"), 1):
        if cells := line.removesuffix("\r"):
            yield number, cells.split("\t")


def _comma_separated(text: str, path: str) -> Lines:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    before = csv.field_size_limit(max(len(text), csv.field_size_limit()))
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(
            f"The file {path!r} is malformed at line {reader.line_num}: {error}.",
            remedy='Put cells with commas, quotes or line breaks between quotes, and write a quote in them as "".',
            file=path,
            line=reader.line_num,
        ) from error
    finally:
        csv.field_size_limit(before)


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


def _agreeing(header: Sequence[str], names: Sequence[str], path: str) -> Sequence[str]:
    if set(header) != set(names) or len(header) != len(names):
        odd = [name for name in header if name not in names] or [name for name in names if name not in header]
        near = nearest(odd[0], names) if odd else None
        raise DataError(
            f"The file {path!r} has the columns {', '.join(map(repr, header))}, "
            f"the first file {', '.join(map(repr, names))}.",
            remedy=f"Give all files the same columns{f' (is {odd[0]!r} meant to be {near!r}?)' if near else ''}.",
            file=path,
        )
    return header


def _check_rows(rows: Sequence[tuple[int, list[str]]], path: str, header: list[str], target: str) -> None:
    count = len(header)
    at = header.index(target) if target in header else None
    for line, cells in rows:
        if len(cells) != count:
            raise DataError(
                f"Line {line} of {path!r} has {len(cells)} columns, expected {count} ({', '.join(map(repr, header))}).",
                remedy="Correct that line, or name the columns that the files have.",
                file=path,
                line=line,
            )
        if at is not None and not cells[at]:
            raise DataError(
                f"Line {line} of {path!r} has no {target!r}, which is the target.",
                remedy="Fill it in, or leave that row out.",
                file=path,
                line=line,
            )


def _typed(texts: list[str]) -> list[Cell]:
    """Return the cells in the narrowest type that holds all of them."""
    for fits, parse in (
        (_BOOLEANS.get, _BOOLEANS.__getitem__),
        (_INTEGER.fullmatch, int),
        (_NUMBER.fullmatch, _number),
    ):
        if _all(texts, fits):
            cells: list[Cell] = [parse(text) if text else None for text in texts]
            if parse is not int or _in_64_bits(cells):
                return cells
            break
    return [text or None for text in texts]


def _all(texts: Sequence[str], fits: Callable[[str], object]) -> bool:
    return any(texts) and all(fits(text) is not None for text in texts if text)


def _number(text: str) -> float | None:
    value = float(text)
    return None if math.isnan(value) else value


def _in_64_bits(cells: Sequence[Cell]) -> bool:
    return all(-_MAX_INTEGER <= cell < _MAX_INTEGER for cell in cells if isinstance(cell, int))
