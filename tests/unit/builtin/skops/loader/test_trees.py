"""Tables of trees that lead out of themselves; mutated models are asked in test_mutations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hypothesis
from hypothesis.strategies import integers, lists

from mlopskit.builtin.skops.loader.trees import check_nodes, check_tree


def grown(left=(1, -1, 3, -1, -1), right=(2, -1, 4, -1, -1), feature=(0, -2, 3, -2, -2)):
    return (np.array(left) == -1, np.array(left), np.array(right), np.array(feature), 4)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"left": (5, -1, 3, -1, -1)}, "outside"),
        ({"right": (-1, -1, 4, -1, -1)}, "outside"),
        ({"left": (0, -1, 3, -1, -1)}, "leads back"),
        ({"left": (1, -1, 2, -1, -1)}, "leads back"),
        ({"left": (2, -1, 3, -1, -1)}, "reached twice"),
        ({"feature": (4, -2, 3, -2, -2)}, "feature outside"),
        ({"feature": (0, -2, -1, -2, -2)}, "feature outside"),
    ],
)
def test_a_tree_goes_on_and_ends(changed, words):
    check_nodes(*grown())
    check_nodes(np.array([True]), np.array([-1]), np.array([-1]), np.array([-2]), 4)
    with pytest.raises(ValueError, match=words):
        check_nodes(*grown(**changed))


@given(data=hypothesis.data())
def test_what_passes_ends_in_a_leaf_on_every_way(data):
    """Whatever the numbers: a table that is let through is walked to its end without leaving it."""
    size = data.draw(integers(1, 9))
    cells = lists(integers(-2, size + 1), min_size=size, max_size=size)
    left, right, feature = (np.array(data.draw(cells)) for _ in range(3))
    try:
        check_nodes(left == -1, left, right, feature, 3)
    except ValueError:
        return
    for way in (left, right):
        place, steps = 0, 0
        while left[place] != -1:
            assert 0 <= feature[place] < 3
            place, steps = int(way[place]), steps + 1
            assert 0 <= place < size
            assert steps < size


@pytest.mark.parametrize(
    "changed",
    [
        {"sizes": (4, np.array([2]), 2)},
        {"sizes": (4, np.array([2.0]), 1)},
        {"sizes": (4, np.array([2, 2]), 1)},
        {"sizes": (4, np.array([0]), 1)},
        {"sizes": (4, np.array([], int), 0)},
        {"sizes": (4, np.array([[2]]), 1)},
        {"sizes": (4, np.array([2, 1]), 2)},
        {"sizes": (4, np.array([2, 0]), 2), "values": np.zeros((3, 2, 2))},
        {"sizes": (4, np.array([2, 3]), 2), "values": np.zeros((3, 2, 2))},
        {"values": np.zeros((3, 2, 2))},
        {"sizes": (0, np.array([2]), 1)},
        {"nodes": np.zeros(3)},
        {"values": np.zeros((2, 1, 2))},
        {"counts": (4, 1)},
        {"counts": (3, -1)},
        {"counts": (3, 3)},
    ],
)
def test_a_tree_has_the_sizes_it_says(changed, fitted):
    tree = fitted["tree"].tree_
    nodes = tree.__getstate__()["nodes"][:0]
    nodes = np.zeros(3, nodes.dtype)
    nodes["left_child"], nodes["right_child"] = [1, -1, -1], [2, -1, -1]
    fine = {"sizes": (4, np.array([2]), 1), "nodes": nodes, "values": np.zeros((3, 1, 2)), "counts": (3, 1)}
    check_tree(*fine.values())
    several = {"sizes": (4, np.array([2, 3]), 2), "values": np.zeros((3, 2, 3))}
    check_tree(*(fine | several).values())
    with pytest.raises(ValueError, match="a tree"):
        check_tree(*(fine | changed).values())


def test_a_tree_without_its_estimator_is_refused(archives, forge, refuses, make):
    each = forge(archives["tree"])
    each.set("estimators", make.list_of(each.at("tree_")))
    each.drop("tree_")
    refuses(each.data(), r"model\.estimators.0.: a tree outside of an estimator")


def test_a_tree_of_other_parts_is_refused(archives, forge, json_node, refuses):
    each = forge(archives["tree"])
    each.at("tree_")["__reduce__"]["args"]["content"].pop()
    refuses(each.data(), "something else than its sizes")
    each = forge(archives["tree"])
    each.at("tree_")["content"]["content"]["more"] = json_node(1)
    refuses(each.data(), "something else than nodes and values")
