"""Frames, arrays, lists and series in hand as columns of plain cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlopskit.cells import plain_cells
from mlopskit.errors import DataError
from mlopskit.runtime.profile import Cell


def columns_of(frame: object, *, prefix: str = "x") -> dict[str, list[Cell]]:
    """Return a frame, a list of tables, a sequence of texts or a two-dimensional array as columns.

    Columns without names get the prefix and their number.

    Raises:
        DataError: it is none of these, or a cell is no text, number or boolean.
    """
    import narwhals as nw

    try:
        native = nw.from_native(frame, eager_only=True, allow_series=True, pass_through=True)
    except nw.exceptions.DuplicateError as error:
        raise _unnamed(list(frame.columns)) from error  # type: ignore[attr-defined]
    if isinstance(native, nw.DataFrame):
        return _frame(native, prefix)
    shape = getattr(frame, "shape", None)
    if isinstance(shape, tuple) and len(shape) > 1:
        return _array(frame, len(shape), prefix)
    name, cells = series_of(frame, name=None, default="text", plain=False)
    if cells and all(isinstance(cell, Mapping) for cell in cells):
        return _tables(cells)
    if cells and all(isinstance(cell, list | tuple) for cell in cells):
        return _lists(cells, prefix)
    return {name: plain_cells(name, cells)}


def labels_of(labels: object, names: str | Sequence[str] | None, /, *, count: int) -> dict[str, list[Cell]]:
    """Return labels as columns by the names of their targets: a series as one, what has rows and columns as several.

    None stands for labels that are all missing, of so many rows.

    Raises:
        DataError: they are neither, a cell is no text, number or boolean, or there are more or fewer than names.
    """
    given = [names] if isinstance(names, str) else names
    if labels is None:
        return {name: [None] * count for name in given or ["target"]}
    if _is_table(labels):
        columns = columns_of(labels, prefix="y")
    else:
        title, cells = series_of(labels, name=given[0] if given else None, default="target")
        columns = {title: cells}
    if given is not None and len(given) != len(columns):
        raise DataError(
            f"{len(given)} targets are named, and the labels have {len(columns)} columns.",
            remedy="Give one column of labels for each target.",
        )
    return columns if given is None else dict(zip(given, columns.values(), strict=True))


def _is_table(labels: Any) -> bool:
    if hasattr(labels, "shape"):
        return len(labels.shape) > 1
    return isinstance(labels, Sequence) and bool(labels) and isinstance(labels[0], list | tuple | Mapping)


def series_of(series: object, *, name: str | None, default: str, plain: bool = True) -> tuple[str, list[Any]]:
    """Return the name and the cells of a sequence, a one-dimensional array or a series."""
    found = getattr(series, "name", None)
    title = name or (found if isinstance(found, str) and found else default)
    if isinstance(series, str | bytes | Mapping) or not hasattr(series, "__iter__"):
        raise _unusable(type(series).__name__)
    if len(getattr(series, "shape", (0,))) != 1:
        raise _unusable(f"{type(series).__name__} of the shape {series.shape}")  # type: ignore[attr-defined]
    cells = _listed(series)
    return title, plain_cells(title, cells) if plain else cells


def _frame(frame: Any, prefix: str) -> dict[str, list[Cell]]:
    names = list(frame.columns)
    if not any(isinstance(name, str) for name in names):  # a pandas frame that was given no names
        titles = [f"{prefix}{number}" for number in range(len(names))]
    else:
        titles = names
    if not all(isinstance(title, str) for title in titles):
        raise _unnamed(names)
    cells = (_exact(series).to_list() for series in frame.iter_columns())
    return {title: plain_cells(title, column) for title, column in zip(titles, cells, strict=True)}


def _exact(series: Any) -> Any:
    if series.implementation.is_polars():
        from mlopskit.columnar import plain_series

        return plain_series(series.to_native())
    return series


def _array(array: Any, dimensions: int, prefix: str) -> dict[str, list[Cell]]:
    if dimensions != 2 or not hasattr(array, "tolist"):  # noqa: PLR2004  # rows and columns; sparse ones have no list
        raise _unusable(f"{type(array).__name__} of the shape {array.shape}")
    names = [f"{prefix}{number}" for number in range(array.shape[1])]
    return {name: plain_cells(name, _listed(array[:, number])) for number, name in enumerate(names)}


def _listed(series: Any) -> list[Any]:
    """Return the cells as a list; numpy's own one of times would be of nanoseconds since 1970."""
    kind = getattr(getattr(series, "dtype", None), "kind", "")
    return series.tolist() if hasattr(series, "tolist") and kind != "M" else list(series)


def _tables(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Cell]]:
    names = list(rows[0])
    for number, row in enumerate(rows):
        if set(row) != set(names):
            raise DataError(
                f"Row {number} has the columns {', '.join(map(repr, row))}, row 0 {', '.join(map(repr, names))}.",
                remedy="Give all rows the same columns; None stands for a missing cell.",
                row=number,
            )
    return {name: plain_cells(name, [row[name] for row in rows]) for name in names}


def _lists(rows: Sequence[Sequence[Any]], prefix: str) -> dict[str, list[Cell]]:
    if len({len(row) for row in rows}) != 1:
        raise DataError("The rows have different lengths.", remedy="Give all rows the same number of cells.")
    columns = {f"{prefix}{number}": cells for number, cells in enumerate(zip(*rows, strict=True))}
    return {name: plain_cells(name, cells) for name, cells in columns.items()}


def _unnamed(names: Sequence[Any]) -> DataError:
    return DataError(f"The columns are named {names!r}.", remedy="Give each column a text of its own as its name.")


def _unusable(what: str) -> DataError:
    return DataError(
        f"These data are {what}.",
        remedy="Give a pandas or polars frame, a list of tables, a sequence of texts or a two-dimensional array; "
        "as labels a sequence or a series; of several targets a frame or a two-dimensional array.",
    )
