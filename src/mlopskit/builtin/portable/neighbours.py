"""Writers of what compares a row with the training rows, or with centres."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlopskit.builtin.portable.writing import Answer, Predict, Ref, Transform, Writing, floats, private, refuse_if

_MOST = 1 << 20  # numbers of all points: a row is compared with each of them
_TWO = 2


def distances(w: Writing, x: Ref, points: Any, /) -> Ref:
    """Write how far the row is from each of some points."""
    return w.step("kernel", w.checked(x), points=floats(points), kind="distance", gamma=0.0, offset=0.0, degree=0)


def _nearest(w: Writing, estimator: Any, x: Ref, values: Any, empty: list[float | None] | None) -> Ref:
    """Write the mean of what the nearest training rows have."""
    name, way = type(estimator).__name__, private(estimator, "_fit_method")
    # What is searched in a tree is compared as here; else by |x|^2 - 2xy + |y|^2, of which rounding may be left.
    refuse_if(way not in ("kd_tree", "ball_tree"), f"{name} searches by {way!r}, not in a tree")
    metric = estimator.effective_metric_
    refuse_if(metric != "euclidean", f"{name} has the metric {metric!r}")
    points = private(estimator, "_fit_X")
    refuse_if(points.size > _MOST, f"{name} has {len(points):,} training rows of {x.width}, too many to compare with")
    weights = {"uniform": "equal", None: "equal", "distance": "distance"}.get(
        estimator.weights if isinstance(estimator.weights, str | None) else ""
    )
    refuse_if(weights is None, f"{name} has weights of its own")
    within = hasattr(estimator, "radius_neighbors")
    fields: dict[str, Any] = {
        "count": None if within else int(estimator.n_neighbors),
        "radius": float(estimator.radius) if within else None,
    }
    return w.step(
        "nearest", w.checked(x), points=floats(points), values=floats(values), weights=weights, empty=empty, **fields
    )


def _classes(estimator: Any) -> tuple[list[Any], Any]:
    """Return the classes of each target, and the training targets as places among them, a column for each."""
    import numpy as np

    several = estimator.outputs_2d_
    known = [one.tolist() for one in (estimator.classes_ if several else [estimator.classes_])]
    return known, np.asarray(private(estimator, "_y")).reshape(-1, len(known))


def _nearest_classes(w: Writing, estimator: Any, x: Ref) -> Answer:
    import numpy as np

    known, targets = _classes(estimator)
    values = np.hstack([np.eye(len(one))[targets[:, k]] for k, one in enumerate(known)])
    shares = _nearest(w, estimator, x, values, _outliers(estimator, known))
    starts = [sum(map(len, known[:k])) for k in range(len(known))]
    return Answer(label=w.step("argmax", shares, starts=starts), probability=shares)


def _outliers(estimator: Any, known: list[list[Any]]) -> list[float | None] | None:
    """Return the probabilities where no training row is near enough; None where that is refused."""
    labels = getattr(estimator, "outlier_label_", None)
    if labels is None:
        return None
    for label, classes in zip(labels, known, strict=True):
        refuse_if(label not in classes, f"{type(estimator).__name__} answers outliers with a label of their own")
    return [float(one == label) for label, classes in zip(labels, known, strict=True) for one in classes]


def _nearest_numbers(w: Writing, estimator: Any, x: Ref) -> Answer:
    import numpy as np

    values = np.asarray(private(estimator, "_y"), dtype=np.float64).reshape(estimator.n_samples_fit_, -1)
    return Answer(value=_nearest(w, estimator, x, values, [None] * values.shape[1]))


def _centroid(w: Writing, estimator: Any, x: Ref) -> Answer:
    """The class whose centre is nearest; by its prior, too, where these are not alike."""
    import numpy as np

    name = type(estimator).__name__
    refuse_if(estimator.metric != "euclidean", f"{name} has the metric {estimator.metric!r}")
    x, scale = w.checked(x), np.where(estimator.within_class_std_dev_ == 0, 1.0, estimator.within_class_std_dev_)
    gaps = distances(w, w.step("divide", x, values=floats(scale)), estimator.centroids_ / scale)
    squares = w.step("multiply", w.step("apply", gaps, function="square"), values=[-1.0] * gaps.width)
    scores = w.step("add", squares, values=floats(2.0 * np.log(estimator.class_prior_)))
    alike = np.isclose(estimator.class_prior_, 1 / len(estimator.classes_)).all()
    centres = np.asarray(estimator.centroids_)
    best = _closest(w, x, centres) if alike else scores
    decision = w.step("linear", scores, weights=[[-1.0, 1.0]], bias=[0.0]) if scores.width == _TWO else scores
    label = w.step("argmax", best, starts=[0])
    return Answer(label=label, probability=w.step("softmax", scores), decision=decision)


def _closest(w: Writing, x: Ref, centres: Any) -> Ref:
    """Write -|x - c|^2 of each centre without |x|^2, which is the same for all."""
    return w.step("linear", x, weights=floats(2.0 * centres), bias=floats(-(centres**2).sum(axis=1)))


def _propagated(w: Writing, estimator: Any, x: Ref) -> Answer:
    refuse_if(estimator.kernel != "rbf", f"{type(estimator).__name__} has the kernel {estimator.kernel!r}")
    near = w.step(
        "kernel", w.checked(x), points=floats(estimator.X_), kind="rbf", gamma=float(estimator.gamma), offset=0.0,
        degree=0,
    )  # fmt: skip
    weights = floats(estimator.label_distributions_.T)
    shares = w.step("shares", w.step("linear", near, weights=weights, bias=[0.0] * len(weights)), zero="missing")
    return Answer(label=w.step("argmax", shares, starts=[0]), probability=shares)


def _to_centres(w: Writing, estimator: Any, x: Ref) -> Ref:
    return distances(w, x, estimator.cluster_centers_)


TRANSFORMERS: Mapping[str, Transform] = dict.fromkeys(("BisectingKMeans", "KMeans", "MiniBatchKMeans"), _to_centres)
PREDICTORS: Mapping[str, Predict] = {
    "KNeighborsClassifier": _nearest_classes,
    "KNeighborsRegressor": _nearest_numbers,
    "LabelPropagation": _propagated,
    "LabelSpreading": _propagated,
    "NearestCentroid": _centroid,
    "RadiusNeighborsClassifier": _nearest_classes,
    "RadiusNeighborsRegressor": _nearest_numbers,
}
