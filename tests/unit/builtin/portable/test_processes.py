from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Matern,
    RationalQuadratic,
    WhiteKernel,
)

from mlopskit.builtin.portable.writing import NoTablesError

KERNELS = [
    None,
    RBF(0.7) + WhiteKernel(0.5),
    ConstantKernel(2.0) * RBF([1, 2, 3, 4, 5.0]),
    DotProduct(0.5) + ConstantKernel(0.3),
    Matern(nu=0.5) * RBF(),
    Matern(2.0, nu=1.5),
    Matern([1, 2, 3, 4, 5.0], nu=2.5),
    RationalQuadratic(1.5, 0.4),
]


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize("normalized", [True, False])
def test_a_process_estimates_as_it_did(kernel, normalized, data, asked, numbers):
    features, *_, target = data
    inputs, rows = numbers(features, gaps=True)
    model = GaussianProcessRegressor(kernel, alpha=1.0, optimizer=None, normalize_y=normalized)
    few = {name: cells[:60] + cells[-20:] for name, cells in rows.items()}
    assert asked(model.fit(features[:40], target[:40]), inputs).differences(few) < 1e-12


def test_a_process_estimates_several_targets(data, asked, numbers):
    features, *_, target = data
    inputs, rows = numbers(features)
    model = GaussianProcessRegressor(alpha=1.0, normalize_y=True, optimizer=None)
    model.fit(features[:40], np.stack([target, 3 * target + 1], axis=1)[:40])
    assert asked(model, inputs, targets=2).differences(rows) < 1e-12


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (GaussianProcessRegressor(RBF(3.0), optimizer=None), "weights that cancel one another"),
        (GaussianProcessRegressor(ExpSineSquared(), optimizer=None, alpha=40), "has the kernel ExpSineSquared"),
        (GaussianProcessRegressor(Matern(nu=2.0), optimizer=None, alpha=1), "nu = 2.0"),
    ],
    ids=repr,
)
def test_what_is_not_covered_is_refused(model, why, data, asked, numbers):
    features, *_, target = data
    with pytest.raises(NoTablesError, match=why):
        asked(model.fit(features[:60], target[:60]), numbers(features)[0])
