"""The program that answers rows on its standard input with a model in C."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlopskit.builtin.portable.c.names import fits_literal, identifiers, literal, number
from mlopskit.builtin.portable.c.program import filled
from mlopskit.builtin.portable.c.source import Source
from mlopskit.builtin.portable.loader.document import FORMAT_VERSION, parse
from mlopskit.runtime.profile import types_of

_KINDS = {"string": "TEXT", "integer": "WHOLE", "number": "NUMBER", "boolean": "TRUTH", "null": "NOTHING"}


def c_predict(data: bytes, inputs: Mapping[str, Any], /, *, digest: str, name: str = "model") -> str:
    """Return the text of `predict.c`, which answers with what `c_source` made of a model.

    Each line that the program reads is a request, `{"rows": [{...}, ...]}`, each line that it writes an answer, as
    `python -m mlopskit.runtime` has them.

    Args:
        data: the bytes of `model.json`.
        inputs: the schema of a row; what does not fit it is refused.
        digest: the package's, which every answer names.
        name: what `c_source` was given.

    Raises:
        ValueError: the bytes are no portable model.
    """
    program, s = parse(data), Source(name, homes={})
    columns = []
    for column, own in zip(program.inputs, identifiers(program.inputs), strict=True):
        columns.append(_column(s, column, inputs["properties"][column], f"offsetof({name}_row, {own})"))
    answers = ""
    for place, (one, own) in enumerate(zip(program.outputs, identifiers(o.name for o in program.outputs), strict=True)):
        answers += f"    say(o, {_text(s, (', ' if place else '') + json.dumps(one.name) + ': ')});\n"
        if one.labels is None:
            answers += f"    put_number(o, got.{own});\n"
        else:
            labels = s.table("char *const", [_text(s, json.dumps(label)) for label in one.labels])
            answers += f"    say(o, {labels}[got.{own}]);\n"
    tables = "".join(f"static const {text.replace('@', own, 1)}\n" for text, own in s.tables.items())
    words = {
        "NAME": name,
        "TABLES": tables + f"static const column columns[] = {{\n{','.join(columns)}}};\n",
        "COLUMNS": str(len(columns)),
        "ANSWERS": answers,
        "DIGEST": digest,
        "VERSION": str(FORMAT_VERSION),
    }
    return filled("predict.c", words)


def _column(s: Source, name: str, spec: Mapping[str, Any], at: str) -> str:
    kinds = " | ".join(_KINDS[one] for one in types_of(spec))
    known: Sequence[Any] = spec.get("enum", ())
    cells = s.table("cell", [_cell(s, one) for one in known]) if known else "NULL"
    limits = (spec.get("minimum", "-INFINITY"), spec.get("maximum", "INFINITY"), spec.get("maxLength", "INFINITY"))
    numbers = ", ".join(one if isinstance(one, str) else number(float(one)) for one in limits)
    is_text = int("string" in types_of(spec))
    return f"{{{s.text(name)}, {kinds}, {is_text}, {numbers}, {cells}, {len(known)}, {at}}}"


def _cell(s: Source, value: Any) -> str:
    if value is None:
        return "{NOTHING, 0, {NULL, 0}}"
    if isinstance(value, str):
        return f"{{TEXT, 0, {s.text(value)}}}"
    return f"{{{'TRUTH' if isinstance(value, bool) else 'NUMBER'}, {number(float(value))}, {{NULL, 0}}}}"


def _text(s: Source, text: str) -> str:
    data = text.encode("ascii")
    return literal(data) if fits_literal(data) else f"(const char *){s.integers(data + bytes(1), 'unsigned char')}"
