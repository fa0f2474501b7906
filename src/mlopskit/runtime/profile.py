"""A closed profile of JSON Schema: which schemas are of it, and whether a cell fits.

Of JSON Schema (draft 2020-12) it knows, for the object, `type`, `properties`, `required` and
`additionalProperties: false`, and for a property `type`, `enum`, `minimum`, `maximum` and `maxLength`.
`required` names every column, in the order the model wants them; a column that may be missing has the type `null`
beside its own. Narrower than JSON Schema, integers are those of 64 bits and numbers those of double precision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .errors import ManifestError
from .names import shown

Cell = str | int | float | bool | None

KINDS: Mapping[str, set[type]] = {
    "string": {str},
    "integer": {int, float},
    "number": {int, float},
    "boolean": {bool},
    "null": {type(None)},
}
INT64 = 2**63
SHOWN = 60
_OBJECT_KEYS = {"type", "properties", "required", "additionalProperties"}
_PROPERTY_KEYS = {"type", "enum", "minimum", "maximum", "maxLength"}
_WORDS = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing (null)",
}


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
    if not _strings(types) or not types or not set(types) <= KINDS.keys() or len(set(types)) != len(types):
        raise _outside(where, f"the type {shown(spec['type'])} is none of {sorted(KINDS)}")
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


def misfit(cell: object, spec: Mapping[str, Any]) -> str | None:
    """Return why a cell does not fit a property, None if it does."""
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
        return kind not in ("integer", "number") and isinstance(cell, tuple(KINDS[kind]))
    if kind == "integer":
        return -INT64 <= cell < INT64 and float(cell).is_integer()
    try:
        return kind == "number" and math.isfinite(cell)
    except OverflowError:
        return False


def expected(spec: Mapping[str, Any]) -> str:
    """Return in words what fits a property."""
    text = " or ".join(_WORDS[kind] for kind in types_of(spec))
    if "enum" in spec:
        text += f", one of {shown(spec['enum'], most=SHOWN)}"
    for bound, word in (("minimum", "at least"), ("maximum", "at most"), ("maxLength", "of a length of at most")):
        if bound in spec:
            text += f", {word} {spec[bound]}"
    return text
