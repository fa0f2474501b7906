"""Rows and columns against a schema of the closed profile (see `profile`): what fits, and what does not in words."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from .arrays import fits
from .errors import RowError
from .names import shown
from .profile import INT64, KINDS, SHOWN, Cell, expected, misfit, types_of

Row = Mapping[str, Cell]
Columns = Mapping[str, Any]
# By type: the least and the greatest number, an enum's cells, or nothing where every cell fits.
Fitting = Mapping[type, tuple[float, ...] | frozenset[Cell]]

_NONE = type(None)
_NUMERIC = {int, float}
_LISTED = 20


def to_columns(schema: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, list[Cell]]:
    """Return rows as checked columns, in the schema's order.

    Raises:
        RowError: there is no row, or one does not fit; it names the row (from 0), the column and the value.
    """
    return Checker.of(schema).rows(rows)


def check_columns(schema: Mapping[str, Any], columns: Columns) -> dict[str, Any]:
    """Return the columns in the schema's order, each value checked; NaN counts as missing.

    Arrays of numbers, booleans or text and pandas' and polars' series of text stay what they are (with NaN in them);
    all else becomes lists of plain cells, with None for what is missing.

    Raises:
        RowError: a column is missing or unknown, there is no row, or a value does not fit.
    """
    return Checker.of(schema).columns(columns)


class Checker:
    """A checked schema made ready: a model answers many requests with one schema."""

    def __init__(self, parts: Mapping[str, _Column]) -> None:
        self.parts = parts

    @classmethod
    def of(cls, schema: Mapping[str, Any], /) -> Checker:
        """Return the checker of a schema that `check_schema` let through."""
        return cls({name: _Column(name, schema["properties"][name]) for name in schema["required"]})

    def rows(self, rows: Sequence[Row], /) -> dict[str, list[Cell]]:
        """Return rows as checked columns, as `to_columns` does."""
        names = self.parts.keys()
        if type(rows) is list and len(rows) == 1 and type(rows[0]) is dict and rows[0].keys() == names:
            return self._one_row(rows[0])
        for number, row in enumerate(rows):
            if type(row) is not dict and not isinstance(row, Mapping):
                raise RowError(
                    f"Row {number} is a {type(row).__name__}.",
                    remedy="Give each row as a table of column → value.",
                    row=number,
                )
            if row.keys() != names:
                raise _wrong_names(row.keys(), names, row=number)
        if not rows:
            raise _no_rows()
        return {name: part.check([row[name] for row in rows]) for name, part in self.parts.items()}

    @cached_property
    def _looks(self) -> list[tuple[str, Callable[[type], Any]]]:
        return [(name, part.fitting.get) for name, part in self.parts.items()]

    def _one_row(self, cells: Row) -> dict[str, list[Cell]]:
        """Return one row as checked columns."""
        if self._surely_fit(cells):
            return {name: [cells[name]] for name in self.parts}
        return {name: part.check([cells[name]]) for name, part in self.parts.items()}

    def _surely_fit(self, cells: Row) -> bool:
        """Say whether one row fits for certain. Services ask so: a loop of few steps, for each of them counts."""
        for name, limits_of in self._looks:
            cell: Any = cells[name]
            limits = limits_of(type(cell))
            if limits is None:
                return False
            if limits and not (cell in limits if type(limits) is frozenset else limits[0] <= cell <= limits[1]):
                return False
        return True

    def one_row(self, columns: Columns, /) -> dict[str, Cell] | None:
        """Return the one row of a dict of lists of one cell that fits for certain; None says nothing of them."""
        if type(columns) is not dict or len(columns) != len(self.parts):
            return None
        made = {}
        for name in self.parts:
            cells = columns.get(name)
            if type(cells) is not list or len(cells) != 1:
                return None
            made[name] = cells[0]
        return made if self._surely_fit(made) else None

    def columns(self, columns: Columns, /) -> dict[str, Any]:
        """Return columns checked, as `check_columns` does."""
        if not hasattr(columns, "keys"):
            raise RowError(f"The data is a {type(columns).__name__}.", remedy="Give a table of column → values.")
        if set(columns.keys()) != self.parts.keys():
            raise _wrong_names(columns.keys(), self.parts.keys())
        checked = {name: part.check_any(columns[name]) for name, part in self.parts.items()}
        lengths = {len(cells) for cells in checked.values()}
        if len(lengths) > 1:
            raise RowError(
                f"The columns have different lengths: {sorted(lengths)}.", remedy="Give each column one value a row."
            )
        if lengths == {0}:
            raise _no_rows()
        return checked


def _surely_fits(cell: Any, fitting: Fitting) -> bool:
    limits = fitting.get(type(cell))
    if isinstance(limits, frozenset):
        return cell in limits
    return limits is not None and (not limits or limits[0] <= cell <= limits[1])


def _no_rows() -> RowError:
    return RowError("There are no rows.", remedy="Give at least one row.")


def _wrong_names(given: Iterable[Any], names: Collection[str], *, row: int | None = None) -> RowError:
    import difflib  # half as large as this module, and for a message alone

    given = dict.fromkeys(given)
    missing = [name for name in names if name not in given]
    extra = [name for name in given if name not in names]
    wrong = [f"lacks the column {shown(name)}" for name in missing[:5]]
    for name in extra[:5]:
        near = difflib.get_close_matches(str(name)[:SHOWN], missing or names, 1)
        hint = f" (did you mean {shown(near[0])}?)" if near else ""
        wrong.append(f"has the unknown column {shown(name, most=SHOWN)}{hint}")
    listed = [shown(name) for name in names]
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return RowError(
        f"{'The data' if row is None else f'Row {row}'} {' and '.join(wrong)}.",
        remedy=f"Give exactly these columns: {', '.join(listed[:_LISTED])}{more}.",
        missing=missing,
        extra=extra,
        **({} if row is None else {"row": row}),
    )


def _cells(name: str, values: Any) -> list[Any]:
    cells = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(cells, str | bytes) or not isinstance(cells, Iterable):
        raise RowError(
            f"The column {shown(name)} is a {type(values).__name__}.", remedy="Give a list of values.", column=name
        )
    return cells if isinstance(cells, list) else list(cells)


class _Column:
    """One column's rules. What fits is found by a few looks at the whole column; single cells are for messages."""

    def __init__(self, name: str, spec: Mapping[str, Any]) -> None:
        self.name, self.spec = name, spec

    @cached_property
    def _kinds(self) -> set[type]:
        return set().union(*(KINDS[kind] for kind in types_of(self.spec)))

    @cached_property
    def _free(self) -> set[type]:
        """The kinds whose every value fits."""
        return set() if len(self.spec) > 1 else self._kinds - _NUMERIC

    @cached_property
    def _range(self) -> tuple[float, float]:
        low, high = self.spec.get("minimum", -math.inf), self.spec.get("maximum", math.inf)
        return (low, high) if "number" in types_of(self.spec) else (max(low, -INT64), min(high, INT64 - 1))

    @cached_property
    def _known(self) -> frozenset[Cell] | None:
        """What fits of the enum, as a set; None where that cannot be looked up so: a set takes true for 1."""
        known = self.spec["enum"]
        if any(isinstance(cell, bool) for cell in known):
            return None
        return frozenset(cell for cell in known if misfit(cell, self.spec) is None)

    @cached_property
    def fitting(self) -> Fitting:
        """The types of which cells surely fit: those of an enum; of a number from the least to the greatest; or all."""
        if "enum" in self.spec:
            return dict.fromkeys(self._kinds - {bool}, self._known) if self._known else {}
        # Not infinity: what is beyond the largest number, and NaN, is between no two of these.
        limits = (max(self._range[0], -sys.float_info.max), min(self._range[1], sys.float_info.max))
        kinds: dict[str, tuple[type, ...]] = {"integer": (int,), "number": (int, float)}
        numbers = {kind: limits for name in types_of(self.spec) for kind in kinds.get(name, ())}
        return {**dict.fromkeys(self._free, ()), **numbers}

    def check_any(self, values: Any) -> Any:
        """Return an array or series as it is where a look at it tells that all fits, else a list, as `check` does."""
        if type(values) is list:
            return values if len(values) == 1 and _surely_fits(values[0], self.fitting) else self.check(values)
        if hasattr(values, "dtype"):
            known = self._known if "enum" in self.spec else None
            if fits(values, types_of(self.spec), self.spec, self._range, known):
                return values
        return self.check(_cells(self.name, values))

    def check(self, cells: list[Any]) -> list[Cell]:
        """Return the cells, NaN as None; raise RowError at the first that does not fit."""
        kinds = set(map(type, cells))
        if kinds <= self._free or self._fits(cells, kinds):
            return cells
        plain = [_plain(cell) for cell in cells]
        if not self._fits(plain, set(map(type, plain))):
            for number, cell in enumerate(plain):
                self._check_cell(number, cell)
        return plain

    def _fits(self, cells: list[Any], kinds: set[type]) -> bool:
        """Say whether all surely fit; where that takes more than a look at the column, the answer is no."""
        if not kinds <= self._kinds:
            return False
        given = cells if _NONE not in kinds else [cell for cell in cells if cell is not None]
        kinds = kinds - {_NONE}
        if "enum" in self.spec:
            return self._known is not None and bool not in kinds and self._known.issuperset(cells)
        if kinds <= _NUMERIC:
            return self._in_range(given, kinds)
        return kinds <= {bool} or (kinds == {str} and max(map(len, given)) <= self.spec.get("maxLength", math.inf))

    def _in_range(self, numbers: list[Any], kinds: set[type]) -> bool:
        if not numbers:
            return True
        if float in kinds and "number" not in types_of(self.spec):
            return False
        try:
            # One NaN or infinity makes the sum another.
            finite = math.isfinite(sum(numbers))
        except OverflowError:
            return False
        low, high = self._range
        return finite and low <= min(numbers) and max(numbers) <= high

    def _check_cell(self, number: int, cell: object) -> None:
        reason = misfit(cell, self.spec)
        if reason:
            raise RowError(
                f"Row {number}, column {shown(self.name)}: {shown(cell, most=SHOWN)} {reason}.",
                remedy=f"Give {expected(self.spec)}.",
                row=number,
                column=self.name,
                value=cell,
                expected=expected(self.spec),
            )


def _plain(cell: Any) -> Any:
    """Return a number or text of numpy's as Python's own, and NaN as None."""
    if getattr(cell, "ndim", None) == 0:
        cell = cell.item()
    return None if isinstance(cell, float) and math.isnan(cell) else cell
