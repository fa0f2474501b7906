"""Rows and columns against a closed profile of JSON Schema: flat objects of simple values.

Of JSON Schema (draft 2020-12) it knows, for the object, `type`, `properties`, `required` and
`additionalProperties: false`, and for a property `type`, `enum`, `minimum`, `maximum` and `maxLength`.
`required` names every column, in the order the model wants them; a column that may be missing has the type `null`
beside its own.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import ManifestError, RowError

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]
Columns = Mapping[str, Any]

_TYPES = {"string", "integer", "number", "boolean", "null"}
_OBJECT_KEYS = {"type", "properties", "required", "additionalProperties"}
_PROPERTY_KEYS = {"type", "enum", "minimum", "maximum", "maxLength"}
_SHOWN = 60


def check_schema(schema: Any) -> None:
    """Check that a schema is of the profile.

    Raises:
        ManifestError: it is not; the message names the column and the keyword.
    """
    if not isinstance(schema, dict) or set(schema) != _OBJECT_KEYS or schema["type"] != "object":
        raise _outside(f"it must be an object schema with {sorted(_OBJECT_KEYS)}")
    if schema["additionalProperties"] is not False or not isinstance(schema["properties"], dict):
        raise _outside("additionalProperties must be false, properties a table")
    if not isinstance(schema["required"], list) or sorted(map(str, schema["required"])) != sorted(schema["properties"]):
        raise _outside("required must name every column once")
    for name, spec in schema["properties"].items():
        _check_property(name, spec)


def _check_property(name: str, spec: Any) -> None:
    if not isinstance(spec, dict) or not spec.keys() <= _PROPERTY_KEYS or "type" not in spec:
        raise _outside(f"column {name!r} may have only {sorted(_PROPERTY_KEYS)}")
    types = types_of(spec)
    if not types or not set(types) <= _TYPES or len(set(types)) != len(types):
        raise _outside(f"column {name!r} has the type {spec['type']!r}")
    for bound in ("minimum", "maximum", "maxLength"):
        if bound in spec and (isinstance(spec[bound], bool) or not isinstance(spec[bound], int | float)):
            raise _outside(f"column {name!r} has the {bound} {spec[bound]!r}")
    if not isinstance(spec.get("enum", []), list):
        raise _outside(f"column {name!r} has the enum {spec['enum']!r}")


def _outside(reason: str) -> ManifestError:
    return ManifestError(
        f"The schema is outside of the profile: {reason}.", remedy="See docs/reference/package.md.", field="schema"
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
    names = schema["required"]
    expected = set(names)
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise RowError(f"Row {number} is {type(row).__name__}.", remedy="Give each row as a table of column → value.", row=number)
        if row.keys() != expected:
            raise _wrong_names(row.keys(), names, where=f"Row {number}")
    return check_columns(schema, {name: [row[name] for row in rows] for name in names})


def check_columns(schema: Mapping[str, Any], columns: Columns) -> dict[str, list[Cell]]:
    """Return the columns as lists in the schema's order, each value checked; NaN counts as missing.

    Raises:
        RowError: a column is missing or unknown, there is no row, or a value does not fit.
    """
    names = schema["required"]
    if set(columns) != set(names):
        raise _wrong_names(columns.keys(), names, where="The data")
    checked = {name: _check_column(name, schema["properties"][name], columns[name]) for name in names}
    lengths = {len(values) for values in checked.values()}
    if len(lengths) > 1:
        raise RowError(f"The columns have different lengths: {sorted(lengths)}.", remedy="Give each column one value a row.")
    if lengths == {0} or not lengths:
        raise RowError("There are no rows.", remedy="Give at least one row.")
    return checked


def _wrong_names(given: Any, names: Sequence[str], *, where: str) -> RowError:
    missing = [name for name in names if name not in given]
    extra = [name for name in given if name not in names]
    wrong = [f"lacks the column {name!r}" for name in missing[:5]]
    for name in extra[:5]:
        near = difflib.get_close_matches(str(name), missing or names, 1)
        wrong.append(f"has the unknown column {_shown(name)}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    return RowError(
        f"{where} {' and '.join(wrong)}.",
        remedy=f"Give exactly these columns: {', '.join(map(repr, names))}.",
        missing=missing,
        extra=extra,
    )


def _check_column(name: str, spec: Mapping[str, Any], values: Any) -> list[Cell]:
    cells: list[Cell] = values.tolist() if hasattr(values, "tolist") else list(values)
    kinds = set(map(type, cells))
    if float in kinds:
        cells = [None if cell != cell else cell for cell in cells]  # noqa: PLR0124  # NaN alone differs from itself
        kinds = set(map(type, cells))
    if _plain_fit(kinds, spec):
        return cells
    for number, cell in enumerate(cells):
        reason = _misfit(cell, spec)
        if reason:
            raise RowError(
                f"Row {number}, column {name!r}: {_shown(cell)} {reason}.",
                remedy=f"Give {_expected(spec)}.",
                row=number,
                column=name,
                value=cell,
            )
    return cells


_PLAIN = {str: {"string"}, bool: {"boolean"}, type(None): {"null"}, int: {"integer", "number"}}


def _plain_fit(kinds: set[type], spec: Mapping[str, Any]) -> bool:
    """Say whether the types alone show that every cell fits: one look a column instead of one a cell."""
    types = set(types_of(spec))
    return spec.keys() == {"type"} and all(kind in _PLAIN and _PLAIN[kind] & types for kind in kinds)


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
    if kind == "null":
        return cell is None
    if kind == "boolean":
        return isinstance(cell, bool)
    if kind == "string":
        return isinstance(cell, str)
    if isinstance(cell, bool) or not isinstance(cell, int | float) or not math.isfinite(cell):
        return False
    return kind == "number" or float(cell).is_integer() if isinstance(cell, float) else True


def _expected(spec: Mapping[str, Any]) -> str:
    text = " or ".join("nothing (null)" if kind == "null" else f"a {kind}" for kind in types_of(spec))
    if "enum" in spec:
        text += f", one of {_shown(spec['enum'])}"
    for bound, word in (("minimum", "at least"), ("maximum", "at most"), ("maxLength", "of a length of at most")):
        if bound in spec:
            text += f", {word} {spec[bound]}"
    return text


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
