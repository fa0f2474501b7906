"""Writers of support vector machines, kernel ridge regression and multi-layer perceptrons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlopskit.builtin.portable.neighbours import not_rounded
from mlopskit.builtin.portable.writing import Answer, Predict, Ref, Writing, floats, private, refuse_if, spread

_KINDS = {"rbf": "rbf", "poly": "polynomial", "polynomial": "polynomial", "sigmoid": "sigmoid"}
_ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid"}


def _near(w: Writing, estimator: Any, x: Ref, points: Any, gamma: float) -> Ref:
    """Write how near the row is to each of some points."""
    x = w.checked(x)
    if estimator.kernel == "linear":
        found = floats(points)
        return w.step("linear", x, weights=found, bias=[0.0] * len(found))
    kind = _KINDS.get(estimator.kernel) if isinstance(estimator.kernel, str) else None
    refuse_if(kind is None, f"{type(estimator).__name__} has the kernel {estimator.kernel!r}")
    degree = estimator.degree if kind == "polynomial" else 1
    refuse_if(int(degree) != degree, f"{type(estimator).__name__} has the degree {degree}")
    fields: dict[str, Any] = {"gamma": float(gamma), "offset": float(estimator.coef0), "degree": int(degree)}
    return w.step("kernel", x, points=floats(points), kind=kind, **fields)


def _support_classes(w: Writing, estimator: Any, x: Ref) -> Answer:
    import numpy as np

    name = type(estimator).__name__
    refuse_if(getattr(estimator, "probability", False) is True, f"{name} has probabilities")
    refuse_if(estimator.break_ties, f"{name} breaks ties")
    counts = estimator.n_support_.tolist()
    starts = [sum(counts[:k]) for k in range(len(counts))]
    dual = np.array(floats(private(estimator, "_dual_coef_")))
    rows, pairs = [], []
    for i in range(len(counts)):
        for j in range(i + 1, len(counts)):
            row = np.zeros(sum(counts))
            row[starts[i] : starts[i] + counts[i]] = dual[j - 1, starts[i] : starts[i] + counts[i]]
            row[starts[j] : starts[j] + counts[j]] = dual[i, starts[j] : starts[j] + counts[j]]
            rows.append(row)
            pairs.append((i, j))
    near = _near(w, estimator, x, estimator.support_vectors_, private(estimator, "_gamma"))
    scores = w.step(
        "linear", near, weights=floats(np.array(rows)), bias=spread(private(estimator, "_intercept_"), len(rows))
    )
    decision = w.step("multiply", scores, values=[-1.0]) if len(pairs) == 1 else None
    return Answer(label=_pairwise(w, scores, pairs, len(counts)), decision=decision)


def _pairwise(w: Writing, scores: Ref, pairs: list[tuple[int, int]], classes: int) -> Ref:
    """Write the votes of pairs of classes: the first of a pair where its score is above zero."""
    first = w.step("above", scores, threshold=0.0, equal=False)
    weights = [[float((k == i) - (k == j)) for i, j in pairs] for k in range(classes)]
    bias = [float(sum(k == j for _, j in pairs)) for k in range(classes)]
    return w.step("argmax", w.step("linear", first, weights=weights, bias=bias), starts=[0])


def _support_numbers(w: Writing, estimator: Any, x: Ref) -> Answer:
    near = _near(w, estimator, x, estimator.support_vectors_, private(estimator, "_gamma"))
    return Answer(value=w.step("linear", near, weights=floats(estimator.dual_coef_), bias=floats(estimator.intercept_)))


def _kernel_ridge(w: Writing, estimator: Any, x: Ref) -> Answer:
    import numpy as np

    gamma = estimator.gamma if estimator.gamma is not None else 1.0 / x.width
    if estimator.kernel == "rbf":
        not_rounded(estimator, estimator.X_fit_, gamma)
    near = _near(w, estimator, x, estimator.X_fit_, gamma)
    weights = floats(np.atleast_2d(np.asarray(estimator.dual_coef_).T))
    return Answer(value=w.step("linear", near, weights=weights, bias=[0.0] * len(weights)))


def _layers(w: Writing, estimator: Any, x: Ref) -> Ref:
    x, last = w.checked(x), len(estimator.coefs_) - 1
    for number, (coefs, bias) in enumerate(zip(estimator.coefs_, estimator.intercepts_, strict=True)):
        x = w.step("linear", x, weights=floats(coefs.T), bias=floats(bias))
        if number < last and estimator.activation != "identity":
            x = w.step("apply", x, function=_ACTIVATIONS[estimator.activation])
    return x


def _network_classes(w: Writing, estimator: Any, x: Ref) -> Answer:
    kind = private(estimator, "_label_binarizer").y_type_
    refuse_if(kind.startswith("multilabel"), "MLPClassifier has several targets")
    scores = _layers(w, estimator, x)
    if estimator.out_activation_ == "softmax":
        shares = w.step("softmax", scores)
        return Answer(label=w.step("argmax", shares, starts=[0]), probability=shares)
    share = w.step("apply", scores, function="sigmoid")
    label = w.step("above", share, threshold=0.5, equal=False)
    return Answer(label=label, probability=w.step("complement", share))


def _network_numbers(w: Writing, estimator: Any, x: Ref) -> Answer:
    found = _layers(w, estimator, x)
    kind = estimator.out_activation_
    refuse_if(kind not in ("identity", "exp"), f"MLPRegressor ends with {kind!r}")
    return Answer(value=found if kind == "identity" else w.step("apply", found, function="exp"))


PREDICTORS: Mapping[str, Predict] = {
    "KernelRidge": _kernel_ridge,
    "MLPClassifier": _network_classes,
    "MLPRegressor": _network_numbers,
    "NuSVC": _support_classes,
    "NuSVR": _support_numbers,
    "SVC": _support_classes,
    "SVR": _support_numbers,
}
