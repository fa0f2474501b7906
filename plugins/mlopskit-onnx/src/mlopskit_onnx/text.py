"""Steps from texts to counts of terms, as nodes: what no node does as scikit-learn does is done before the graph."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlopskit_onnx.graph import MICROSOFT, Graph, NoGraphError, Vector, checked, known
from mlopskit_onnx.loader.texts import MISSING
from mlopskit_onnx.vectors import Step

_SPACE = r"\x{9}-\x{d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
_SETS = {"word": r"\p{L}\p{N}_", "digit": r"\p{Nd}", "space": _SPACE}
_NOT = "not_"


def _count(g: Graph, sources: Sequence[Vector], f: Mapping[str, Any]) -> Vector:
    (x,) = sources
    text = _prepared(g, x, _steps(f))
    g.refuse(g.missing(text, text=True))
    flat = g.op("Squeeze", text, g.constant([1], "int64"))
    words = f["analyzer"] == "word"
    expression = _expression(f["pattern"], more=f["ngrams"][1] > 1) if words else "(?s)."
    attributes: dict[str, Any] = {"mark": 0, "mincharnum": 1, "pad_value": MISSING, "tokenexp": expression}
    tokens = g.op("Tokenizer", flat, domain=MICROSOFT, **attributes)
    counts = g.op("TfIdfVectorizer", tokens, **_pool(f), mode="TF", max_skip_count=0)
    if f["binary"]:
        zero = g.constant([[0.0]], "float32")
        return g.vector(len(f["terms"]), g.numbers(g.op("Greater", counts, zero)))
    return g.vector(len(f["terms"]), g.numbers(counts))


def _steps(f: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is done to a text before the graph."""
    steps = ["lower"] if f["lowercase"] else []
    steps += [f"accents-{known(f['accents'], ('unicode', 'ascii'))}"] if f["accents"] else []
    more = {"word": (), "char": ("spaces",), "char_wb": ("spaces", "words")}
    return (*steps, *more[known(f["analyzer"], more)])


def _prepared(g: Graph, x: Vector, steps: tuple[str, ...]) -> str:
    (text,) = x.columns
    if not steps:
        return text
    if text not in g.inputs or g.inputs[text][2]:
        raise NoGraphError(f"a text that was changed before is prepared by {', '.join(steps)}, which no node does")
    return g.input(g.inputs[text][0], text=True, steps=steps)


def _expression(parts: Sequence[Mapping[str, Any]], *, more: bool) -> str:
    """Return a token pattern as the regular expression of a Tokenizer."""
    inner = _merged([part for part in parts if not part["boundary"]])
    if len(inner) != 1:
        raise NoGraphError("a token pattern of several parts has no node: those take the longest, not the first, token")
    (part,) = inner
    word = part["sets"] == ["word"] and not part["ranges"] and not part["not"]
    if len(parts) > 1 and not (word and part["most"] is None):
        raise NoGraphError("a token pattern with boundaries that takes something else than whole words has no node")
    if more and _takes_spaces(part):
        raise NoGraphError("n-grams of tokens that may hold a space have no node")
    most = "" if part["most"] is None else part["most"]
    return f"{_signs(part)}{{{part['least']},{most}}}"


def _merged(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return parts in which those are one that take the same, one after the other."""
    made: list[dict[str, Any]] = []
    for part in parts:
        last = made[-1] if made else None
        if last is None or any(last[key] != part[key] for key in ("sets", "ranges", "not")):
            made.append({**part})
            continue
        ends = last["most"], part["most"]
        last["least"] += part["least"]
        last["most"] = None if None in ends else sum(ends)
    return made


def _signs(part: Mapping[str, Any]) -> str:
    inside, negated = "", bool(part["not"])
    for name in part["sets"]:
        if name.startswith(_NOT):
            if len(part["sets"]) > 1 or part["ranges"]:
                raise NoGraphError("a token pattern that joins what is in one set and not in another has no node")
            negated, name = not negated, name.removeprefix(_NOT)  # noqa: PLW2901  # the set that is meant
        inside += _SETS[name]
    pairs = zip(part["ranges"][::2], part["ranges"][1::2], strict=True)
    inside += "".join(rf"\x{{{low:x}}}-\x{{{high:x}}}" for low, high in pairs)
    return f"[{'^' if negated else ''}{inside}]"


def _takes_spaces(part: Mapping[str, Any]) -> bool:
    ranges = zip(part["ranges"][::2], part["ranges"][1::2], strict=True)
    named = {"space", "not_word", "not_digit"} & {*part["sets"]}
    return bool(named or any(low <= ord(" ") <= high for low, high in ranges)) != bool(part["not"])


def _pool(f: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a TfIdfVectorizer: the n-grams, those of fewest tokens first."""
    least, most = f["ngrams"]
    words, stop = f["analyzer"] == "word", {*f["stop_words"]}
    if stop and most > 1:
        raise NoGraphError("n-grams of what is left without stop words have no node")
    if f["analyzer"] == "char_wb" and least > len(" a "):
        raise NoGraphError("a char_wb vectorizer counts short words once, which no node does")
    by_length: dict[int, list[tuple[int, list[str]]]] = {n: [] for n in range(1, most + 1)}
    for place, term in enumerate(f["terms"]):
        checked(term)
        tokens = [term] if words and most == 1 else term.split(" ") if words else [*term]
        if not least <= len(tokens) <= most or term in stop or not all(tokens):
            tokens = [f"{MISSING}{place}", *([MISSING] * (least - 1))]  # a term that no text has
        by_length[len(tokens)].append((place, tokens))
    starts = [0, *itertools.accumulate(n * len(found) for n, found in by_length.items())][:-1]
    return {
        "min_gram_length": least,
        "max_gram_length": most,
        "ngram_counts": starts,
        "ngram_indexes": [place for found in by_length.values() for place, _ in found],
        "pool_strings": [*_tokens(by_length)],
    }


def _tokens(by_length: Mapping[int, list[tuple[int, list[str]]]]) -> Iterator[str]:
    for found in by_length.values():
        for _, tokens in found:
            yield from tokens


STEPS: Mapping[str, Step] = {"count": (_count, "lowercase accents analyzer pattern stop_words ngrams terms binary")}
