"""Random documents of every step, rows that are hard to get right, and ways to break a document.

All is drawn from a `random.Random`, so that a seed names it, and needs the standard library alone: a scorer of any
language can be asked the same. The shapes of vectors are asked of `stranger.py`.
"""

from __future__ import annotations

import copy
import json

INEXACT = {
    "apply", "divide", "interpolate", "kernel", "nearest", "normalize", "posterior", "products", "quotient",
    "reduce", "shares", "softmax", "spline", "sublinear", "yeo_johnson",
}  # fmt: skip
FUNCTIONS = (
    "sigmoid", "exp", "expm1", "log", "log1p", "sqrt", "abs", "square", "tanh", "trunc", "relu", "sign", "cos", "sin",
)  # fmt: skip
NUMBERS = (
    0.0, -0.0, 1, -1, 0.25, -0.75, 3, 2, 0.1, 1e-300, 5e-324, -5e-324, 1e308, -1e308, 1.7976931348623157e308,
    2**53 + 1, -(2**63), 709.5, -709.0, -745.2, 1e16, 3.4028235677973366e38, 16777217, 2.0**-53,
)  # fmt: skip
CELLS = (*NUMBERS, True, False, None, None, float("nan"), float("inf"), float("-inf"), 10**308, 10**400)
WORDS = (
    "a", "dog", "the", "cat", "DOG", "Déjà", "e\u0301te\u0301", "ΟΔΟΣ", "ΣΑΣ", "σς", "İstanbul", "\u0131", "ß",
    "日本語", "\u1e9e", "\ufb01n", "x_1", "don't", "12", "\u0661\u0662", "x\u00b2", "\u2460", "\U0001d400b",
    "\U0001f600", "\ud800", "\udfff", "\x00", "\u0327c", "ǅ", "Ω\u0345", "\u1100\u1161",
)  # fmt: skip
SPACES = (" ", "  ", "\t", "\n", "\x1c", "\x85", "\u00a0", "\u2003", "\u3000", "-", ",", "")
SETS = ("word", "digit", "space", "not_word", "not_digit", "not_space")
ODD = (
    None, True, False, -1, -2, 0, 1, 2, 3, 17, 0.5, -0.0, 1.0, 1e308, 2**24 - 1, 2**24, 2**53, 10**400, "", "a", "word",
    "\ud800", "softmax", [], {}, [0], [1, 0], [[]], [None], ["a"], [[0, 1]], {"__proto__": 1}, [[[[[0]]]]],
)  # fmt: skip


OF_ONE_VALUE = {
    "above", "add", "argmax", "binarize", "bins", "clip", "complement", "concat", "constant", "count", "divide", "fill",
    "finite", "float32", "hash", "lookup", "median", "missing", "multiply", "onehot", "products", "quotient", "reduce",
    "subtract", "sum", "take", "trees", "votes",
}  # fmt: skip
OF_ONE_VALUE_IN_APPLY = {"abs", "relu", "sign", "sqrt", "square", "trunc"}


def exactness(document):
    """Return whether the vector of each step is the same in each language.

    "exact": it is; "near": as near as functions and the order of sums are; "loose": it is made of such.
    """
    found = ["exact"]
    for step in document["steps"]:
        whole = step["op"] in OF_ONE_VALUE or step.get("function") in OF_ONE_VALUE_IN_APPLY
        sound = all(found[source] == "exact" for source in step["from"])
        found.append("exact" if sound and whole else "near" if sound else "loose")
    return found


def text(random):
    return "".join(random.choice(WORDS) + random.choice(SPACES) for _ in range(random.randrange(7)))


def cell(random, kind):
    if kind == "text":
        return random.choice([None, "", "red", "1", text(random), text(random)])
    return random.choice([*CELLS, random.gauss(0, 2), random.gauss(0, 2), random.randrange(-3, 4)])


def tame_cell(random, kind):
    """Return a cell whose sums with others are exact, or infinite, or NaN."""
    if kind == "text":
        return random.choice([None, "", "red", "1", text(random)])
    return random.choice([None, True, 0.0, -0.0, float("inf"), -float("inf"), *[random.randrange(-40, 41) / 8] * 9])


def rows_of(random, document, count):
    kinds = [one["type"] for one in document["inputs"]]
    return [[cell(random, kind) for kind in kinds] for _ in range(count)]


class Maker:
    """Makes a document, step by step; `stranger` says of which shape each vector is."""

    def __init__(self, random, stranger, *, wild=True, exact=False):
        """`exact`: only steps whose results are exact, and so the same in whatever order sums are made."""
        self.random, self.stranger, self.wild = random, stranger, wild
        self.ops = [op for op in stranger.STEPS if not exact or op not in INEXACT]
        kinds = random.choices(["number", "text"], [4, 1], k=random.randrange(1, 6))
        self.document = {
            "format_version": 1,
            "inputs": [{"name": f"x{n}", "type": kind} for n, kind in enumerate(kinds)],
            "steps": [],
            "outputs": [{"name": "none", "from": 0, "at": 0, "labels": None}],
        }
        one = {**self.document, "outputs": [{"name": "c", "from": 1, "at": 0, "labels": None}]}
        constant = {"op": "constant", "from": [0], "values": [0.0]}
        self.model = stranger.Model(json.dumps({**one, "steps": [constant]}).encode())
        self.document["steps"].append(constant)
        for place, kind in enumerate(kinds):
            if kind == "text" and random.random() < 0.7:
                self._append({"op": "take", "from": [0], "indexes": [place]})

    def made(self, count):
        """Return the document after some attempts to add a step."""
        for _ in range(count):
            op = self.random.choice(self.ops)
            sources = [self._source(op)]
            if op in ("concat", "sum", "quotient", "trees"):
                more = (
                    self.random.randrange(2) if op == "trees" else 1 if op == "quotient" else self.random.randrange(3)
                )
                sources += [self._like(sources[0], op) for _ in range(more)]
            fields = getattr(self, f"_{op}", lambda _: {})(self.model.shapes[sources[0]])
            if op == "trees" and sources[1:]:
                fields["start"] = [self.number() for _ in range(self.model.shapes[sources[1]].width)]
                fields |= self._grown(self.model.shapes[sources[0]], len(fields["start"]))
            self._append({"op": op, "from": sources, **fields})
        self.document["outputs"] = [*self._outputs()] or self.document["outputs"]
        return self.document

    def _append(self, step):
        try:
            self.model._add(step)
        except self.stranger.Refused:
            return
        self.document["steps"].append(step)

    def number(self):
        if not self.wild:
            return self.random.randrange(-12, 13) / 4
        return self.random.choice([*NUMBERS, self.random.gauss(0, 2), self.random.gauss(0, 2)])

    def numbers(self, count):
        return [self.number() for _ in range(count)]

    def _source(self, op):
        shapes = [*enumerate(self.model.shapes)]
        texts = [i for i, x in shapes if x.texts]
        if op in ("count", "hash"):
            found = [i for i in texts if self.model.shapes[i].width == 1]
        elif op in self.stranger.MAY_TAKE_TEXTS and texts and self.random.random() < 0.5:
            found = texts
        elif op == "votes":
            found = [i for i, x in shapes if x.width and len(x.choices) == x.width]
        else:
            found = [i for i, x in shapes if not x.texts and (op != "complement" or x.width == 1)]
        return self.random.choice(found or [0])

    def _like(self, source, op):
        width = self.model.shapes[source].width
        same = [
            i
            for i, x in enumerate(self.model.shapes)
            if not x.texts and (x.width == width or op in ("concat", "trees"))
        ]
        return self.random.choice([*same, source])

    def _outputs(self):
        for step, x in enumerate(self.model.shapes):
            for at in range(min(x.width, 4) if not x.texts else 0):
                yield {"name": f"{step}.{at}", "from": step, "at": at, "labels": None}
                if at in x.choices:
                    labels = ["red", 1, 2.5, True, "\ud800", 0, *range(x.choices[at])]
                    yield {"name": f"label.{step}.{at}", "from": step, "at": at, "labels": labels}

    def _take(self, x):
        return {"indexes": [self.random.randrange(x.width) for _ in range(self.random.randrange(5))] if x.width else []}

    def _values(self, x):
        return {"values": self.numbers(x.width)}

    _add = _subtract = _multiply = _values

    def _divide(self, x):
        return {"values": [one or 2.0 for one in self.numbers(x.width)]}

    def _constant(self, _):
        return {"values": self.numbers(self.random.randrange(4))}

    def _clip(self, x):
        return {"low": self.numbers(x.width), "high": self.numbers(x.width)}

    def _finite(self, _):
        return {"missing": self.random.random() < 0.5}

    def _linear(self, x):
        count = self.random.randrange(1, 4)
        return {"weights": [self.numbers(x.width) for _ in range(count)], "bias": self.numbers(count)}

    def _normalize(self, _):
        return {"norm": self.random.choice(["l1", "l2", "max"]), "least": self.random.choice([0, 2.5e-15, 1.5])}

    def _binarize(self, _):
        return {"threshold": self.number()}

    def _any_cell(self, x, place):
        if place in x.texts:
            return self.random.choice(["", "red", "1", text(self.random)])
        return self.random.choice([None, self.number()])

    def _fill(self, x):
        missing = self.random.choice([None, None, 0, self.number(), "red"])
        return {"values": [self._any_cell(x, i) for i in range(x.width)], "missing": missing}

    def _missing(self, x):
        return {**self._take(x), "missing": self.random.choice([None, None, 0, self.number(), "red", ""])}

    def _apply(self, _):
        return {"function": self.random.choice(FUNCTIONS)}

    def _shares(self, _):
        return {"zero": self.random.choice(["equal", "none", "missing"])}

    def _argmax(self, x):
        places = range(1, max(x.width, 1))
        return {"starts": [0, *sorted(self.random.sample(places, self.random.randrange(min(len(places) + 1, 3))))]}

    def _above(self, _):
        return {"threshold": self.number(), "equal": self.random.random() < 0.5}

    def _reduce(self, x):
        groups = self.random.choice([n for n in range(1, 9) if x.width % n == 0])
        return {"how": self.random.choice(["sum", "product"]), "groups": groups}

    def _median(self, x):
        return {"weights": [abs(one) for one in self.numbers(x.width)]}

    def _votes(self, x):
        return {"weights": self.numbers(x.width), "classes": max([2, *x.choices.values()]) + self.random.randrange(2)}

    def _products(self, x):
        return {"factors": [self._take(x)["indexes"] for _ in range(self.random.randrange(4))]}

    def _bins(self, x):
        return {"edges": [sorted(self.numbers(self.random.randrange(4))) for _ in range(x.width)]}

    def _yeo_johnson(self, x):
        return {"lambdas": [self.random.choice([0, 2, 2.0**-53, 1, self.number()]) for _ in range(x.width)]}

    def _interpolate(self, x):
        at = [sorted({float(one) for one in self.numbers(self.random.randrange(1, 5))}) for _ in range(x.width)]
        outside = self.random.choice(["nearest", "nearest", "missing", "refuse"])
        return {"at": at, "values": [self.numbers(len(one)) for one in at], "outside": outside}

    def _kernel(self, x):
        return {
            "points": [self.numbers(x.width) for _ in range(self.random.randrange(1, 4))],
            "kind": self.random.choice(["rbf", "polynomial", "sigmoid", "distance"]),
            "gamma": abs(self.number()),
            "offset": self.number(),
            "degree": self.random.choice([0, 1, 2, 3, 5, 2**24 - 1]),
        }

    def _spline(self, x):
        degree = self.random.randrange(4)
        count = 2 * degree + 2 + self.random.randrange(3)
        return {"degree": degree, "knots": [sorted(self.random.sample(range(-20, 20), count)) for _ in range(x.width)]}

    def _nearest(self, x):
        points, width = self.random.randrange(1, 5), self.random.randrange(1, 3)
        radius = self.random.choice([None, None, abs(self.number()), 2.5])
        return {
            "points": [self.numbers(x.width) for _ in range(points)],
            "values": [self.numbers(width) for _ in range(points)],
            "count": self.random.randrange(1, points + 1) if radius is None else None,
            "radius": radius,
            "weights": self.random.choice(["equal", "distance"]),
            "empty": self.random.choice([None, [None, *self.numbers(width)][-width:]]),
        }

    def _trees(self, x):
        width = self.random.randrange(1, 4)
        return {"start": self.numbers(width), **self._grown(x, width)}

    def _grown(self, x, width):
        size = self.random.choice([1, max(width, 1)])
        trees = [self._tree(x, size) for _ in range(self.random.randrange(4) if x.width else 0)]
        at = [self.random.randrange(width) if size == 1 and width else 0 for _ in trees]
        return {"trees": trees, "size": size, "at": at, "scale": 1.0 if size > 1 else self.number()}

    def _tree(self, x, size):
        tree = {"feature": [], "threshold": [], "right": [], "values": self.numbers(3 * size)}
        ways, categories = [], []
        missing = self.random.random() < 0.7

        def grow(depth):
            node = len(ways)
            inner = depth < 4 and self.random.random() < 0.7
            tree["feature"].append(self.random.randrange(x.width) if inner else -1)
            tree["threshold"].append(self.number() if inner else 0.0)
            tree["right"].append(0 if inner else self.random.randrange(3))
            ways.append(self.random.randrange(2))
            if inner:
                if missing and self.random.random() < 0.2:
                    categories.append([node, *self.random.sample(range(5), 2)])
                grow(depth + 1)
                tree["right"][node] = len(ways)
                grow(depth + 1)

        grow(0)
        return {**tree, "missing_left": ways if missing else None, "categories": categories or None}

    def _cells(self, x, place):
        found = {self._any_cell(x, place) for _ in range(4)} | {None}
        if place not in x.texts:
            found |= {0.0, 1.0, 2.0, 3}
        return self.random.sample([*sorted(map(repr, found))], k=min(3, len(found))), found

    def _tables(self, x):
        for place in range(x.width):
            shown, found = self._cells(x, place)
            yield [one for one in found if repr(one) in shown]

    def _onehot(self, x):
        width = self.random.randrange(1, 6)
        tables = [
            {
                "cells": cells,
                "at": [self.random.randrange(-1, width) for _ in cells],
                "unknown": self.random.choice([-1, -1, -2, width - 1]),
            }
            for cells in self._tables(x)
        ]
        return {"width": width, "tables": tables}

    def _lookup(self, x):
        tables = [
            {
                "cells": cells,
                "values": [self.random.choice([None, self.number()]) for _ in cells],
                "unknown": [self.random.choice([None, self.number()])],
                "refuse": self.random.random() < 0.2,
            }
            for cells in self._tables(x)
        ]
        return {"tables": tables}

    def _terms(self):
        least = self.random.randrange(1, 4)
        return {
            "lowercase": self.random.random() < 0.6,
            "accents": self.random.choice([None, None, "ascii", "unicode"]),
            "analyzer": self.random.choice(["word", "word", "char", "char_wb"]),
            "pattern": self._pattern(),
            "stop_words": self.random.sample(WORDS, 2),
            "ngrams": [least, least + self.random.randrange(3)],
            "binary": self.random.random() < 0.3,
        }

    def _pattern(self):
        default = [
            self._part(boundary=True), self._part(sets=["word"], least=1, most=1),
            self._part(sets=["word"], least=1, most=None), self._part(boundary=True),
        ]  # fmt: skip
        if self.random.random() < 0.4:
            return default
        return [self._random_part() for _ in range(self.random.randrange(1, 4))]

    @staticmethod
    def _part(**fields):
        return {"boundary": False, "sets": [], "ranges": [], "not": False, "least": 1, "most": 1} | fields

    def _random_part(self):
        if self.random.random() < 0.2:
            return self._part(boundary=True)
        least = self.random.randrange(1, 3)
        ends = sorted(self.random.choice("az09é\u0131漢_-[]^\\\U0001f600") for _ in range(2))
        return self._part(
            sets=self.random.sample(SETS, self.random.randrange(3)),
            ranges=[*map(ord, ends)] if self.random.random() < 0.6 else [],
            least=least,
            most=self.random.choice([None, None, least, least + 2]),
            **{"not": self.random.random() < 0.3},
        )

    def _count(self, _):
        fields, found = self._terms(), set()
        try:
            for _ in range(3):
                found |= {*self.stranger.terms(fields, text(self.random))}
        except (self.stranger.Refused, TypeError, ValueError):
            found = set(WORDS)
        terms = self.random.sample(sorted(found), min(len(found), 12))
        return {**fields, "terms": terms}

    def _hash(self, _):
        return {**self._terms(), "width": self.random.choice([1, 2, 7, 32, 1000]), "signs": self.random.random() < 0.5}


def places(node, path=()):
    """Return the paths to all that stands in a document."""
    yield path
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        yield from places(value, (*path, key))


def broken(random, document):
    """Return the bytes of a document with one thing changed."""
    document = copy.deepcopy(document)
    *before, last = random.choice([*places(document)][1:])
    node = document
    for key in before:
        node = node[key]
    way = random.randrange(9)
    if way == 0:
        del node[last]
    elif way == 1 and isinstance(node[last], int | float):
        node[last] += random.choice([-1, 1, 0.5])
    elif way == 2 and isinstance(node, list):
        node.insert(last, copy.deepcopy(random.choice(node)))
    elif way == 3:
        node[last] = [node[last]]
    elif way == 4 and isinstance(node, dict):
        node[random.choice(["__proto__", "constructor", "op", "from", "more"])] = random.choice(ODD)
    else:
        node[last] = random.choice(ODD)
    data = json.dumps(document)
    if way == 5:
        data = _twice(random, data)
    if way == 6:
        at = random.randrange(len(data))
        data = (
            data[:at]
            + random.choice(["", "NaN", "1e999", "-", '"', "[" * 2000, "}", "\ufeff", "0", "\x00"])
            + data[at + 1 :]
        )
    return data.encode(random.choice(["utf-8"] * 30 + ["utf-16", "utf-8-sig", "latin-1"]), "replace")


def _twice(random, data):
    """Return JSON in which one field has the name of another."""
    names = sorted(
        set(data.split('"')[1::2]) & {"op", "from", "values", "indexes", "name", "at", "inputs", "steps", "right"}
    )
    return data.replace(f'"{random.choice(names)}": ', f'"{random.choice(names)}": ', 1) if names else data
