"""Names and literals of C, made of what a model calls things: nothing of a model can end a literal or a comment."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

_LONGEST = 50  # signs of a name
_LONGEST_LITERAL = 1000  # bytes, so that it has at most the 4095 signs that every compiler takes
_WHOLE = 2.0**53
# Words of C and C++, and names that headers may define as macros.
_TAKEN = frozenset(
    re.findall(
        r"\w+",
        """
    alignas alignof and and_eq asm assert atomic auto bitand bitor bool break case catch char class co_await co_return
    co_yield compl complex concept const const_cast consteval constexpr constinit continue decltype default delete do
    double dynamic_cast else enum errno explicit export extern false far float for friend goto hyper huge if imaginary
    import inline int interface linux long major makedev max min minor module mutable namespace near new noexcept
    noreturn not not_eq nullptr offsetof operator or or_eq private protected public register reinterpret_cast requires
    restrict return setjmp short signed sizeof small static static_assert static_cast stderr stdin stdout struct switch
    template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unix unsigned using
    va_arg va_copy va_end va_start virtual void volatile wchar_t while xor xor_eq
    """,
    )
)


def identifiers(names: Iterable[str], /) -> list[str]:
    """Return a name of C for each name, no two the same.

    Letters, digits and `_` of ASCII stay, all else becomes `_`. What then does not begin with a letter, has no small
    letter, or is a word of C gets `x_` before it; a name that was given away gets `_2`, `_3` …
    """
    made: dict[str, None] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:_LONGEST]
        if not re.match(r"[A-Za-z]", plain) or not re.search("[a-z]", plain) or plain in _TAKEN:
            plain = f"x_{plain}"
        number, one = 2, plain
        while one in made:
            one = f"{plain}_{number}"
            number += 1
        made[one] = None
    return [*made]


def comment(text: str, /) -> str:
    """Return a text as it may stand in a comment: letters and digits of ASCII as they are, all else by its number."""
    return re.sub(r"[^A-Za-z0-9 _.-]", lambda found: f"<{ord(found[0]):04X}>", text[:200])


def literal(data: bytes, /) -> str:
    """Return a literal of bytes."""
    return '"' + re.sub(rb"[^A-Za-z0-9 _.,:;-]", lambda found: b"\\%03o" % found[0][0], data).decode("ascii") + '"'


def fits_literal(data: bytes, /) -> bool:
    """Say whether bytes may stand as a literal."""
    return len(data) <= _LONGEST_LITERAL


def number(value: float, /) -> str:
    """Return a double as a constant that every compiler must read as this double: whole, or hexadecimal."""
    value = float(value)
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    if value == int(value) and abs(value) < _WHOLE:
        return "-0.0" if value == 0 and math.copysign(1.0, value) < 0 else str(int(value))
    mantissa, _, power = value.hex().partition("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{power}"


def rows_of(cells: Sequence[str], /) -> str:
    """Return the cells of a table, some on each line."""
    return ",\n".join(", ".join(cells[at : at + 12]) for at in range(0, len(cells), 12))
