"""Writers of estimators around others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlopskit.builtin.portable.writing import Answer, Predict, Ref, Writing


def _pipeline(w: Writing, estimator: Any, x: Ref) -> Answer:
    *before, (_, last) = estimator.steps
    for _, part in before:
        x = w.transform(part, x)
    return w.predict(last, x)


def _search(w: Writing, estimator: Any, x: Ref) -> Answer:
    return w.predict(estimator.best_estimator_, x)


PREDICTORS: Mapping[str, Predict] = {
    "Pipeline": _pipeline,
    **dict.fromkeys(("GridSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV", "RandomizedSearchCV"), _search),
}
