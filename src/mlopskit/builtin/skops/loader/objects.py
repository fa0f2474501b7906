"""Checks of the loaded objects: what compiled code, or the text of a request, would reach through them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .ensembles import (
    check_bins,
    check_constant,
    check_decision_tree,
    check_gradient_boosting,
    check_histogram_boosting,
)
from .machines import check_machine
from .neighbors import check_neighbors, check_propagation
from .parts import is_estimator_of_sklearn, is_sparse, walk
from .transformers import check_function, check_one_hot, check_polynomial, check_text

# scikit-learn sets these on the object although the class has them too.
_OWN = {"positive"}
# Handed on to functions that also take n_jobs, where no setting of the estimator itself has a say.
_ARGUMENTS = {"kernel_params", "metric_params", "pairwise_kernels_kwargs"}


def check(model: object, /) -> None:
    """Check objects for what compiled code or a request would reach through them.

    Raises:
        ValueError: something in them must not be used.
    """
    for path, part in walk(model):
        try:
            _check(part)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _check(part: Any) -> None:
    kind = type(part)
    if is_sparse(part):
        part.check_format(full_check=True)  # compiled products take its indices as they are
    elif _is_sklearns(kind) and hasattr(part, "__dict__"):
        for name in vars(part) if kind.__module__.startswith("sklearn.") else ():
            if hasattr(kind, name) and name not in _OWN:
                raise ValueError(f"{kind.__name__}.{name[:60]} would replace what the class itself has")
        for name in _ARGUMENTS & vars(part).keys():
            arguments = vars(part)[name]
            if arguments is not None and (not isinstance(arguments, Mapping) or "n_jobs" in arguments):
                raise ValueError(f"{kind.__name__}.{name} would start workers")
        for base in kind.__mro__:
            _CHECKS.get(base.__name__, _nothing)(part)


def _is_sklearns(kind: type) -> bool:
    return kind.__module__.startswith("sklearn.") or is_estimator_of_sklearn(kind)


def _nothing(_part: object) -> None:
    pass


_CHECKS: Mapping[str, Callable[[Any], None]] = {
    "BaseDecisionTree": check_decision_tree,
    "BaseGradientBoosting": check_gradient_boosting,
    "BaseHistGradientBoosting": check_histogram_boosting,
    "BaseLibSVM": check_machine,
    "BaseLabelPropagation": check_propagation,
    "FunctionTransformer": check_function,
    "NeighborsBase": check_neighbors,
    "OneHotEncoder": check_one_hot,
    "_BinMapper": check_bins,
    "_ConstantPredictor": check_constant,
    "PolynomialFeatures": check_polynomial,
    "_VectorizerMixin": check_text,
}
