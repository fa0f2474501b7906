from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler
from sklearn.svm import LinearSVC

from mlopskit.builtin.portable.writing import NoTablesError

FOREST = RandomForestClassifier(5, max_depth=4, random_state=0)
LINE = LinearSVC(random_state=0)
CLASSIFIERS = [
    CalibratedClassifierCV(LINE, cv=3),
    CalibratedClassifierCV(FOREST, method="isotonic", cv=3),
    CalibratedClassifierCV(GaussianNB(), method="temperature", cv=3),
    CalibratedClassifierCV(LINE, method="temperature", cv=3, ensemble=False),
    OneVsRestClassifier(LogisticRegression()),
    OneVsRestClassifier(FOREST),
    OneVsRestClassifier(LINE),
    OneVsOneClassifier(LogisticRegression()),
    OneVsOneClassifier(FOREST),
]
FUNCTIONS = {"func": np.log, "inverse_func": np.exp}
TWO = [
    FixedThresholdClassifier(LogisticRegression(), threshold=0.3),
    FixedThresholdClassifier(LINE, threshold=-0.2),
    FixedThresholdClassifier(FOREST),
    TunedThresholdClassifierCV(LogisticRegression(), cv=3, random_state=0),
]


@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_classifier_around_another_answers_as_it_did(model, classes, data, asked, numbers):
    features, *targets = data
    inputs, rows = numbers(features, gaps=True)
    assert asked(model.fit(features, targets[classes - 2]), inputs).differences(rows) < 1e-12


@pytest.mark.parametrize("model", TWO, ids=repr)
def test_a_threshold_is_kept(model, data, asked, numbers):
    features, two, *_ = data
    inputs, rows = numbers(features, gaps=True)
    assert asked(model.fit(features, two), inputs).differences(rows) < 1e-12


def test_a_book_of_codes_is_looked_up(data, asked, numbers):
    features, _, three, _ = data
    inputs, rows = numbers(features)
    model = OutputCodeClassifier(LogisticRegression(), code_size=3, random_state=1).fit(features, three)
    assert asked(model, inputs).differences(rows) == 0


@pytest.mark.parametrize("model", [MultiOutputClassifier(FOREST), ClassifierChain(FOREST, order=[1, 0])], ids=repr)
def test_several_targets_are_classified(model, data, asked, numbers):
    features, two, *_ = data
    inputs, rows = numbers(features, gaps=True)
    targets = np.stack([two, (features[:, 2] > 0).astype(int)], axis=1)
    assert asked(model.fit(features, targets), inputs, targets=2).differences(rows) < 1e-12


@pytest.mark.parametrize("model", [MultiOutputRegressor(Ridge()), RegressorChain(Ridge(), order=[1, 0])], ids=repr)
def test_several_targets_are_estimated(model, data, asked, numbers):
    features, *_, target = data
    inputs, rows = numbers(features, gaps=True)
    targets = np.stack([target, features[:, 2] * 3], axis=1)
    assert asked(model.fit(features, targets), inputs, targets=2).differences(rows) < 1e-12


@pytest.mark.parametrize(
    "back",
    [{"func": np.log, "inverse_func": np.exp}, {"transformer": StandardScaler()}, {"transformer": MinMaxScaler()}],
)
def test_a_target_is_turned_back(back, data, asked, numbers):
    features, *_, target = data
    inputs, rows = numbers(features)
    few = {name: cells[:60] for name, cells in rows.items()}
    model = TransformedTargetRegressor(LinearRegression(), **back).fit(features, np.exp(target / 4))
    assert asked(model, inputs).differences(few) < 1e-12


def test_a_target_that_cannot_be_turned_back_is_refused(data, asked, numbers):
    features, *_, target = data
    model = TransformedTargetRegressor(Ridge(), transformer=QuantileTransformer(n_quantiles=9)).fit(features, target)
    with pytest.raises(NoTablesError, match="goes back by QuantileTransformer"):
        asked(model, numbers(features)[0])


@pytest.mark.parametrize("outside", ["clip", "nan", "raise"])
def test_a_rising_line_is_followed(outside, data, asked, numbers):
    features, *_, target = data
    one = features[:, :1]
    model = IsotonicRegression(out_of_bounds=outside).fit(one, target)
    inputs, rows = numbers(one, one[:40, 0], gaps=True)
    assert asked(model, inputs).differences(rows) == 0


def test_a_rising_line_of_single_precision_is_refused(data, asked):
    features, *_, target = data
    model = IsotonicRegression(out_of_bounds="clip").fit(features[:, 0].astype(np.float32), target)
    with pytest.raises(NoTablesError, match="double precision"):
        asked(model, {"x0": {"type": "number"}})


def test_a_target_turned_back_by_a_function_that_only_has_the_name_is_refused(data, asked, numbers):
    features, *_, target = data

    def exp(x):
        return x * 2

    back = np.vectorize(exp)
    model = TransformedTargetRegressor(Ridge(), func=lambda x: x / 2, inverse_func=back).fit(features, target)
    with pytest.raises(NoTablesError, match="goes back by"):
        asked(model, numbers(features)[0])
