"""Delimited text files: their cells as texts with the line of each row, and texts as typed cells.

Read by the standard library, not by polars: docs/adr/0008 says why, with figures.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from mlopskit.errors import ConfigError, DataError
from mlopskit.runtime.profile import Cell

SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_OTHERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|nan|NaN|NAN", re.ASCII)
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NAN = frozenset({"nan", "NaN", "NAN"})
_MAX_INTEGER = 2**63
_MAX_DIGITS = 20  # of 64 bits, with the sign


@dataclass(frozen=True)
class _Records:
    """A file's cells one after the other; of each record, the number of its cells and of the line it ends in."""

    cells: list[str]
    widths: list[int]
    lines: list[int]


def read_text(
    data: bytes, path: str, /, *, suffix: str, columns: Sequence[str] | None, separator: str | None
) -> tuple[Sequence[str], Sequence[list[str]], Sequence[int]]:
    """Return the names of a delimited file's columns, their cells as texts, and the line of each row.

    Raises:
        DataError: it is not UTF-8, malformed, or has no rows.
        ConfigError: the separator is not one character.
    """
    if separator is not None and (len(separator) != 1 or separator in '"\r\n'):
        raise ConfigError(
            f"The separator is {separator!r}, expected one character.",
            remedy='Write for example separator = ";".',
            key="separator",
        )
    mark = separator or SEPARATORS[suffix]
    text = decoded(data, path)
    if suffix != ".csv":
        return _table(_plain(text, mark), path, columns, mark)
    # Splitting is several times as fast as reading what may be quoted, or has the line ends of old Macs.
    quoted = '"' in text or text.count("\r") != text.count("\r\n")
    return _table(_quoted(text, path, mark) if quoted else _plain(text, mark), path, columns, mark)


def _table(
    records: _Records, path: str, columns: Sequence[str] | None, separator: str
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
                remedy=other_separator(separator.join(records.cells[: records.widths[0]]), separator)
                or "Correct that line, or name the columns that the files have.",
                file=path,
                line=line,
            )
    return header, [records.cells[first * count + at :: count] for at in range(count)], records.lines[first:]


def other_separator(line: str, separator: str, /) -> str | None:
    """Return what to do about a first line that is separated by something else, None if it does not seem so."""
    found = next((mark for mark in _OTHERS if mark in line), None)
    if separator in line or found is None:
        return None
    used = _OTHERS.get(separator, repr(separator))
    return f"The first line holds {_OTHERS[found]}, not {used}: write separator = {found!r}."


def decoded(data: bytes, path: str, /) -> str:
    """Return the text of UTF-8 bytes, without a byte order mark.

    Raises:
        DataError: they are not UTF-8; it names the line.
    """
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


def _quoted(text: str, path: str, separator: str) -> _Records:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    before = csv.field_size_limit(max(len(text), csv.field_size_limit()))
    records: list[tuple[int, list[str]]] = []
    try:
        records.extend((reader.line_num, cells) for cells in reader if cells)
    except csv.Error as error:
        # A quote that is never closed, or only by a later one, is found far below the row that it stands in.
        begun = records[-1][0] + 1 if records else 1
        where = f" in the row that begins at line {begun}" if begun != reader.line_num else ""
        raise DataError(
            f"The file {path!r} is malformed at line {reader.line_num}{where}: {error}.",
            remedy=other_separator(text.partition("\n")[0], separator)
            or 'Put cells with separators, quotes or line breaks between quotes, and write a quote in them as "".',
            file=path,
            line=begun,
        ) from error
    finally:
        csv.field_size_limit(before)
    widths = [len(cells) for _, cells in records]
    return _Records([*chain.from_iterable(cells for _, cells in records)], widths, [line for line, _ in records])


def typed(texts: list[str], kind: str | None = None) -> list[Cell]:
    """Return the cells in the narrowest type that holds all of them; as text, or as numbers, where `kind` says so."""
    given = [text for text in texts if text]
    if kind == "string":
        return [text or None for text in texts]
    if given and _BOOLEANS.keys() >= set(given):
        return [_BOOLEANS.get(text) for text in texts]
    if kind != "number" and given and all(map(_INTEGER.fullmatch, given)):
        return _integers(texts)
    if given and all(map(_NUMBER.fullmatch, given)):
        return [float(text) if text and text not in _NAN else None for text in texts]
    return [text or None for text in texts]


def _integers(texts: list[str]) -> list[Cell]:
    """Return integers, or texts if 64 bits do not hold one of them, so that no digit is lost."""
    # int() itself refuses thousands of digits.
    if len(max(texts, key=len)) > _MAX_DIGITS:
        return [text or None for text in texts]
    integers = [int(text) if text else None for text in texts]
    in_64_bits = all(number is None or -_MAX_INTEGER <= number < _MAX_INTEGER for number in integers)
    return [*integers] if in_64_bits else [text or None for text in texts]


def misfit(texts: Sequence[str], kind: str, /) -> int | None:
    """Return the number of the first cell that is not of a kind, None if all are."""
    fits: dict[str, Callable[[str], object]] = {
        "boolean": _BOOLEANS.__contains__,
        "integer": _NUMBER.fullmatch,  # a number among integers makes all of them numbers
        "number": _NUMBER.fullmatch,
    }
    if kind not in fits:
        return None
    return next((row for row, text in enumerate(texts) if text and not fits[kind](text)), None)
