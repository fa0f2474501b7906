"""The scorer in JavaScript beside scikit-learn on trees and beside C on functions; a model of two million nodes."""

from __future__ import annotations

import json
import math
import struct
from random import Random

import numpy as np
import pytest
from sklearn import ensemble

FEW = {"random_state": 0}
FORESTS = [
    ensemble.RandomForestRegressor(40, **FEW),
    ensemble.ExtraTreesRegressor(20, max_depth=8, **FEW),
    ensemble.RandomForestClassifier(30, max_depth=9, **FEW),
    ensemble.GradientBoostingRegressor(max_depth=4, **FEW),
    ensemble.HistGradientBoostingRegressor(**FEW),
]
pytestmark = pytest.mark.live


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("model", FORESTS, ids=lambda model: type(model).__name__)
def test_trees_are_the_same_to_the_last_bit(model, gaps, node, worst, asked, numbers, data):
    features, _, three, number = data
    learnt = features.copy()
    learnt[::4, 1] = np.nan if gaps and not isinstance(model, ensemble.GradientBoostingRegressor) else 0.5
    model.fit(learnt, three if isinstance(model, ensemble.RandomForestClassifier) else number)
    inputs, rows = numbers(features, features.ravel()[::7], gaps=gaps)
    given = asked(model, inputs)
    node.load(given.document)
    found = node.columns(rows)
    # Of all rows scikit-learn refuses every one for one of them: those that are refused here are asked by themselves.
    answered = [one is not None for one in found]
    own = given.own(
        {name: [cell for cell, kept in zip(cells, answered, strict=True) if kept] for name, cells in rows.items()}
    )
    for row, kept in zip(zip(*rows.values(), strict=True), answered, strict=True):
        if not kept:
            with pytest.raises(ValueError, match=r"NaN|inf|large"):
                given.own({name: [cell] for name, cell in zip(rows, row, strict=True)})
    differences = [
        worst(got, want) for got, want in zip(filter(None, found), zip(*own.values(), strict=True), strict=True)
    ]
    assert len(differences) > 200
    assert max(differences) == 0.0


def grown(low, high):
    """Return the tables of a tree that finds the whole number in [low, high) at or below its one element."""
    if high - low == 1:
        return [-1], [0.0], [low]
    middle = (low + high) // 2
    sides = grown(low, middle), grown(middle, high)
    count = len(sides[0][0])
    (feature, threshold, right), (features, thresholds, rights) = sides
    shift = [one + (count if kind >= 0 else 0) for one, kind in zip(rights, features, strict=True)]
    first = [one if kind < 0 else one + 1 for one, kind in zip(right, feature, strict=True)]
    second = [one if kind < 0 else one + 1 for one, kind in zip(shift, features, strict=True)]
    below = math.nextafter(middle, -1)
    return [0, *feature, *features], [below, *threshold, *thresholds], [count + 1, *first, *second]


@pytest.mark.slow
def test_a_forest_of_two_million_nodes_is_loaded_and_answers(node, tmp_path):
    feature, threshold, right = grown(0, 1 << 17)
    values = [*map(float, range(1 << 17))]
    empty = {"missing_left": None, "categories": None}
    tree = json.dumps({"feature": feature, "threshold": threshold, "right": right, "values": values, **empty})
    step = {"op": "trees", "from": [0], "trees": "TREES", "size": 1, "at": [0] * 8, "scale": 1, "start": [0]}
    output = {"name": "y", "from": 1, "at": 0, "labels": None}
    inputs = [{"name": "x", "type": "number"}]
    document = {"format_version": 1, "inputs": inputs, "steps": [step], "outputs": [output]}
    (tmp_path / "model.json").write_text(json.dumps(document).replace('"TREES"', f"[{', '.join([tree] * 8)}]"))
    assert len(feature) * 8 > 2_000_000
    assert node.tell(path=str(tmp_path / "model.json")) == {"outputs": ["y"]}
    cells = [0, 0.5, 1, 77_777.25, 131_071, 1e9, -1e9, None]
    wanted = [0, 0, 1, 77_777, 131_071, 131_071, 0, 131_071]
    assert node.answers([{"x": cell} for cell in cells]) == [[8 * one] for one in wanted]


# --- functions ------------------------------------------------------------------------------------------------------

# From where to where their results are neither 0 nor infinite, and units in the last place that they differ at most.
FUNCTIONS = {
    "exp": (-745, 709, 1), "expm1": (-40, 709, 1), "log": (1e-300, 1e300, 1), "log1p": (-1, 1e300, 1),
    "tanh": (-22, 22, 2), "sqrt": (0, 1e300, 0), "cos": (-1e300, 1e300, 1), "sin": (-1e300, 1e300, 1),
}  # fmt: skip


def place(value):
    """Return the place of a double among all doubles, in their order."""
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    return bits if bits >= 0 else -(bits & 0x7FFF_FFFF_FFFF_FFFF)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_those_of_c_but_for_the_last_places(name, node):
    low, high, most = FUNCTIONS[name]
    random = Random(5)
    given = [random.uniform(max(low, -745), min(high, 745)) for _ in range(50_000)]
    given += [
        one for _ in range(50_000) if low < (one := random.choice([-1, 1]) * 10 ** random.uniform(-300, 300)) < high
    ]
    found = node.numbers(functions=[(name, one) for one in given])
    own = [getattr(math, name)(one) for one in given]
    units = [abs(place(a) - place(b)) for a, b in zip(found, own, strict=True)]
    assert max(units) <= most
