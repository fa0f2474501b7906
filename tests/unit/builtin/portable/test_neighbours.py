from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    NearestCentroid,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from mlopskit.builtin.portable.writing import NoTablesError

CLASSIFIERS = [
    KNeighborsClassifier(),
    KNeighborsClassifier(3, weights="distance"),
    KNeighborsClassifier(algorithm="ball_tree"),
    RadiusNeighborsClassifier(radius=1.2, outlier_label="most_frequent"),
    RadiusNeighborsClassifier(radius=1.5, weights="distance"),
    NearestCentroid(metric="manhattan", shrink_threshold=0.1),
    NearestCentroid(metric="manhattan", priors="empirical"),
    LabelPropagation(gamma=0.5),
    LabelSpreading(gamma=2),
]
REGRESSORS = [
    KNeighborsRegressor(),
    KNeighborsRegressor(4, weights="distance"),
    RadiusNeighborsRegressor(radius=1.3),
    RadiusNeighborsRegressor(radius=1.3, weights="distance"),
]


def near(rows):
    """Leave out what is so far away that all training rows are equally near."""
    places = [n for n, row in enumerate(zip(*rows.values(), strict=True)) if max(abs(x or 0) for x in row) < 1e5]
    return {name: [cells[n] for n in places] for name, cells in rows.items()}


@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
@pytest.mark.parametrize("classes", [2, 3])
def test_the_nearest_choose_as_they_did(model, classes, data, asked, numbers):
    features, *targets = data
    inputs, rows = numbers(features, gaps=True)
    assert asked(model.fit(features, targets[classes - 2]), inputs).differences(near(rows)) < 1e-12


@pytest.mark.parametrize("model", REGRESSORS, ids=repr)
def test_the_nearest_estimate_as_they_did(model, data, asked, numbers):
    features, *_, target = data
    inputs, rows = numbers(features, gaps=True)
    assert asked(model.fit(features, target), inputs).differences(near(rows)) < 1e-12


def test_the_nearest_answer_several_targets(data, asked, numbers):
    features, two, three, target = data
    inputs, rows = numbers(features)
    model = KNeighborsRegressor().fit(features, np.stack([target, -target], axis=1))
    assert asked(model, inputs, targets=2).differences(near(rows)) < 1e-12
    model = KNeighborsClassifier().fit(features, np.stack([two, three], axis=1))
    assert asked(model, inputs, targets=2).differences(near(rows)) < 1e-12


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (KNeighborsClassifier(algorithm="brute"), "searches by 'brute': choose algorithm='kd_tree'"),
        (KNeighborsClassifier(metric="manhattan"), "has the metric 'manhattan'"),
        (KNeighborsClassifier(weights=np.ones_like), "has weights of its own"),
        (RadiusNeighborsClassifier(outlier_label=9), "answers outliers with a label of their own"),
        (NearestCentroid(), "has probabilities of rounded distances"),
        (LabelPropagation(gamma=500), "so far from zero"),
        (LabelPropagation(kernel="knn"), "has the kernel 'knn'"),
    ],
)
def test_what_is_compared_in_another_way_is_refused(model, why, data, asked, numbers):
    features, two, *_ = data
    with pytest.raises(NoTablesError, match=why):
        asked(model.fit(features, two), numbers(features)[0])
