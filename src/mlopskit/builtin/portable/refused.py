"""Why parts of scikit-learn, and models of XGBoost, have no portable form."""

from __future__ import annotations

from collections.abc import Mapping

_ROUNDED = "it measures distances that are rounded where they are small"
_SOLVED = "it solves a problem for each row, until that is good enough"
_SINGLE = "it computes in single precision"
_NO_ROWS = "it takes targets, not rows"

REASONS: Mapping[str, str] = {
    "Birch": _ROUNDED,
    "BisectingKMeans": _ROUNDED,
    "DictVectorizer": "it takes tables, not rows",
    "DictionaryLearning": _SOLVED,
    "FeatureHasher": "it takes tables, not rows",
    "GaussianProcessClassifier": "its probabilities need the error function, which not every language has",
    "Isomap": "it looks for the shortest ways among all training rows",
    "KMeans": _ROUNDED,
    "KNNImputer": _ROUNDED,
    "KNeighborsTransformer": "it answers a graph, not features",
    "LabelBinarizer": _NO_ROWS,
    "LabelEncoder": _NO_ROWS,
    "LatentDirichletAllocation": _SOLVED,
    "LocallyLinearEmbedding": "it solves a system of equations for each row",
    "MiniBatchDictionaryLearning": _SOLVED,
    "MiniBatchKMeans": _ROUNDED,
    "MiniBatchNMF": _SOLVED,
    "MultiLabelBinarizer": _NO_ROWS,
    "NMF": _SOLVED,
    "PatchExtractor": "it takes pictures, not rows",
    "PolynomialCountSketch": "it takes Fourier transforms",
    "RBFSampler": "it takes cosines of numbers so large that they may be all rounding",
    "RadiusNeighborsTransformer": "it answers a graph, not features",
    "SparseCoder": _SOLVED,
    "TSNE": "it transforms no new rows",
    "XGBClassifier": _SINGLE,
    "XGBRFClassifier": _SINGLE,
    "XGBRFRegressor": _SINGLE,
    "XGBRegressor": _SINGLE,
}
