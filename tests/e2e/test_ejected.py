"""What is ejected answers its package's golden rows: in Python alone, in Node, in C here and on armv7 under qemu."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import mlopskit as mk

pytestmark = pytest.mark.live
WAYS = ["python -I -S", "Node", "C", "C on armv7 under qemu"]


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> mk.ModelPackage:
    random = np.random.default_rng(0)
    rows = np.round(random.normal(size=(400, 6)), 2)
    labels = np.array(["no", "perhaps", "yes"])[np.digitize(rows[:, 0] + rows[:, 1] ** 2, [0.0, 1.0])]
    rows[::9, 2] = np.nan
    model = RandomForestClassifier(30, max_depth=8, random_state=0).fit(rows, labels)
    return mk.package(model, rows, labels, name="forest", registry=tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def boosting(tmp_path_factory: pytest.TempPathFactory) -> mk.ModelPackage:
    import pandas as pd

    random = np.random.default_rng(1)
    frame = pd.DataFrame(np.round(random.normal(size=(300, 2)), 2), columns=["Größe", "int"])
    frame["colour"] = pd.Series(random.choice(["red", "green", 'b"lue*/'], 300)).astype("str")
    target = frame["int"] * 3 + frame["colour"].str.len()
    frame.iloc[::8, 0] = np.nan
    columns = ColumnTransformer([("colour", OneHotEncoder(), ["colour"])], remainder="passthrough", sparse_threshold=0)
    model = make_pipeline(columns, HistGradientBoostingRegressor(max_iter=20)).fit(frame, target)
    return mk.package(model, frame, target, name="boosting", registry=tmp_path_factory.mktemp("registry"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", ["package", "forest", "boosting"])
def test_all_golden_rows_are_answered(model, way, request, ask_ejected):
    package = request.getfixturevalue(model)
    largest = ask_ejected(package, way, "a text model" if model == "package" else f"a model ({model})")
    assert largest <= (1e-10 if model == "package" else 0.0)
