"""Steps from texts to counts of terms, as nodes: what no node does as scikit-learn does is done before the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlopskit_onnx.graph import MICROSOFT, ML, Graph, NoGraphError, Vector, checked, known
from mlopskit_onnx.loader.texts import MISSING
from mlopskit_onnx.vectors import Fields, Step

_SPACE = r"\x{9}-\x{d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
_SETS = {"word": r"\p{L}\p{N}_", "digit": r"\p{Nd}", "space": _SPACE}
_NOT = "not_"


def _count(g: Graph, f: Fields, x: Vector) -> Vector:
    text, width = _prepared(g, x, _steps(f)), len(f["terms"])
    missing = g.missing(text, text=True)
    g.refuse(missing)
    other = g.constant([[width]], "int64")
    tokens = _tokens(g, text, f)
    if f["stop_words"] and f["ngrams"][1] > 1:
        tokens = _without(g, tokens, text, f["stop_words"])
    found = [*_found(g, tokens, f), g.where(missing, other, other)]
    g.signs += 12 * (f["ngrams"][1] - f["ngrams"][0] + 1)
    return _counted(g, g.op("Concat", *found, axis=1), width, binary=f["binary"])


def _tokens(g: Graph, text: str, f: Mapping[str, Any]) -> str:
    """Return the tokens of each text, filled up with U+FFFF."""
    words = f["analyzer"] == "word"
    expression = _expression(f["pattern"], more=f["ngrams"][1] > 1) if words else "(?s)."
    flat = g.op("Squeeze", text, g.constant([1], "int64"))
    attributes: dict[str, Any] = {"mark": 0, "mincharnum": 1, "pad_value": MISSING, "tokenexp": expression}
    return g.op("Tokenizer", flat, domain=MICROSOFT, **attributes)


def _found(g: Graph, tokens: str, f: Mapping[str, Any]) -> Iterator[str]:
    """Yield the places of the terms that runs of one token, of two, and so on are: the width for what is no term."""
    least, most = f["ngrams"]
    words, stop = f["analyzer"] == "word", {*f["stop_words"]}
    if f["analyzer"] == "char_wb" and least > len(" a "):
        raise NoGraphError("a char_wb vectorizer counts short words once, which no node does")
    runs, gap = tokens, g.constant([[" "]], "str")
    for n in range(1, most + 1):
        if n > 1:
            before = g.op("StringConcat", _part(g, runs, 0, -1), gap) if words else _part(g, runs, 0, -1)
            runs = g.op("StringConcat", before, _part(g, tokens, n - 1, 1 << 60))
        places = {
            checked(term): place for place, term in enumerate(f["terms"]) if _length(term, most, words=words) == n
        }
        terms = [term for term in places if most > 1 or term not in stop]
        if n >= least and terms:
            numbers = [places[term] for term in terms]
            table: dict[str, Any] = {"keys_strings": terms, "values_int64s": numbers, "default_int64": len(f["terms"])}
            yield g.op("LabelEncoder", runs, domain=ML, **table)


def _without(g: Graph, tokens: str, text: str, stop: Sequence[str]) -> str:
    """Return the tokens of each text without some: the others move up, and the ends are filled."""
    dropped: dict[str, Any] = {
        "keys_strings": [*map(checked, stop)],
        "values_int64s": [0] * len(stop),
        "default_int64": 1,
    }
    kept = g.op("LabelEncoder", tokens, domain=ML, **dropped)
    place = g.op("Sub", g.op("CumSum", kept, g.constant(1, "int64")), g.constant([[1]], "int64"))
    keeps = g.op("Greater", kept, g.constant([[0]], "int64"))
    moved = g.where(keeps, place, g.op("Shape", tokens, start=1, end=2))  # what is dropped goes behind the last
    gap = g.constant([[MISSING]], "str")
    empty = g.where(keeps, gap, gap)
    last = g.where(g.op("Equal", text, text), gap, gap)
    longer = g.op("ScatterElements", g.op("Concat", empty, last, axis=1), moved, tokens, axis=1)
    return _part(g, longer, 0, -1)


def _part(g: Graph, tokens: str, start: int, end: int) -> str:
    return g.op("Slice", tokens, *(g.constant([one], "int64") for one in (start, end, 1)))


def _length(term: str, most: int, *, words: bool) -> int:
    """Return of how many tokens a term is."""
    if not words:
        return len(term)
    return term.count(" ") + 1 if most > 1 else 1


def _counted(g: Graph, found: str, width: int, *, binary: bool) -> Vector:
    """Return how often each place was found in a row: places are sorted, and those that are alike counted."""
    size = g.op("Shape", found, start=1, end=2)
    ordered = g.op("TopK", found, size, outputs=2, axis=1, largest=0, sorted=1)
    first = g.op("Equal", _part(g, ordered, 0, 1), g.constant([[-1]], "int64"))
    new = g.op("Not", g.op("Equal", _part(g, ordered, 0, -1), _part(g, ordered, 1, 1 << 60)))
    run = g.op("CumSum", g.integers(g.op("Concat", first, new, axis=1)), g.constant(1, "int64"))
    whole = g.op("Equal", ordered, ordered)
    zeros, ones = (g.where(whole, one, one) for one in (g.constant([[0.0]]), g.constant([[1.0]])))
    counts = g.op("ScatterElements", zeros, run, ones, axis=1, reduction="add")
    other = g.constant([[width]], "int64")
    places = g.op("ScatterElements", g.where(whole, other, other), run, ordered, axis=1)
    least = g.op("Min", counts, g.constant([[1.0]])) if binary else counts
    return Vector(width, g.where(g.op("Equal", places, other), g.constant([[0.0]]), least), places)


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


STEPS: Mapping[str, Step] = {"count": (_count, "lowercase accents analyzer pattern stop_words ngrams terms binary")}
