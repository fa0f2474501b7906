from __future__ import annotations

import logging
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlopskit.builtin import fitting
from mlopskit.builtin.scikit_learn import ScikitLearnTrainer
from mlopskit.data import Dataset
from mlopskit.errors import DataError, TrainingError

ROWS = 60
RANDOM = np.random.default_rng(0)
COLUMNS = {
    "a": RANDOM.normal(size=ROWS).tolist(),
    "b": RANDOM.normal(size=ROWS).tolist(),
    "y": [n % 2 for n in range(ROWS)],
    "w": [float(n % 5) for n in range(ROWS)],
    "g": [f"group {n % 6}" for n in range(ROWS)],
}
WEIGHTED = Dataset(columns={name: COLUMNS[name] for name in "abyw"}, target="y", weight="w")
GROUPED = Dataset(columns={name: COLUMNS[name] for name in "abyg"}, target="y", group="g")
PLAIN = Dataset(columns={name: COLUMNS[name] for name in "aby"}, target="y")
X = np.array([COLUMNS["a"], COLUMNS["b"]]).T
C = {"C": [0.1, 1.0, 10.0]}


def train(estimator, data=PLAIN, progress=lambda _: None):
    return ScikitLearnTrainer(estimator=estimator).train(data, progress=progress)


def test_weight_and_group_are_no_inputs():
    assert WEIGHTED.inputs == GROUPED.inputs == ("a", "b")


# --- weights --------------------------------------------------------------------------------------------------------


def test_weights_are_taken_as_scikit_learn_takes_them():
    expected = LogisticRegression().fit(X, COLUMNS["y"], sample_weight=COLUMNS["w"])
    assert np.array_equal(train(LogisticRegression(), WEIGHTED).coef_, expected.coef_)
    assert not np.allclose(train(LogisticRegression()).coef_, expected.coef_)


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        lambda: make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), LogisticRegression())),
        lambda: GridSearchCV(LogisticRegression(), C, cv=3),
        lambda: GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1.0]}),
        lambda: make_pipeline(StandardScaler(), GridSearchCV(LogisticRegression(), C, cv=3)),
        lambda: CalibratedClassifierCV(LogisticRegression()),
        lambda: StackingClassifier([("one", LogisticRegression()), ("two", RandomForestClassifier(3, random_state=0))]),
        lambda: VotingClassifier(
            [("one", LogisticRegression()), ("two", RandomForestClassifier(3, random_state=0))], voting="soft"
        ),
        lambda: TransformedTargetRegressor(Ridge()),
        lambda: TransformedTargetRegressor(make_pipeline(StandardScaler(), LinearRegression())),
    ],
)
def test_weights_reach_what_is_fitted(make):
    def answers(model):
        return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)

    weighted = answers(train(make(), WEIGHTED))
    assert np.isfinite(weighted).all()
    assert not np.allclose(weighted, answers(train(make())))


@pytest.mark.parametrize(
    "model",
    [
        KNeighborsClassifier(),
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
        GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1]}),
        StackingClassifier([("one", LogisticRegression()), ("two", KNeighborsClassifier())]),
        OneVsRestClassifier(LogisticRegression()),
        ClassifierChain(LogisticRegression()),
    ],
)
def test_what_takes_no_weights_says_so_and_does_not_ignore_them(model):
    with pytest.raises(DataError, match="takes no weights, and the data have some in 'w'"):
        train(model, WEIGHTED)


@pytest.mark.parametrize("cell", [None, "1", True, -0.5])
def test_a_weight_is_a_number_from_0_on(cell):
    weights = [1.0] * 3 + [cell] + [1.0] * (ROWS - 4)
    if isinstance(cell, str | bool):
        weights = [cell] * ROWS
    data = Dataset(columns={**WEIGHTED.columns, "w": weights}, target="y", weight="w")
    with pytest.raises(DataError, match=f"Row {0 if isinstance(cell, str | bool) else 3} has the weight"):
        train(LogisticRegression(), data)


# --- groups ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [False, True])
def test_a_search_splits_by_the_groups_of_the_data(inside):
    search = GridSearchCV(LogisticRegression(), C, cv=GroupKFold(3))
    found = train(make_pipeline(StandardScaler(), search)[-1:] if inside else search, GROUPED)
    expected = GridSearchCV(LogisticRegression(), C, cv=GroupKFold(3)).fit(X, COLUMNS["y"], groups=COLUMNS["g"])
    got = found[-1] if inside else found
    assert np.array_equal(got.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])


def test_a_search_that_needs_groups_says_how_to_name_them():
    with pytest.raises(DataError, match="GroupKFold splits by groups, and the data name none") as caught:
        train(GridSearchCV(LogisticRegression(), C, cv=GroupKFold(3)))
    assert "group" in caught.value.remedy


def test_a_row_without_a_group_is_named():
    cells = ["x", None, *COLUMNS["g"][2:]]
    data = Dataset(columns={**GROUPED.columns, "g": cells}, target="y", group="g")
    with pytest.raises(DataError, match="Row 1 has no 'g'"):
        train(GridSearchCV(LogisticRegression(), C, cv=GroupKFold(3)), data)


def test_a_search_that_would_not_see_the_groups_is_told_of(caplog):
    with caplog.at_level(logging.WARNING, logger="mlopskit"):
        train(GridSearchCV(LogisticRegression(), C, cv=KFold(3)), GROUPED)
    assert "splits without regard to 'g'" in caplog.text


# --- searches -------------------------------------------------------------------------------------------------------


class Fragile(ClassifierMixin, BaseEstimator):
    """Fails for some of its parameters."""

    def __init__(self, at=0):
        self.at = at

    def fit(self, _, y):
        if self.at:
            raise RuntimeError(f"it broke at {self.at}")
        self.classes_ = np.unique(y)
        return self

    def predict(self, rows):
        return np.zeros(len(rows), dtype=int)


@pytest.mark.parametrize(
    "model",
    [
        GridSearchCV(Fragile(), {"at": [3, 4]}, cv=2),
        RandomizedSearchCV(Fragile(), {"at": [3]}, n_iter=1, cv=2, random_state=0),
        make_pipeline(StandardScaler(), GridSearchCV(Fragile(), {"at": [3, 4]}, cv=2)),
    ],
)
def test_if_every_candidate_fails_the_first_cause_is_named(model):
    with pytest.raises(
        TrainingError, match=r"could not be fitted to 60 rows: RuntimeError: it broke at 3 Correct"
    ) as caught:
        train(model)
    assert caught.value.message.count("\n") == 0
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_if_some_candidates_fail_the_others_are_searched(caplog):
    with caplog.at_level(logging.WARNING, logger="mlopskit"):
        found = train(GridSearchCV(Fragile(), {"at": [3, 0]}, cv=2))
    assert found.best_params_ == {"at": 0}
    assert "it broke at 3" in caplog.text


@pytest.mark.skipif(not hasattr(GridSearchCV, "set_callbacks"), reason="scikit-learn has callbacks from 1.9 on")
@pytest.mark.parametrize("inside", [False, True])
def test_progress_is_told_by_candidates_and_leaves_nothing_behind(inside):
    said: list[str] = []
    search = GridSearchCV(LogisticRegression(), C, cv=4)
    found = train(make_pipeline(StandardScaler(), search) if inside else search, progress=said.append)
    assert said == ["candidate 1 of 3", "candidate 2 of 3", "candidate 3 of 3"]
    got = found[-1] if inside else found
    assert not [name for name in {**vars(got), **vars(got.best_estimator_)} if "callback" in name]


def test_a_search_in_other_processes_is_silent_and_the_same():
    said: list[str] = []
    lock = __import__("threading").Lock()  # as a display has one: it cannot go to another process

    def tell(text):
        with lock:
            said.append(text)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = train(GridSearchCV(LogisticRegression(), C, cv=2, n_jobs=2), progress=tell)
    assert found.best_params_ == train(GridSearchCV(LogisticRegression(), C, cv=2)).best_params_


def test_what_is_no_search_is_only_fitted():
    assert fitting._search(LogisticRegression()) is None
    assert fitting._search(make_pipeline(StandardScaler())) is None
