"""The file that is being written: tables, the parts of the runtime that it needs, and what is done for a row."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from mlopskit.builtin.portable.c.names import fits_literal, literal, number, rows_of
from mlopskit.builtin.portable.loader.values import Value

_PARTS = ("vectors.c", "scores.c", "points.c", "trees.c", "categories.c", "text.c")
_MARK = re.compile(r"^/\*@ (\w+)(?:: ([\w ]+))? \*/\n", re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """A part of the runtime: what it needs, and its text."""

    needs: tuple[str, ...]
    text: str


@functools.cache
def parts() -> Mapping[str, Part]:
    """Return the parts of the runtime by name."""
    found = {}
    for name in _PARTS:
        _, *pieces = _MARK.split((files(__package__) / "runtime" / name).read_text("utf-8"))
        for part, needs, text in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
            found[part] = Part(tuple((needs or "").split()), text.strip() + "\n")
    return found


@dataclass(frozen=True)
class Step:
    """A step of a checked document: its number, fields and sources, and the values of itself and of these."""

    number: int
    op: str
    fields: Mapping[str, Any]
    sources: Sequence[int]
    value: Value
    given: Sequence[Value]
    takes: int | None = None  # the source whose place it takes

    @property
    def in_place(self) -> bool:
        """Whether it changes the elements of a source, which nothing else reads."""
        return self.takes is not None

    @property
    def y(self) -> str:
        """The variable of its vector."""
        return f"s{self.number}"

    @property
    def x(self) -> str:
        """The variable of the vector of its first source."""
        return f"s{self.sources[0]}"


@dataclass(frozen=True)
class Source:
    """The tables and parts of a file, each once; the room that a row takes; and statements, one behind the other."""

    name: str
    homes: Mapping[int, int]  # the step whose place each step takes, or its own
    tables: dict[str, str] = field(default_factory=dict)  # by text: name
    needed: dict[str, None] = field(default_factory=dict)
    generated: dict[str, Callable[[], Part]] = field(default_factory=dict)
    room: list[str] = field(default_factory=list)  # members of the work area
    statements: list[str] = field(default_factory=list)

    def need(self, *names: str) -> None:
        """Take parts of the runtime."""
        self.needed.update(dict.fromkeys(names))

    def _need_named(self, name: str) -> None:
        if name in parts():
            self.need(name)

    def table(self, kind: str, cells: Sequence[str], /) -> str:
        """Return the name of a constant table of some type."""
        text = f"{kind} @[] = {{\n{rows_of(cells or ['0'])}}};"
        return self.tables.setdefault(text, f"t{len(self.tables)}")

    def doubles(self, values: Iterable[float], /) -> str:
        """Return the name of a table of doubles."""
        return self.table("double", [number(float(value)) for value in values])

    def integers(self, values: Iterable[int], /, kind: str = "int32_t") -> str:
        """Return the name of a table of integers."""
        return self.table(kind, [str(int(value)) for value in values])

    def struct(self, kind: str, cells: Sequence[str], /) -> str:
        """Return the name of a constant struct, whose type is `text` or a part of the runtime."""
        self._need_named(kind)
        text = f"{kind} @ = {{{', '.join(cells)}}};"
        return self.tables.setdefault(text, f"t{len(self.tables)}")

    def text(self, value: str, /) -> str:
        """Return a text as what initializes one."""
        data = value.encode("utf-8", "surrogatepass")
        if fits_literal(data):
            return f"{{{literal(data)}, {len(data)}}}"
        return f"{{(const char *){self.integers(data, 'unsigned char')}, {len(data)}}}"

    def keep(self, kind: str, name: str, size: int) -> str:
        """Return what is kept for a row, as it is named in the file: a member of the work area."""
        self.room.append(f"{kind} {name}[{max(size, 1)}];")
        return f"w->{name}"

    def do(self, call: str, *, may_refuse: bool = False) -> None:
        """Write a call, and take the part of the runtime that it calls; one that may refuse the row ends it."""
        self._need_named(call.partition("(")[0])
        self.statements.append(f"if ((refused = {call}) != 0)\n        return refused;" if may_refuse else f"{call};")

    def also(self, call: str) -> None:
        """Write what is done behind the last statement, in the same function."""
        self._need_named(call.partition("(")[0])
        self.statements[-1] += f"\n    {call};"

    def in_order(self) -> list[str]:
        """Return the texts of all parts that are needed, each behind those that it needs itself."""
        order: dict[str, str] = {}

        def visit(name: str) -> None:
            if name not in order:
                part = self.generated[name]() if name in self.generated else parts()[name]
                for one in part.needs:
                    visit(one)
                order[name] = part.text

        for name in self.needed:
            visit(name)
        return [*order.values()]


def begun(s: Source, step: Step) -> None:
    """Write that a step begins with the elements of its source, if it does not take its place."""
    if not step.in_place:
        part = "copy_few" if step.value.sparse else "copy"
        s.do(f"{part}({step.y}, {step.x})")
