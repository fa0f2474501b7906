"""LightGBM's models: the same sums to the last bit, at and beside every threshold."""

from __future__ import annotations

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor

from mlopskit.builtin.portable.writing import NoTablesError

FEW = {"n_estimators": 12, "num_leaves": 12, "n_jobs": 1, "verbose": -1}
NUMBERS = [
    LGBMRegressor(**FEW),
    LGBMRegressor(objective="poisson", **FEW),
    LGBMRegressor(objective="quantile", extra_trees=True, **FEW),
    LGBMRegressor(objective="huber", boosting_type="dart", **FEW),
]
CLASSES = [LGBMClassifier(**FEW), LGBMClassifier(boosting_type="dart", class_weight="balanced", **FEW)]


@pytest.fixture(scope="module")
def rows():
    """Return numbers, of which some are missing, the third never, and the fourth is a category; and a target."""
    random = np.random.default_rng(0)
    found = np.round(random.normal(size=(400, 5)), 3)
    found[random.random(found.shape) < 0.1] = np.nan
    found[:, 2] = np.round(random.normal(size=400), 1)
    found[:, 3] = random.integers(0, 40, 400)
    return found, np.nan_to_num(found[:, 0]) + found[:, 2] ** 2 + found[:, 3] % 7


def thresholds(model):
    found, todo = [], [tree["tree_structure"] for tree in model.booster_.dump_model()["tree_info"]]
    while todo:
        node = todo.pop()
        if "split_feature" in node:
            todo += [node["left_child"], node["right_child"]]
            if node["decision_type"] == "<=":
                found.append((node["split_feature"], node["threshold"]))
    return found


def hostile(features, model):
    random, places = np.random.default_rng(1), thresholds(model)
    rows = features[random.integers(len(features), size=700)]
    for number in range(450):
        feature, at = places[random.integers(len(places))]
        rows[number, feature] = (at, np.nextafter(at, 9e9), np.nextafter(at, -9e9))[number % 3]
    rows[450:500] = random.normal(size=(50, 5)) * 100
    rows[500:570, 2] = [0.0, -0.0, 5e-324, 1e-35, -1e-35, 2e-35, -1.0000000180025095e-35] * 10
    rows[570:600, 3] = [-1, -0.5, 0.7, 41, 300, 1e10] * 5
    rows[600:650] = 1e15
    rows[650:][random.random((50, 5)) < 0.4] = np.nan
    return {f"x{n}": [None if cell != cell else cell for cell in rows[:, n].tolist()] for n in range(5)}  # noqa: PLR0124  # NaN


def columns(rows):
    return {f"x{n}": {"type": ["number", "null"]} for n in range(rows.shape[1])}


@pytest.mark.parametrize("model", NUMBERS, ids=repr)
@pytest.mark.parametrize("categories", [[3], []])
def test_a_regressor_answers_to_the_last_bit(model, categories, rows, asked):
    features, target = rows
    model.fit(features, target - target.min(), categorical_feature=categories)
    limit = 0 if model.objective != "poisson" else 1e-15
    assert asked(model, columns(features)).differences(hostile(features, model)) <= limit


@pytest.mark.parametrize("model", CLASSES, ids=repr)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_classifier_answers_as_it_did(model, classes, rows, asked):
    features, target = rows
    model.fit(features, np.digitize(target, [2, 4][: classes - 1]), categorical_feature=[3])
    assert asked(model, columns(features)).differences(hostile(features, model)) <= 1e-15


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (LGBMRegressor(linear_tree=True, **FEW), "has linear models in its leaves"),
        (LGBMRegressor(zero_as_missing=True, **FEW), "takes zeros for missing"),
        (LGBMRegressor(reg_sqrt=True, **FEW), "has the objective 'regression sqrt'"),
        (LGBMRegressor(boosting_type="rf", bagging_freq=1, bagging_fraction=0.5, **FEW), "averages its trees"),
        (LGBMClassifier(objective="multiclassova", **FEW), "has the objective 'multiclassova"),
    ],
    ids=repr,
)
def test_what_is_computed_in_another_way_is_refused(model, why, rows, asked):
    features, target = rows
    wanted = np.digitize(target, [2, 4]) if isinstance(model, LGBMClassifier) else target
    with pytest.raises(NoTablesError, match=why):
        asked(model.fit(features, wanted), columns(features))
