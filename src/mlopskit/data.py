"""Dataset: rows at a URI or in hand, with a schema and a sha256 digest."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlopskit.cells import check_cells, kind_of
from mlopskit.errors import DataError, unknown
from mlopskit.runtime.profile import Cell
from mlopskit.tables import Table, Value, card

# What a notebook shows of the rows.
_MOST_ROWS = 5
_MOST_COLUMNS = 12

if TYPE_CHECKING:
    from mlopskit.reading import Places


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Rows as columns of plain cells, with the names of the inputs, the target and the slicing columns.

    `columns` holds every column, each a list of str, int, float, bool or None (missing; never NaN). Columns named by
    `slices`, `weight` and `group` are not given to the model. `places` says where each row was read, None for rows in
    hand.

    Raises:
        DataError: the columns have different lengths, or a cell is not of these types, NaN, infinite, an integer
            beyond 64 bits or text that is not Unicode.
        UnknownNameError: the target, a slice, the weight or the group is none of the columns.
    """

    columns: Mapping[str, Sequence[Any]]
    target: str
    slices: tuple[str, ...] = ()
    weight: str | None = None
    group: str | None = None
    places: Places | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in (
            self.target,
            *self.slices,
            *([self.weight] if self.weight else []),
            *([self.group] if self.group else []),
        ):
            if name not in self.columns:
                raise unknown("column", name, self.columns)
        lengths = {name: len(cells) for name, cells in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(
                f"The columns have different lengths: {lengths}.", remedy="Give each column one cell a row."
            )
        for name, cells in self.columns.items():
            check_cells(name, cells)

    @classmethod
    def read(  # they are the keys of [data]
        cls,
        uri: str,
        /,
        *,
        target: str,
        columns: Sequence[str] | None = None,
        file_column: str | None = None,
        slices: Sequence[str] = (),
        separator: str | None = None,
        strict: bool = True,
        like: Dataset | None = None,
        root: str | Path = ".",
    ) -> Dataset:
        """Return the rows of the files that a path, a glob or a folder names.

        These are delimited text (.csv, .tsv, .tab), JSON Lines (.jsonl, .ndjson), Parquet (.parquet) or Arrow (.arrow,
        .feather). `columns` names the columns of text files without a header; `separator` is what stands between their
        cells, if not what their suffix says; `file_column` adds each file's stem as a column; `root` is where relative
        paths begin. `mlopskit.reading` says how a file is read. Unless `strict`, rows may lack their target and all may
        have the same: `mlopskit.datacheck` then says which. Where `like` is given, the columns of text files have the
        types that they have there: types are found once.

        Raises:
            DataError: a file is missing, empty, unreadable, not UTF-8, malformed or unlike the others; a row has no
                target; all rows have the same.
            UnknownNameError: the target or a slice is none of the columns.
        """
        from mlopskit.reading import read_table

        read = read_table(
            uri,
            Path(root),
            target=target,
            columns=columns,
            file_column=file_column,
            separator=separator,
            filled=strict,
            kinds=None if like is None else like.kinds(),
        )
        with read.placing_errors():
            dataset = cls(columns=read.columns, target=target, slices=tuple(slices), places=read.places)
        if strict and len(set(dataset.labels)) == 1:
            raise DataError(
                f"All {len(dataset):,} rows of {uri!r} have the same {target!r}: {dataset.labels[0]!r}.",
                remedy="Give rows of at least two classes.",
                uri=uri,
            )
        return dataset

    @classmethod
    def from_frame(
        cls, frame: object, labels: object = None, /, *, target: str | None = None, slices: Sequence[str] = ()
    ) -> Dataset:
        """Return rows in hand as a dataset.

        Without labels (None), all are missing: such rows can be compared and described, not learned from.
        `frame` is a pandas or polars frame, a list of tables (column → value), a sequence of texts (its column is
        named "text", or as the series is), or a two-dimensional array (columns x0, x1, …). `labels` is a sequence,
        an array or a series; the target is named `target`, or as the series is, or "target".

        Raises:
            DataError: it is none of these, a label is missing, or a cell is no text, number or boolean.
        """
        from mlopskit.frames import columns_of, series_of

        columns = columns_of(frame)
        count = len(next(iter(columns.values()), ()))
        missing = labels is None
        name, cells = series_of([None] * count if missing else labels, name=target, default="target")
        if name in columns:
            raise DataError(
                f"The rows have a column {name!r}, which is the target's name.",
                remedy="Leave the target out of the rows, or name it otherwise with target=….",
                column=name,
            )
        if None in cells and not missing:
            raise DataError(
                f"Row {cells.index(None)} has no {name!r}, which is the target.", remedy="Leave rows without it out."
            )
        return cls(columns={**columns, name: cells}, target=name, slices=tuple(slices))

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The names of the input columns, in the order the model wants them."""
        others = {self.target, *self.slices, self.weight, self.group}
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

    def kinds(self) -> dict[str, str]:
        """Return the JSON type of each column that has one."""
        found = {}
        for name, cells in self.columns.items():
            with contextlib.suppress(DataError):
                found[name] = kind_of(name, cells)
        return found

    def input_columns(self) -> dict[str, Sequence[Any]]:
        """Return the input columns, in the order the model wants them."""
        return {name: self.columns[name] for name in self.inputs}

    def input_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the inputs, of the profile of `mlopskit.runtime.schema`.

        Raises:
            DataError: there is no input column, or one has no cells or cells of several types.
        """
        if not self.inputs:
            raise no_inputs(self)
        properties = {name: {"type": _type_of(name, cells)} for name, cells in self.input_columns().items()}
        return {"type": "object", "properties": properties, "required": [*self.inputs], "additionalProperties": False}

    def rows(self) -> list[dict[str, Cell]]:
        """Return the rows as tables of every column, the target among them."""
        return [dict(zip(self.columns, cells, strict=True)) for cells in zip(*self.columns.values(), strict=True)]

    def take(self, indices: Iterable[int], /) -> Dataset:
        """Return the dataset of the rows with these numbers (from 0), in their order."""
        numbers = list(indices)
        columns = {name: [cells[at] for at in numbers] for name, cells in self.columns.items()}
        return replace(self, columns=columns, places=self.places and self.places.take(numbers))

    def joined(self, other: Dataset, /) -> Dataset:
        """Return the rows of both datasets: the inputs, the target, and the slices and weight that both have.

        Raises:
            UnknownNameError: one has an input column that the other lacks.
        """
        for name, known in [(name, other) for name in self.inputs] + [(name, self) for name in other.inputs]:
            if name not in known.inputs:
                raise unknown("input column", name, known.inputs)
        slices = tuple(name for name in self.slices if name in other.slices)
        weight = self.weight if self.weight == other.weight else None
        shared = [*self.inputs, *slices, *([weight] if weight else [])]
        columns = {name: [*self.columns[name], *other.columns[name]] for name in shared}
        labels = [*self.labels, *other.labels]
        return Dataset(columns={**columns, self.target: labels}, target=self.target, slices=slices, weight=weight)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Dataset({len(self):,} rows, target {self.target!r}, inputs {', '.join(map(repr, self.inputs))})"

    def _repr_html_(self) -> str:
        shown = [*dict.fromkeys([*self.inputs, *self.columns])]
        shown = [*[name for name in shown if name != self.target][:_MOST_COLUMNS], self.target]
        rows = [*zip(*(self.columns[name][:_MOST_ROWS] for name in shown), strict=True)]
        facts: dict[str, Value] = {"rows": len(self), "target": self.target, "inputs": len(self.inputs)}
        return card("Dataset", facts, Table(shown, rows))


def no_inputs(dataset: Dataset, /) -> DataError:
    """Return the error for rows without an input column."""
    return DataError(
        f"There are no input columns beside the target {dataset.target!r} and the slices.",
        remedy="Give at least one column for the model to learn from.",
    )


def overlap(train: Dataset, test: Dataset, /) -> list[int]:
    """Return the numbers of the test rows whose inputs also stand in the training rows.

    Raises:
        UnknownNameError: the test rows lack an input column of the training rows.
    """
    for name in train.inputs:
        if name not in test.columns:
            raise unknown("column", name, test.columns)
    known = set(zip(*train.input_columns().values(), strict=True))
    rows = zip(*(test.columns[name] for name in train.inputs), strict=True)
    return [number for number, row in enumerate(rows) if row in known]


def _type_of(name: str, cells: Sequence[Any]) -> str | list[str]:
    kind = kind_of(name, cells)
    return [kind, "null"] if None in cells else kind
