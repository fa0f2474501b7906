from __future__ import annotations

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
    RobustScaler,
    StandardScaler,
)

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
