"""Texts in C: what an analyzer is, and the terms it looks for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlopskit.builtin.portable.c import unicode
from mlopskit.builtin.portable.c.source import Part, Source, Step
from mlopskit.builtin.portable.c.vectors import starts_of

_PRIME, _MASK = 16777619, 0xFFFFFFFF
_SETS = {"word": (1, 0), "digit": (2, 0), "space": (4, 0), "not_word": (0, 1), "not_digit": (0, 2), "not_space": (0, 4)}
_PARTS = {"word": "words", "char": "signs", "char_wb": "signs_of_words"}


def text(s: Source, step: Step) -> None:
    """Write the counts, or the hashes, of a text's terms."""
    f = step.fields
    stop, part = sorted({*f["stop_words"]}), _PARTS[f["analyzer"]]
    kept, (_, most) = _kept(step, stop), f["ngrams"]
    terms = "NULL" if step.op == "hash" else f"&{_vocabulary(s, f['terms'])}"
    cells = [step.y, terms, f.get("width", 0), int(f["binary"]), int(f.get("signs", False)), _room(s, step, kept, most)]
    analyzer = _analyzer(s, step, stop, kept)
    given, tail = f"w->t{step.sources[0]}[0]", f"tail_{step.number}"
    s.need("tail")
    s.do(f"clear({step.y})")
    s.do(f"if (!{given}.data)\n        return REFUSED_NO_TEXT")
    s.do(f"tail {tail} = {{{', '.join(map(str, cells))}}}")
    s.also(f"{part}(&{tail}, &{analyzer}, {given})")


def _kept(step: Step, stop: Sequence[str]) -> int:
    """Return how many code points an analyzer looks back at: no term is longer."""
    longest: int = max(map(len, step.fields.get("terms", ())), default=0)
    least, most = step.fields["ngrams"]
    if step.fields["analyzer"] == "word":
        return max(1, longest, *map(len, stop))
    return int(most if step.op == "hash" else max(least, min(most, longest)))


def _room(s: Source, step: Step, kept: int, most: int) -> str:
    """Return what an analyzer works with, as the last members of a `tail`."""
    n, word = step.number, step.fields["analyzer"] == "word"
    cells = [s.keep("uint32_t", f"a{n}_signs", 2 * kept + 3), "0", "0"]
    hashes = step.op == "hash"
    for kind, name, size in [
        ("int32_t", "lengths", most if word and not hashes else 0),
        ("uint32_t", "hashes", most if word and not hashes else 0),
        ("uint32_t", "powers", most if word and not hashes else 0),
        ("uint32_t", "murmurs", 3 * most if word and hashes else 0),
    ]:
        cells.append(s.keep(kind, f"a{n}_{name}", size) if size else "NULL")
    states = _states(step.fields["pattern"])[-1] + 1 if word else 0
    threads = [s.keep("int16_t", f"a{n}_threads{k}", 2 * states) if word else "NULL" for k in range(2)]
    cells.append(f"{{{', '.join(threads)}}}")
    cells += [s.keep("uint32_t", f"a{n}_seen", states) if word else "NULL"]
    cells += [s.keep("uint32_t", f"a{n}_stamp", 1) if word else "NULL"]
    return ", ".join(cells)


def _states(pattern: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the number of the first state of each part of a pattern, and of its end."""
    sizes = [1 if one["boundary"] else (one["most"] or one["least"]) + 1 for one in pattern]
    return [0, *itertools.accumulate(sizes)]


def _analyzer(s: Source, step: Step, stop: Sequence[str], kept: int) -> str:
    f = step.fields
    parts, many, first = "NULL", 0, -1
    if f["analyzer"] == "word":
        s.need("pattern")
        parts, many = s.table("pattern_part", _parts(s, f["pattern"])), len(f["pattern"])
        first = next((k for k, one in enumerate(f["pattern"]) if not one["boundary"]), -1)
    words = f"&{_vocabulary(s, stop)}" if stop and f["analyzer"] == "word" else "NULL"
    accents = f"&{_accents(s, f['accents'])}" if f["accents"] else "NULL"
    cells = [int(f["lowercase"]), accents, *f["ngrams"], parts, many, first, words, kept]
    return s.struct("analyzer", [*map(str, cells)])


def _parts(s: Source, pattern: Sequence[Mapping[str, Any]]) -> list[str]:
    made = []
    for one, state in zip(pattern, _states(pattern), strict=False):
        sets = [_SETS[name] for name in one["sets"]]
        bits = [sum(1 << k for k in range(3) if any(pair[side] & 1 << k for pair in sets)) for side in range(2)]
        merged = _merged(one["ranges"])
        ranges = s.integers(merged, "uint32_t") if merged else "NULL"
        most = -1 if one["most"] is None else one["most"]
        cells = [int(one["boundary"]), int(one["not"]), *bits, ranges, len(merged) // 2, one["least"], most, state]
        made.append(f"{{{', '.join(map(str, cells))}}}")
    return [*made, f"{{0, 0, 0, 0, NULL, 0, 0, 0, {_states(pattern)[-1]}}}"]


def _merged(ranges: Sequence[int]) -> list[int]:
    """Return ranges as rising ones that do not overlap."""
    made: list[int] = []
    for first, last in sorted(zip(ranges[::2], ranges[1::2], strict=True)):
        if made and first <= made[-1] + 1:
            made[-1] = max(made[-1], last)
        else:
            made += [first, last]
    return made


def _accents(s: Source, kind: str) -> str:
    table = unicode.without_accents(kind)
    cells = [s.integers(table, "uint32_t"), s.integers(starts_of([*table.values()]), "uint16_t")]
    cells += [s.integers(itertools.chain(*table.values()), "uint32_t"), str(len(table))]
    return s.struct("decomposition", [*cells, str(int(kind == "ascii")), str(int(kind == "unicode"))])


def _vocabulary(s: Source, terms: Sequence[str]) -> str:
    mask = (1 << max(1, (3 * len(terms)).bit_length() - 1)) - 1
    slots = [0] * (mask + 1)
    for number, term in enumerate(terms, 1):
        slot = _hash(term) & mask
        while slots[slot]:
            slot = (slot + 1) & mask
        slots[slot] = number
    signs = s.table("term_sign", [str(ord(sign)) for term in terms for sign in term])
    cells = [signs, s.integers(starts_of(terms), "uint32_t"), s.integers(slots, "uint32_t")]
    return s.struct("vocabulary", [*cells, str(mask), str(max(map(len, terms), default=0))])


def _hash(term: str) -> int:
    """Return what `look_up` of the runtime looks at first."""
    found = 0
    for sign in term:
        found = (found * _PRIME + ord(sign)) & _MASK
    found ^= found >> 16
    found = found * 0x85EBCA6B & _MASK
    return found ^ found >> 13


def choose(s: Source, steps: Iterable[Step], /) -> None:
    """Choose between the parts of the runtime that texts need, by all steps of a document."""
    found = [step for step in steps if step.op in EMIT]
    if not found:
        return
    terms = itertools.chain(*[[*step.fields.get("terms", ()), *step.fields["stop_words"]] for step in found])
    largest = max(map(ord, itertools.chain(*terms)), default=0)
    size = 8 if largest < 1 << 8 else 16 if largest < 1 << 16 else 32
    counts, lower = {step.op == "count" for step in found}, {step.fields["lowercase"] for step in found}
    s.generated.update({
        "SIGN": lambda: Part((), f"typedef uint{size}_t term_sign;\n"),
        "SPACES": unicode.spaces,
        "WORDS": unicode.words,
        "LOWER": unicode.lower,
        "WINDOWS": lambda: _either(
            counts, "WINDOWS(t, a)", "(t)->terms", "windows_counted(t, a)", "windows_hashed(t, a)"
        ),
        "TOKEN": lambda: _either(
            counts, "TOKEN(t, a, r, n)", "(t)->terms", "token_counted(t, a, r, n)", "token_hashed(t, a, r, n)"
        ),
        "LOWERED": lambda: _either(lower, "LOWERED(r, a)", "(a)->lowercase", "next_lower(r)", "next_as_is(r)"),
    })  # fmt: skip


def _either(found: set[bool], macro: str, test: str, if_true: str, if_false: str) -> Part:
    """Return the one of two calls that all steps need, or both and the test between them."""
    ways = [call for known, call in ((True, if_true), (False, if_false)) if known in found]
    call = ways[0] if len(ways) == 1 else f"({test} ? {if_true} : {if_false})"
    return Part(tuple(way.partition("(")[0] for way in ways), f"#define {macro} {call}\n")


EMIT: Mapping[str, Any] = {"count": text, "hash": text}
