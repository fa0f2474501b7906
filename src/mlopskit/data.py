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

    `columns` holds every column, each a list of str, int, float, bool or None (missing; never NaN); `target` names one
    of them or several. Columns named by `slices`, `weight` and `group` are not given to the model. `places` says where
    each row was read, None for rows in hand.

    Raises:
        DataError: the columns have different lengths, or a cell is not of these types, NaN, infinite, an integer
            beyond 64 bits or text that is not Unicode; of several targets one is named twice, or there is none.
        UnknownNameError: a target, a slice, the weight or the group is none of the columns.
    """

    columns: Mapping[str, Sequence[Any]]
    target: str | Sequence[str]
    slices: tuple[str, ...] = ()
    weight: str | None = None
    group: str | None = None
    places: Places | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.target, str):
            names = _different(self.target)
            object.__setattr__(self, "target", names if names[1:] else names[0])  # one name is one target
        for name in (
            *self.targets,
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
        target: str | Sequence[str],
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
            UnknownNameError: a target or a slice is none of the columns.
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
        for name, labels in dataset.label_columns().items():
            if strict and len(set(labels)) == 1:
                raise DataError(
                    f"All {len(dataset):,} rows of {uri!r} have the same {name!r}: {labels[0]!r}.",
                    remedy="Give rows of at least two classes.",
                    uri=uri,
                )
        return dataset

    @classmethod
    def from_frame(
        cls,
        frame: object,
        labels: object = None,
        /,
        *,
        target: str | Sequence[str] | None = None,
        slices: Sequence[str] = (),
    ) -> Dataset:
        """Return rows in hand as a dataset.

        Without labels (None), all are missing: such rows can be compared and described, not learned from.
        `frame` is a pandas or polars frame, a list of tables (column → value), a sequence of texts (its column is
        named "text", or as the series is), or a two-dimensional array (columns x0, x1, …). `labels` is a sequence,
        an array or a series; the target is named `target`, or as the series is, or "target". Of several targets it is a
        frame or a two-dimensional array; they are named `target`, or as the frame's columns are, or y0, y1, ….

        Raises:
            DataError: it is none of these, a label is missing, or a cell is no text, number or boolean.
        """
        from mlopskit.frames import columns_of, labels_of

        columns = columns_of(frame)
        found = labels_of(labels, target, count=len(next(iter(columns.values()), ())))
        for name, cells in found.items():
            if name in columns:
                raise DataError(
                    f"The rows have a column {name!r}, which is the target's name.",
                    remedy="Leave the target out of the rows, or name it otherwise with target=….",
                    column=name,
                )
            if None in cells and labels is not None:
                raise DataError(
                    f"Row {cells.index(None)} has no {name!r}, which is the target.",
                    remedy="Leave rows without it out.",
                )
        return cls(columns={**columns, **found}, target=tuple(found), slices=tuple(slices))

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the target columns."""
        return (self.target,) if isinstance(self.target, str) else tuple(self.target)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The names of the input columns, in the order the model wants them."""
        others = {*self.targets, *self.slices, self.weight, self.group}
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
        """The target column, where there is one.

        Raises:
            DataError: there are several.
        """
        if not isinstance(self.target, str):
            raise DataError(
                f"There are {len(self.targets)} targets: {_listed(self.targets)}.",
                remedy="Take an evaluator of several targets; in Python, call label_columns().",
            )
        return self.columns[self.target]

    def label_columns(self) -> dict[str, Sequence[Any]]:
        """Return the target columns, in the order in which they are named."""
        return {name: self.columns[name] for name in self.targets}

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
        """Return the rows of both datasets: the inputs, the targets, and the slices and weight that both have.

        The targets are named as those of the first.

        Raises:
            UnknownNameError: one has an input column that the other lacks.
            DataError: they have different numbers of targets.
        """
        for name, known in [(name, other) for name in self.inputs] + [(name, self) for name in other.inputs]:
            if name not in known.inputs:
                raise unknown("input column", name, known.inputs)
        slices = tuple(name for name in self.slices if name in other.slices)
        weight = self.weight if self.weight == other.weight else None
        shared = [*self.inputs, *slices, *([weight] if weight else [])]
        columns = {name: [*self.columns[name], *other.columns[name]] for name in shared}
        if len(self.targets) != len(other.targets):
            raise DataError(
                f"The targets are {_listed(self.targets)} in one, {_listed(other.targets)} in the other.",
                remedy="Give both the same targets.",
            )
        for name, own in zip(other.targets, self.targets, strict=True):
            columns[own] = [*self.columns[own], *other.columns[name]]
        return Dataset(columns=columns, target=self.target, slices=slices, weight=weight)

    def __len__(self) -> int:
        return len(self.columns[self.targets[0]])

    def __repr__(self) -> str:
        return f"Dataset({len(self):,} rows, {_word(self)} {_listed(self.targets)}, inputs {_listed(self.inputs)})"

    def _repr_html_(self) -> str:
        shown = [*dict.fromkeys([*self.inputs, *self.columns])]
        shown = [*[name for name in shown if name not in self.targets][:_MOST_COLUMNS], *self.targets[:_MOST_COLUMNS]]
        rows = [*zip(*(self.columns[name][:_MOST_ROWS] for name in shown), strict=True)]
        targets = ", ".join(self.targets[:_MOST_COLUMNS]) + (" …" if len(self.targets) > _MOST_COLUMNS else "")
        facts: dict[str, Value] = {"rows": len(self), _word(self): targets, "inputs": len(self.inputs)}
        return card("Dataset", facts, Table(shown, rows))


def no_inputs(dataset: Dataset, /) -> DataError:
    """Return the error for rows without an input column."""
    return DataError(
        f"There are no input columns beside the {_word(dataset)} {_listed(dataset.targets)} and the slices.",
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


def _different(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of targets, once it is known that there are some and each is another."""
    if not names or len(set(names)) < len(names):
        raise DataError(
            f"The targets are {_listed(names)}." if names else "No target is named.",
            remedy="Name each target column once.",
        )
    return tuple(names)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _word(dataset: Dataset) -> str:
    return "targets" if dataset.targets[1:] else "target"


def _type_of(name: str, cells: Sequence[Any]) -> str | list[str]:
    kind = kind_of(name, cells)
    return [kind, "null"] if None in cells else kind
