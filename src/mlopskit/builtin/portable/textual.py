"""Writers of text vectorizers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlopskit.builtin.portable.writing import Ref, Transform, Writing, floats, refuse_if

_SETS = {
    "CATEGORY_WORD": "word",
    "CATEGORY_DIGIT": "digit",
    "CATEGORY_SPACE": "space",
    "CATEGORY_NOT_WORD": "not_word",
    "CATEGORY_NOT_DIGIT": "not_digit",
    "CATEGORY_NOT_SPACE": "not_space",
}
_BOUNDARY = {"boundary": True, "sets": [], "ranges": [], "not": False, "least": 1, "most": 1}


def _analysis(estimator: Any) -> dict[str, Any]:
    """Return how texts become terms."""
    name = type(estimator).__name__
    refuse_if(callable(estimator.analyzer), f"{name} has an analyzer of its own")
    refuse_if(estimator.preprocessor is not None, f"{name} has a preprocessor of its own")
    words = estimator.analyzer == "word"
    refuse_if(words and estimator.tokenizer is not None, f"{name} has a tokenizer of its own")
    refuse_if(estimator.input != "content", f"{name} reads {estimator.input!r}")
    refuse_if(callable(estimator.strip_accents), f"{name} strips accents in a way of its own")
    least, most = estimator.ngram_range
    return {
        "lowercase": bool(estimator.lowercase),
        "accents": estimator.strip_accents or None,
        "analyzer": estimator.analyzer,
        "pattern": _pattern(estimator.token_pattern) if words else None,
        "stop_words": sorted(estimator.get_stop_words() or ()) if words else [],
        "ngrams": [int(least), int(most)],
    }


def _pattern(pattern: str) -> list[dict[str, Any]]:
    """Return the parts of a token pattern."""
    import re
    from re import _parser  # type: ignore[attr-defined]  # the only one who knows what a pattern means

    compiled = re.compile(pattern)
    refuse_if(compiled.flags != re.UNICODE, f"the token pattern {pattern!r} has flags")
    refuse_if(compiled.groups > 1, f"the token pattern {pattern!r} has groups")
    whole = []
    for op, value in _parser.parse(pattern):
        # What is found is what stands in the group: outside it may be boundaries only.
        outside = compiled.groups and str(op) not in ("AT", "SUBPATTERN")
        refuse_if(outside, f"the token pattern {pattern!r} takes a part of what it finds")
        whole += [*value[-1]] if str(op) == "SUBPATTERN" and value[0] else [(op, value)]
    return [_part(str(op), value, pattern) for op, value in whole]


def _part(op: str, value: Any, pattern: str) -> dict[str, Any]:
    if op == "AT" and str(value) == "AT_BOUNDARY":
        return _BOUNDARY
    least, most = 1, 1
    if op == "MAX_REPEAT":
        least, most, inner = value
        refuse_if(len(inner) != 1, f"the token pattern {pattern!r} repeats more than one sign")
        op, value = str(inner[0][0]), inner[0][1]
    open_end = str(most) == "MAXREPEAT"
    refuse_if(least < 1, f"the token pattern {pattern!r} has a part that may be absent")
    return {
        "boundary": False,
        **_signs(op, value, pattern),
        "least": int(least),
        "most": None if open_end else int(most),
    }


def _signs(op: str, value: Any, pattern: str) -> dict[str, Any]:
    items = value if op == "IN" else [(op, value)]
    sets, ranges, negated = [], [], False
    for item_op, item in items:
        kind = str(item_op)
        if kind == "NEGATE":
            negated = True
        elif kind == "CATEGORY" and str(item) in _SETS:
            sets.append(_SETS[str(item)])
        elif kind == "LITERAL":
            ranges += [int(item), int(item)]
        elif kind == "RANGE":
            ranges += [int(item[0]), int(item[1])]
        elif kind == "NOT_LITERAL":
            negated, ranges = True, [int(item), int(item)]
        else:
            refuse_if(True, f"the token pattern {pattern!r} has {kind.lower()}, which is not covered")
    return {"sets": sets, "ranges": ranges, "not": negated}


def _terms(vocabulary: Mapping[str, int]) -> list[str]:
    terms = sorted(vocabulary, key=lambda term: int(vocabulary[term]))
    refuse_if(
        [int(vocabulary[term]) for term in terms] != [*range(len(terms))], "the vocabulary has gaps, or a place twice"
    )
    return [str(term) for term in terms]


def _dtype(estimator: Any) -> None:
    import numpy as np

    refuse_if(
        np.dtype(estimator.dtype) not in (np.dtype("int64"), np.dtype("float64")),
        f"{type(estimator).__name__} counts in {np.dtype(estimator.dtype)}",
    )


def _count(w: Writing, estimator: Any, x: Ref) -> Ref:
    _dtype(estimator)
    return _counted(w, estimator, x)


def _counted(w: Writing, estimator: Any, x: Ref) -> Ref:
    terms = _terms(estimator.vocabulary_)
    made = w.step("count", x, finite=True, terms=terms, binary=bool(estimator.binary), **_analysis(estimator))
    return replace(made, scipy=True)


def _hash(w: Writing, estimator: Any, x: Ref) -> Ref:
    _dtype(estimator)
    signs = bool(estimator.alternate_sign)
    made = w.step(
        "hash",
        x,
        finite=True,
        width=int(estimator.n_features),
        signs=signs,
        binary=bool(estimator.binary),
        **_analysis(estimator),
    )
    return _normed(w, estimator.norm, replace(made, scipy=True))


def _normed(w: Writing, norm: str | None, x: Ref) -> Ref:
    return x if norm is None else w.step("normalize", x, finite=x.finite, norm=norm, least=0.0)


def _weighed(w: Writing, estimator: Any, x: Ref) -> Ref:
    if estimator.sublinear_tf:
        x = w.step("sublinear", x, finite=x.finite)
    if estimator.use_idf:
        x = w.step("multiply", x, finite=x.finite, values=floats(estimator.idf_))
    return _normed(w, estimator.norm, x)


def _tfidf_transformer(w: Writing, estimator: Any, x: Ref) -> Ref:
    refuse_if(estimator.sublinear_tf and not x.value.sparse, "TfidfTransformer takes the logarithm of a dense table")
    # Counts with signs may be below zero, or cancel out: scikit-learn's logarithm of a zero that it keeps is infinite.
    signed = any(step["op"] == "hash" and step["signs"] for step in w.steps)
    refuse_if(estimator.sublinear_tf and signed, "TfidfTransformer takes the logarithm of counts with signs")
    return _weighed(w, estimator, w.checked(x))


def _tfidf(w: Writing, estimator: Any, x: Ref) -> Ref:
    import numpy as np

    refuse_if(np.dtype(estimator.dtype) != np.float64, f"TfidfVectorizer makes numbers of {np.dtype(estimator.dtype)}")
    return _weighed(w, estimator, _counted(w, estimator, x))


TRANSFORMERS: Mapping[str, Transform] = {
    "CountVectorizer": _count,
    "HashingVectorizer": _hash,
    "TfidfTransformer": _tfidf_transformer,
    "TfidfVectorizer": _tfidf,
}
