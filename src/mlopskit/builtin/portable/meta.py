"""Writers of estimators around others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlopskit.builtin.portable.columns import applied
from mlopskit.builtin.portable.ensembles import labelled, mean, number, probability
from mlopskit.builtin.portable.linear import two_or_more
from mlopskit.builtin.portable.writing import (
    Answer,
    NoTablesError,
    Predict,
    Ref,
    Transform,
    Writing,
    cell_of,
    floats,
    private,
    refuse_if,
    ufunc_of,
)

_TWO = 2
_EDGE = 1e-12  # what scikit-learn adds to a probability before its logarithm


def _pipeline(w: Writing, estimator: Any, x: Ref) -> Answer:
    *before, (_, last) = estimator.steps
    for _, part in before:
        x = w.transform(part, x)
    return w.predict(last, x)


def _inner(attribute: str) -> Predict:
    return lambda w, estimator, x: w.predict(getattr(estimator, attribute), x)


def isotonic(w: Writing, estimator: Any, x: Ref, /) -> Ref:
    """Write the interpolation between the points of an isotonic regression."""
    double = estimator.X_thresholds_.dtype == estimator.y_thresholds_.dtype == "float64"
    refuse_if(not double, "IsotonicRegression interpolates in another than double precision")
    outside = {"clip": "nearest", "nan": "missing", "raise": "refuse"}[estimator.out_of_bounds]
    at, values = floats(estimator.X_thresholds_), floats(estimator.y_thresholds_)
    return w.step("interpolate", w.checked(x), at=[at], values=[values], outside=outside)


def _isotonic(w: Writing, estimator: Any, x: Ref) -> Answer:
    return Answer(value=isotonic(w, estimator, x))


def _one_score(estimator: Any, answer: Answer, w: Writing) -> Ref:
    """Return the decision, or else the probability of the second class."""
    if hasattr(estimator, "decision_function"):
        refuse_if(answer.decision is None, f"{type(estimator).__name__} has no decision function that is covered")
        assert answer.decision is not None  # noqa: S101  # for the type checker
        return answer.decision
    shares = probability(estimator, answer)
    return w.take(shares, [1]) if shares.width == _TWO else shares


def _calibrated(w: Writing, estimator: Any, x: Ref) -> Answer:
    parts = [_calibrated_once(w, one, x, len(estimator.classes_)) for one in estimator.calibrated_classifiers_]
    shares = mean(w, parts)
    return Answer(label=w.step("argmax", shares, starts=[0]), probability=shares)


def _calibrated_once(w: Writing, one: Any, x: Ref, classes: int) -> Ref:
    refuse_if(len(one.estimator.classes_) != classes, "a part of CalibratedClassifierCV has not seen all classes")
    scores = _one_score(one.estimator, w.predict(one.estimator, x), w)
    if one.method == "temperature":
        return _tempered(w, one, scores)
    found = []
    for place, calibrator in enumerate(one.calibrators):
        score = w.take(scores, [place])
        if one.method == "isotonic":
            found.append(isotonic(w, calibrator, score))
            continue
        line = w.step("multiply", score, values=[float(calibrator.a_)])
        line = w.step("add", line, values=[float(calibrator.b_)])
        found.append(w.step("apply", w.step("multiply", line, values=[-1.0]), function="sigmoid"))
    joined = w.concat(found)
    return two_or_more(w, joined) if joined.width == 1 else w.step("shares", joined, zero="equal")


def _tempered(w: Writing, one: Any, scores: Ref) -> Ref:
    estimator = one.estimator
    if hasattr(estimator, "decision_function"):
        if scores.width == 1:
            scores = w.step("linear", scores, weights=[[-1.0], [1.0]], bias=[0.0, 0.0])
    else:
        whole = w.step("complement", scores) if scores.width == 1 else scores
        scores = w.step("apply", w.step("add", whole, values=[_EDGE] * whole.width), function="log")
    beta = float(one.calibrators[0].beta_)
    return w.step("softmax", w.step("multiply", scores, values=[beta] * scores.width))


def _threshold(w: Writing, estimator: Any, x: Ref) -> Answer:
    inner = getattr(estimator, "estimator_", estimator.estimator)
    answer = w.predict(inner, x)
    fixed = type(estimator).__name__ == "FixedThresholdClassifier"
    positive = estimator.pos_label if fixed else private(estimator, "_curve_scorer")._get_pos_label()  # noqa: SLF001  # of it
    classes = inner.classes_.tolist()
    refuse_if(len(classes) != _TWO, f"{type(estimator).__name__} has {len(classes)} classes")
    refuse_if(positive not in (None, classes[1]), f"{type(estimator).__name__} looks for the first class")
    method = estimator.response_method
    uses_shares = method == "predict_proba" or (method == "auto" and hasattr(inner, "predict_proba"))
    score = w.take(probability(inner, answer), [1]) if uses_shares else _one_score(inner, answer, w)
    limit = estimator.threshold if fixed else estimator.best_threshold_
    if limit == "auto":
        limit = 0.5 if uses_shares else 0.0
    label = w.step("above", score, threshold=float(limit), equal=True)
    return Answer(label=label, probability=answer.probability, decision=answer.decision)


def _binary(w: Writing, estimator: Any, x: Ref) -> Ref:
    """Write the score of an estimator of two classes, as scikit-learn's meta-estimators take it."""
    answer = w.predict(estimator, x)
    if answer.label is None:
        return number(estimator, answer)
    return _one_score(estimator, answer, w)


def _limit(estimator: Any) -> float:
    return 0.0 if hasattr(estimator, "decision_function") and hasattr(estimator, "classes_") else 0.5


def _one_vs_rest(w: Writing, estimator: Any, x: Ref) -> Answer:
    refuse_if(estimator.multilabel_, "OneVsRestClassifier has several targets")
    parts = estimator.estimators_
    answers = [w.predict(one, x) for one in parts]
    scores = w.concat([_score_of(w, one, said) for one, said in zip(parts, answers, strict=True)])
    decision = scores if hasattr(estimator, "decision_function") else None
    shares = None
    if hasattr(estimator, "predict_proba"):
        seconds = [w.take(probability(one, said), [1]) for one, said in zip(parts, answers, strict=True)]
        joined = w.concat(seconds)
        joined = two_or_more(w, joined)
        shares = w.step("shares", joined, zero="none")
    if len(parts) == 1:
        label = w.step("above", scores, threshold=_limit(parts[0]), equal=False)
    else:
        label = w.step("argmax", scores, starts=[0])
    return Answer(label=label, probability=shares, decision=decision)


def _score_of(w: Writing, one: Any, said: Answer) -> Ref:
    return number(one, said) if said.label is None else _one_score(one, said, w)


def _one_vs_one(w: Writing, estimator: Any, x: Ref) -> Answer:
    refuse_if(estimator.pairwise_indices_ is not None, "OneVsOneClassifier is given distances")
    count, parts = len(estimator.classes_), estimator.estimators_
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    answers = [w.predict(one, x) for one in parts]
    seconds = w.concat([labelled(one, said) for one, said in zip(parts, answers, strict=True)])
    scores = w.concat([_score_of(w, one, said) for one, said in zip(parts, answers, strict=True)])
    signs = [[float((k == j) - (k == i)) for i, j in pairs] for k in range(count)]
    votes = w.step("linear", seconds, weights=signs, bias=[float(sum(k == i for i, _ in pairs)) for k in range(count)])
    sums = w.step("linear", scores, weights=signs, bias=[0.0] * count)
    size = w.step("add", w.step("apply", sums, function="abs"), values=[1.0] * count)
    small = w.step("quotient", sums, w.step("multiply", size, values=[3.0] * count))
    total = w.step("sum", votes, small)
    if count > _TWO:
        return Answer(label=w.step("argmax", total, starts=[0]), decision=total)
    second = w.take(total, [1])
    return Answer(label=w.step("above", second, threshold=_limit(parts[0]), equal=False), decision=second)


def _output_code(w: Writing, estimator: Any, x: Ref) -> Answer:
    import numpy as np

    book = np.asarray(estimator.code_book_, dtype=np.float64)
    scores = w.concat([_binary(w, one, x) for one in estimator.estimators_])
    # The nearest word of the book by |y|^2 - 2yc + |c|^2, as scikit-learn rounds it where y is large.
    count = len(book)
    squares = w.step("reduce", w.step("apply", scores, function="square"), how="sum", groups=scores.width)
    middle = w.step("linear", scores, weights=floats(-2 * book), bias=[0.0] * count)
    sums = w.step("sum", w.step("take", squares, indexes=[0] * count), middle)
    near = w.step("add", sums, values=floats((book**2).sum(axis=1)))
    return Answer(label=w.step("argmax", w.step("multiply", near, values=[-1.0] * count), starts=[0]))


def _multi_output(w: Writing, estimator: Any, x: Ref) -> Answer:
    parts = [(one, w.predict(one, x)) for one in estimator.estimators_]
    if parts[0][1].label is None:
        return Answer(value=w.concat([number(one, said) for one, said in parts]))
    label = w.concat([labelled(one, said) for one, said in parts])
    if any(said.probability is None for _, said in parts):
        return Answer(label=label)
    return Answer(label=label, probability=w.concat([probability(one, said) for one, said in parts]))


def _chain(w: Writing, estimator: Any, x: Ref) -> Answer:
    x = w.checked(x)
    refuse_if(
        getattr(estimator, "chain_method_", "predict") != "predict", "a chain goes on with other than predictions"
    )
    found, given = [], x
    for one in estimator.estimators_:
        answer = w.predict(one, given)
        found.append(answer)
        given = w.concat([given, _told(w, one, answer)])
    ordered = [found[place] for place in sorted(range(len(found)), key=lambda at: int(estimator.order_[at]))]
    if ordered[0].label is None:
        return Answer(value=w.concat([number(estimator, one) for one in ordered]))
    label = w.concat([labelled(estimator, one) for one in ordered])
    if any(one.probability is None for one in ordered):
        return Answer(label=label)
    return Answer(label=label, probability=w.concat([probability(estimator, one) for one in ordered]))


def _told(w: Writing, one: Any, answer: Answer) -> Ref:
    """Write what the next of a chain is told: numbers, or labels, which are numbers."""
    if answer.label is None:
        return number(one, answer)
    values = [cell_of(label) for label in one.classes_]
    refuse_if(any(not isinstance(value, float) for value in values), "a chain has labels that are no numbers")
    places = [float(place) for place in range(len(values))]
    table = {"cells": places, "values": values, "unknown": [0.0], "refuse": True}
    return w.step("lookup", answer.label, tables=[table], finite=True)


def _transformed_target(w: Writing, estimator: Any, x: Ref) -> Answer:
    said, back = number(estimator, w.predict(estimator.regressor_, x)), estimator.transformer_
    kind = type(back).__name__
    if kind == "StandardScaler":
        if back.with_std:
            said = w.step("multiply", said, values=floats(back.scale_))
        return Answer(value=w.step("add", said, values=floats(back.mean_)) if back.with_mean else said)
    if kind == "MinMaxScaler" and not back.clip:
        less = w.step("subtract", said, values=floats(back.min_))
        return Answer(value=w.step("divide", less, values=floats(back.scale_)))
    refuse_if(kind != "FunctionTransformer", f"TransformedTargetRegressor goes back by {kind}")
    if back.inverse_func is None:
        return Answer(value=said)
    name = ufunc_of(back.inverse_func)
    if name not in ("exp", "exp2", "expm1", "negative", "sqrt", "square"):
        raise NoTablesError(f"TransformedTargetRegressor goes back by {back.inverse_func!r}")
    return Answer(value=applied(w, said, name))


def _projected(w: Writing, estimator: Any, x: Ref) -> Answer:
    less = w.step("subtract", w.checked(x), values=floats(private(estimator, "_x_mean")))
    weights = floats(estimator.coef_)
    return Answer(value=w.step("linear", less, weights=weights, bias=floats(estimator.intercept_.ravel())))


TRANSFORMERS: Mapping[str, Transform] = {"IsotonicRegression": isotonic}
PREDICTORS: Mapping[str, Predict] = {
    "CalibratedClassifierCV": _calibrated,
    "ClassifierChain": _chain,
    "FixedThresholdClassifier": _threshold,
    "FrozenEstimator": _inner("estimator"),
    "IsotonicRegression": _isotonic,
    "OneVsOneClassifier": _one_vs_one,
    "OneVsRestClassifier": _one_vs_rest,
    "OutputCodeClassifier": _output_code,
    "Pipeline": _pipeline,
    "RANSACRegressor": _inner("estimator_"),
    "RegressorChain": _chain,
    "SelfTrainingClassifier": _inner("estimator_"),
    "TransformedTargetRegressor": _transformed_target,
    "TunedThresholdClassifierCV": _threshold,
    **dict.fromkeys(("CCA", "PLSCanonical", "PLSRegression"), _projected),
    **dict.fromkeys(("MultiOutputClassifier", "MultiOutputRegressor"), _multi_output),
    **dict.fromkeys(
        ("GridSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV", "RandomizedSearchCV"),
        _inner("best_estimator_"),
    ),
}
