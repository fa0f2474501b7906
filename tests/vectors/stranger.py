"""A second scorer of portable models, written from docs/reference/portable-format.md alone: plain, slow, for judging.

It imports nothing of mlopskit. `Model(data)` reads a document, `Model.answer(row)` scores one row; both raise `Refused`
for what the page refuses, and nothing else.
"""

from __future__ import annotations

import itertools
import json
import math
import struct
import unicodedata
from typing import NamedTuple

WIDEST, WIDEST_IN_ALL, WIDEST_WRITTEN, LARGEST, MOST_STEPS = 2**24, 2**26, 2**22, 2**30, 100_000
ELEMENTWISE_VALUES = {
    "add": lambda x, v: x + v,
    "subtract": lambda x, v: x - v,
    "multiply": lambda x, v: x * v,
    "divide": lambda x, v: x / v,
}
SETS = ("word", "digit", "space", "not_word", "not_digit", "not_space")


class Refused(ValueError):  # noqa: N818  # the word of the page
    """A document that is none, or a row without an answer."""


class Shape(NamedTuple):
    """What is known of a vector before the first row: its width, its texts, which elements are whole numbers."""

    width: int
    texts: frozenset = frozenset()
    choices: dict = {}  # noqa: RUF012  # never changed; by place, how many whole numbers an element may be
    sparse: bool = False


def need(condition, what):
    if not condition:
        raise Refused(what)


# Numbers --------------------------------------------------------------------------------------------------------------


def _guarded(function, beyond):
    """Return a function that is infinite, not refused, beyond the range of doubles."""

    def call(x):
        try:
            return function(x)
        except OverflowError:
            return beyond

    return call


exp, expm1 = _guarded(math.exp, math.inf), _guarded(math.expm1, math.inf)


def log(x):
    return -math.inf if x == 0 else math.nan if x < 0 else math.log(x)


def log1p(x):
    return -math.inf if x == -1 else math.nan if x < -1 else math.log1p(x)


def divide(x, z):
    if z != 0:
        return x / z
    return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x) * math.copysign(1, z)


def float32(x):
    try:
        return struct.unpack("f", struct.pack("f", x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)


FUNCTIONS = {
    "sigmoid": lambda x: exp(x) if x <= -709 else 1 / (1 + exp(-x)),
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "sqrt": lambda x: math.nan if x < 0 else math.sqrt(x),
    "abs": abs,
    "tanh": math.tanh,
    "cos": lambda x: math.cos(x) if math.isfinite(x) else math.nan,
    "sin": lambda x: math.sin(x) if math.isfinite(x) else math.nan,
    "square": lambda x: x * x,
    "sign": lambda x: x if math.isnan(x) else float((x > 0) - (x < 0)),
    "trunc": lambda x: x if not math.isfinite(x) else math.copysign(float(math.trunc(x)), x),
    "relu": lambda x: x if x > 0 or math.isnan(x) else 0.0,
}


def total(values):
    """Return a sum, in order."""
    result = 0.0
    for value in values:
        result += value
    return result


def largest(values):
    """Return the largest number, NaN if there is one."""
    return math.nan if any(map(math.isnan, values)) else max(values)


def is_gap(x):
    return x is None or x != x  # noqa: PLR0124  # only NaN is not itself


def same(x, what):
    return is_gap(x) if what is None else isinstance(x, str) == isinstance(what, str) and x == what


# The form of the file -------------------------------------------------------------------------------------------------


def _table(pairs):
    table = dict(pairs)
    need(len(table) == len(pairs), "a name stands twice")
    return table


def _float(text):
    value = float(text)
    need(math.isfinite(value), f"the number {text} is infinite")
    return value


def _int(text):
    need(len(text) < 400, "a number is infinite")
    _float(text)
    return int(text)


def parse(data):
    need(len(data) <= LARGEST, "the file is too large")
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=_table, parse_float=_float, parse_int=_int, parse_constant=_constant
        )
    except Refused:
        raise
    except (ValueError, RecursionError) as error:
        raise Refused(f"no JSON: {error}") from error


def _constant(text):
    raise Refused(f"{text} is no number of JSON")


def number(value):
    need(isinstance(value, int | float) and not isinstance(value, bool), f"{value!r:.80} is no number")
    return float(value)


def gap(value):
    return math.nan if value is None else number(value)


def text(value):
    need(isinstance(value, str), f"{value!r:.80} is no text")
    return value


def cell(value):
    return value if value is None or isinstance(value, str) else number(value)


def flag(value):
    need(isinstance(value, bool), f"{value!r:.80} is neither true nor false")
    return value


def whole(low, high=WIDEST - 1):
    def read(value):
        need(isinstance(value, int) and not isinstance(value, bool), f"{value!r:.80} is no whole number")
        need(low <= value <= high, f"{value} is not in {low} to {high}")
        return value

    return read


def either(*words):
    def read(value):
        need(isinstance(value, str) and value in words, f"{value!r:.80} is none of {words}")
        return value

    return read


def many(read, least=0):
    def read_all(value):
        need(isinstance(value, list) and len(value) >= least, f"{value!r:.80} is no list of {least} or more")
        return [read(one) for one in value]

    return read_all


def maybe(read):
    return lambda value: None if value is None else read(value)


def record(**fields):
    def read(value):
        need(isinstance(value, dict) and set(value) == set(fields), f"{value!r:.80} has not the fields {list(fields)}")
        return {name: fields[name](value[name]) for name in fields}

    return read


def label(value):
    need(isinstance(value, str | bool | int | float), f"{value!r:.80} is no label")
    return value


INDEX = whole(0)
NUMBERS = many(number)
PART = record(
    boundary=flag,
    sets=many(either(*SETS)),
    ranges=many(whole(0, 0x10FFFF)),
    least=INDEX,
    most=maybe(INDEX),
    **{"not": flag},
)
TERMS = {
    "lowercase": flag,
    "accents": maybe(either("ascii", "unicode")),
    "analyzer": either("word", "char", "char_wb"),
    "pattern": maybe(many(PART)),
    "stop_words": many(text),
    "ngrams": many(whole(1), 2),
    "binary": flag,
}
TREE = record(
    feature=many(whole(-1)),
    threshold=NUMBERS,
    right=many(INDEX),
    values=NUMBERS,
    missing_left=maybe(many(whole(0, 1))),
    categories=maybe(many(many(whole(-2), 1))),
)
FIELDS = {
    "take": {"indexes": many(INDEX)},
    "concat": {},
    "sum": {},
    **{op: {"values": NUMBERS} for op in [*ELEMENTWISE_VALUES, "constant"]},
    "clip": {"low": NUMBERS, "high": NUMBERS},
    "finite": {"missing": flag},
    "float32": {},
    "linear": {"weights": many(NUMBERS, 1), "bias": NUMBERS},
    "normalize": {"norm": either("l1", "l2", "max"), "least": number},
    "sublinear": {},
    "binarize": {"threshold": number},
    "fill": {"values": many(cell), "missing": cell},
    "missing": {"indexes": many(INDEX), "missing": cell},
    "apply": {"function": either(*FUNCTIONS)},
    "softmax": {},
    "posterior": {},
    "shares": {"zero": either("equal", "none", "missing")},
    "complement": {},
    "argmax": {"starts": many(INDEX, 1)},
    "above": {"threshold": number, "equal": flag},
    "reduce": {"how": either("sum", "product"), "groups": whole(1)},
    "median": {"weights": NUMBERS},
    "votes": {"weights": NUMBERS, "classes": whole(1)},
    "quotient": {},
    "products": {"factors": many(many(INDEX))},
    "bins": {"edges": many(NUMBERS)},
    "yeo_johnson": {"lambdas": NUMBERS},
    "interpolate": {
        "at": many(many(number, 1)),
        "values": many(many(number, 1)),
        "outside": either("nearest", "missing", "refuse"),
    },
    "kernel": {
        "points": many(NUMBERS, 1),
        "kind": either("rbf", "polynomial", "sigmoid", "distance"),
        "gamma": number,
        "offset": number,
        "degree": INDEX,
    },
    "spline": {"knots": many(NUMBERS), "degree": INDEX},
    "nearest": {
        "points": many(NUMBERS, 1),
        "values": many(NUMBERS, 1),
        "count": maybe(INDEX),
        "radius": maybe(number),
        "weights": either("equal", "distance"),
        "empty": maybe(many(gap)),
    },
    "trees": {"trees": many(TREE), "size": whole(1), "at": many(INDEX), "scale": number, "start": NUMBERS},
    "onehot": {"width": INDEX, "tables": many(record(cells=many(cell), at=many(whole(-1)), unknown=whole(-2)))},
    "lookup": {"tables": many(record(cells=many(cell), values=many(gap), unknown=many(gap), refuse=flag))},
    "count": {**TERMS, "terms": many(text)},
    "hash": {**TERMS, "width": whole(1), "signs": flag},
}
STAYS_SPARSE = (
    "take",
    "concat",
    "multiply",
    "divide",
    "finite",
    "float32",
    "normalize",
    "sublinear",
    "binarize",
    "apply",
)
SOURCES = {"concat": (1, 2**31), "sum": (1, 2**31), "trees": (1, 2), "quotient": (2, 2)}
MAY_TAKE_TEXTS = ("take", "concat", "constant", "fill", "missing", "onehot", "lookup", "count", "hash")


# Steps: each function checks its step against the shapes of its sources; returns the shape of y and what makes y ------


def _each(function):
    return lambda step, x: (Shape(x.width), lambda v: [function(step, one) for one in v])


def _with_values(op):
    def build(step, x):
        values = step["values"]
        need(len(values) == x.width, "`values` is not as wide as x")
        need(op != "divide" or 0 not in values, "a zero to divide by")
        return Shape(x.width), lambda v: [
            ELEMENTWISE_VALUES[op](one, value) for one, value in zip(v, values, strict=True)
        ]

    return build


def _take(step, x):
    indexes = step["indexes"]
    need(all(i < x.width for i in indexes), "an index beyond")
    texts = frozenset(place for place, i in enumerate(indexes) if i in x.texts)
    choices = {place: x.choices[i] for place, i in enumerate(indexes) if i in x.choices}
    return Shape(len(indexes), texts, choices), lambda v: [v[i] for i in indexes]


def _concat(_step, *xs):
    starts = list(itertools.accumulate((x.width for x in xs), initial=0))
    need(starts[-1] <= WIDEST, "a vector is too wide")
    texts = frozenset(start + i for start, x in zip(starts, xs, strict=False) for i in x.texts)
    choices = {}
    if all(x.width and len(x.choices) == x.width for x in xs):
        choices = {start + i: one for start, x in zip(starts, xs, strict=False) for i, one in x.choices.items()}
    return Shape(starts[-1], texts, choices), lambda *vs: [one for v in vs for one in v]


def _sum(_step, *xs):
    need(len({x.width for x in xs}) == 1, "the sources are not all as wide")

    def run(*vs):
        result = list(vs[0])
        for v in vs[1:]:
            result = [a + b for a, b in zip(result, v, strict=True)]
        return result

    return Shape(xs[0].width), run


def _clip(step, x):
    low, high = step["low"], step["high"]
    need(len(low) == len(high) == x.width, "`low` or `high` is not as wide as x")
    return Shape(x.width), lambda v: [a if one < a else min(one, b) for one, a, b in zip(v, low, high, strict=True)]


def _constant_step(step, _x):
    return Shape(len(step["values"])), lambda _v: list(step["values"])


def _finite(step, x):
    def run(v):
        for one in v:
            need(not math.isinf(one), "an element is infinite")
            need(step["missing"] or not math.isnan(one), "an element is missing")
        return v

    return Shape(x.width), run


def _linear(step, x):
    weights, bias = step["weights"], step["bias"]
    need(all(len(row) == x.width for row in weights), "a row of `weights` is not as wide as x")
    need(len(bias) == len(weights), "`bias` and `weights` differ")
    return Shape(len(bias)), lambda v: [
        total(w * one for w, one in zip(row, v, strict=True)) + b for row, b in zip(weights, bias, strict=True)
    ]


def _normalize(step, x):
    norms = {
        "l1": lambda v: total(map(abs, v)),
        "l2": lambda v: math.sqrt(total(one * one for one in v)),
        "max": lambda v: largest([0.0, *map(abs, v)]),
    }

    def run(v):
        norm = norms[step["norm"]](v)
        return v if norm == 0 or norm < step["least"] else [one / norm for one in v]

    return Shape(x.width), run


def _fill(step, x):
    values, missing = step["values"], step["missing"]
    need(len(values) == x.width, "`values` is not as wide as x")
    for place, value in enumerate(values):
        need(isinstance(value, str) == (place in x.texts), "a value of another type")
    filled = [math.nan if value is None else value for value in values]
    return Shape(x.width, x.texts), lambda v: [
        value if same(one, missing) else one for one, value in zip(v, filled, strict=True)
    ]


def _missing(step, x):
    need(all(i < x.width for i in step["indexes"]), "an index beyond")
    return Shape(len(step["indexes"])), lambda v: [float(same(v[i], step["missing"])) for i in step["indexes"]]


def _softmax(_step, x):
    need(x.width, "nothing to choose from")

    def run(v):
        m = largest(v)
        tops = [exp(one - m) for one in v]
        s = total(tops)
        return [divide(top, s) for top in tops]

    return Shape(x.width), run


def _posterior(_step, x):
    need(x.width, "nothing to choose from")

    def run(v):
        m = largest(v)
        if math.isnan(m):
            return [math.nan] * len(v)
        c = sum(one == m for one in v)
        s = total(exp(one - m) for one in v if one != m)
        scale = (math.log1p(s / c) + math.log(c)) + m
        return [exp(one - scale) for one in v]

    return Shape(x.width), run


def _shares(step, x):
    need(x.width, "nothing to share")

    def run(v):
        s = total(v)
        if s == 0:
            return [{"equal": 1 / len(v), "none": 0.0, "missing": math.nan}[step["zero"]]] * len(v)
        return [one / s for one in v]

    return Shape(x.width), run


def _complement(_step, x):
    need(x.width == 1, "not one element")
    return Shape(2), lambda v: [1 - v[0], v[0]]


def _argmax(step, x):
    starts = step["starts"]
    ends = [*starts[1:], x.width]
    need(starts[0] == 0 and all(a < b for a, b in zip(starts, ends, strict=True)), "empty parts")

    def first(part):
        best = 0
        for place, one in enumerate(part):
            if one > part[best] or (math.isnan(one) and not math.isnan(part[best])):
                best = place
        return float(best)

    sizes = {place: end - start for place, (start, end) in enumerate(zip(starts, ends, strict=True))}
    return Shape(len(starts), choices=sizes), lambda v: [first(v[a:b]) for a, b in zip(starts, ends, strict=True)]


def _above(step, x):
    threshold, equal = step["threshold"], step["equal"]
    return Shape(x.width, choices=dict.fromkeys(range(x.width), 2)), lambda v: [
        float(one >= threshold if equal else one > threshold) for one in v
    ]


def _reduce(step, x):
    need(x.width % step["groups"] == 0, "the groups are not equal")
    width = x.width // step["groups"]

    def run(v):
        result = v[:width]
        for group in range(1, step["groups"]):
            start = group * width
            pairs = zip(result, v[start : start + width], strict=True)
            result = [a + b if step["how"] == "sum" else a * b for a, b in pairs]
        return result

    return Shape(width), run


def _median(step, x):
    weights = step["weights"]
    need(len(weights) == x.width > 0, "`weights` is not as wide as x")
    need(min(weights) >= 0, "a negative weight")

    def run(v):
        rising = sorted(zip(v, weights, strict=True), key=lambda one: (math.isnan(one[0]), one))
        half = total(weight for _, weight in rising) * 0.5
        reached = 0.0
        for value, weight in rising:
            reached += weight
            if reached >= half:
                return [value]
        raise Refused("no median")

    return Shape(1), run


def _votes(step, x):
    weights, classes = step["weights"], step["classes"]
    need(len(weights) == x.width, "`weights` is not as wide as x")
    need(all(x.choices.get(i, classes + 1) <= classes for i in range(x.width)), "votes for no class")

    def run(v):
        result = [0.0] * classes
        for one, weight in zip(v, weights, strict=True):
            result[int(one)] += weight
        return result

    return Shape(classes), run


def _quotient(_step, x, z):
    need(x.width == z.width, "the sources are not as wide")
    return Shape(x.width), lambda v, w: [divide(a, b) for a, b in zip(v, w, strict=True)]


def _products(step, x):
    need(all(i < x.width for factors in step["factors"] for i in factors), "an index beyond")

    def product(v, factors):
        result = 1.0
        for i in factors:
            result *= v[i]
        return result

    return Shape(len(step["factors"])), lambda v: [product(v, factors) for factors in step["factors"]]


def _bins(step, x):
    edges = step["edges"]
    need(len(edges) == x.width, "`edges` is not as wide as x")
    need(all(a <= b for row in edges for a, b in itertools.pairwise(row)), "edges do not rise")
    return Shape(x.width), lambda v: [
        float(sum(edge <= one or math.isnan(one) for edge in row)) for one, row in zip(v, edges, strict=True)
    ]


def bent(x, power):
    if math.isnan(x):
        return x
    if x < 0:
        return -bent(-x, 2 - power)
    return log1p(x) if abs(power) < 2**-52 else expm1(power * log1p(x)) / power


def _yeo_johnson(step, x):
    need(len(step["lambdas"]) == x.width, "`lambdas` is not as wide as x")
    return Shape(x.width), lambda v: [bent(one, power) for one, power in zip(v, step["lambdas"], strict=True)]


def _interpolate(step, x):
    tables = list(zip(step["at"], step["values"], strict=False))
    need(len(step["at"]) == len(step["values"]) == x.width, "`at` or `values` is not as wide as x")
    need(all(len(at) == len(values) for at, values in tables), "points without a value")
    need(all(a <= b for at, _ in tables for a, b in itertools.pairwise(at)), "points fall")
    need(not any(at[:1] == at[1:2] for at, _ in tables), "the first two points are one")

    def one_of(x, at, values):
        if math.isnan(x):
            return x
        if not at[0] <= x <= at[-1]:
            need(step["outside"] != "refuse", "an element is outside")
            if step["outside"] == "missing":
                return math.nan
            x = at[0] if x < at[0] else at[-1]
        if len(at) == 1:
            return values[0]
        h = min(max(sum(point < x for point in at), 1), len(at) - 1)
        return (values[h] - values[h - 1]) / (at[h] - at[h - 1]) * (x - at[h - 1]) + values[h - 1]

    return Shape(x.width), lambda v: [one_of(one, *table) for one, table in zip(v, tables, strict=True)]


def _kernel(step, x):
    points, gamma, offset = step["points"], step["gamma"], step["offset"]
    need(all(len(row) == x.width for row in points), "a point is not as wide as x")
    need(gamma >= 0, "a negative gamma")

    def one_of(v, point):
        if step["kind"] in ("rbf", "distance"):
            q = square_of_distance(point, v)
            return math.sqrt(q) if step["kind"] == "distance" else exp(-gamma * q)
        base = gamma * total(one * p for one, p in zip(v, point, strict=True)) + offset
        if step["kind"] == "sigmoid":
            return math.tanh(base)
        result, power = 1.0, step["degree"]
        while power:
            result = result * base if power % 2 else result
            base, power = base * base, power // 2
        return result

    return Shape(len(points)), lambda v: [one_of(v, point) for point in points]


def square_of_distance(point, v):
    return total((p - one) * (p - one) for one, p in zip(v, point, strict=True))


def _spline(step, x):
    knots, degree = step["knots"], step["degree"]
    need(len(knots) == x.width and degree <= 100, "`knots` is not as wide as x, or the degree is too high")
    need(all(len(t) >= 2 * degree + 2 for t in knots), "too few knots")
    need(all(a < b for t in knots for a, b in itertools.pairwise(t)), "knots do not rise")

    def bases(x, t):
        y = [0.0] * (len(t) - degree - 1)
        if math.isnan(x):
            return y
        a = min(max(sum(knot <= x for knot in t) - 1, degree), len(t) - degree - 2)
        b = [1.0]
        for k in range(1, degree + 1):
            c = [0.0] * (k + 1)
            for j in range(k):
                low, high = t[a + j + 1 - k], t[a + j + 1]
                s = b[j] / (high - low)
                c[j] += s * (high - x)
                c[j + 1] = s * (x - low)
            b = c
        y[a - degree : a + 1] = b
        return y

    width = sum(len(t) - degree - 1 for t in knots)
    return Shape(width), lambda v: [one for x, t in zip(v, knots, strict=True) for one in bases(x, t)]


def _nearest(step, x):
    points, values, count, radius, empty = (step[name] for name in ("points", "values", "count", "radius", "empty"))
    need(all(len(point) == x.width for point in points), "a point is not as wide as x")
    need(len(values) == len(points) and len({len(row) for row in values}) == 1, "a point without a value")
    need(empty is None or len(empty) == len(values[0]), "`empty` is not as wide as y")
    need((count is None) != (radius is None), "neither a count nor a radius, or both")
    need(count is None or 1 <= count <= len(points), "too many or too few points")

    def run(v):
        q = [square_of_distance(point, v) for point in points]
        chosen = [i for i in range(len(q)) if radius is not None and q[i] <= radius * radius]
        if count is not None:
            # A sort keeps the order of equal ones, and of NaN.
            chosen = sorted(range(len(q)), key=lambda i: (math.isnan(q[i]), q[i]))[:count]
        if not chosen:
            need(empty is not None, "no point is near enough")
            return list(empty)
        distances = [math.sqrt(q[i]) for i in chosen]
        weights = [1.0] * len(chosen)
        if step["weights"] == "distance":
            weights = [float(d == 0) for d in distances] if 0 in distances else [1 / d for d in distances]
        rows = [values[i] for i in chosen]
        return [
            divide(total(w * row[j] for w, row in zip(weights, rows, strict=True)), total(weights) or math.nan)
            for j in range(len(rows[0]))
        ]

    return Shape(len(values[0])), run


def _trees(step, x, *others):
    size, at, scale, start, trees = (step[name] for name in ("size", "at", "scale", "start", "trees"))
    width = len(start)
    need(all(other.width == width for other in others), "the second source is not as wide as y")
    need(size <= width, "the leaves are larger than y")
    need(size == 1 or (size == width and scale == 1), "the leaves are not as wide as y")
    need(len(at) == len(trees) and all(place + size <= width for place in at), "a tree without its place")
    for tree in trees:
        _check_tree(tree, x.width, size)
    places = [{one[0]: set(one[1:]) for one in tree["categories"] or []} for tree in trees]

    def run(v, *others):
        y = list(others[0] if others else start)
        for tree, categories, place in zip(trees, places, at, strict=True):
            first = tree["right"][_leaf(tree, categories, v)] * size
            for j in range(size):
                y[place + j] += scale * tree["values"][first + j]
        return y

    return Shape(width), run


def _check_tree(tree, width, size):
    nodes, leaves = len(tree["feature"]), len(tree["values"])
    tables = [tree["feature"], tree["threshold"], tree["right"], tree["missing_left"] or tree["feature"]]
    need(leaves % size == 0, "half a leaf")
    need(nodes and {len(table) for table in tables} == {nodes}, "the tables of a tree are not of one length")
    need(
        tree["missing_left"] is None or len(tree["missing_left"]) == nodes, "the tables of a tree are not of one length"
    )
    inner = {i for i, feature in enumerate(tree["feature"]) if feature >= 0}
    need(all(feature < width for feature in tree["feature"]), "a tree looks beyond")
    for i, right in enumerate(tree["right"]):
        need(i + 1 < right < nodes if i in inner else (right + 1) * size <= leaves, f"node {i} has no such child")
    first = [one[0] for one in tree["categories"] or []]
    need(set(first) <= inner and len(set(first)) == len(first), "categories of no node")
    need(not first or tree["missing_left"] is not None, "categories without a way for gaps")


def _leaf(tree, categories, v):
    i = 0
    while tree["feature"][i] >= 0:
        x = v[tree["feature"][i]]
        if math.isnan(x):
            left = bool(tree["missing_left"] and tree["missing_left"][i])
        elif i in categories:
            left = x in categories[i]
        else:
            left = x <= tree["threshold"][i]
        i = i + 1 if left else tree["right"][i]
    return i


# Categories -----------------------------------------------------------------------------------------------------------


def _key(x):
    return None if is_gap(x) else x


def _cells(step, x, values):
    need(len(step["tables"]) == x.width, "`tables` is not as wide as x")
    for place, table in enumerate(step["tables"]):
        cells = table["cells"]
        need(len(cells) == len(table[values]), "cells without a value")
        need(len(set(cells)) == len(cells), "a category stands twice")
        need(all(c is None or isinstance(c, str) == (place in x.texts) for c in cells), "a category of another type")
    return [dict(zip(table["cells"], table[values], strict=True)) for table in step["tables"]]


def _onehot(step, x):
    width, tables = step["width"], _cells(step, x, "at")
    unknown = [table["unknown"] for table in step["tables"]]
    need(all(place < width for table in tables for place in table.values()), "a one beyond")
    need(all(place < width for place in unknown), "a one beyond")

    def run(v):
        y = [0.0] * width
        for one, table, beyond in zip(v, tables, unknown, strict=True):
            place = table.get(_key(one), beyond)
            need(place != -2, f"{one!r:.80} is unknown")
            if place >= 0:
                y[place] = 1.0
        return y

    return Shape(width), run


def _lookup(step, x):
    tables = _cells(step, x, "values")
    need(all(len(table["unknown"]) == 1 for table in step["tables"]), "not one number for the unknown")

    def run(v):
        y = []
        for one, table, read in zip(v, step["tables"], tables, strict=True):
            known = _key(one) in read
            need(known or not table["refuse"], f"{one!r:.80} is unknown")
            y.append(read[_key(one)] if known else table["unknown"][0])
        return y

    return Shape(x.width), run


# Texts ----------------------------------------------------------------------------------------------------------------


def is_word(c):
    return c == "_" or unicodedata.category(c)[0] in "LN"


def in_set(c, name):
    if name.startswith("not_"):
        return not in_set(c, name[4:])
    return {"word": is_word, "digit": lambda c: unicodedata.category(c) == "Nd", "space": str.isspace}[name](c)


def fits(part, c):
    ranges = part["ranges"]
    within = any(a <= ord(c) <= b for a, b in zip(ranges[::2], ranges[1::2], strict=True))
    return (within or any(in_set(c, name) for name in part["sets"])) != part["not"]


def find(parts, s, i):
    """Return where the parts end that begin at s[i], None if they do not stand there."""
    if not parts:
        return i
    part, rest = parts[0], parts[1:]
    if part["boundary"]:
        before, behind = i > 0 and is_word(s[i - 1]), i < len(s) and is_word(s[i])
        return find(rest, s, i) if before != behind else None
    most = i
    while most < len(s) and (part["most"] is None or most - i < part["most"]) and fits(part, s[most]):
        most += 1
    for end in range(most, i + part["least"] - 1, -1):
        found = find(rest, s, end)
        if found is not None:
            return found
    return None


def tokens(parts, s):
    i = 0
    while i <= len(s):
        end = find(parts, s, i)
        if end is not None:
            yield s[i:end]
        i = end if end is not None and end > i else i + 1


def spaced(s):
    """Return a text in which each run of two or more white spaces is one space."""
    runs = itertools.groupby(s, str.isspace)
    joined = ((space, "".join(run)) for space, run in runs)
    return "".join(" " if space and len(run) > 1 else run for space, run in joined)


def plain(step, s):
    if step["lowercase"]:
        s = s.lower()
    if step["accents"] and not s.isascii():
        s = unicodedata.normalize("NFKD", s)
        keep = str.isascii if step["accents"] == "ascii" else lambda c: not unicodedata.combining(c)
        s = "".join(filter(keep, s))
    return s


def terms(step, s):
    s = plain(step, s)
    low, high = step["ngrams"]
    if step["analyzer"] == "word":
        words = [word for word in tokens(step["pattern"], s) if word not in step["stop_words"]]
        return [" ".join(words[i : i + n]) for n in range(low, high + 1) for i in range(len(words) - n + 1)]
    s = spaced(s)
    if step["analyzer"] == "char":
        return [s[i : i + n] for n in range(low, high + 1) for i in range(len(s) - n + 1)]
    found = []
    for word in s.split():
        padded = f" {word} "
        for n in range(low, high + 1):
            if len(padded) <= n:
                found.append(padded)
                break
            found += [padded[i : i + n] for i in range(len(padded) - n + 1)]
    return found


def _check_terms(step, x):
    need(x.width == 1 and x.texts, "not one text")
    need(len(step["ngrams"]) == 2 and step["ngrams"][0] <= step["ngrams"][1] <= 1000, "no range of n-grams")
    if step["analyzer"] == "word":
        _check_pattern(step["pattern"] or [])


def _check_pattern(pattern):
    parts = [part for part in pattern if not part["boundary"]]
    need(parts and len(pattern) <= 16, "a pattern of no parts, or too many")
    for part in parts:
        need(len(part["ranges"]) % 2 == 0, "half a range")
        need(all(a <= b for a, b in zip(part["ranges"][::2], part["ranges"][1::2], strict=True)), "an empty range")
        need(part["sets"] or part["ranges"], "a part that fits nothing")
        most = part["least"] if part["most"] is None else part["most"]
        need(1 <= part["least"] <= most <= 1000, "no number of repeats")
    need(sum(part["most"] is None for part in parts) <= 2, "too many parts without an end")
    lengths = math.prod(part["most"] - part["least"] + 1 for part in parts if part["most"] is not None)
    need(lengths <= 1000, "too many lengths")


def _count(step, x):
    _check_terms(step, x)
    place = {term: i for i, term in enumerate(step["terms"])}
    need(len(place) == len(step["terms"]), "a term stands twice")

    def run(v):
        need(v[0] is not None, "the text is missing")
        y = [0.0] * len(place)
        for term in terms(step, v[0]):
            if term in place:
                y[place[term]] = 1.0 if step["binary"] else y[place[term]] + 1
        return y

    return Shape(len(place)), run


def murmur(data):
    """Return MurmurHash3 (x86, 32 bits, seed 0), signed."""
    mask, h = 0xFFFFFFFF, 0

    def mixed(k):
        k = k * 0xCC9E2D51 & mask
        return ((k << 15 | k >> 17) & mask) * 0x1B873593 & mask

    whole_blocks = len(data) // 4 * 4
    for i in range(0, whole_blocks, 4):
        h ^= mixed(int.from_bytes(data[i : i + 4], "little"))
        h = ((h << 13 | h >> 19) & mask) * 5 + 0xE6546B64 & mask
    if data[whole_blocks:]:
        h ^= mixed(int.from_bytes(data[whole_blocks:], "little"))
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & mask
    h = (h ^ h >> 13) * 0xC2B2AE35 & mask
    h ^= h >> 16
    return h - 2**32 if h >= 2**31 else h


def _hash(step, x):
    _check_terms(step, x)

    def run(v):
        need(v[0] is not None, "the text is missing")
        y = [0.0] * step["width"]
        for term in terms(step, v[0]):
            need(not any("\ud800" <= c <= "\udfff" for c in term), "a lone surrogate")
            h = murmur(term.encode())
            y[abs(h) % step["width"]] += -1 if step["signs"] and h < 0 else 1
            if step["binary"]:
                y[abs(h) % step["width"]] = 1.0
        return y

    return Shape(step["width"]), run


STEPS = {
    **{op: _with_values(op) for op in ELEMENTWISE_VALUES},
    "take": _take,
    "concat": _concat,
    "sum": _sum,
    "clip": _clip,
    "constant": _constant_step,
    "finite": _finite,
    "float32": _each(lambda _, x: float32(x)),
    "linear": _linear,
    "normalize": _normalize,
    "sublinear": _each(lambda _, x: log(x) + 1 if x != 0 else 0.0),
    "binarize": _each(lambda step, x: float(x > step["threshold"])),
    "fill": _fill,
    "missing": _missing,
    "apply": _each(lambda step, x: FUNCTIONS[step["function"]](x)),
    "softmax": _softmax,
    "posterior": _posterior,
    "shares": _shares,
    "complement": _complement,
    "argmax": _argmax,
    "above": _above,
    "reduce": _reduce,
    "median": _median,
    "votes": _votes,
    "quotient": _quotient,
    "products": _products,
    "bins": _bins,
    "yeo_johnson": _yeo_johnson,
    "interpolate": _interpolate,
    "kernel": _kernel,
    "spline": _spline,
    "nearest": _nearest,
    "trees": _trees,
    "onehot": _onehot,
    "lookup": _lookup,
    "count": _count,
    "hash": _hash,
}


# The document ---------------------------------------------------------------------------------------------------------


def _is_sparse(step, sources):
    """Say whether the vector of a step is sparse, and see that no sparse one is written out that is too wide."""
    op, sparse = step["op"], [x for x in sources if x.sparse]
    need(not sparse or op != "quotient", "sparse vectors are divided")
    need(not sparse or op != "concat" or not any(x.texts for x in sources), "texts are joined with a sparse vector")
    of_zero = op != "apply" or step["function"] not in ("exp", "log", "sigmoid")
    stays = op in STAYS_SPARSE and of_zero and (op != "binarize" or step["threshold"] >= 0)
    written = [] if stays or op in ("constant", "linear", "missing", "trees") else sparse
    need(not any(x.width > WIDEST_WRITTEN for x in written), "a sparse vector is too wide")
    return op in ("count", "hash", "onehot") or (stays and bool(sparse))


def _input(kind, value):
    if value is None:
        return None if kind == "text" else math.nan
    if kind == "text":
        return text(value)
    need(isinstance(value, bool | int | float), f"{value!r:.80} is no number")
    try:
        return float(value)
    except OverflowError as error:
        raise Refused(f"{value!r:.80} is beyond all doubles") from error


class Model:
    """A document, checked before the first row."""

    def __init__(self, data: bytes) -> None:
        read = record(
            format_version=whole(1, 1),
            inputs=many(record(name=text, type=either("text", "number")), 1),
            steps=many(lambda step: step),
            outputs=many(record(name=text, at=INDEX, labels=maybe(many(label)), **{"from": INDEX}), 1),
        )(parse(data))
        self.inputs, self.outputs, self.steps, self.ops = read["inputs"], read["outputs"], [], []
        need(len(read["steps"]) <= MOST_STEPS, "too many steps")
        for named in (self.inputs, self.outputs):
            need(len({one["name"] for one in named}) == len(named), "a name stands twice")
        texts = frozenset(i for i, one in enumerate(self.inputs) if one["type"] == "text")
        self.shapes = [Shape(len(self.inputs), texts)]
        for step in read["steps"]:
            self._add(step)
        for output in self.outputs:
            self._check(output)

    def _add(self, step):
        need(isinstance(step, dict) and isinstance(step.get("op"), str), "a step without `op`")
        op = step["op"]
        need(op in FIELDS, f"an unknown step: {op!r:.80}")
        read = record(op=text, **FIELDS[op], **{"from": many(whole(0, len(self.steps)), 1)})(step)
        least, most = SOURCES.get(op, (1, 1))
        need(least <= len(read["from"]) <= most, f"`{op}` has not so many sources")
        sources = [self.shapes[i] for i in read["from"]]
        need(op in MAY_TAKE_TEXTS or not any(x.texts for x in sources), f"`{op}` is given texts")
        shape, run = STEPS[op](read, *sources)
        need(shape.width <= WIDEST, "a vector is too wide")
        self.shapes.append(shape._replace(sparse=_is_sparse(read, sources)))
        need(sum(x.width for x in self.shapes) <= WIDEST_IN_ALL, "the vectors are too wide together")
        self.steps.append((read["from"], run))
        self.ops.append(op)

    def _check(self, output):
        need(output["from"] < len(self.shapes), "an output of a step ahead")
        shape, at = self.shapes[output["from"]], output["at"]
        need(at < shape.width and not shape.texts, "an output that is not there")
        if output["labels"] is not None:
            need(shape.choices.get(at, math.inf) <= len(output["labels"]), "too few labels")

    def answer(self, row):
        """Return the outputs of a row: a list of cells, one for each input, in order."""
        need(isinstance(row, list) and len(row) == len(self.inputs), "the row has another width")
        vectors = [[_input(column["type"], value) for column, value in zip(self.inputs, row, strict=True)]]
        for sources, run in self.steps:
            vectors.append(run(*(vectors[i] for i in sources)))
        found = [vectors[output["from"]][output["at"]] for output in self.outputs]
        return [
            value if output["labels"] is None else output["labels"][int(value)]
            for output, value in zip(self.outputs, found, strict=True)
        ]


def answer_or_none(model, row):
    """Return the outputs of a row, None if it is refused."""
    try:
        return model.answer(row)
    except Refused:
        return None
