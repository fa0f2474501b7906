"""Writers of scalers and other transformers of numbers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlopskit.builtin.portable.writing import Ref, Transform, Writing, floats, private, refuse_if, spread


def _standard(w: Writing, estimator: Any, x: Ref) -> Ref:
    x = w.checked(x, missing=True)
    if estimator.with_mean:
        x = w.step("subtract", x, values=floats(estimator.mean_))
    if estimator.with_std:
        x = w.step("divide", x, values=floats(estimator.scale_))
    return x


def _robust(w: Writing, estimator: Any, x: Ref) -> Ref:
    x = w.checked(x, missing=True)
    if estimator.with_centering:
        x = w.step("subtract", x, values=floats(estimator.center_))
    if estimator.with_scaling:
        x = w.step("divide", x, values=floats(estimator.scale_))
    return x


def _min_max(w: Writing, estimator: Any, x: Ref) -> Ref:
    x = w.step("multiply", w.checked(x, missing=True), values=floats(estimator.scale_))
    x = w.step("add", x, values=floats(estimator.min_))
    if not estimator.clip:
        return x
    low, high = estimator.feature_range
    return w.step("clip", x, low=spread(low, x.width), high=spread(high, x.width))


def _max_abs(w: Writing, estimator: Any, x: Ref) -> Ref:
    x = w.step("divide", w.checked(x, missing=True), values=floats(estimator.scale_))
    return w.step("clip", x, low=[-1.0] * x.width, high=[1.0] * x.width) if estimator.clip else x


def _normalizer(w: Writing, estimator: Any, x: Ref) -> Ref:
    # Of an array scikit-learn takes a norm of less than ten units of rounding for zero.
    least = 0.0 if x.scipy else 10 * sys.float_info.epsilon
    return w.step("normalize", w.checked(x), norm=estimator.norm, least=least)


def _binarizer(w: Writing, estimator: Any, x: Ref) -> Ref:
    return w.step("binarize", w.checked(x), finite=True, threshold=float(estimator.threshold))


def _selector(w: Writing, estimator: Any, x: Ref) -> Ref:
    tags = estimator.__sklearn_tags__().input_tags
    return w.take(w.checked(x, missing=tags.allow_nan), estimator.get_support(indices=True).tolist())


def _reduction(w: Writing, estimator: Any, x: Ref) -> Ref:
    """PCA: the rotated row less the rotated mean; divided by the deviations where it whitens."""
    import numpy as np

    components = np.asarray(estimator.components_, dtype=np.float64)
    x = w.checked(x)
    refuse_if(x.value.sparse and estimator.mean_ is None, "PCA has no mean")
    less = np.asarray(estimator.mean_, dtype=np.float64) @ components.T
    x = w.step("linear", x, weights=floats(components), bias=floats(-less))
    if estimator.whiten:
        scale = np.sqrt(estimator.explained_variance_)
        least = np.finfo(scale.dtype).eps
        scale[scale < least] = least
        x = w.step("divide", x, values=floats(scale))
    return x


def _svd(w: Writing, estimator: Any, x: Ref) -> Ref:
    components = floats(estimator.components_)
    return w.step("linear", w.checked(x), weights=components, bias=[0.0] * len(components))


def _polynomial(w: Writing, estimator: Any, x: Ref) -> Ref:
    factors = [
        [feature for feature, power in enumerate(powers) for _ in range(power)] for powers in estimator.powers_.tolist()
    ]
    return w.step("products", w.checked(x), factors=factors)


def _bins(w: Writing, estimator: Any, x: Ref) -> Ref:
    import numpy as np

    refuse_if(estimator.dtype not in (None, np.float64), "KBinsDiscretizer is not of float64")
    edges = [floats(table)[1:-1] for table in estimator.bin_edges_]
    binned = w.step("bins", w.checked(x), finite=True, edges=edges)
    if estimator.encode == "ordinal":
        return binned
    tables, width = [], 0
    for count in estimator.n_bins_.tolist():
        places = {"cells": [float(n) for n in range(count)], "at": [*range(width, width + count)], "unknown": -2}
        tables.append(places)
        width += count
    made = w.step("onehot", binned, finite=True, width=width, tables=tables)
    return replace(made, scipy=estimator.encode == "onehot")


def _power(w: Writing, estimator: Any, x: Ref) -> Ref:
    refuse_if(estimator.method != "yeo-johnson", f"PowerTransformer has the method {estimator.method!r}")
    x = w.step("yeo_johnson", w.checked(x, missing=True), lambdas=floats(estimator.lambdas_))
    if not estimator.standardize:
        return x
    scaler = private(estimator, "_scaler")
    return w.step("divide", w.step("subtract", x, values=floats(scaler.mean_)), values=floats(scaler.scale_))


TRANSFORMERS: Mapping[str, Transform] = {
    "Binarizer": _binarizer,
    "KBinsDiscretizer": _bins,
    "MaxAbsScaler": _max_abs,
    "MinMaxScaler": _min_max,
    "Normalizer": _normalizer,
    "PCA": _reduction,
    "PolynomialFeatures": _polynomial,
    "PowerTransformer": _power,
    "RobustScaler": _robust,
    "StandardScaler": _standard,
    "TruncatedSVD": _svd,
    **dict.fromkeys(
        (
            "GenericUnivariateSelect", "RFE", "RFECV", "SelectFdr", "SelectFpr", "SelectFromModel", "SelectFwe",
            "SelectKBest", "SelectPercentile", "SequentialFeatureSelector", "VarianceThreshold",
        ),
        _selector,
    ),
}  # fmt: skip
