from __future__ import annotations

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_ridge import KernelRidge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, SVR, NuSVC, NuSVR

from mlopskit.builtin.portable.writing import NoTablesError

CLASSIFIERS = [
    SVC(),
    SVC(kernel="linear"),
    SVC(kernel="poly", degree=2, coef0=1.5),
    SVC(kernel="sigmoid", gamma=0.1),
    NuSVC(nu=0.2),
]
REGRESSORS = [
    SVR(),
    SVR(kernel="poly"),
    NuSVR(),
    KernelRidge(kernel="rbf"),
    KernelRidge(kernel="polynomial", gamma=0.3),
]


def near(rows):
    """Leave out what is so far away that a polynomial of it is all rounding."""
    return {name: cells[:60] for name, cells in rows.items()}


@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_machine_chooses_as_it_did(model, classes, data, asked, numbers):
    features, *targets = data
    inputs, rows = numbers(features)
    assert asked(model.fit(features, targets[classes - 2]), inputs).differences(near(rows)) == 0


@pytest.mark.parametrize("model", REGRESSORS, ids=repr)
def test_a_machine_estimates_as_it_did(model, data, asked, numbers):
    features, *_, target = data
    inputs, rows = numbers(features)
    assert asked(model.fit(features, target), inputs).differences(near(rows)) < 1e-12


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_a_network_answers_as_it_did(activation, data, asked, numbers):
    features, two, three, target = data
    inputs, rows = numbers(features, gaps=True)
    settings = {"hidden_layer_sizes": (4, 3), "activation": activation, "max_iter": 400, "tol": 1e-2, "random_state": 0}
    for model, wanted in (
        (MLPClassifier(**settings), two),
        (MLPClassifier(**settings), three),
        (MLPRegressor(**settings), target),
    ):
        assert asked(model.fit(features, wanted), inputs).differences(rows) < 1e-12


def test_what_is_not_covered_is_refused(data, asked, numbers):
    features, two, *_ = data
    for model, why in ((SVC(break_ties=True), "breaks ties"), (SVC(kernel=lambda a, b: a @ b.T), "has the kernel")):
        with pytest.raises(NoTablesError, match=why):
            asked(model.fit(features, two), numbers(features)[0])


def test_a_machine_of_texts_chooses_as_it_did(asked):
    texts = [f"{'good' if n % 2 else 'bad'} film {n % 5}" for n in range(40)]
    model = make_pipeline(TfidfVectorizer(), SVC()).fit(texts, [n % 2 for n in range(40)])
    rows = {"text": ["good film 1", "bad", "", "nothing known"]}
    assert asked(model, {"text": {"type": "string"}}).differences(rows) == 0
