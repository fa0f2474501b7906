"""Writers of Gaussian processes, by the kernels that they are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mlopskit.builtin.portable.projections import steady, times
from mlopskit.builtin.portable.writing import Answer, NoTablesError, Predict, Ref, Writing, floats, private, refuse_if


def _regressor(w: Writing, estimator: Any, x: Ref) -> Answer:
    import numpy as np

    points, x = np.asarray(estimator.X_train_, dtype=np.float64), w.checked(x)
    weights = np.asarray(estimator.alpha_).reshape(len(points), -1).T
    by = np.broadcast_to(private(estimator, "_y_train_std"), len(weights))
    less = np.broadcast_to(private(estimator, "_y_train_mean"), len(weights))
    steady(estimator, weights * np.max(estimator.kernel_.diag(points)) * by[:, None])
    near = _kernel(w, estimator.kernel_, x, points)
    found = w.step("linear", near, weights=floats(weights), bias=[0.0] * len(weights))
    found = w.step("multiply", found, values=floats(by))
    return Answer(value=w.step("add", found, values=floats(less)))


def _kernel(w: Writing, kernel: Any, x: Ref, points: Any) -> Ref:
    """Write the kernel of the row and each point."""
    kind = type(kernel).__name__ if type(kernel).__module__ == "sklearn.gaussian_process.kernels" else ""
    if kind in ("Product", "Sum"):
        parts = [_kernel(w, one, x, points) for one in (kernel.k1, kernel.k2)]
        return times(w, *parts) if kind == "Product" else w.step("sum", *parts)
    if kind in ("ConstantKernel", "WhiteKernel"):
        # The noise of a row is its own: there is none between it and a training row, were it the same.
        value = float(kernel.constant_value) if kind == "ConstantKernel" else 0.0
        return w.step("constant", x, values=[value] * len(points))
    if kind == "DotProduct":
        return w.step("linear", x, weights=floats(points), bias=[float(kernel.sigma_0**2)] * len(points))
    if kind == "RationalQuadratic":
        return _rational(w, kernel, _distances(w, x, points))
    if kind == "RBF":
        x, points = _scaled(w, kernel, x, points)
        return w.step("kernel", x, points=floats(points), kind="rbf", gamma=0.5, offset=0.0, degree=0)
    if kind == "Matern":
        return _matern(w, kernel, _distances(w, *_scaled(w, kernel, x, points)))
    raise NoTablesError(f"a Gaussian process has the kernel {kernel}")


def _distances(w: Writing, x: Ref, points: Any) -> Ref:
    return w.step("kernel", x, points=floats(points), kind="distance", gamma=0.0, offset=0.0, degree=0)


def _scaled(w: Writing, kernel: Any, x: Ref, points: Any) -> tuple[Ref, Any]:
    import numpy as np

    scale = np.broadcast_to(np.asarray(kernel.length_scale, dtype=np.float64), x.width)
    return w.step("divide", x, values=floats(scale)), points / scale


def _rational(w: Writing, kernel: Any, gaps: Ref) -> Ref:
    """(1 + d^2 / 2al^2)^-a, as exp(-a log1p(...))."""
    squares = w.step("apply", gaps, function="square")
    scaled = w.step("divide", squares, values=[float(2 * kernel.alpha * kernel.length_scale**2)] * gaps.width)
    logs = w.step("multiply", w.step("apply", scaled, function="log1p"), values=[-float(kernel.alpha)] * gaps.width)
    return w.step("apply", logs, function="exp")


def _matern(w: Writing, kernel: Any, gaps: Ref) -> Ref:
    width = gaps.width
    refuse_if(kernel.nu not in (0.5, 1.5, 2.5), f"a Matern kernel has nu = {kernel.nu}")
    near = w.step("multiply", gaps, values=[math.sqrt(2 * kernel.nu)] * width)
    fading = w.step("apply", w.step("multiply", near, values=[-1.0] * width), function="exp")
    if kernel.nu == 0.5:  # noqa: PLR2004  # the names of the kernels
        return fading
    factor = w.step("add", near, values=[1.0] * width)
    if kernel.nu == 2.5:  # noqa: PLR2004
        squares = w.step("divide", w.step("apply", near, function="square"), values=[3.0] * width)
        factor = w.step("sum", factor, squares)
    return times(w, factor, fading)


PREDICTORS: Mapping[str, Predict] = {"GaussianProcessRegressor": _regressor}
