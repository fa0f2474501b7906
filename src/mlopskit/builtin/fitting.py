"""What `fit` is given beside rows and labels: weights and groups; and how a search is watched and its failure named."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlopskit.data import Dataset
from mlopskit.errors import DataError
from mlopskit.log import logger
from mlopskit.steps import Progress

_LOG = logger()
_WEIGHT = "sample_weight"
# The task of scikit-learn's searches that is one candidate on one split.
_TASK = "candidate-split-evaluation"


def fit(model: Any, inputs: Any, labels: Any, data: Dataset, /, *, progress: Progress) -> Any:
    """Fit a model to rows, with the dataset's weights and groups where it names such columns.

    `progress` is told of each candidate of a search that is evaluated in this process.

    Raises:
        DataError: the model takes no weights, a weight is no number from 0 on, or a search needs groups and there
            are none.
        Exception: whatever fitting raises; if all candidates of a search failed, what the first of them raised.
    """
    beside = {**_weights(model, data), **_groups(model, data)}
    search = _search(model)
    try:
        with _watched(search, progress):
            return model.fit(inputs, labels, **beside)
    except ValueError as error:
        # So do scikit-learn's searches begin, and then quote each traceback.
        if search is None or "fits failed" not in str(error):
            raise
        cause = _first_failure(model, inputs, labels, beside)
        raise (cause or error) from error


def _weights(model: Any, data: Dataset) -> dict[str, Any]:
    if data.weight is None:
        return {}
    import numpy as np

    for row, cell in enumerate(data.columns[data.weight]):
        if isinstance(cell, str | bool) or cell is None or not cell >= 0:
            raise DataError(
                f"Row {row} has the weight {cell!r} in {data.weight!r}, expected a number from 0 on.",
                remedy="Correct it, or leave that row out.",
                column=data.weight,
                row=row,
            )
    key = _weight_key(model)
    if key is None:
        raise DataError(
            f"{type(model).__name__} takes no weights, and the data have some in {data.weight!r}.",
            remedy="Leave `weight` away, or take an estimator whose fit() has sample_weight.",
            column=data.weight,
        )
    return {key: np.asarray(data.columns[data.weight], dtype=float)}


def _weight_key(model: Any) -> str | None:
    """Return the name under which fit() hands weights on to where they count, None where nothing takes them."""
    from sklearn.utils.validation import has_fit_parameter

    inner = _last_step(model)
    if inner is not None:
        key = _weight_key(inner[1])
        return None if key is None else f"{inner[0]}__{key}"
    if has_fit_parameter(model, _WEIGHT):
        return _WEIGHT
    # Searches, stacks, votes and target transformers hand on whatever they are given; chains and the like refuse.
    parts = [one for _, one in getattr(model, "estimators", None) or () if one != "drop"]
    whole = model.estimator if _search(model) is not None else getattr(model, "regressor", None)
    keys = {_weight_key(part) for part in [*parts, *([whole] if hasattr(whole, "fit") else [])]}
    if len(keys) != 1:
        return None
    (key,) = keys
    return key if whole is not None or key == _WEIGHT else None


def _groups(model: Any, data: Dataset) -> dict[str, Any]:
    from sklearn.model_selection import (
        GroupKFold,
        GroupShuffleSplit,
        LeaveOneGroupOut,
        LeavePGroupsOut,
        StratifiedGroupKFold,
    )

    search = _search(model)
    if search is None:
        return {}
    needed = GroupKFold | GroupShuffleSplit | LeaveOneGroupOut | LeavePGroupsOut | StratifiedGroupKFold
    if not isinstance(search.cv, needed):
        if data.group is not None:
            _LOG.warning("The search splits without regard to %r; give it cv=GroupKFold().", data.group)
        return {}
    if data.group is None:
        raise DataError(
            f"{type(search.cv).__name__} splits by groups, and the data name none.",
            remedy='Name their column: [data] group = "COLUMN", or Dataset(..., group="COLUMN").',
        )
    cells = list(data.columns[data.group])
    if None in cells:
        raise DataError(f"Row {cells.index(None)} has no {data.group!r}, its group.", remedy="Fill it in.")
    prefix = "".join(f"{name}__" for name in _path(model))
    return {f"{prefix}groups": cells}


def _search(model: Any) -> Any:
    """Return the search that a model is, or that its last step is; None if there is none."""
    from sklearn.model_selection._search import BaseSearchCV

    inner = _last_step(model)
    if inner is not None:
        return _search(inner[1])
    return model if isinstance(model, BaseSearchCV) else None


def _path(model: Any) -> Iterator[str]:
    while (inner := _last_step(model)) is not None:
        name, model = inner
        yield name


def _last_step(model: Any) -> tuple[str, Any] | None:
    from sklearn.pipeline import Pipeline

    return model.steps[-1] if isinstance(model, Pipeline) else None


def _first_failure(model: Any, inputs: Any, labels: Any, beside: dict[str, Any]) -> Exception | None:
    """Return what the first candidate raises when nothing catches it."""
    from sklearn.base import clone

    again = clone(model)
    _search(again).set_params(error_score="raise")
    try:
        again.fit(inputs, labels, **beside)
    except Exception as error:
        return error
    return None


@contextmanager
def _watched(search: Any, progress: Progress) -> Iterator[None]:
    """Tell of each candidate, by scikit-learn's callbacks (from its release 1.9 on), and leave none of them behind."""
    if not hasattr(search, "set_callbacks"):
        yield
        return
    others = getattr(search, "_skl_callbacks", [])
    search.set_callbacks(*others, _Candidates(progress))
    try:
        yield
    finally:
        search.set_callbacks(*others)


class _Candidates:
    """Counts the candidates of a search. In a worker process, where there is nobody to tell, it does nothing."""

    def __init__(self, progress: Progress) -> None:
        self._progress: Progress | None = progress
        self._fits = itertools.count(1)

    def __getstate__(self) -> dict[str, Any]:
        return {"_progress": None, "_fits": None}

    def setup(self, estimator: Any, context: Any) -> None:
        """Do nothing before the search."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing after the search."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing before a fit."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Tell that a candidate is done, when all of its splits are."""
        if self._progress is None or context.task_name != _TASK:
            return
        done, rest = divmod(next(self._fits), estimator.n_splits_)
        if not rest:
            fits = context.parent.max_subtasks
            self._progress(f"candidate {done} of {fits // estimator.n_splits_}" if fits else f"candidate {done}")
