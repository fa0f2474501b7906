"""Steps from texts to counts of terms."""

from __future__ import annotations

import functools
import itertools
import math
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from .fields import COUNT, FLAG, INTEGERS, TEXTS, listing, optional, record, word
from .hashing import murmur3
from .values import Op, Run, Sparse, Value

_MOST_PARTS = 16
_MOST_OPEN = 2  # more would let a hostile pattern take forever on a long text
_SPACES = re.compile(r"\s\s+")
_SETS = {"word": r"\w", "digit": r"\d", "space": r"\s", "not_word": r"\W", "not_digit": r"\D", "not_space": r"\S"}


def pattern_of(parts: list[Mapping[str, Any]]) -> str:
    """Return the regular expression of a token pattern: parts one after the other, each greedy."""
    signs = [part for part in parts if not part["boundary"]]
    if not signs or len(parts) > _MOST_PARTS or sum(part["most"] is None for part in signs) > _MOST_OPEN:
        raise ValueError("has a token pattern of no parts, or of too many")
    made = "".join(map(_part, parts))
    if math.prod(part["most"] - part["least"] + 1 for part in signs if part["most"]) > _MOST_REPEATS:
        raise ValueError("has a token pattern whose parts may be of too many lengths")
    return made


def _part(part: Mapping[str, Any]) -> str:
    if part["boundary"]:
        return r"\b"
    inside = "".join(_SETS[name] for name in part["sets"])
    if len(part["ranges"]) % 2 or any(not 0 <= one <= sys.maxunicode for one in part["ranges"]):
        raise ValueError("has a token pattern with ranges that are none")
    pairs = zip(part["ranges"][::2], part["ranges"][1::2], strict=True)
    for low, high in pairs:
        if low > high:
            raise ValueError("has a token pattern with a range that is empty")
        inside += f"{re.escape(chr(low))}-{re.escape(chr(high))}"
    if not inside or part["least"] < 1 or (part["most"] is not None and part["most"] < part["least"]):
        raise ValueError("has a token pattern with a part that fits nothing")
    most = "" if part["most"] is None else part["most"]
    if max(part["least"], part["most"] or 0) > _MOST_REPEATS:
        raise ValueError("has a token pattern that repeats too often")
    return f"[{'^' if part['not'] else ''}{inside}]{{{part['least']},{most}}}"


_MOST_REPEATS = 1000


def _cleaned(text: str, accents: str | None) -> str:
    if accents is None or text.isascii():
        return text
    whole = unicodedata.normalize("NFKD", text)
    if accents == "ascii":
        return whole.encode("ascii", "ignore").decode("ascii")
    return "".join([sign for sign in whole if not unicodedata.combining(sign)])


def tokens_of(f: Mapping[str, Any]) -> Run:
    """Return the function that makes terms of a text."""
    least, most = _ngrams(f["ngrams"])
    lower, accents, kind = f["lowercase"], f["accents"], f["analyzer"]
    if kind == "word":
        terms = _words(f, least, most)
    elif kind == "char":
        terms = lambda text: [*_char_ngrams(text, least, most)]  # noqa: E731  # one of three
    else:
        terms = lambda text: [*_char_wb_ngrams(text, least, most)]  # noqa: E731

    def run(v: Any) -> list[str]:
        (text,) = v
        if text is None:
            raise ValueError("the row has a missing text, which this model does not take")
        if lower:
            text = text.lower()
        found: list[str] = terms(_cleaned(text, accents) if accents else text)
        return found

    return run


def _ngrams(given: list[int]) -> tuple[int, int]:
    if len(given) != 2 or not 1 <= given[0] <= given[1] <= _MOST_REPEATS:  # noqa: PLR2004  # from, to
        raise ValueError("has no range of n-grams")
    return given[0], given[1]


def _words(f: Mapping[str, Any], least: int, most: int) -> Run:
    if f["pattern"] is None:
        raise ValueError("has words, but no token pattern")
    find, stop = _finder(f["pattern"]), frozenset(f["stop_words"])
    words_and_pairs = (least, most) == (1, 2)

    def words(text: str) -> list[str]:
        found: list[str] = find(text)
        if stop:
            found = [one for one in found if one not in stop]
        if most == 1:
            return found
        if words_and_pairs:
            return [*found, *map(" ".join, itertools.pairwise(found))]
        made = found[:] if least == 1 else []
        for n in range(max(least, 2), min(most, len(found)) + 1):
            made += map(" ".join, zip(found, *[found[i:] for i in range(1, n)], strict=False))
        return made

    return words


def _finder(parts: list[Mapping[str, Any]]) -> Run:
    """Return the function that finds the tokens of a text.

    Tokens that are all runs of some characters are what is left of an ASCII text between the others: blanks are put for
    these, which takes a third of the time.
    """
    findall: Run = re.compile(pattern_of(parts)).findall
    (first, *others) = [part for part in parts if not part["boundary"]]
    inside = _inside({**first, "least": 1, "most": 1})
    bounded = len(parts) > 1 + len(others)
    if others or first["most"] is not None or any(map(str.isspace, inside)) or (bounded and inside != _inside(_WORD)):
        return findall
    least, table = first["least"], bytes(code if chr(code) in inside else _BLANK for code in range(256))

    def find(text: str) -> list[str]:
        if not text.isascii():
            found: list[str] = findall(text)
            return found
        found = text.encode().translate(table).decode().split()
        return found if least == 1 else [one for one in found if len(one) >= least]

    return find


_BLANK = ord(" ")
_WORD = {"boundary": False, "sets": ["word"], "ranges": [], "not": False, "least": 1, "most": 1}


def _inside(part: Mapping[str, Any]) -> set[str]:
    """Return the ASCII characters that a part takes."""
    fits = re.compile(_part(part)).fullmatch
    return {chr(code) for code in range(128) if fits(chr(code))}


def _char_ngrams(text: str, least: int, most: int) -> Iterator[str]:
    text = _SPACES.sub(" ", text)
    if least == 1:
        yield from text
    for n in range(max(least, 2), min(most, len(text)) + 1):
        for i in range(len(text) - n + 1):
            yield text[i : i + n]


def _char_wb_ngrams(text: str, least: int, most: int) -> Iterator[str]:
    for one in _SPACES.sub(" ", text).split():
        padded = f" {one} "
        for n in range(least, most + 1):
            for i in range(max(1, len(padded) - n + 1)):
                yield padded[i : i + n]
            if n >= len(padded):  # a short word is counted once
                break


def _one_text(x: Value) -> None:
    if x.texts != (True,):
        raise ValueError("needs one text")


def _count(x: Value, *, terms: list[str], binary: bool, **f: Any) -> Value:
    _one_text(x)
    if len(dict.fromkeys(terms)) != len(terms):
        raise ValueError("has a term twice")
    tokens = tokens_of(f)

    @functools.cache  # made for the first row that needs it: none does where steps are made together
    def get() -> Run:
        return {term: place for place, term in enumerate(terms)}.get

    def run(v: Any) -> Sparse:
        counts = Sparse()
        for place in map(get(), tokens(v)):
            if place in counts:
                counts[place] += 1.0
            elif place is not None:
                counts[place] = 1.0
        return counts

    def once(v: Any) -> Sparse:
        return Sparse(dict.fromkeys([place for place in map(get(), tokens(v)) if place is not None], 1.0))

    return Value(len(terms), once if binary else run, sparse=True)


def _hash(x: Value, *, width: int, signs: bool, binary: bool, **f: Any) -> Value:
    _one_text(x)
    if not width:
        raise ValueError("has no width")
    tokens = tokens_of(f)

    def run(v: Any) -> Sparse:
        counts = Sparse()
        for token in tokens(v):
            hashed = murmur3(token.encode())
            counts[abs(hashed) % width] += -1.0 if signs and hashed < 0 else 1.0
        return Sparse(dict.fromkeys(counts, 1.0)) if binary else counts

    return Value(width, run, sparse=True)


_PART = record(
    boundary=FLAG,
    sets=listing(word(*_SETS)),
    ranges=INTEGERS,
    **{"not": FLAG},
    least=COUNT,
    most=optional(COUNT),
)
_ANALYZED = {
    "lowercase": FLAG,
    "accents": optional(word("ascii", "unicode")),
    "analyzer": word("word", "char", "char_wb"),
    "pattern": optional(listing(_PART)),
    "stop_words": TEXTS,
    "ngrams": INTEGERS,
}
OPS: Mapping[str, Op] = {
    "count": Op(_count, {**_ANALYZED, "terms": TEXTS, "binary": FLAG}),
    "hash": Op(_hash, {**_ANALYZED, "width": COUNT, "signs": FLAG, "binary": FLAG}),
}
