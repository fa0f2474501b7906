from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)

from mlopskit.builtin.portable.writing import NoTablesError

TRANSFORMERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    MinMaxScaler(clip=True, feature_range=(-1, 2)),
    MaxAbsScaler(),
    MaxAbsScaler(clip=True),
    RobustScaler(),
    Normalizer(),
    Normalizer("l1"),
    Normalizer("max"),
    Binarizer(threshold=0.3),
    SelectKBest(k=2),
    VarianceThreshold(0.1),
    PolynomialFeatures(2),
    PolynomialFeatures((2, 3), interaction_only=True, include_bias=False),
    KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"),
    KBinsDiscretizer(3, encode="ordinal", strategy="uniform"),
    KBinsDiscretizer(3, encode="onehot-dense", strategy="uniform"),
    PowerTransformer(),
    PowerTransformer(standardize=False),
    make_pipeline(MinMaxScaler((1, 2), clip=True), PowerTransformer("box-cox")),
    QuantileTransformer(n_quantiles=50),
    QuantileTransformer(n_quantiles=3),
    SplineTransformer(),
    SplineTransformer(4, 2, knots="quantile", include_bias=False),
    SplineTransformer(3, 2, extrapolation="linear"),
    SplineTransformer(6, 3, extrapolation="linear", sparse_output=True),
    SplineTransformer(3, extrapolation="error"),
    SplineTransformer(3, 2, extrapolation="continue"),
    PCA(3),
    PCA(3, whiten=True),
    TruncatedSVD(2, random_state=0),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
def test_a_row_is_transformed_as_it_was(transformer, data, asked, numbers):
    features, _, three, target = data
    wanted = three if isinstance(transformer, SelectKBest) else target
    model = make_pipeline(transformer, LinearRegression()).fit(features * [1, 10, 0.1, 5, 1] + 2, wanted)
    inputs, rows = numbers(features, gaps=True)
    assert asked(model, inputs).differences(rows) < 1e-12


@pytest.mark.parametrize(
    "ties", [[0, 0, 0, 1, 2, 2, 3, 5, 5, 5], [4] * 10, [0] * 10, [0, 1], [1, 1, 1, 2], [-3, 1e300, 1e300]]
)
def test_quantiles_that_stand_several_times_have_the_mean_of_their_places(ties, asked):
    one = np.array(ties * 4, dtype=float)[:, None]
    model = make_pipeline(QuantileTransformer(n_quantiles=7), LinearRegression()).fit(one, np.arange(len(one)))
    beside = [x for tie in set(ties) for x in (tie, np.nextafter(tie, 9.0), np.nextafter(tie, -9.0), tie + 0.3)]
    rows = {"x0": [*map(float, beside), -1e9, 1e9, None]}
    assert asked(model, {"x0": {"type": ["number", "null"]}}).differences(rows) < 1e-12


def test_gaps_have_no_splines(asked):
    one = np.linspace(0, 1, 30)[:, None]
    model = make_pipeline(SplineTransformer(4, handle_missing="zeros"), LinearRegression()).fit(one, one[:, 0])
    assert (
        asked(model, {"x0": {"type": ["number", "null"]}}).differences({"x0": [None, 0.5, -1.0, np.inf, -np.inf]})
        < 1e-12
    )


@pytest.mark.parametrize(
    ("transformer", "why"),
    [
        (SplineTransformer(extrapolation="periodic"), "extrapolates by 'periodic'"),
        (SplineTransformer(degree=0), "has the degree 0"),
        (SplineTransformer(degree=1, extrapolation="linear"), "has the degree 1"),
        (QuantileTransformer(output_distribution="normal", n_quantiles=9), "makes the distribution 'normal'"),
    ],
    ids=repr,
)
def test_what_is_not_covered_is_refused(transformer, why, data, asked, numbers):
    features, *_, target = data
    model = make_pipeline(transformer, LinearRegression()).fit(features, target)
    with pytest.raises(NoTablesError, match=why):
        asked(model, numbers(features)[0])


@pytest.mark.parametrize("whiten", [False, True])
def test_a_rotation_that_was_fitted_in_single_precision_is_followed(whiten, data, asked, numbers):
    features, *_, target = data
    given = (features * 1000 + 77).astype(np.float32)
    model = make_pipeline(PCA(2, whiten=whiten), LinearRegression()).fit(given, target)
    inputs, rows = numbers(features * 1000 + 77)
    assert asked(model, inputs).differences(rows) < 1e-12
