"""Read data files into columns of plain cells, with errors that name the file and the line.

How a file is read:

- UTF-8 (a byte order mark is skipped). `.csv`: RFC 4180, commas (or another separator, when given) and double quotes.
  `.tsv` and `.tab`: tabs, and no quoting at all: a quotation mark is a character like any other, so a cell holds
  neither tab nor line break.
- Blank lines are skipped; an empty cell is missing (None), quoted or not.
- A text column's type is found once over all files: boolean (true, false, also capitalised), integer, number, else
  string. Integers with leading zeros or a plus sign, and those that 64 bits do not hold, are strings: they are names,
  not numbers. `nan` in a column of numbers is missing.
- `.jsonl`, `.ndjson`: an object a line. `.parquet`, `.arrow`, `.feather`: by polars. Their types are their own: nothing
  is guessed. Dates and times become text in ISO 8601, NaN is missing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlopskit.columnar import READERS
from mlopskit.delimited import SEPARATORS, misfit, other_separator, read_text, typed
from mlopskit.errors import ConfigError, DataError, nearest, unknown
from mlopskit.fingerprint import SUFFIXES, find_files, read_bytes
from mlopskit.runtime.profile import Cell


@dataclass(frozen=True)
class Places:
    """Where each row was read: its file, and its line there (its row, from 1, in files without lines).

    `file_of` holds an index into `files` for each row, `number_of` the line or row.
    """

    files: Sequence[str]
    file_of: Sequence[int]
    number_of: Sequence[int]

    def __getitem__(self, row: int) -> str:
        path = self.files[self.file_of[row]]
        binary = Path(path).suffix.lower() in BINARY
        return f"{path} row {self.number_of[row]}" if binary else f"{path}:{self.number_of[row]}"

    def take(self, rows: Iterable[int], /) -> Places:
        """Return the places of the rows with these numbers, in their order."""
        numbers = list(rows)
        picked = [array("q", (column[at] for at in numbers)) for column in (self.file_of, self.number_of)]
        return Places(self.files, *picked)


BINARY = (".parquet", ".arrow", ".feather")


@dataclass(frozen=True)
class Read:
    """What was read: each column's cells, and where each row stands."""

    columns: dict[str, list[Cell]]
    places: Places

    @contextmanager
    def placing_errors(self) -> Iterator[None]:
        """Let an error that carries a row's number say where that row stands, too."""
        try:
            yield
        except DataError as error:
            row = error.culprits.get("row")
            if isinstance(row, int):
                error.culprits["place"] = self.places[row]
                error.add_note(f"It stands at {self.places[row]}.")
            raise


def read_columns(
    uri: str,
    root: Path,
    /,
    *,
    target: str | Sequence[str],
    columns: Sequence[str] | None = None,
    file_column: str | None = None,
) -> dict[str, list[Cell]]:
    """Return the columns of all the files that a URI names (see `read_table`), each row with its targets."""
    return read_table(uri, root, target=target, columns=columns, file_column=file_column).columns


def read_table(
    uri: str,
    root: Path,
    /,
    *,
    target: str | Sequence[str],
    columns: Sequence[str] | None = None,
    file_column: str | None = None,
    separator: str | None = None,
    filled: bool = True,
    kinds: Mapping[str, str] | None = None,
) -> Read:
    """Return the rows of all the files that a URI names, in the sorted order of their relative paths.

    `columns` names the columns of files without a header; `file_column` adds each file's stem as a column; `separator`
    is what stands between the cells of text files, if not what their suffix says. Unless `filled`, rows without a
    target are kept. `kinds` are the JSON types that columns of text files are known to have: they are not found anew.

    Raises:
        DataError: a file is missing, empty, unreadable, not UTF-8, malformed or unlike the others, a row has no
            target, or a cell is not of its column's kind.
        UnknownNameError: a target is none of the columns.
    """
    targets = [target] if isinstance(target, str) else list(target)
    found = find_files(uri, root)
    as_text = _are_text(found)
    names: list[str] = []
    cells: dict[str, list[Any]] = {}
    stems: list[str] = []
    places = Places(list(found), array("q"), array("q"))
    for number, (path, file) in enumerate(found.items()):
        header, parts, lines = _read_file(file, path, columns, separator)
        mark = separator or SEPARATORS.get(file.suffix.lower())
        names = names or _named(header, targets, file_column, mark, path)
        _check_names(header, names, path)
        for name, part in zip(header, parts, strict=True):
            if filled and name in targets:
                _check_filled(part, lines, path, name)
            cells.setdefault(name, []).extend(part)
        stems += [file.stem] * len(lines)
        places.file_of.extend([number] * len(lines))  # type: ignore[attr-defined]  # arrays, here
        places.number_of.extend(lines)  # type: ignore[attr-defined]
    if as_text:
        _check_kinds(cells, kinds or {}, places)
    final = {name: typed(cells[name], (kinds or {}).get(name)) if as_text else cells[name] for name in names}
    return Read(final if file_column is None else {**final, file_column: [*stems]}, places)


def _check_kinds(cells: Mapping[str, Sequence[str]], kinds: Mapping[str, str], places: Places) -> None:
    for name, kind in kinds.items():
        row = misfit(cells.get(name, ()), kind)
        if row is not None:
            raise DataError(
                f"{places[row]}, column {name!r}: {ascii(cells[name][row])[:60]} is no {kind}, which the column holds "
                "in the rows to train on.",
                remedy="Correct it, or give both the same kind of values.",
                place=places[row],
                column=name,
            )


def _are_text(files: Iterable[str]) -> bool:
    """Say whether files are delimited text, whose types are yet to be found; all must be, or none."""
    kinds = {path: Path(path).suffix.lower() in SEPARATORS for path in files}
    if len(set(kinds.values())) == 1:
        return next(iter(kinds.values()))
    text, other = (next(path for path, kind in kinds.items() if kind is wanted) for wanted in (True, False))
    raise DataError(
        f"Text files ({text!r}) and files with types of their own ({other!r}) are mixed.",
        remedy="Give files of one kind, for example by a glob such as 'data/*.csv'.",
    )


def _read_file(
    file: Path, path: str, columns: Sequence[str] | None, separator: str | None
) -> tuple[Sequence[str], Sequence[list[Any]], Sequence[int]]:
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            f"The file {path!r} is neither {' nor '.join(SUFFIXES)}.",
            remedy="Rename it to .csv (commas) or .tsv (tabs).",
            file=path,
        )
    if suffix in SEPARATORS:
        return read_text(read_bytes(file, path), path, suffix=suffix, columns=columns, separator=separator)
    for key, value in (("columns", columns), ("separator", separator)):
        if value is not None:
            raise ConfigError(
                f"The file {path!r} needs no {key}: it holds its own names.", remedy=f"Leave out {key}.", key=key
            )
    return READERS[suffix](file, path)


def _named(
    header: Sequence[str], targets: Sequence[str], file_column: str | None, separator: str | None, path: str
) -> list[str]:
    """Return the names of the columns; `separator` is that of text files, None for others."""
    if separator and len(header) == 1 and header[0] not in targets:
        hint = other_separator(header[0], separator)
        if hint:
            raise DataError(f"The file {path!r} has one column, {header[0]!r}.", remedy=hint, file=path)
    return _usable_names(header, targets, file_column)


def _usable_names(header: Sequence[str], targets: Sequence[str], file_column: str | None) -> list[str]:
    """Return the names of the columns, once they are known to be clear and the targets are among them."""
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
    for target in targets:
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


def _check_filled(cells: Sequence[Any], lines: Sequence[int], path: str, target: str) -> None:
    empty = next((cell for cell in ("", None) if cell in cells), 0)
    if empty != 0:
        line = lines[cells.index(empty)]
        raise DataError(
            f"Line {line} of {path!r} has no {target!r}, which is the target.",
            remedy="Fill it in, or leave that row out.",
            file=path,
            line=line,
        )
