from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import FeatureAgglomeration
from sklearn.decomposition import FactorAnalysis, FastICA, IncrementalPCA, KernelPCA, SparsePCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomTreesEmbedding
from sklearn.kernel_approximation import AdditiveChi2Sampler, Nystroem, SkewedChi2Sampler
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from mlopskit.builtin.portable.writing import NoTablesError

TRANSFORMERS = [
    BernoulliRBM(3, random_state=0),
    FactorAnalysis(2),
    FastICA(2, random_state=0),
    FastICA(whiten=False, tol=10.0, random_state=0),
    FeatureAgglomeration(2),
    GaussianRandomProjection(2, random_state=0),
    IncrementalPCA(2),
    KernelPCA(2),
    KernelPCA(2, kernel="rbf"),
    KernelPCA(2, kernel="poly", degree=2),
    LinearDiscriminantAnalysis(),
    LinearDiscriminantAnalysis(solver="eigen", n_components=1),
    NeighborhoodComponentsAnalysis(2, max_iter=5),
    Nystroem(n_components=4, random_state=0),
    Nystroem(n_components=4, kernel="sigmoid", gamma=0.1, coef0=0.2, random_state=0),
    RandomTreesEmbedding(3, random_state=0),
    RandomTreesEmbedding(3, sparse_output=False, random_state=0),
    SparsePCA(2, random_state=0),
    SparseRandomProjection(2, random_state=0),
    SkewedChi2Sampler(skewedness=9, n_components=4, random_state=0),
    make_pipeline(MinMaxScaler(), AdditiveChi2Sampler(sample_steps=3)),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
def test_a_row_is_projected_as_it_was(transformer, data, asked, numbers):
    features, _, three, target = data
    wanted = three if isinstance(transformer, LinearDiscriminantAnalysis | NeighborhoodComponentsAnalysis) else target
    model = make_pipeline(transformer, LinearRegression()).fit(features * [1, 3, 0.5, 2, 1] + 0.25, wanted)
    inputs, rows = numbers(features, gaps=True)
    assert asked(model, inputs).differences({name: cells[:-25] + cells[-20:] for name, cells in rows.items()}) < 1e-12


@pytest.mark.parametrize(
    ("transformer", "why"),
    [
        (Nystroem(n_components=40, gamma=0.01, random_state=0), "weights that cancel one another"),
        (Nystroem(kernel="cosine", n_components=2), "has the kernel 'cosine'"),
        (FeatureAgglomeration(2, pooling_func=np.median), "pools by another function"),
    ],
)
def test_what_cannot_be_exact_is_refused(transformer, why, data, asked, numbers):
    features, *_, target = data
    model = make_pipeline(transformer, LinearRegression()).fit(features, target)
    with pytest.raises(NoTablesError, match=why):
        asked(model, numbers(features)[0])
