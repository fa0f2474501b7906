"""Checks of support vector machines."""

# ruff: noqa: SLF001, PLR2004 -- scikit-learn keeps in private attributes what its compiled code reads; shapes are figures

from __future__ import annotations

from typing import Any

from .parts import is_sparse, require, whole


def check_machine(part: Any) -> None:
    """Check a support vector machine: libsvm takes every size from another array than the one it reads."""
    if "support_vectors_" not in vars(part):
        return
    vectors, coefficients, sparse = part.support_vectors_, part._dual_coef_, vars(part).get("_sparse")
    require(part.kernel in ("linear", "poly", "rbf", "sigmoid"), part, f"the kernel {ascii(part.kernel)[:60]}")
    require(isinstance(sparse, bool), part, "_sparse is neither true nor false")
    for each in (vectors, coefficients):
        known = is_sparse(each) and each.format == "csr" if sparse else type(each).__name__ == "ndarray"
        require(known and each.dtype == "float64" and each.ndim == 2, part, "its vectors are not as it says")
    counts = part._n_support
    require(
        getattr(counts, "ndim", 0) == 1 and counts.dtype == "int32" and (counts >= 0).all(),
        part,
        "_n_support is no count",
    )
    labels = vars(part).get("classes_")
    classes = 2 if labels is None else len(labels)
    machine = len(counts) == classes >= 2 and (labels is None or counts.sum() == vectors.shape[0])
    require(machine, part, "_n_support does not fit the support vectors")
    require((labels is None) == type(part).__name__.endswith("SVR"), part, "classes_ do not fit its kind")
    require(vectors.shape[1] == whole(part, "n_features_in_"), part, "support_vectors_ has other features")
    require(part.support_.shape == (vectors.shape[0],), part, "support_ has another length")
    require(coefficients.shape == (classes - 1, vectors.shape[0]), part, "dual_coef_ has another shape")
    require(
        not sparse or coefficients.nnz == coefficients.shape[0] * coefficients.shape[1], part, "dual_coef_ has gaps"
    )
    pairs = classes * (classes - 1) // 2
    require(part._intercept_.shape == (pairs,), part, "intercept_ has another length")
    lengths = [(pairs,)] if vars(part).get("_effective_probability") else [(pairs,), (0,)]
    for name in ("_probA", "_probB"):
        require(vars(part)[name].shape in lengths, part, f"{name} has another length")
