"""Writers of what asks several estimators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlopskit.builtin.portable.writing import Answer, Predict, Ref, Transform, Writing, floats, private, refuse_if

_TWO = 2


def mean(w: Writing, parts: list[Ref], weights: list[float] | None = None) -> Ref:
    """Write the mean of vectors, in order."""
    if weights is not None:
        parts = [w.step("multiply", one, values=[by] * one.width) for one, by in zip(parts, weights, strict=True)]
    whole = float(len(parts)) if weights is None else sum(weights)
    added = w.step("sum", *parts) if parts[1:] else parts[0]
    return w.step("divide", added, values=[whole] * added.width)


def probability(estimator: Any, answer: Answer) -> Ref:
    """Return the probabilities of an answer."""
    refuse_if(answer.probability is None, f"{type(estimator).__name__} has no probabilities")
    assert answer.probability is not None  # noqa: S101  # for the type checker
    return answer.probability


def labelled(estimator: Any, answer: Answer) -> Ref:
    """Return the choice of an answer of one target."""
    refuse_if(answer.label is None or answer.label.width != 1, f"{type(estimator).__name__} does not choose one class")
    assert answer.label is not None  # noqa: S101  # for the type checker
    return answer.label


def number(estimator: Any, answer: Answer) -> Ref:
    """Return the numbers of an answer."""
    refuse_if(answer.value is None, f"{type(estimator).__name__} does not answer numbers")
    assert answer.value is not None  # noqa: S101  # for the type checker
    return answer.value


def all_classes(estimator: Any, one: Any) -> None:
    """Refuse an estimator in another that does not know all of its classes."""
    refuse_if(
        len(one.classes_) != len(estimator.classes_),
        f"a part of {type(estimator).__name__} has seen {len(one.classes_)} of its {len(estimator.classes_)} classes",
    )


def _weights(estimator: Any) -> list[float] | None:
    given = private(estimator, "_weights_not_none")
    return None if given is None else [float(one) for one in given]


def _voting_classes(w: Writing, estimator: Any, x: Ref) -> Answer:
    weights, parts = _weights(estimator), estimator.estimators_
    for one in parts:
        all_classes(estimator, one)
    answers = [w.predict(one, x) for one in parts]
    if estimator.voting == "soft":
        shares = mean(w, [probability(one, said) for one, said in zip(parts, answers, strict=True)], weights)
        return Answer(label=w.step("argmax", shares, starts=[0]), probability=shares)
    said = w.concat([labelled(one, answer) for one, answer in zip(parts, answers, strict=True)])
    counts = w.step("votes", said, weights=weights or [1.0] * len(parts), classes=len(estimator.classes_))
    return Answer(label=w.step("argmax", counts, starts=[0]))


def _voting_numbers(w: Writing, estimator: Any, x: Ref) -> Answer:
    said = [number(one, w.predict(one, x)) for one in estimator.estimators_]
    return Answer(value=mean(w, said, _weights(estimator)))


def voted(w: Writing, estimator: Any, x: Ref, /) -> Ref:
    """Write what a vote transforms a row to: what each of its parts says."""
    parts = estimator.estimators_
    answers = [w.predict(one, x) for one in parts]
    if not hasattr(estimator, "voting"):
        return w.concat([number(one, said) for one, said in zip(parts, answers, strict=True)])
    if estimator.voting == "hard":
        return w.concat([labelled(one, said) for one, said in zip(parts, answers, strict=True)])
    refuse_if(not estimator.flatten_transform, "VotingClassifier transforms to several tables")
    return w.concat([probability(one, said) for one, said in zip(parts, answers, strict=True)])


def stacked(w: Writing, estimator: Any, x: Ref, /) -> Ref:
    """Write what the last part of a stack is given."""
    parts, classes = [], getattr(estimator, "classes_", ())
    # 'drop' is among the given estimators only.
    for one, method in zip(estimator.estimators_, estimator.stack_method_, strict=True):
        answer = w.predict(one, x)
        if method == "predict_proba":
            shares = probability(one, answer)
            parts.append(w.take(shares, [1]) if len(classes) == _TWO else shares)
        elif method == "decision_function":
            refuse_if(answer.decision is None, f"{type(one).__name__} has no decision function that is covered")
            assert answer.decision is not None  # noqa: S101  # for the type checker
            parts.append(answer.decision)
        else:
            refuse_if(answer.label is not None, f"{type(one).__name__} is stacked by its labels")
            parts.append(number(one, answer))
    return w.concat([*parts, *([x] if estimator.passthrough else [])])


def _stacking(w: Writing, estimator: Any, x: Ref) -> Answer:
    refuse_if(isinstance(getattr(estimator, "classes_", None), list), "StackingClassifier has several targets")
    return w.predict(estimator.final_estimator_, stacked(w, estimator, x))


def _bagging_classes(w: Writing, estimator: Any, x: Ref) -> Answer:
    parts, count = [], len(estimator.classes_)
    for one, features in zip(estimator.estimators_, estimator.estimators_features_, strict=True):
        answer = w.predict(one, w.take(x, features.tolist()))
        known = one.classes_.tolist()
        if not hasattr(one, "predict_proba"):
            all_classes(estimator, one)
            parts.append(w.step("votes", labelled(one, answer), weights=[1.0], classes=count))
        elif len(known) == count:
            parts.append(probability(one, answer))
        else:
            wide = w.concat([probability(one, answer), w.step("constant", x, values=[0.0])])
            parts.append(w.take(wide, [known.index(k) if k in known else len(known) for k in range(count)]))
    shares = mean(w, parts)
    return Answer(label=w.step("argmax", shares, starts=[0]), probability=shares)


def _bagging_numbers(w: Writing, estimator: Any, x: Ref) -> Answer:
    pairs = zip(estimator.estimators_, estimator.estimators_features_, strict=True)
    return Answer(value=mean(w, [number(one, w.predict(one, w.take(x, part.tolist()))) for one, part in pairs]))


def _boosted_votes(w: Writing, estimator: Any, x: Ref) -> Answer:
    """AdaBoost: a class gets a part's weight from those that choose it, and loses a share of it to all others."""
    x, classes = w.checked(x), len(estimator.classes_)
    refuse_if(classes < _TWO, "AdaBoostClassifier knows one class")
    parts = estimator.estimators_
    weights = floats(estimator.estimator_weights_[: len(parts)])
    for one in parts:
        all_classes(estimator, one)
    said = w.concat([labelled(one, w.predict(one, x)) for one in parts])
    whole = float(estimator.estimator_weights_.sum())
    counts = w.step("votes", said, weights=weights, classes=classes)
    gained = w.step("multiply", counts, values=[classes / (classes - 1.0)] * classes)
    lost = w.step("subtract", gained, values=[sum(weights) / (classes - 1.0)] * classes)
    scores = w.step("divide", lost, values=[whole] * classes)
    if classes == _TWO:
        decision = w.step("linear", scores, weights=[[-1.0, 1.0]], bias=[0.0])
        halves = w.step("linear", decision, weights=[[-0.5], [0.5]], bias=[0.0, 0.0])
        label = w.step("above", decision, threshold=0.0, equal=False)
        return Answer(label=label, probability=w.step("softmax", halves), decision=decision)
    shares = w.step("softmax", w.step("divide", scores, values=[classes - 1.0] * classes))
    return Answer(label=w.step("argmax", scores, starts=[0]), probability=shares, decision=scores)


def _boosted_median(w: Writing, estimator: Any, x: Ref) -> Answer:
    x, parts = w.checked(x), estimator.estimators_
    said = w.concat([number(one, w.predict(one, x)) for one in parts])
    return Answer(value=w.step("median", said, weights=floats(estimator.estimator_weights_[: len(parts)])))


TRANSFORMERS: Mapping[str, Transform] = {
    **dict.fromkeys(("StackingClassifier", "StackingRegressor"), stacked),
    **dict.fromkeys(("VotingClassifier", "VotingRegressor"), voted),
}
PREDICTORS: Mapping[str, Predict] = {
    "AdaBoostClassifier": _boosted_votes,
    "AdaBoostRegressor": _boosted_median,
    "BaggingClassifier": _bagging_classes,
    "BaggingRegressor": _bagging_numbers,
    "StackingClassifier": _stacking,
    "StackingRegressor": _stacking,
    "VotingClassifier": _voting_classes,
    "VotingRegressor": _voting_numbers,
}
