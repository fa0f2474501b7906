"""Dataset: rows at a URI or in hand, with a schema and a sha256 digest."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mlopskit.errors import DataError, unknown
from mlopskit.runtime.schema import Cell

_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1
_KINDS: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Rows as columns of plain cells, with the names of the inputs, the target and the slicing columns.

    `columns` holds every column, each a list of str, int, float, bool or None (missing; never NaN). Columns named by
    `slices` and `weight` are not given to the model.

    Raises:
        DataError: the columns have different lengths, or a cell is not of these types, NaN, infinite, an integer
            beyond 64 bits or text that is not Unicode.
        UnknownNameError: the target, a slice or the weight is none of the columns.
    """

    columns: Mapping[str, Sequence[Any]]
    target: str
    slices: tuple[str, ...] = ()
    weight: str | None = None

    def __post_init__(self) -> None:
        for name in (self.target, *self.slices, *([self.weight] if self.weight else [])):
            if name not in self.columns:
                raise unknown("column", name, self.columns)
        lengths = {name: len(cells) for name, cells in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(
                f"The columns have different lengths: {lengths}.", remedy="Give each column one cell a row."
            )
        for name, cells in self.columns.items():
            _check_cells(name, cells)

    @classmethod
    def read(  # noqa: PLR0913  # they are the keys of [data]
        cls,
        uri: str,
        /,
        *,
        target: str,
        columns: Sequence[str] | None = None,
        file_column: str | None = None,
        slices: Sequence[str] = (),
        root: Path = Path(),
    ) -> Dataset:
        """Return the rows of the .csv, .tsv and .tab files that a path, a glob or a folder names.

        `columns` names the columns of files without a header; `file_column` adds each file's stem as a column; `root`
        is where relative paths begin. `mlopskit.reading` says how a file is read.

        Raises:
            DataError: a file is missing, empty, unreadable, not UTF-8, malformed or unlike the others; a row has no
                target; all rows have the same.
            UnknownNameError: the target or a slice is none of the columns.
        """
        from mlopskit.reading import read_columns

        read = read_columns(uri, root, target=target, columns=columns, file_column=file_column)
        dataset = cls(columns=read, target=target, slices=tuple(slices))
        if len(set(dataset.labels)) == 1:
            raise DataError(
                f"All {len(dataset):,} rows of {uri!r} have the same {target!r}: {dataset.labels[0]!r}.",
                remedy="Give rows of at least two classes.",
                uri=uri,
            )
        return dataset

    @classmethod
    def from_frame(
        cls, frame: object, labels: object, /, *, target: str | None = None, slices: Sequence[str] = ()
    ) -> Dataset:
        """Return rows in hand as a dataset.

        `frame` is a pandas or polars frame, a list of tables (column → value), a sequence of texts (its column is
        named "text", or as the series is), or a two-dimensional array (columns x0, x1, …). `labels` is a sequence,
        an array or a series; the target is named `target`, or as the series is, or "target".

        Raises:
            DataError: it is none of these, a label is missing, or a cell is no text, number or boolean.
        """
        from mlopskit.frames import columns_of, series_of

        name, cells = series_of(labels, name=target, default="target")
        columns = columns_of(frame)
        if name in columns:
            raise DataError(
                f"The rows have a column {name!r}, which is the target's name.",
                remedy="Leave the target out of the rows, or name it otherwise with target=….",
                column=name,
            )
        if None in cells:
            raise DataError(
                f"Row {cells.index(None)} has no {name!r}, which is the target.", remedy="Leave rows without it out."
            )
        return cls(columns={**columns, name: cells}, target=name, slices=tuple(slices))

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The names of the input columns, in the order the model wants them."""
        others = {self.target, *self.slices, self.weight}
        return tuple(name for name in self.columns if name not in others)

    @cached_property
    def digest(self) -> str:
        """The sha256 of the columns: their names in order, and the types and values of their cells.

        Each column is written as MessagePack, [name, cells], one after the other: 1, 1.0, True and "1" differ there.
        """
        import msgspec

        sha256 = hashlib.sha256()
        for name, cells in self.columns.items():
            sha256.update(msgspec.msgpack.encode([name, cells]))
        return f"sha256:{sha256.hexdigest()}"

    @property
    def labels(self) -> Sequence[Any]:
        """The target column."""
        return self.columns[self.target]

    def input_columns(self) -> dict[str, Sequence[Any]]:
        """Return the input columns, in the order the model wants them."""
        return {name: self.columns[name] for name in self.inputs}

    def rows(self) -> list[dict[str, Cell]]:
        """Return the rows as tables of every column, the target among them."""
        return [dict(zip(self.columns, cells, strict=True)) for cells in zip(*self.columns.values(), strict=True)]

    def take(self, indices: Iterable[int], /) -> Dataset:
        """Return the dataset of the rows with these numbers (from 0), in their order."""
        numbers = list(indices)
        return replace(self, columns={name: [cells[at] for at in numbers] for name, cells in self.columns.items()})

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Dataset({len(self):,} rows, target {self.target!r}, inputs {', '.join(map(repr, self.inputs))})"


def infer_schema(dataset: Dataset, /) -> dict[str, Any]:
    """Return the JSON Schema of a dataset's inputs, of the profile of `mlopskit.runtime.schema`.

    Raises:
        DataError: there is no input column, or one has no cells or cells of several types.
    """
    if not dataset.inputs:
        raise DataError(
            f"There are no input columns beside the target {dataset.target!r} and the slices.",
            remedy="Give at least one column for the model to learn from.",
        )
    properties = {name: {"type": _type_of(name, cells)} for name, cells in dataset.input_columns().items()}
    return {"type": "object", "properties": properties, "required": [*dataset.inputs], "additionalProperties": False}


def kind_of(name: str, cells: Sequence[Any], /) -> str:
    """Return the JSON type of a column's cells, whether or not some are missing: "number" for integers with numbers.

    Raises:
        DataError: all are missing, or they are of several types.
    """
    kinds = {_KINDS[kind] for kind in set(map(type, cells)) - {type(None)}}
    if kinds == {"integer", "number"}:
        return "number"
    if len(kinds) != 1:
        what = f"cells of several types: {', '.join(sorted(kinds))}" if kinds else "no cell that is not missing"
        raise DataError(
            f"The column {name!r} has {what}.", remedy="Give it one type, or leave the column out.", column=name
        )
    return kinds.pop()


def _type_of(name: str, cells: Sequence[Any]) -> str | list[str]:
    kind = kind_of(name, cells)
    return [kind, "null"] if None in cells else kind


def _check_cells(name: str, cells: Sequence[Any]) -> None:
    for kind in set(map(type, cells)) - {type(None)}:
        if kind not in _KINDS:
            raise _wrong_cell(name, cells, lambda cell, kind=kind: type(cell) is kind, f"of the type {kind.__name__}")
    if not all(math.isfinite(cell) for cell in cells if type(cell) is float):
        raise _wrong_cell(name, cells, lambda cell: type(cell) is float and not math.isfinite(cell), "not finite")
    if not all(_MIN_INTEGER <= cell <= _MAX_INTEGER for cell in cells if type(cell) is int):
        raise _wrong_cell(name, cells, lambda cell: not _in_64_bits(cell), "beyond 64 bits")
    if not all(_is_unicode(cell) for cell in cells if type(cell) is str):
        raise _wrong_cell(name, cells, lambda cell: type(cell) is str and not _is_unicode(cell), "not Unicode")


def _in_64_bits(cell: object) -> bool:
    return type(cell) is not int or _MIN_INTEGER <= cell <= _MAX_INTEGER


def _is_unicode(text: str) -> bool:
    """Say whether a text has no half of a surrogate pair: such a text has no bytes."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _wrong_cell(name: str, cells: Sequence[Any], wrong: Any, what: str) -> DataError:
    row = next(number for number, cell in enumerate(cells) if wrong(cell))
    return DataError(
        f"Row {row}, column {name!r}: {ascii(cells[row])[:60]} is {what}.",
        remedy="Give text, finite numbers, booleans, or None for what is missing.",
        row=row,
        column=name,
    )
