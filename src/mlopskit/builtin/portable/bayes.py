"""Writers of naive Bayes and discriminant analysis, and of constant answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlopskit.builtin.portable.linear import chosen, scored
from mlopskit.builtin.portable.writing import Answer, Predict, Ref, Writing, floats, refuse_if

_EIGHT, _BLOCK = 8, 128  # of numpy's pairwise sum


def _judged(w: Writing, joint: Ref) -> Answer:
    """Write the choice by logarithms of joint probabilities."""
    return Answer(label=w.step("argmax", joint, starts=[0]), probability=w.step("posterior", joint))


def added(w: Writing, x: Ref, /) -> Ref:
    """Write the sum of a vector in the order of numpy's: eight sums at a time, of at most 128 elements, in pairs."""
    if x.width > _BLOCK:
        half = x.width // 2 - x.width // 2 % _EIGHT
        halves = [w.take(x, [*range(half)]), w.take(x, [*range(half, x.width)])]
        return _folded(w, w.concat([added(w, one) for one in halves]))
    whole = x.width - x.width % _EIGHT
    if not whole:
        return _folded(w, x)
    eight = w.step("reduce", w.take(x, [*range(whole)]), how="sum", groups=whole // _EIGHT)
    four = w.step("reduce", w.take(eight, [0, 2, 4, 6, 1, 3, 5, 7]), how="sum", groups=2)
    two = w.step("reduce", w.take(four, [0, 2, 1, 3]), how="sum", groups=2)
    first = _folded(w, two)
    return first if whole == x.width else _folded(w, w.concat([first, w.take(x, [*range(whole, x.width)])]))


def _folded(w: Writing, x: Ref) -> Ref:
    return w.step("reduce", x, how="sum", groups=x.width)


def _gaussian(w: Writing, estimator: Any, x: Ref) -> Answer:
    import numpy as np

    x, parts = w.checked(x), []
    for mean, variance in zip(estimator.theta_, estimator.var_, strict=True):
        gaps = w.step("apply", w.step("subtract", x, values=floats(mean)), function="square")
        parts.append(added(w, w.step("divide", gaps, values=floats(variance))))
    sums = w.step("multiply", w.concat(parts), values=[-0.5] * len(parts))
    # In scikit-learn's order: where a variance is tiny, the sums are so large that their rounding shows.
    spread = [-0.5 * np.sum(np.log(2.0 * np.pi * variance)) for variance in estimator.var_]
    joint = w.step("add", w.step("add", sums, values=floats(spread)), values=floats(np.log(estimator.class_prior_)))
    return _judged(w, joint)


def _multinomial(w: Writing, estimator: Any, x: Ref) -> Answer:
    weights = floats(estimator.feature_log_prob_)
    return _judged(w, w.step("linear", w.checked(x), weights=weights, bias=floats(estimator.class_log_prior_)))


def _complement(w: Writing, estimator: Any, x: Ref) -> Answer:
    weights = floats(estimator.feature_log_prob_)
    bias = floats(estimator.class_log_prior_) if len(weights) == 1 else [0.0] * len(weights)
    return _judged(w, w.step("linear", w.checked(x), weights=weights, bias=bias))


def _bernoulli(w: Writing, estimator: Any, x: Ref) -> Answer:
    import numpy as np

    x = w.checked(x)
    if estimator.binarize is not None:
        x = w.step("binarize", x, threshold=float(estimator.binarize))
    absent = np.log(1 - np.exp(estimator.feature_log_prob_))
    weights = floats(estimator.feature_log_prob_ - absent)
    bias = floats(estimator.class_log_prior_ + absent.sum(axis=1))
    return _judged(w, w.step("linear", x, weights=weights, bias=bias))


def _categorical(w: Writing, estimator: Any, x: Ref) -> Answer:
    import numpy as np

    tables, width = [], 0
    for table in estimator.feature_log_prob_:
        count = table.shape[1]
        tables.append({"cells": [float(n) for n in range(count)], "at": [*range(width, width + count)], "unknown": -2})
        width += count
    whole = w.step(
        "onehot",
        w.step("apply", w.exact(w.checked(x), "CategoricalNB takes numbers"), function="trunc"),
        width=width,
        tables=tables,
    )
    weights = floats(np.hstack(estimator.feature_log_prob_))
    return _judged(w, w.step("linear", whole, weights=weights, bias=floats(estimator.class_log_prior_)))


def _linear_discriminant(w: Writing, estimator: Any, x: Ref) -> Answer:
    scores = scored(w, estimator, x)
    if scores.width > 1:
        return Answer(label=chosen(w, scores), probability=w.step("softmax", scores), decision=scores)
    shares = w.step("complement", w.step("apply", scores, function="sigmoid"))
    return Answer(label=chosen(w, scores), probability=shares, decision=scores)


def _quadratic(w: Writing, estimator: Any, x: Ref) -> Answer:
    import numpy as np

    x, parts = w.checked(x), []
    for mean, rotation, scaling in zip(estimator.means_, estimator.rotations_, estimator.scalings_, strict=True):
        turned = (rotation * scaling**-0.5).T
        less = w.step("subtract", x, values=floats(mean))
        turn = w.step("linear", less, weights=floats(turned), bias=[0.0] * len(turned))
        parts.append(w.step("reduce", w.step("apply", turn, function="square"), how="sum", groups=len(turned)))
    volume = np.asarray([np.sum(np.log(one)) for one in estimator.scalings_])
    raised = w.step("add", w.concat(parts), values=floats(volume))
    halved = w.step("multiply", raised, values=[-0.5] * len(parts))
    scores = w.step("add", halved, values=floats(np.log(estimator.priors_)))
    two = scores.width == 2  # noqa: PLR2004  # classes, whose difference is the decision
    decision = w.step("linear", scores, weights=[[-1.0, 1.0]], bias=[0.0]) if two else scores
    label = w.step("argmax", scores, starts=[0])
    return Answer(label=label, probability=w.step("softmax", scores), decision=decision)


def _dummy_classifier(w: Writing, estimator: Any, x: Ref) -> Answer:
    import numpy as np

    refuse_if(
        estimator.strategy in ("stratified", "uniform"), f"DummyClassifier answers {estimator.strategy} by chance"
    )
    refuse_if(estimator.n_outputs_ != 1, "DummyClassifier has several targets")
    shares = floats(estimator.predict_proba(np.zeros((1, 1)))[0])
    said = estimator.predict(np.zeros((1, 1)))[0]
    best = [float(label == said) for label in estimator.classes_.tolist()]
    label = w.step("argmax", w.step("constant", x, values=best), starts=[0])
    return Answer(label=label, probability=w.step("constant", x, values=shares))


def _dummy_regressor(w: Writing, estimator: Any, x: Ref) -> Answer:
    return Answer(value=w.step("constant", x, values=floats(estimator.constant_.ravel())))


def _constant(w: Writing, estimator: Any, x: Ref) -> Answer:
    """What scikit-learn puts where only one class was seen."""
    return Answer(value=w.step("constant", x, values=floats(estimator.y_)[:1]))


PREDICTORS: Mapping[str, Predict] = {
    "BernoulliNB": _bernoulli,
    "CategoricalNB": _categorical,
    "ComplementNB": _complement,
    "DummyClassifier": _dummy_classifier,
    "DummyRegressor": _dummy_regressor,
    "GaussianNB": _gaussian,
    "LinearDiscriminantAnalysis": _linear_discriminant,
    "MultinomialNB": _multinomial,
    "QuadraticDiscriminantAnalysis": _quadratic,
    "_ConstantPredictor": _constant,
}
