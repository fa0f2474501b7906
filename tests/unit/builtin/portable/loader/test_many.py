"""Each step that has a way for many rows does there what it does for one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlopskit.builtin.portable.loader import (
    batches,
    blocks,
    manycells,
    manypoints,
    manyscores,
    manytables,
    manytrees,
    manyvectors,
    scores,
)
from mlopskit.builtin.portable.loader.document import make, source_of
from mlopskit.builtin.portable.loader.values import Sparse, Value

WIDTH = 3
WIDE = 600  # a block of it is not written out
MODULES = (manyvectors, manyscores, manytables, manypoints, manycells, manytrees)
KNOWN = {name: way for module in MODULES for name, way in module.MANY.items()}
CELLS = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.5, 700.0, 1e39, -1e39, 1e300, 5e-324, 2.0**53 + 2])
ANY = CELLS | st.floats() | st.floats(-4, 4)
TEXTS = st.sampled_from(["a", "b b a", "", "A c\u0130 a", "the a"])
WORDS = {"boundary": False, "sets": ["word"], "ranges": [], "not": False, "least": 1, "most": None}
ANALYZED = {
    "lowercase": True,
    "accents": "unicode",
    "analyzer": "word",
    "pattern": [WORDS],
    "stop_words": ["the"],
    "ngrams": [1, 2],
}
TREE = {
    "feature": [0, -1, 1, -1, -1],
    "threshold": [0.5, 0.0, -0.0, 0.0, 0.0],
    "right": [2, 0, 4, 1, 2],
    "values": [0.1, 0.2, 0.3],
    "missing_left": [1, 0, 0, 0, 0],
    "categories": None,
}
SETS = TREE | {"categories": [[0, 0, 1], [2, 2]]}
FOREST = {"size": 1, "scale": 0.1, "start": [0.3, -1.0]}
TABLE = {"cells": [1.0, -1.0, None], "at": [2, -1, 0], "unknown": -1}
NUMBERS = {"cells": [1.0, 0.0], "values": [5.0, None], "unknown": [None], "refuse": False}
KNOTS = [-4.0, -3.5, 0.0, 1.0, 1.5, 7e300]
NEAREST = {
    "points": [[0.0, 1.0, 2.0], [1.0, 1.0, -1.0], [1.0, 0.5, 0.25], [0.0, 1.0, 2.0]],
    "values": [[1.0, 2.0], [3.0, 0.1], [0.2, 0.3], [7.0, 9.0]],
}
FIELDS = {
    "take": [{"indexes": [2, 0]}, {"indexes": [1]}, {"indexes": [1, 1, 0]}, {"indexes": []}],
    "concat": [{}],
    "sum": [{}],
    **{op: [{"values": [1.0, -0.5, 0.0]}] for op in ("add", "subtract", "multiply")},
    "divide": [{"values": [3.0, -0.1, 1e-300]}],
    "clip": [{"low": [0.0, -1.0, 2.0], "high": [1.0, 1.0, 2.0]}],
    "finite": [{"missing": True}, {"missing": False}],
    "float32": [{}],
    "linear": [{"weights": [[0.1, -2.0, 3.0], [0.0, 0.0, 1.0]], "bias": [0.5, -0.0]}],
    "constant": [{"values": [1.0, 2.0]}],
    "normalize": [{"norm": norm, "least": 1e-3} for norm in ("l1", "l2", "max")],
    "sublinear": [{}],
    "binarize": [{"threshold": 0.25}, {"threshold": -1.0}],
    "apply": [{"function": one} for one in scores._FUNCTIONS],
    "softmax": [{}],
    "posterior": [{}],
    "shares": [{"zero": "equal"}, {"zero": "none"}, {"zero": "missing"}],
    "complement": [{}],
    "argmax": [{"starts": [0]}, {"starts": [0, 2]}],
    "above": [{"threshold": 0.5, "equal": True}, {"threshold": 0.5, "equal": False}],
    "reduce": [{"how": "sum", "groups": 3}, {"how": "product", "groups": 3}],
    "votes": [{"weights": [0.5, 0.25, 2.0], "classes": 4}],
    "median": [{"weights": [0.5, 0.25, 0.25]}],
    "quotient": [{}],
    "products": [{"factors": [[0, 1, 2], [], [2, 2]]}],
    "bins": [{"edges": [[0.0, 1.0], [], [0.5, 0.5, 700.0]]}],
    "interpolate": [
        {"at": [[0.0, 1.0], [0.5], [-1.0, 0.0, 1e300]], "values": [[1.0, 2.0], [7.0], [0.0, 1.0, 5.0]], "outside": one}
        for one in ("nearest", "missing", "refuse")
    ],
    "kernel": [
        {"points": [[0.0, 1.0, 2.0], [1.0, 1.0, -1.0]], "kind": one, "gamma": 0.5, "offset": 0.25, "degree": 3}
        for one in ("rbf", "polynomial", "sigmoid", "distance")
    ],
    "spline": [{"knots": [[0.0, 1.0, 2.0, 3.0, 4.5, 5.0], [-1.0, 0.0, 0.5, 1.0, 2.0, 9.0, 9.5], KNOTS], "degree": 2}],
    "nearest": [
        NEAREST | {"count": count, "radius": radius, "weights": weights, "empty": empty}
        for count, radius, empty in ((2, None, None), (None, 2.0, None), (None, 0.75, [None, 1.0]))
        for weights in ("equal", "distance")
    ],
    "onehot": [
        {"width": 4, "tables": [TABLE, {**TABLE, "at": [3, 3, 1]}, {"cells": [], "at": [], "unknown": -1}]},
        {"width": 3, "tables": [TABLE, TABLE, {**TABLE, "unknown": -2}]},
        {"width": 3, "tables": [{**TABLE, "unknown": -2}, {"cells": [], "at": [], "unknown": 1}] + [TABLE] * 0}
        | {"tables": [{**TABLE, "unknown": -2}, *[{"cells": [], "at": [], "unknown": -1}] * 2]},
    ],
    "lookup": [{"tables": [NUMBERS, NUMBERS | {"refuse": True}, NUMBERS]}, {"tables": [NUMBERS] * 3}],
    "fill": [
        {"values": [1.0, 2.0, -0.0], "missing": None},
        {"values": [None, 1.0, 2.0], "missing": 0.5},
        {"values": [1.0, 2.0, 3.0], "missing": 0.0},
    ],
    "missing": [{"indexes": [2, 0], "missing": None}, {"indexes": [1], "missing": 0.0}],
    "count": [ANALYZED | {"terms": ["a", "b", "a b", "b a"], "binary": one} for one in (True, False)],
    "hash": [ANALYZED | {"width": 5, "signs": one, "binary": one} for one in (True, False)],
    "trees": [
        FOREST | {"trees": [TREE, TREE], "at": [1, 0]},
        FOREST | {"trees": [TREE, SETS], "at": [1, 1]},
        {"size": 2, "scale": 1.0, "start": [0.0, 1.0], "at": [0], "trees": [TREE | {"values": [0.1, 2.0] * 3}]},
    ],
}  # fmt: skip
CASES = [(op, at) for op, given in FIELDS.items() for at in range(len(given))]
NUMERIC = source_of({"a": False, "b": False, "c": False})
EXACT = FIELDS.keys() - {"apply", "softmax", "kernel", "sublinear"}


def sources_of(op, count):
    if op in ("count", "hash"):
        return [source_of({"text": True})]
    if op == "complement":
        return [source_of({"a": False})]
    if op == "votes":
        return [make("argmax", {"starts": [0, 4, 8]}, [source_of({str(n): False for n in range(12)})])]
    if op == "quotient":
        return [NUMERIC] * 2
    return [NUMERIC] * count


def cells_of(op, source, draw):
    if source.has_texts:
        return [draw(TEXTS)]
    if op == "votes":
        return [float(draw(st.integers(0, 3))) for _ in range(source.width)]
    return [draw(ANY) for _ in range(source.width)]


def same(got, want, limit):
    if isinstance(want, Sparse | dict):
        want, got = ({at: cell for at, cell in one.items() if cell} for one in (want, got))
        return want.keys() == got.keys() and all(same(got[at], cell, limit) for at, cell in want.items())
    if isinstance(want, list | tuple):
        return len(got) == len(want) and all(same(a, b, limit) for a, b in zip(got, want, strict=True))
    if type(want) is str or want is None:
        return got == want
    if got == want or (math.isnan(got) and math.isnan(want)):
        return True
    return abs(got - want) <= limit * max(1.0, abs(want))


def check(op, value, sources, rows):
    """Compare a step on a block with that on each row; return whether it had a way."""
    way = batches._way(np, value, sources)
    if way is None:
        return False
    columns = [*zip(*rows, strict=True)]
    given = [blocks.block_of(np, source, cells) for source, cells in zip(sources, columns, strict=True)]
    before = repr(given)
    with np.errstate(all="ignore"):
        made = way(*given)
    assert repr(given) == before
    try:
        wanted = [value.run(*row) for row in rows]
    except (ValueError, ZeroDivisionError):
        assert made is None
        return True
    if made is None:
        return False
    limit = 0.0 if op in EXACT else 1e-15
    for got, want in zip(blocks.vectors_of(np, value, made), wanted, strict=True):
        assert same(got, want, limit), (got, want)
    return True


def test_every_step_with_a_way_is_tried():
    assert KNOWN.keys() <= FIELDS.keys()


@pytest.mark.parametrize(("op", "at"), CASES)
@settings(max_examples=40)
@given(data=st.data())
def test_a_block_is_what_its_rows_are(op, at, data):
    sources = sources_of(op, data.draw(st.integers(1, 3)) if op in ("concat", "sum") else 1)
    value = make(op, FIELDS[op][at], sources)
    count = data.draw(st.integers(1, 5))
    rows = [[cells_of(op, source, data.draw) for source in sources] for _ in range(count)]
    check(op, value, sources, rows)


@pytest.mark.parametrize(("op", "at"), CASES)
def test_rows_without_anything_unusual_need_not_be_asked_alone(op, at):
    if (op, at) == ("onehot", 1):
        pytest.skip("two elements make the same one: each row is asked")
    sources = sources_of(op, 2 if op in ("concat", "sum") else 1)
    value = make(op, FIELDS[op][at], sources)
    cells = {"votes": [1.0, 3.0, 0.0], "count": ["a b b"], "hash": ["a b b"], "complement": [0.25]}
    good = cells.get(op, [1.0, 0.5, 0.25] if op != "lookup" else [1.0, 0.0, 1.0])
    assert check(op, value, sources, [[good for _ in sources]] * 2 * manytrees._ROWS)


SPARSE = Value(WIDE, list, sparse=True)
WIDE_FIELDS = {
    "take": [{"indexes": [5, 599, 0]}, {"indexes": [*range(550)]}, {"indexes": [0, 0]}],
    "concat": [{}],
    "multiply": [{"values": [0.5] * WIDE}],
    "divide": [{"values": [3.0] * WIDE}],
    "add": [{"values": [0.5] * WIDE}],
    "finite": [{"missing": True}, {"missing": False}],
    "float32": [{}],
    "linear": [{"weights": [[0.1] * WIDE, [-1.0] * WIDE], "bias": [0.5, 0.0]}],
    "normalize": FIELDS["normalize"],
    "sublinear": [{}],
    "binarize": FIELDS["binarize"],
    "apply": [{"function": "sqrt"}, {"function": "exp"}],
    "trees": [FIELDS["trees"][0]],
}


@pytest.mark.parametrize(("op", "at"), [(op, at) for op, given in WIDE_FIELDS.items() for at in range(len(given))])
@settings(max_examples=25)
@given(data=st.data())
def test_a_wide_block_of_few_numbers_is_what_its_rows_are(op, at, data):
    sources = [SPARSE, NUMERIC, SPARSE] if op == "concat" else [SPARSE]
    value = make(op, WIDE_FIELDS[op][at], sources)
    sparse = st.dictionaries(st.sampled_from([0, 1, 5, 599]), ANY, max_size=3).map(Sparse)
    dense = st.lists(ANY, min_size=3, max_size=3)
    row = st.tuples(*[sparse if source.sparse else dense for source in sources])
    check(op, value, sources, data.draw(st.lists(row, min_size=1, max_size=4)))


def test_texts_among_numbers_are_taken_joined_and_filled():
    mixed = source_of({"a": False, "b": True, "c": True})
    rows = [[[1.0, "x", None]], [[math.nan, None, "y"]], [[0.0, "z", "y"]]]
    known = {"cells": ["x", None], "values": [1.0, 2.0], "unknown": [9.0], "refuse": False}
    for op, fields in {
        "take": {"indexes": [2, 0]},
        "concat": {},
        "fill": {"values": [1.0, "new", "new"], "missing": None},
        "missing": {"indexes": [0, 2], "missing": None},
        "lookup": {"tables": [NUMBERS, known, known]},
        "onehot": {
            "width": 9,
            "tables": [TABLE, *[{"cells": ["x", None], "at": [n, -1], "unknown": 3 + n} for n in (4, 5)]],
        },
    }.items():
        assert check(op, make(op, fields, [mixed]), [mixed], rows), op
    numbers = make("take", {"indexes": [0, 0]}, [mixed])
    assert check("take", numbers, [mixed], rows)


def test_of_many_points_equally_near_the_first_are_chosen():
    points = [[float(n % 2)] for n in range(300)]
    values = [[float(n)] for n in range(300)]
    fields = {"points": points, "values": values, "count": 40, "radius": None, "weights": "equal", "empty": None}
    source = source_of({"x": False})
    assert check("nearest", make("nearest", fields, [source]), [source], [[[0.0]], [[1.0]], [[0.5]]])
