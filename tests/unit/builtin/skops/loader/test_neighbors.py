"""Estimators that look for neighbours: their trees are built anew, and find the same."""

import warnings

import numpy as np
import pytest
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.loader.estimator import load_estimator

MODELS = {
    "classes": KNeighborsClassifier(),
    "numbers": KNeighborsRegressor(weights="distance"),
    "balls": KNeighborsClassifier(algorithm="ball_tree", leaf_size=3, p=1),
    "minkowski": KNeighborsRegressor(algorithm="kd_tree", leaf_size=1, p=3),
    "chebyshev": KNeighborsClassifier(metric="chebyshev", n_neighbors=1),
    "no tree": KNeighborsClassifier(algorithm="brute"),
    "classes within": RadiusNeighborsClassifier(radius=0.4, outlier_label="most_frequent"),
    "numbers within": RadiusNeighborsRegressor(radius=0.4, weights="distance"),
    "propagation": LabelPropagation(),
    "spreading": LabelSpreading(gamma=3),
}


@pytest.fixture(scope="module")
def points():
    """Points, many of them equal or equally far, and others to ask for."""
    random = np.random.default_rng(0)
    known = np.round(random.random((200, 4)), 1)
    return np.concatenate([known, known[:50]]), np.concatenate([known, random.random((100, 4)), [[9, -9, 0, 1]]])


@pytest.mark.parametrize("name", MODELS)
def test_a_tree_that_is_built_anew_finds_the_same(name, points):
    known, asked = points
    model = MODELS[name].fit(known, np.arange(250) % 3)
    stored = canonical(model)
    loaded = load_estimator(stored)
    assert canonical(loaded) == stored
    for method in {"predict", "predict_proba"} & set(dir(model)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the point far away has no neighbours
            answers = [getattr(each, method)(asked) for each in (model, loaded)]
        assert np.array_equal(*answers, equal_nan=True)


FORGERIES = {
    "no neighbours": lambda forged, json: forged.set("n_neighbors", json(0)),
    "fewer than none": lambda forged, json: forged.set("n_neighbors", json(-1)),
    "more neighbours than points": lambda forged, json: forged.set("n_neighbors", json(251)),
    "half a neighbour": lambda forged, json: forged.set("n_neighbors", json(2.5)),
    "leaves of no points": lambda forged, json: forged.set("leaf_size", json(0)),
    "leaves of a word": lambda forged, json: forged.set("leaf_size", json("many")),
    "a point that is none": lambda forged, _json: forged.put(forged.at("_fit_X"), np.full((250, 4), np.nan)),
    "fewer points": lambda forged, _json: forged.put(forged.at("_fit_X"), np.ones((249, 4))),
    "another way to search": lambda forged, json: forged.set("_fit_method", json("other")),
    "a metric without a tree": lambda forged, json: forged.set("effective_metric_", json("cosine")),
    "a power that is no metric": lambda forged, json: forged.at("effective_metric_params_")["content"].update(
        p=json(0.5)
    ),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_what_a_tree_cannot_be_built_of_is_refused(what, points, forge, json_node):
    model = KNeighborsClassifier(algorithm="kd_tree", p=3).fit(points[0], np.arange(250) % 3)
    forged = forge(canonical(model))
    FORGERIES[what](forged, json_node)
    with pytest.raises(ValueError, match="KNeighborsClassifier: "):
        load_estimator(forged.data())


def test_a_radius_without_a_tree_is_refused(points, forge, json_node):
    model = RadiusNeighborsClassifier(radius=9).fit(points[0], np.arange(250) % 3)
    forged = forge(canonical(model))
    forged.set("_fit_method", json_node("brute"))
    with pytest.raises(ValueError, match="the search 'brute'"):
        load_estimator(forged.data())


@pytest.mark.parametrize("model", [KNeighborsClassifier(), RadiusNeighborsClassifier(radius=99), KNeighborsRegressor()])
def test_several_targets_are_found_the_same(model, points):
    known, asked = points
    labels = np.stack([np.arange(250) % 3, np.arange(250) % 2], axis=1)
    stored = canonical(model.fit(known, labels))
    loaded = load_estimator(stored)
    assert canonical(loaded) == stored
    assert np.array_equal(loaded.predict(asked), model.predict(asked))


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree"])
@pytest.mark.parametrize(
    ("name", "cells", "words"),
    [
        ("_y", np.stack([np.arange(250) % 3, np.arange(250) % 2 + 1], axis=1), "outside of its classes"),
        ("_y", np.stack([np.arange(250) % 3 - 1, np.arange(250) % 2], axis=1), "outside of its classes"),
        ("_y", (np.arange(250) % 3)[:, None], "outside of its classes"),
        ("_y", np.arange(250) % 3, "another shape"),
        ("_y", np.zeros((250, 2, 1), int), "not one for each point"),
        ("_y", np.zeros((249, 2), int), "not one for each point"),
        ("_y", np.zeros((250, 2)), "no classes"),
        ("outputs_2d_", False, "another shape"),
    ],
)
def test_several_targets_are_each_of_their_classes(algorithm, name, cells, words, points, forge, json_node):
    labels = np.stack([np.arange(250) % 3, np.arange(250) % 2], axis=1)
    forged = forge(canonical(KNeighborsClassifier(algorithm=algorithm).fit(points[0], labels)))
    if name == "_y":
        forged.put(forged.at("_y"), cells)
    else:
        forged.set(name, json_node(cells))
    with pytest.raises(ValueError, match=words):
        load_estimator(forged.data())


@pytest.mark.parametrize("kernel", ["knn", "other", 1])
def test_labels_spread_by_numpys_kernel_alone(kernel, points, forge, json_node):
    forged = forge(canonical(LabelSpreading().fit(points[0], np.arange(250) % 3)))
    forged.set("kernel", json_node(kernel))
    with pytest.raises(ValueError, match='only kernel="rbf" is stored'):
        load_estimator(forged.data())


def test_labels_are_one_for_each_point(points, forge):
    forged = forge(canonical(LabelSpreading().fit(points[0], np.arange(250) % 3)))
    forged.put(forged.at("label_distributions_"), np.ones((250, 2)))
    with pytest.raises(ValueError, match="its labels are not one for each point"):
        load_estimator(forged.data())
