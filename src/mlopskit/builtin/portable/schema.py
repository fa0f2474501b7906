"""The JSON Schema of `model.json`, made of the table of steps; docs/reference/portable-format.schema.json is it."""

from __future__ import annotations

from typing import Any

from mlopskit.builtin.portable.loader.document import FORMAT_VERSION, OPS
from mlopskit.builtin.portable.loader.values import Op

_PLACE = {"type": "integer", "minimum": 0}


def json_schema() -> dict[str, Any]:
    """Return the schema: the form of a document, without what only its reader can know, such as widths."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A portable model, version 1",
        **_table(
            format_version={"const": FORMAT_VERSION},
            inputs=_some(_table(name={"type": "string"}, type={"enum": ["text", "number"]})),
            steps={"type": "array", "items": {"oneOf": [_step(name, op) for name, op in sorted(OPS.items())]}},
            outputs=_some({
                **_table(
                    name={"type": "string"},
                    at=_PLACE,
                    labels={"type": ["array", "null"], "items": {"type": ["string", "number", "boolean"]}},
                    **{"from": _PLACE},
                )
            }),
        ),
    }  # fmt: skip


def _step(name: str, op: Op) -> dict[str, Any]:
    sources: dict[str, Any] = {"type": "array", "items": _PLACE, "minItems": 1}
    if op.sources is not None:
        sources["minItems"] = sources["maxItems"] = op.sources
    fields = {field: dict(kind.schema) for field, kind in op.fields.items()}
    return _table(op={"const": name}, **{"from": sources}, **fields)


def _table(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


def _some(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}
