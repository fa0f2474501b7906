"""Categories in C: tables in rising order, one for each element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlopskit.builtin.portable.c.names import number
from mlopskit.builtin.portable.c.source import Source, Step

_REFUSE = -2


def onehot(s: Source, step: Step) -> None:
    """Write the places of categories."""
    s.do(f"clear({step.y})")
    for place, table in enumerate(step.fields["tables"]):
        unknown, refuses = table["unknown"], table["unknown"] == _REFUSE
        _look_up(s, step, place, "&place", table["cells"], table["at"], unknown, refuses=refuses)
        s.also(f"one_at({step.y}, place)")


def lookup(s: Source, step: Step) -> None:
    """Write the numbers of categories."""
    for place, table in enumerate(step.fields["tables"]):
        into, unknown = f"&{step.y}.v[{place}]", table["unknown"][0]
        _look_up(s, step, place, into, table["cells"], table["values"], unknown, refuses=table["refuse"])


def _look_up(
    s: Source,
    step: Step,
    place: int,
    into: str,
    cells: Sequence[Any],
    values: Sequence[float | None],
    unknown: float | None,
    *,
    refuses: bool,
) -> None:
    given, source = step.given[0], step.sources[0]
    text = bool(given.texts and given.texts[place])
    known = dict(zip(cells, [_or_nan(value) for value in values], strict=True))
    missing = known.pop(None, None)
    order = sorted(known, key=lambda cell: cell.encode("utf-8", "surrogatepass")) if text else sorted(known)
    part, function = ("texts_known", "number_of_text") if text else ("numbers_known", "number_of_number")
    cells_of = s.table("text", [s.text(cell) for cell in order] or ["{NULL, 0}"]) if text else s.doubles(order)
    table = [cells_of, s.doubles(known[cell] for cell in order), str(len(order)), str(int(missing is not None))]
    table += [str(int(refuses)), number(missing or 0.0), number(_or_nan(unknown))]
    cell = f"w->t{source}[{place}]" if text else f"{step.x}.v[{place}]"
    s.do(f"{function}({into}, {cell}, &{s.struct(part, table)})", may_refuse=True)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)


EMIT: Mapping[str, Any] = {"onehot": onehot, "lookup": lookup}
