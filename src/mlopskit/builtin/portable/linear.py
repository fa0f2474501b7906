"""Writers of linear models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlopskit.builtin.portable.writing import Answer, Predict, Ref, Writing, floats, private, refuse_if, spread


def scored(w: Writing, estimator: Any, x: Ref) -> Ref:
    """Write the scores `x @ coef_.T + intercept_`."""
    import numpy as np

    weights = floats(np.atleast_2d(estimator.coef_))
    return w.step("linear", w.checked(x), weights=weights, bias=spread(estimator.intercept_, len(weights)))


def chosen(w: Writing, scores: Ref) -> Ref:
    """Write the choice of a class by its score: of two classes, by whether the one score is above zero."""
    if scores.width == 1:
        return w.step("above", scores, threshold=0.0, equal=False)
    return w.step("argmax", scores, starts=[0])


def two_or_more(w: Writing, shares: Ref) -> Ref:
    """Write the probabilities of both classes, given that of the second; of more classes they are as they are."""
    return w.step("complement", shares) if shares.width == 1 else shares


def _classifier(w: Writing, estimator: Any, x: Ref) -> Answer:
    scores = scored(w, estimator, x)
    return Answer(label=chosen(w, scores), decision=scores)


def one_against_rest(w: Writing, scores: Ref) -> Ref:
    """Write the probabilities of scores that know nothing of one another."""
    shares = w.step("apply", scores, function="sigmoid")
    return two_or_more(w, shares) if shares.width == 1 else w.step("shares", shares, zero="equal")


def _logistic(w: Writing, estimator: Any, x: Ref) -> Answer:
    scores = scored(w, estimator, x)
    shares = one_against_rest(w, scores) if scores.width == 1 else w.step("softmax", scores)
    return Answer(label=chosen(w, scores), probability=shares, decision=scores)


def _clipped(w: Writing, scores: Ref) -> Ref:
    """Write the probabilities of the modified Huber loss: Zhang and Oles, Text categorization (2001)."""
    width = scores.width
    inside = w.step("clip", scores, low=[-1.0] * width, high=[1.0] * width)
    shares = w.step("divide", w.step("add", inside, values=[1.0] * width), values=[2.0] * width)
    return two_or_more(w, shares) if width == 1 else w.step("shares", shares, zero="equal")


def _sgd(w: Writing, estimator: Any, x: Ref) -> Answer:
    scores = scored(w, estimator, x)
    shares = None
    if estimator.loss == "log_loss":
        shares = one_against_rest(w, scores)
    elif estimator.loss == "modified_huber":
        shares = _clipped(w, scores)
    return Answer(label=chosen(w, scores), probability=shares, decision=scores)


def _regressor(w: Writing, estimator: Any, x: Ref) -> Answer:
    return Answer(value=scored(w, estimator, x))


def _generalized(w: Writing, estimator: Any, x: Ref) -> Answer:
    from sklearn._loss.link import IdentityLink, LogLink

    scores = scored(w, estimator, x)
    link = private(estimator, "_base_loss").link
    refuse_if(not isinstance(link, IdentityLink | LogLink), f"{type(estimator).__name__} has another link")
    return Answer(value=scores if isinstance(link, IdentityLink) else w.step("apply", scores, function="exp"))


def _ridge_classifier(w: Writing, estimator: Any, x: Ref) -> Answer:
    refuse_if(
        private(estimator, "_label_binarizer").y_type_.startswith("multilabel"), "RidgeClassifier has several targets"
    )
    return _classifier(w, estimator, x)


PREDICTORS: Mapping[str, Predict] = {
    **dict.fromkeys(("LinearSVC", "PassiveAggressiveClassifier", "Perceptron"), _classifier),
    **dict.fromkeys(("LogisticRegression", "LogisticRegressionCV"), _logistic),
    **dict.fromkeys(("RidgeClassifier", "RidgeClassifierCV"), _ridge_classifier),
    "SGDClassifier": _sgd,
    **dict.fromkeys(
        (
            "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV",
            "Lasso", "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearRegression", "LinearSVR",
            "MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV",
            "OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV", "PassiveAggressiveRegressor",
            "QuantileRegressor", "Ridge", "RidgeCV", "SGDRegressor", "TheilSenRegressor",
        ),
        _regressor,
    ),
    **dict.fromkeys(("GammaRegressor", "PoissonRegressor", "TweedieRegressor"), _generalized),
}  # fmt: skip
