"""Writers of scalers and other transformers of numbers."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlopskit.builtin.portable.projections import at_least
from mlopskit.builtin.portable.writing import Ref, Transform, Writing, floats, private, refuse_if, spread

_LARGEST = sys.float_info.max
_LEAST = 5e-324  # the least number above zero
_NARROW = 1e-290  # a slope over less is beyond the largest number
_NO_POWER = 1e-19  # below, scipy's boxcox takes an exponent for zero


def _standard(w: Writing, estimator: Any, x: Ref) -> Ref:
    means = estimator.mean_ if estimator.with_mean else None
    return _scaled(w, x, means, estimator.scale_ if estimator.with_std else None)


def _robust(w: Writing, estimator: Any, x: Ref) -> Ref:
    centers = estimator.center_ if estimator.with_centering else None
    return _scaled(w, x, centers, estimator.scale_ if estimator.with_scaling else None)


def _scaled(w: Writing, x: Ref, centers: Any, scales: Any) -> Ref:
    x = w.checked(x, missing=True)
    if centers is not None:
        x = w.step("subtract", x, values=floats(centers))
    return x if scales is None else w.step("divide", x, values=floats(scales))


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
    # What may be missing may be infinite, too: scikit-learn then checks nothing.
    unchecked = estimator.__sklearn_tags__().input_tags.allow_nan
    return w.take(x if unchecked else w.checked(x), estimator.get_support(indices=True).tolist())


def _reduction(w: Writing, estimator: Any, x: Ref) -> Ref:
    """PCA: the rotated row less the rotated mean; divided by the deviations where it whitens."""
    import numpy as np

    components = np.asarray(estimator.components_, dtype=np.float64)
    x = w.checked(x)
    refuse_if(x.value.sparse and estimator.mean_ is None, "PCA has no mean")
    less = estimator.mean_ @ estimator.components_.T  # as scikit-learn: of what was fitted in single precision, in that
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
    binned = w.step("bins", w.exact(w.checked(x), "KBinsDiscretizer bins numbers"), finite=True, edges=edges)
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
    x = w.checked(x, missing=True)
    if estimator.method == "box-cox":
        x = _box_cox(w, at_least(w, x, _LEAST), floats(estimator.lambdas_))
    else:
        x = w.step("yeo_johnson", x, lambdas=floats(estimator.lambdas_))
    if not estimator.standardize:
        return x
    scaler = private(estimator, "_scaler")
    return w.step("divide", w.step("subtract", x, values=floats(scaler.mean_)), values=floats(scaler.scale_))


def _box_cox(w: Writing, x: Ref, lambdas: list[float]) -> Ref:
    """(x^b - 1) / b, as expm1(b log(x)) / b; log(x) where b is as good as zero."""
    logs = w.step("apply", x, function="log")
    by = [one if abs(one) >= _NO_POWER else 1.0 for one in lambdas]
    bent = w.step("apply", w.step("multiply", logs, values=by), function="expm1")
    bent = w.step("divide", bent, values=by)
    chosen = [i + x.width * (abs(one) < _NO_POWER) for i, one in enumerate(lambdas)]
    return w.take(w.concat([bent, logs]), chosen) if max(chosen) >= x.width else bent


def _quantiles(w: Writing, estimator: Any, x: Ref) -> Ref:
    import numpy as np

    kind, x = estimator.output_distribution, w.checked(x, missing=True)
    w.exact(x, "QuantileTransformer places numbers")
    refuse_if(kind != "uniform", f"QuantileTransformer makes the distribution {kind!r}")
    refuse_if(x.scipy, "QuantileTransformer is given a sparse matrix")
    tables, values = np.asarray(estimator.quantiles_, dtype=np.float64).T, floats(estimator.references_)
    gaps = np.diff(tables, axis=1)
    refuse_if((gaps[gaps > 0] < _NARROW).any(), "QuantileTransformer has quantiles that are nearly alike")
    ends = (gaps[:, :1] == 0) | (gaps[:, -1:] == 0)
    plain = [place for place, several in enumerate(ends.any(axis=1).tolist()) if not several]
    others = [place for place in range(x.width) if place not in plain]
    parts = [_placed(w, w.take(x, plain), [floats(tables[i]) for i in plain], [values] * len(plain))] if plain else []
    parts += [_placed_apart(w, w.take(x, [i]), floats(tables[i]), values) for i in others]
    order = [*plain, *others]
    return w.take(w.concat(parts), [order.index(place) for place in range(x.width)])


def _placed(w: Writing, x: Ref, at: list[list[float]], values: list[list[float]]) -> Ref:
    """Write the mean of two interpolations, up and down: they differ where a quantile stands several times."""
    up = w.step("interpolate", x, at=at, values=values, outside="nearest")
    less = w.step("multiply", x, values=[-1.0] * x.width)
    at, values = [[[-cell for cell in one[::-1]] for one in table] for table in (at, values)]
    down = w.step(
        "multiply", w.step("interpolate", less, at=at, values=values, outside="nearest"), values=[-1.0] * x.width
    )
    return w.step("multiply", w.step("sum", up, down), values=[0.5] * x.width)


def _placed_apart(w: Writing, x: Ref, at: list[float], values: list[float]) -> Ref:
    """Write the place of one element where the least or the largest quantile stands several times.

    These two have the values 0 and 1, whatever their others have: they are moved further out, to points of their own.
    """
    low, high = at[0], at[-1]
    if low == high:
        above = w.step("bins", x, edges=[[math.nextafter(low, math.inf)]])
        return w.step("sum", above, w.step("multiply", x, values=[0.0]))  # NaN stays NaN
    below, beyond = low - max(1.0, abs(low)), high + max(1.0, abs(high))
    x = w.step("clip", x, low=[low], high=[high])
    x = w.step("fill", w.step("fill", x, values=[below], missing=low), values=[beyond], missing=high)
    return _placed(w, x, [[below, *at, beyond]], [[values[0], *values, values[-1]]])


def _splines(w: Writing, estimator: Any, x: Ref) -> Ref:
    import numpy as np

    beyond, degree = estimator.extrapolation, estimator.degree
    refuse_if(beyond == "periodic", f"SplineTransformer extrapolates by {beyond!r}")
    # Of degree 1 scikit-learn takes the ends of all columns but the first for others.
    refuse_if(degree == 0 or (degree == 1 and beyond == "linear"), f"SplineTransformer has the degree {degree}")
    zeros = estimator.handle_missing == "zeros"
    refuse_if(zeros and beyond in ("continue", "linear"), "SplineTransformer extrapolates beside missing numbers")
    x, found = x if zeros else w.checked(x), estimator.bsplines_  # with zeros scikit-learn checks nothing
    low, high = [floats([one.t[k] for one in found]) for k in (degree, -degree - 1)]
    if beyond == "error":
        inside = at_least(w, x, low, high)
    else:
        inside = x if beyond == "continue" else w.step("clip", x, low=low, high=high)
    made = w.step("spline", inside, knots=[floats(one.t) for one in found], degree=int(degree))
    count = made.width // x.width
    if beyond == "linear":
        made = w.step("sum", made, _slopes(w, x, found, (low, high)))
    kept = [i for i in range(made.width) if estimator.include_bias or i % count < count - 1]
    refuse_if(np.ptp([one.c.shape[1] for one in found]) != 0, "SplineTransformer has columns of different splines")
    return replace(w.take(made, kept), scipy=bool(estimator.sparse_output))


def _slopes(w: Writing, x: Ref, splines: Any, ends: tuple[list[float], list[float]]) -> Ref:
    """Write what is added to the splines' values at both ends by what lies beyond."""
    import numpy as np

    width, count = x.width, splines[0].c.shape[1]
    parts, weights = [], np.zeros((width * count, 2 * width))
    for side, end in enumerate(ends):
        less = w.step("subtract", x, values=end)
        low, high = (-_LARGEST, 0.0) if side == 0 else (0.0, _LARGEST)
        parts.append(w.step("clip", less, low=[low] * width, high=[high] * width))
        for place, (spline, at) in enumerate(zip(splines, end, strict=True)):
            weights[place * count : (place + 1) * count, side * width + place] = spline(at, nu=1)
    return w.step("linear", w.concat(parts), weights=floats(weights), bias=[0.0] * len(weights))


TRANSFORMERS: Mapping[str, Transform] = {
    "Binarizer": _binarizer,
    "KBinsDiscretizer": _bins,
    "MaxAbsScaler": _max_abs,
    "MinMaxScaler": _min_max,
    "Normalizer": _normalizer,
    **dict.fromkeys(("IncrementalPCA", "PCA"), _reduction),
    "PolynomialFeatures": _polynomial,
    "PowerTransformer": _power,
    "QuantileTransformer": _quantiles,
    "RobustScaler": _robust,
    "SplineTransformer": _splines,
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
