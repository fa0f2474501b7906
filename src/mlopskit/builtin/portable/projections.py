"""Writers of what projects a row, or its nearness to training rows, on other axes."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlopskit.builtin.portable.neighbours import not_rounded
from mlopskit.builtin.portable.writing import (
    NoTablesError,
    Ref,
    Transform,
    Writing,
    floats,
    private,
    refuse_if,
    spread,
)

_LARGEST = sys.float_info.max
_LEAST = 5e-324  # the least number above zero
_STEADY = 1000.0  # of weights whose sum is more, the rounding of what they multiply is seen in twelve digits


def _turned(w: Writing, x: Ref, weights: Any, *, less: Any = None, by: Any = None) -> Ref:
    """Write (x - less) / by, and its products with the rows of weights."""
    x = w.checked(x)
    if less is not None:
        x = w.step("subtract", x, values=floats(less))
    if by is not None:
        x = w.step("divide", x, values=floats(by))
    rows = floats(weights)
    return w.step("linear", x, weights=rows, bias=[0.0] * len(rows))


def _projected(w: Writing, estimator: Any, x: Ref) -> Ref:
    return _turned(w, x, estimator.components_)


def _independent(w: Writing, estimator: Any, x: Ref) -> Ref:
    return _turned(w, x, estimator.components_, less=estimator.mean_ if estimator.whiten else None)


def _factors(w: Writing, estimator: Any, x: Ref) -> Ref:
    """The expected latent variables: Barber, Bayesian Reasoning and Machine Learning, 21.2.33."""
    import numpy as np

    scaled = estimator.components_ / estimator.noise_variance_
    spread_of = np.linalg.inv(np.eye(len(scaled)) + scaled @ estimator.components_.T)
    x = _turned(w, x, scaled, less=estimator.mean_)
    return w.step("linear", x, weights=floats(spread_of.T), bias=[0.0] * len(scaled))


def _sparse_components(w: Writing, estimator: Any, x: Ref) -> Ref:
    """Ridge regression of the row on the components: a matrix, as long as these are fixed."""
    import numpy as np

    components = np.asarray(estimator.components_, dtype=np.float64)
    gram = components @ components.T + estimator.ridge_alpha * np.eye(len(components))
    refuse_if(np.linalg.cond(gram) > _STEADY, f"{type(estimator).__name__} has components that are nearly alike")
    return _turned(w, x, np.linalg.solve(gram, components), less=estimator.mean_)


def _discriminants(w: Writing, estimator: Any, x: Ref) -> Ref:
    refuse_if(estimator.solver == "lsqr", "LinearDiscriminantAnalysis does not transform with the solver 'lsqr'")
    weights = estimator.scalings_[:, : private(estimator, "_max_components")].T
    return _turned(w, x, weights, less=estimator.xbar_ if estimator.solver == "svd" else None)


def _latent(w: Writing, estimator: Any, x: Ref) -> Ref:
    rotations = estimator.x_weights_ if type(estimator).__name__ == "PLSSVD" else estimator.x_rotations_
    return _turned(w, x, rotations.T, less=private(estimator, "_x_mean"), by=private(estimator, "_x_std"))


def _hidden(w: Writing, estimator: Any, x: Ref) -> Ref:
    x = w.step("linear", w.checked(x), weights=floats(estimator.components_), bias=floats(estimator.intercept_hidden_))
    return w.step("apply", x, function="sigmoid")


def _pooled(w: Writing, estimator: Any, x: Ref) -> Ref:
    """The mean of each cluster of columns."""
    import numpy as np

    refuse_if(estimator.pooling_func is not np.mean, "FeatureAgglomeration pools by another function than the mean")
    labels = estimator.labels_
    member = np.array([labels == one for one in range(labels.max() + 1)], dtype=np.float64)
    return w.step("divide", _turned(w, x, member), values=floats(member.sum(axis=1)))


def _near(w: Writing, estimator: Any, x: Ref, points: Any, given: Mapping[str, Any]) -> Ref:
    """Write the kernel of the row and some points, by scikit-learn's names and defaults."""
    kind = estimator.kernel
    gamma = given.get("gamma")
    fields: dict[str, Any] = {
        "gamma": 1.0 / x.width if gamma is None else float(gamma),
        "offset": float(1.0 if given.get("coef0") is None else given["coef0"]),
        "degree": 0,
    }
    if kind == "linear":
        return _turned(w, x, points)
    if kind in ("poly", "polynomial"):
        degree = 3 if given.get("degree") is None else given["degree"]
        refuse_if(int(degree) != degree, f"{type(estimator).__name__} has the degree {degree}")
        fields["degree"] = int(degree)
    words = {"rbf": "rbf", "poly": "polynomial", "polynomial": "polynomial", "sigmoid": "sigmoid"}
    if not isinstance(kind, str) or kind not in words:
        raise NoTablesError(f"{type(estimator).__name__} has the kernel {kind!r}")
    if kind == "rbf":
        not_rounded(estimator, points, fields["gamma"])
    return w.step("kernel", w.checked(x), points=floats(points), kind=words[kind], **fields)


def steady(estimator: Any, weights: Any, /) -> None:
    """Refuse weights so large that the rounding of what they multiply, or of its sum, would be seen."""
    import numpy as np

    most = float(np.abs(weights).sum(axis=-1).max())
    refuse_if(
        most > _STEADY,
        f"{type(estimator).__name__} has weights that cancel one another (their magnitudes add up to {most:.1g}), "
        "so that rounding is seen",
    )


def _kernel_components(w: Writing, estimator: Any, x: Ref) -> Ref:
    """The components of the centred kernel: its centre is taken off in the weights."""
    import numpy as np

    centerer, values = private(estimator, "_centerer"), estimator.eigenvalues_
    kept = np.flatnonzero(values)
    axes = np.zeros_like(estimator.eigenvectors_)
    axes[:, kept] = estimator.eigenvectors_[:, kept] / np.sqrt(values[kept])
    steady(estimator, axes.T)
    given = {"gamma": estimator.gamma_, "coef0": estimator.coef0, "degree": estimator.degree}
    near = _near(w, estimator, x, estimator.X_fit_, given)
    weights, bias = _centred(centerer, axes)
    return w.step("linear", near, weights=floats(weights), bias=floats(bias))


def _centred(centerer: Any, axes: Any) -> tuple[Any, Any]:
    """Return the weights and offsets of (k - rows - mean(k) + all) @ axes, of a kernel k."""
    less = axes.sum(axis=0) / len(axes)
    return (axes - less).T, (centerer.K_fit_all_ - centerer.K_fit_rows_) @ axes


def _kernel_centerer(w: Writing, estimator: Any, x: Ref) -> Ref:
    x = w.checked(x)
    width = x.width
    mean = w.step("divide", w.step("linear", x, weights=[[1.0] * width], bias=[0.0]), values=[float(width)])
    x = w.step("subtract", x, values=floats(estimator.K_fit_rows_))
    less = w.step("multiply", w.step("take", mean, indexes=[0] * width), values=[-1.0] * width)
    return w.step("add", w.step("sum", x, less), values=[float(estimator.K_fit_all_)] * width)


def _nystroem(w: Writing, estimator: Any, x: Ref) -> Ref:
    steady(estimator, estimator.normalization_)
    given = dict(estimator.kernel_params or {})
    given |= {name: getattr(estimator, name) for name in ("gamma", "coef0", "degree") if getattr(estimator, name)}
    near = _near(w, estimator, x, estimator.components_, given)
    weights = floats(estimator.normalization_)
    return w.step("linear", near, weights=weights, bias=[0.0] * len(weights))


def at_least(w: Writing, x: Ref, low: Any, high: Any = _LARGEST, /) -> Ref:
    """Write the refusal of a row with a number below a limit, or above another.

    It is an interpolation between zeros, which is added: it changes no number.
    """
    points = [[a, b] for a, b in zip(spread(low, x.width), spread(high, x.width), strict=True)]
    nothing = w.step("interpolate", x, at=points, values=[[0.0, 0.0]] * x.width, outside="refuse")
    return w.step("sum", x, nothing, finite=x.finite)


def times(w: Writing, x: Ref, y: Ref, /) -> Ref:
    """Write the product of two vectors, element by element."""
    return w.step("reduce", w.concat([x, y]), how="product", groups=2)


def _additive_chi2(w: Writing, estimator: Any, x: Ref) -> Ref:
    """Vedaldi and Zisserman, Efficient additive kernels via explicit feature maps (2011)."""
    refuse_if(x.scipy, "AdditiveChi2Sampler is given a sparse matrix")
    interval = estimator.sample_interval or {1: 0.8, 2: 0.5, 3: 0.4}[estimator.sample_steps]
    x = at_least(w, w.checked(x), 0.0)
    width = x.width
    found = [w.step("apply", w.step("multiply", x, values=[interval] * width), function="sqrt")]
    above = w.step("clip", x, low=[_LEAST] * width, high=[_LARGEST] * width)  # of zero the factor is zero
    phase = w.step("multiply", w.step("apply", above, function="log"), values=[interval] * width)
    for step in range(1, estimator.sample_steps):
        scaled = w.step("multiply", x, values=[2 * interval / math.cosh(math.pi * step * interval)] * width)
        factor = w.step("apply", scaled, function="sqrt")
        turn = w.step("multiply", phase, values=[float(step)] * width)
        found += [times(w, factor, w.step("apply", turn, function=one)) for one in ("cos", "sin")]
    return w.concat(found)


def _skewed_chi2(w: Writing, estimator: Any, x: Ref) -> Ref:
    x = at_least(w, w.checked(x), math.nextafter(-estimator.skewedness, math.inf))
    x = w.step("apply", w.step("add", x, values=[float(estimator.skewedness)] * x.width), function="log")
    weights = floats(estimator.random_weights_.T)
    x = w.step("apply", w.step("linear", x, weights=weights, bias=floats(estimator.random_offset_)), function="cos")
    return w.step("multiply", x, values=[math.sqrt(2.0) / math.sqrt(estimator.n_components)] * x.width)


def _leaves(w: Writing, estimator: Any, x: Ref) -> Ref:
    from mlopskit.builtin.portable.trees import leaf_of_each

    found = leaf_of_each(w, estimator, x)
    encoder = estimator.one_hot_encoder_
    tables, width = [], 0
    for known in encoder.categories_:
        at = [*range(width, width + len(known))]
        tables.append({"cells": floats(known), "at": at, "unknown": -1})
        width += len(known)
    made = w.step("onehot", found, finite=True, width=width, tables=tables)
    return replace(made, scipy=bool(encoder.sparse_output))


TRANSFORMERS: Mapping[str, Transform] = {
    "AdditiveChi2Sampler": _additive_chi2,
    "BernoulliRBM": _hidden,
    "FactorAnalysis": _factors,
    "FastICA": _independent,
    "FeatureAgglomeration": _pooled,
    "KernelCenterer": _kernel_centerer,
    "KernelPCA": _kernel_components,
    "LinearDiscriminantAnalysis": _discriminants,
    "Nystroem": _nystroem,
    "RandomTreesEmbedding": _leaves,
    "SkewedChi2Sampler": _skewed_chi2,
    **dict.fromkeys(("CCA", "PLSCanonical", "PLSRegression", "PLSSVD"), _latent),
    **dict.fromkeys(
        ("GaussianRandomProjection", "NeighborhoodComponentsAnalysis", "SparseRandomProjection"), _projected
    ),
    **dict.fromkeys(("MiniBatchSparsePCA", "SparsePCA"), _sparse_components),
}
