"""Writers of what compares a row with the training rows, or with centres."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlopskit.builtin.portable.writing import Answer, Predict, Ref, Writing, floats, private, refuse_if

_MOST = 1 << 20  # numbers of all points: a row is compared with each of them
_FAR = 1000.0  # squares of distances from rows so far from zero, in units of the kernel, are rounded in twelve digits


def not_rounded(estimator: Any, points: Any, gamma: float, /) -> None:
    """Refuse a kernel of points so far from zero that the rounding of their distances would be seen.

    scikit-learn takes |x - p|^2 from |x|^2 - 2xp + |p|^2.
    """
    import numpy as np

    most = float(gamma * np.square(floats(points)).sum(axis=1).max())
    refuse_if(
        most > _FAR,
        f"{type(estimator).__name__} has training rows so far from zero ({most:.1g} in units of its kernel) that "
        "rounded distances are seen",
    )


def _nearest(w: Writing, estimator: Any, x: Ref, values: Any, empty: list[float | None] | None) -> Ref:
    """Write the mean of what the nearest training rows have."""
    name, way = type(estimator).__name__, private(estimator, "_fit_method")
    # What is searched in a tree is compared as here; else by |x|^2 - 2xy + |y|^2, of which rounding may be left.
    refuse_if(way not in ("kd_tree", "ball_tree"), f"{name} searches by {way!r}: choose algorithm='kd_tree'")
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

    refuse_if(
        estimator.metric != "manhattan",
        f"NearestCentroid has probabilities of rounded distances with the metric {estimator.metric!r}",
    )
    x, centres, priors = w.checked(x), estimator.centroids_, estimator.class_prior_
    if np.isclose(priors, 1 / len(priors)).all():
        gaps = _manhattan(w, x, centres)
        return Answer(label=w.step("argmax", w.step("multiply", gaps, values=[-1.0] * gaps.width), starts=[0]))
    scale = np.where(estimator.within_class_std_dev_ == 0, 1.0, estimator.within_class_std_dev_)
    gaps = _manhattan(w, w.step("divide", x, values=floats(scale)), centres / scale)
    squares = w.step("multiply", w.step("apply", gaps, function="square"), values=[-1.0] * gaps.width)
    return Answer(label=w.step("argmax", w.step("add", squares, values=floats(2.0 * np.log(priors))), starts=[0]))


def _manhattan(w: Writing, x: Ref, centres: Any) -> Ref:
    gaps = [w.step("apply", w.step("subtract", x, values=floats(one)), function="abs") for one in centres]
    return w.concat([w.step("reduce", one, how="sum", groups=x.width) for one in gaps])


def _propagated(w: Writing, estimator: Any, x: Ref) -> Answer:
    refuse_if(estimator.kernel != "rbf", f"{type(estimator).__name__} has the kernel {estimator.kernel!r}")
    not_rounded(estimator, estimator.X_, estimator.gamma)
    near = w.step(
        "kernel", w.checked(x), points=floats(estimator.X_), kind="rbf", gamma=float(estimator.gamma), offset=0.0,
        degree=0,
    )  # fmt: skip
    weights = floats(estimator.label_distributions_.T)
    shares = w.step("shares", w.step("linear", near, weights=weights, bias=[0.0] * len(weights)), zero="missing")
    return Answer(label=w.step("argmax", shares, starts=[0]), probability=shares)


PREDICTORS: Mapping[str, Predict] = {
    "KNeighborsClassifier": _nearest_classes,
    "KNeighborsRegressor": _nearest_numbers,
    "LabelPropagation": _propagated,
    "LabelSpreading": _propagated,
    "NearestCentroid": _centroid,
    "RadiusNeighborsClassifier": _nearest_classes,
    "RadiusNeighborsRegressor": _nearest_numbers,
}
