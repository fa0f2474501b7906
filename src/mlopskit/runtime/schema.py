"""Rows and columns against a closed profile of JSON Schema: flat objects of simple values.

Of JSON Schema (draft 2020-12) it knows, for the object, `type`, `properties`, `required` and
`additionalProperties: false`, and for a property `type`, `enum`, `minimum`, `maximum` and `maxLength`.
`required` names every column, in the order the model wants them; a column that may be missing has the type `null`
beside its own. Narrower than JSON Schema, integers are those of 64 bits and numbers those of double precision.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .arrays import fits
from .errors import ManifestError, RowError
from .names import shown

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]
Columns = Mapping[str, Any]

_OBJECT_KEYS = {"type", "properties", "required", "additionalProperties"}
_PROPERTY_KEYS = {"type", "enum", "minimum", "maximum", "maxLength"}
_NONE = type(None)
_KINDS: dict[str, set[type]] = {
    "string": {str},
    "integer": {int, float},
    "number": {int, float},
    "boolean": {bool},
    "null": {_NONE},
}
_WORDS = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing (null)",
}
_NUMERIC = {int, float}
_INT64 = 2**63
_SHOWN = 60
_LISTED = 20


def check_schema(schema: Any, /, *, what: str = "schema") -> None:
    """Check that a schema is of the profile.

    Raises:
        ManifestError: it is not; the message names `what`, the column and the keyword.
    """
    if not isinstance(schema, dict) or set(schema) != _OBJECT_KEYS or schema["type"] != "object":
        raise _outside(what, f"it must be an object schema with {sorted(_OBJECT_KEYS)}")
    if schema["additionalProperties"] is not False:
        raise _outside(what, "additionalProperties must be false")
    properties, required = schema["properties"], schema["required"]
    if not isinstance(properties, dict) or not properties:
        raise _outside(what, "properties must be a table of columns")
    if not _strings(required) or sorted(required) != sorted(properties):
        raise _outside(what, "required must name every column once")
    for name, spec in properties.items():
        _check_property(f"{what}, column {shown(name)}", spec)


def _check_property(where: str, spec: Any) -> None:
    if not isinstance(spec, dict) or not spec.keys() <= _PROPERTY_KEYS or "type" not in spec:
        raise _outside(where, f"it must have a type, and may have {sorted(_PROPERTY_KEYS - {'type'})}")
    types = types_of(spec)
    if not _strings(types) or not types or not set(types) <= _KINDS.keys() or len(set(types)) != len(types):
        raise _outside(where, f"the type {shown(spec['type'])} is none of {sorted(_KINDS)}")
    for bound in ("minimum", "maximum"):
        if not _is(spec.get(bound, 0), "number"):
            raise _outside(where, f"the {bound} {shown(spec[bound])} is no number")
    longest = spec.get("maxLength", 0)
    if type(longest) is not int or longest < 0:
        raise _outside(where, f"the maxLength {shown(longest)} is no length")
    known = spec.get("enum", [None])
    if not isinstance(known, list) or not known or not all(isinstance(cell, Cell) for cell in known):
        raise _outside(where, f"the enum {shown(known)} is no list of values")


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _outside(where: str, reason: str) -> ManifestError:
    return ManifestError(
        f"The {where} is outside of the profile: {reason}.", remedy="See docs/reference/package.md.", field="schema"
    )


def types_of(spec: Mapping[str, Any]) -> list[str]:
    """Return the types that a column may have."""
    types = spec["type"]
    return [types] if isinstance(types, str) else list(types) if isinstance(types, list) else []


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


@dataclass(frozen=True)
class Checker:
    """A checked schema made ready: a model answers many requests with one schema."""

    parts: Mapping[str, _Column]

    @classmethod
    def of(cls, schema: Mapping[str, Any], /) -> Checker:
        """Return the checker of a schema that `check_schema` let through."""
        return cls({name: _Column(name, schema["properties"][name]) for name in schema["required"]})

    def rows(self, rows: Sequence[Row], /) -> dict[str, list[Cell]]:
        """Return rows as checked columns, as `to_columns` does."""
        names = self.parts.keys()
        for number, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise RowError(
                    f"Row {number} is a {type(row).__name__}.",
                    remedy="Give each row as a table of column → value.",
                    row=number,
                )
            if row.keys() != names:
                raise _wrong_names(row.keys(), names, where=f"Row {number}")
        if not rows:
            raise _no_rows()
        return {name: part.check([row[name] for row in rows]) for name, part in self.parts.items()}

    def columns(self, columns: Columns, /) -> dict[str, Any]:
        """Return columns checked, as `check_columns` does."""
        if not hasattr(columns, "keys"):
            raise RowError(f"The data is a {type(columns).__name__}.", remedy="Give a table of column → values.")
        if set(columns.keys()) != self.parts.keys():
            raise _wrong_names(columns.keys(), self.parts.keys(), where="The data")
        checked = {name: part.check_any(columns[name]) for name, part in self.parts.items()}
        lengths = {len(cells) for cells in checked.values()}
        if len(lengths) > 1:
            raise RowError(
                f"The columns have different lengths: {sorted(lengths)}.", remedy="Give each column one value a row."
            )
        if lengths == {0}:
            raise _no_rows()
        return checked


def _no_rows() -> RowError:
    return RowError("There are no rows.", remedy="Give at least one row.")


def _wrong_names(given: Iterable[Any], names: Collection[str], *, where: str) -> RowError:
    given = list(given)
    missing = [name for name in names if name not in given]
    extra = [name for name in given if name not in names]
    wrong = [f"lacks the column {shown(name)}" for name in missing[:5]]
    for name in extra[:5]:
        near = difflib.get_close_matches(str(name)[:_SHOWN], missing or names, 1)
        hint = f" (did you mean {shown(near[0])}?)" if near else ""
        wrong.append(f"has the unknown column {shown(name, most=_SHOWN)}{hint}")
    listed = [shown(name) for name in names]
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return RowError(
        f"{where} {' and '.join(wrong)}.",
        remedy=f"Give exactly these columns: {', '.join(listed[:_LISTED])}{more}.",
        missing=missing,
        extra=extra,
    )


def _cells(name: str, values: Any) -> list[Any]:
    cells = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(cells, str | bytes) or not isinstance(cells, Iterable):
        raise RowError(
            f"The column {shown(name)} is a {type(values).__name__}.", remedy="Give a list of values.", column=name
        )
    return cells if isinstance(cells, list) else list(cells)


@dataclass(frozen=True)
class _Column:
    """One column's rules. What fits is found by a few looks at the whole column; single cells are for messages."""

    name: str
    spec: Mapping[str, Any]

    @cached_property
    def _kinds(self) -> set[type]:
        return set().union(*(_KINDS[kind] for kind in types_of(self.spec)))

    @cached_property
    def _free(self) -> set[type]:
        """The kinds whose every value fits."""
        return set() if len(self.spec) > 1 else self._kinds - _NUMERIC

    @cached_property
    def _range(self) -> tuple[float, float]:
        low, high = self.spec.get("minimum", -math.inf), self.spec.get("maximum", math.inf)
        return (low, high) if "number" in types_of(self.spec) else (max(low, -_INT64), min(high, _INT64 - 1))

    @cached_property
    def _known(self) -> frozenset[Cell] | None:
        """What fits of the enum, as a set; None where that cannot be looked up so: a set takes true for 1."""
        known = self.spec["enum"]
        if any(isinstance(cell, bool) for cell in known):
            return None
        return frozenset(cell for cell in known if _misfit(cell, self.spec) is None)

    def check_any(self, values: Any) -> Any:
        """Return an array or series as it is where a look at it tells that all fits, else a list, as `check` does."""
        if not isinstance(values, list) and hasattr(values, "dtype"):
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
        reason = _misfit(cell, self.spec)
        if reason:
            raise RowError(
                f"Row {number}, column {shown(self.name)}: {shown(cell, most=_SHOWN)} {reason}.",
                remedy=f"Give {_expected(self.spec)}.",
                row=number,
                column=self.name,
                value=cell,
            )


def _plain(cell: Any) -> Any:
    """Return a number or text of numpy's as Python's own, and NaN as None."""
    if getattr(cell, "ndim", None) == 0:
        cell = cell.item()
    return None if isinstance(cell, float) and math.isnan(cell) else cell


def _misfit(cell: object, spec: Mapping[str, Any]) -> str | None:
    types = types_of(spec)
    if not any(_is(cell, kind) for kind in types):
        return f"is not {' or '.join(types)}"
    if "enum" in spec and not any(cell == known and _same_kind(cell, known) for known in spec["enum"]):
        return "is not one of the known values"
    if isinstance(cell, str):
        return "is too long" if len(cell) > spec.get("maxLength", math.inf) else None
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        if cell < spec.get("minimum", -math.inf):
            return "is too small"
        if cell > spec.get("maximum", math.inf):
            return "is too large"
    return None


def _same_kind(one: object, other: object) -> bool:
    return isinstance(one, bool) == isinstance(other, bool)


def _is(cell: object, kind: str) -> bool:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return kind not in ("integer", "number") and isinstance(cell, tuple(_KINDS[kind]))
    if kind == "integer":
        return -_INT64 <= cell < _INT64 and float(cell).is_integer()
    try:
        return kind == "number" and math.isfinite(cell)
    except OverflowError:
        return False


def _expected(spec: Mapping[str, Any]) -> str:
    text = " or ".join(_WORDS[kind] for kind in types_of(spec))
    if "enum" in spec:
        text += f", one of {shown(spec['enum'], most=_SHOWN)}"
    for bound, word in (("minimum", "at least"), ("maximum", "at most"), ("maxLength", "of a length of at most")):
        if bound in spec:
            text += f", {word} {spec[bound]}"
    return text
