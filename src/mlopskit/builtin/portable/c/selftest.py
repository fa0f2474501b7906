"""The program that asks a model in C for its golden rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlopskit.builtin.portable.c.names import identifiers, literal, number
from mlopskit.builtin.portable.c.program import filled
from mlopskit.builtin.portable.c.source import Source
from mlopskit.builtin.portable.loader.document import Output, Program, parse
from mlopskit.runtime.golden import Scale, probabilities_of

Golden = tuple[Mapping[str, Any], Mapping[str, Any] | None]


def c_selftest(
    data: bytes, golden: Sequence[Golden], /, *, tolerance: float, scale: Scale = 1.0, name: str = "model"
) -> str:
    """Return the text of `selftest.c`, which asks what `c_source` made of a model for golden rows.

    The program prints each answer that is another, and how many; it ends with 1 if there is one. It compares as
    `mlopskit.runtime` does.

    Args:
        data: the bytes of `model.json`.
        golden: rows, each with its expected outputs; None instead of these says that the row is refused.
        tolerance: of numbers, see `scale`: |a - b| <= tolerance * max(scale, |b|), b being the expected one.
        scale: one for all outputs, or one for each that is named.
        name: what `c_source` was given.

    Raises:
        ValueError: the bytes are no portable model, or there are no rows, which would prove nothing.
    """
    if not golden:
        raise ValueError("there are no golden rows to ask for")
    program, s = parse(data), Source(name, homes={})
    names = identifiers(one.name for one in program.outputs)
    rows = [f"{{{', '.join(_row(s, program, row))}}}" for row, _ in golden]
    expected = [f"{{{', '.join(_expected(one, wanted) for one in program.outputs)}}}" for _, wanted in golden]
    tables = _tables(s, {f"{name}_row rows": rows, f"{name}_answer expected": expected})
    refused = [str(int(wanted is None)) for _, wanted in golden]
    compare, own = "", {"unsigned char refused": refused}
    for place, (one, member) in enumerate(zip(program.outputs, names, strict=True)):
        of = f"i, {literal(one.name.encode('utf-8', 'surrogatepass'))}, want->{member}, got.{member}"
        if one.labels is None:
            by = scale if isinstance(scale, float | int) else scale.get(one.name, 1.0)
            compare += f"        wrong += of_number({of}, {number(by)});\n"
        else:
            own[f"unsigned char ties_{place}"] = [
                str(int(_is_tie(one.name, wanted, tolerance))) for _, wanted in golden
            ]
            compare += f"        wrong += of_label({of}, ties_{place}[i]);\n"
    words = {"NAME": name, "TABLES": tables + _tables(s, own), "TOLERANCE": number(tolerance), "ROWS": str(len(golden))}
    return filled("selftest.c", {**words, "COMPARE": compare})


def _tables(s: Source, tables: Mapping[str, Sequence[str]]) -> str:
    """Return tables under names of their own, behind those that they refer to."""
    before = "".join(f"static const {text.replace('@', name, 1)}\n" for text, name in s.tables.items())
    s.tables.clear()
    lines = [
        f"static const {name}[] = {{\n{joined}}};\n" for name, cells in tables.items() for joined in [",\n".join(cells)]
    ]
    return before + "".join(lines)


def _row(s: Source, program: Program, row: Mapping[str, Any]) -> list[str]:
    cells = []
    for name, text in program.inputs.items():
        cell = row[name]
        if text:
            cells.append("{NULL, 0}" if cell is None else s.text(cell))
        else:
            cells.append("NAN" if cell is None else number(cell))
    return cells


def _expected(output: Output, expected: Mapping[str, Any] | None) -> str:
    """Return an expected output as a cell of the struct; -1 for a label that the model does not have."""
    wanted = None if expected is None else expected[output.name]
    if output.labels is None:
        return "NAN" if wanted is None else number(wanted)
    same = [
        k for k, one in enumerate(output.labels) if one == wanted and isinstance(one, bool) == isinstance(wanted, bool)
    ]
    return str(same[0] if same else -1)


def _is_tie(output: str, expected: Mapping[str, Any] | None, tolerance: float) -> bool:
    """Say whether the two largest expected probabilities of a target are as good as equal."""
    scores = [expected[name] for name in probabilities_of(output, expected)] if expected else []
    top = sorted((float(one) for one in scores if isinstance(one, int | float)), reverse=True)[:2]
    return len(top) > 1 and top[0] - top[1] <= 2 * tolerance
