"""What this Python's Unicode says of code points, as tables of C: only those that a model needs are written."""

from __future__ import annotations

import functools
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mlopskit.builtin.portable.c.names import rows_of
from mlopskit.builtin.portable.c.source import Part

_SURROGATES = range(0xD800, 0xE000)
_HANGUL = range(0xAC00, 0xD7A4)
_ASCII = 0x80
_DOTTED = 0x130  # the only letter that is two in lower case
_SIGMA = 0x3A3


@functools.cache
def _all() -> Sequence[int]:
    """Return the code points beyond ASCII that texts may hold."""
    return [one for one in range(_ASCII, sys.maxunicode + 1) if one not in _SURROGATES]


def ranges_of(found: Iterable[int], /) -> list[int]:
    """Return rising numbers as ranges: the first and the last of each."""
    made: list[int] = []
    for one in found:
        if made and made[-1] == one - 1:
            made[-1] = one
        else:
            made += [one, one]
    return made


def _ranges(name: str, test: Callable[[str], Any], *, ascii_too: bool = False) -> str:
    low = range(_ASCII) if ascii_too else ()
    return _table(name, ranges_of(one for one in [*low, *_all()] if test(chr(one))))


def _table(name: str, ranges: Sequence[int]) -> str:
    cells = rows_of([str(one) for one in ranges])
    return f"static const uint32_t {name}[] = {{\n{cells}}};\n#define {name}_MANY {len(ranges) // 2}\n"


@functools.cache
def words() -> Part:
    """Return which code points are letters, numbers or `_`, and which are digits."""
    return Part((), _ranges("WORDS", str.isalnum) + _ranges("DIGITS", str.isdecimal))


@functools.cache
def spaces() -> Part:
    """Return which code points are white space."""
    return Part((), _ranges("SPACES", str.isspace, ascii_too=True))


@functools.cache
def lower() -> Part:
    """Return the lower case of letters, and what tells whether a sigma ends a word."""
    entries: list[list[int]] = []  # first, last, step, by
    for one in _all():
        small = chr(one).lower()
        if one in (_DOTTED, _SIGMA) or small == chr(one):
            continue
        by, last = ord(small) - one, entries[-1] if entries else [0, 0, 0, 0]
        step = one - last[1]
        if last[3] == by and (step == last[2] or (last[0] == last[1] and step in (1, 2))):
            last[1:3] = one, step
        else:
            entries.append([one, one, 1, by])
    cells = rows_of([f"{{{first}, {last}, {step}, {by}}}" for first, last, step, by in entries])
    table = (
        "static const struct {\n    uint32_t first, last, step;\n    int32_t by;\n} "
        f"LOWER[] = {{\n{cells}}};\n#define LOWER_MANY {len(entries)}\n"
    )
    cased = _ranges("CASED", lambda sign: f"{sign}\u03a3".lower().endswith("\u03c2"), ascii_too=True)
    return Part((), table + cased + _ranges("IGNORABLE", _is_ignored, ascii_too=True))


def _is_ignored(sign: str) -> bool:
    """Say whether a final sigma looks through a code point: what stands before it decides."""
    ends = f"{sign}\u03a3".lower().endswith("\u03c2")
    return not ends and f"A{sign}\u03a3".lower().endswith("\u03c2")


@functools.cache
def without_accents(kind: str, /) -> Mapping[int, Sequence[int]]:
    """Return what each code point becomes that is not itself without accents; of Hangul there are formulas.

    Marks that combine are dropped, so it does not matter in which order NFKD brings them, and each code point may be
    looked at alone. With `ascii` what becomes nothing is not listed.
    """
    found = {}
    for one in _all():
        if one in _HANGUL:
            continue
        parts = [ord(sign) for sign in unicodedata.normalize("NFKD", chr(one)) if not unicodedata.combining(sign)]
        if kind == "ascii":
            parts = [sign for sign in parts if sign < _ASCII]
            if parts:
                found[one] = parts
        elif parts != [one]:
            found[one] = parts
    return found
