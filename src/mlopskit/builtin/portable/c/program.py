"""A checked document as one file of C99 and its header."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from mlopskit.builtin.portable.c import encode, text, trees, vectors
from mlopskit.builtin.portable.c.names import comment, fits_literal, identifiers, literal
from mlopskit.builtin.portable.c.source import Source, Step
from mlopskit.builtin.portable.loader.document import Output, Program, parse

EMIT: Mapping[str, vectors.Emit] = {**vectors.EMIT, "trees": trees.trees, **encode.EMIT, **text.EMIT}
_WORD = re.compile(r"\w+")
_LOCALS = {"refused": "int", "place": "double"}
_MOST_STATEMENTS = 100  # of one function, so that no compiler takes long over it


def c_source(data: bytes, /, *, name: str = "model") -> dict[str, str]:
    """Return a portable model as the texts of `NAME.c` and `NAME.h`, by these names.

    The file is C99, needs libm alone and allocates nothing; `NAME_predict` in it answers a row, given as a struct of
    the schema's columns. docs/how-to/score-in-c.md says how it is compiled and called.

    Args:
        data: the bytes of `model.json`.
        name: what the names of the file begin with: small letters, digits and `_`.

    Raises:
        ValueError: the bytes are no portable model, all of which is checked before; or the name is none of C.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name) or identifiers([name]) != [name]:
        raise ValueError(f"{name!r} is no name that C's names could begin with")
    program, document = parse(data), json.loads(data)
    steps = _steps(program, document["steps"])
    s = Source(name, homes=_homes(steps))
    text.choose(s, steps)
    for step in steps:
        EMIT[step.op](s, step)
    declared, defined = _labels(s, program.outputs)
    words = {
        "NAME": name,
        "CAPS": name.upper(),
        "UNICODE": unicodedata.unidata_version,
        "SHA256": hashlib.sha256(data).hexdigest(),
        "ROW": _members(program.inputs, [f"{name}_text" if text else "double" for text in program.inputs.values()]),
        "ANSWER": _members([one.name for one in program.outputs], [_kind(one) for one in program.outputs]),
        "PREDICT": _predict(s, program),
        "LABELS": declared,
        "BODY": _body(s, program) + "\n" + defined,
        "WORK": _work(s, program),
    }
    return {f"{name}.{end}": filled(f"model.{end}", words) for end in ("c", "h")}


def filled(file: str, words: Mapping[str, str], /) -> str:
    """Return a template of the runtime with its words filled in."""
    template = (files(__package__) / "runtime" / file).read_text("utf-8")
    return re.sub(r"@([A-Z0-9]+)@", lambda found: words[found[1]], template)


def _steps(program: Program, fields: Sequence[Mapping[str, Any]]) -> list[Step]:
    """Return the steps, and for each whether it takes the place of its source."""
    readers = Counter(one.step for one in program.outputs)
    readers.update(source for _, sources in program.steps for source in sources)
    made = []
    for number, ((value, sources), own) in enumerate(zip(program.steps[1:], fields, strict=True), 1):
        given = [program.steps[one][0] for one in sources]
        at = 1 if own["op"] == "trees" else 0
        takes = None
        if own["op"] in vectors.IN_PLACE and len(sources) > at and readers[sources[at]] == 1:
            same = (given[at].width, given[at].sparse, value.has_texts) == (value.width, value.sparse, False)
            takes = sources[at] if same else None
        made.append(Step(number, own["op"], own, sources, value, given, takes))
    return made


def _kind(output: Output) -> str:
    return "double" if output.labels is None else "int32_t"


def _members(names: Sequence[str] | Mapping[str, Any], kinds: Sequence[str]) -> str:
    """Return the members of a struct, each with the name that it stands for if that is another."""
    lines = []
    for name, own, kind in zip(names, identifiers(names), kinds, strict=True):
        lines.append(f"    {kind} {own};" + ("" if own == name else f" /* {comment(name)} */"))
    return "\n".join(lines)


def _homes(steps: Sequence[Step]) -> dict[int, int]:
    """Return for each step the first of those that share its place."""
    homes = {0: 0}
    for step in steps:
        homes[step.number] = step.number if step.takes is None else homes[step.takes]
    return homes


def _work(s: Source, program: Program) -> str:
    lines = []
    for number, (value, _) in enumerate(program.steps):
        if s.homes[number] != number:
            continue
        lines.append(f"double s{number}[{max(value.width, 1)}];")
        if value.sparse:
            lines.append(f"int32_t s{number}_at[{max(value.width, 1)}], s{number}_many;")
        if value.has_texts:
            lines.append(f"{s.name}_text t{number}[{value.width}];")
    return "\n".join(f"    {line}" for line in [*lines, *s.room])


def _body(s: Source, program: Program) -> str:
    """Return all that stands before `predict`: the runtime's parts, tables, and the functions of the steps."""
    functions: list[str] = []
    for first in range(0, len(s.statements), _MOST_STATEMENTS):
        some = s.statements[first : first + _MOST_STATEMENTS]
        words = set(_WORD.findall("\n".join(some)))
        lines = [f"{kind} {one};" for one, kind in _LOCALS.items() if one in words]
        used = sorted(int(word[1:]) for word in words if word[0] == "s" and word[1:].isdecimal())
        lines += [_vector(program, number, s.homes[number]) for number in used]
        inside = "".join(f"    {line}\n" for line in [*lines, *some])
        functions.append(f"static int steps_{len(functions)}(work_area *w)\n{{\n{inside}    return 0;\n}}\n")
    tables = [f"static const {text.replace('@', name, 1)}\n" for text, name in s.tables.items()]
    return "\n".join([*s.in_order(), *tables, *functions])


def _vector(program: Program, number: int, home: int) -> str:
    value = program.steps[number][0]
    few = f"w->s{home}_at, &w->s{home}_many" if value.sparse else "NULL, NULL"
    return f"const vec s{number} = {{w->s{home}, {few}, {value.width}}};"


def _predict(s: Source, program: Program) -> str:
    """Return the statements of `predict` between its head and its last return."""
    lines = []
    if any(program.inputs.values()):
        s.need("utf8")
    for place, (own, is_text) in enumerate(zip(identifiers(program.inputs), program.inputs.values(), strict=True)):
        lines.append(f"w->{'t' if is_text else 's'}0[{place}] = row->{own};")
        if is_text:
            lines.append(f"if (row->{own}.data && !utf8(row->{own}))\n        return REFUSED_NO_UTF8;")
    functions = range(0, len(s.statements), _MOST_STATEMENTS)
    if functions:
        lines.insert(0, "int refused;")
    lines += [f"if ((refused = steps_{n}(w)) != 0)\n        return refused;" for n in range(len(functions))]
    return "".join(f"    {line}\n" for line in [*lines, *_answers(s, program)])


def _answers(s: Source, program: Program) -> list[str]:
    lines = []
    for own, one in zip(identifiers(one.name for one in program.outputs), program.outputs, strict=True):
        cast = "" if one.labels is None else "(int32_t)"
        lines.append(f"answer->{own} = {cast}w->s{s.homes[one.step]}[{one.at}];")
    return lines


def _labels(s: Source, outputs: Sequence[Output]) -> tuple[str, str]:
    """Return the declarations of the functions that name labels, and the functions."""
    declared, defined = "", ""
    for own, one in zip(identifiers(one.name for one in outputs), outputs, strict=True):
        if one.labels is not None:
            head, many = f"const char *{s.name}_{own}_label(int32_t number)", len(one.labels)
            table = s.table("char *const", [_label(s, label) for label in one.labels])
            declared += (
                f"\n/* The label of a number of `{own}`, from 0 to {many - 1}; NULL: there is none. */\n"
                f"enum {{ {s.name.upper()}_{own.upper()}_LABELS = {many} }};\n{s.name.upper()}_API {head};\n"
            )
            inside = f"    return number >= 0 && number < {many} ? {table}[number] : NULL;\n"
            defined += f"{head}\n{{\n{inside}}}\n\n"
    return declared, defined


def label_text(label: Any, /) -> str:
    """Return a label as a text: itself, or what JSON has for it."""
    return label if isinstance(label, str) else json.dumps(label)


def _label(s: Source, label: Any) -> str:
    data = label_text(label).encode("utf-8", "surrogatepass")
    return literal(data) if fits_literal(data) else f"(const char *){s.integers(data + bytes(1), 'unsigned char')}"
