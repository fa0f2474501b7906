"""An estimator as a scorer, and the frames that it is given."""

# ruff: noqa: PLR2004 -- shapes and versions are figures

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class EstimatorScorer:
    """An estimator as a scorer: columns in, columns out."""

    def __init__(self, estimator: Any, spec: Mapping[str, Any]) -> None:
        import sklearn

        self.engine = f"scikit-learn {sklearn.__version__}"
        self._estimator = estimator
        self._inputs = spec["schema"]["inputs"]
        self._frame = spec["frame"]
        self._outputs: Sequence[str] = spec["schema"]["outputs"]["required"][1:]
        if not callable(getattr(estimator, "predict", None)):
            raise ValueError(f"{type(estimator).__name__} has no predict")
        if self._outputs:
            self._check_labels()

    def _check_labels(self) -> None:
        if not callable(getattr(self._estimator, "predict_proba", None)):
            raise ValueError(f"{type(self._estimator).__name__} has no predict_proba, but the schema has probabilities")
        names = [f"probability.{label}" for label in self._estimator.classes_.tolist()]
        if names != list(self._outputs):
            raise ValueError(f"the model's classes give {names}, the schema has {list(self._outputs)}")

    def score(self, rows: Mapping[str, Any], /) -> dict[str, list[Any]]:
        """Return the prediction of each row, and the probabilities that the schema names."""
        given = to_frame(rows, self._inputs, self._frame)
        answers = self._estimator.predict(given)
        if answers.ndim == 2 and answers.shape[1] == 1:
            answers = answers[:, 0]
        columns = {"prediction": answers.tolist()}
        if self._outputs:
            columns.update(zip(self._outputs, self._estimator.predict_proba(given).T.tolist(), strict=True))
        return columns


def to_frame(columns: Mapping[str, Any], inputs: Mapping[str, Any], frame: str) -> Any:
    """Return columns of plain cells as the model wants them: "arrays", "column", "pandas" or "polars"."""
    import numpy as np

    names = inputs["required"]
    kinds = {name: _kinds(inputs["properties"][name]) for name in names}
    if frame == "column":
        values = np.empty(len(columns[names[0]]), dtype=object)
        values[:] = columns[names[0]]
        return values
    if frame == "arrays":
        numeric = all(kind <= {"integer", "number", "boolean", "null"} for kind in kinds.values())
        return np.array([columns[name] for name in names], dtype=float if numeric else object).T.copy(order="C")
    if frame == "pandas":
        return _pandas(columns, kinds)
    if frame == "polars":
        return _polars(columns, kinds)
    raise ValueError(f"the frame {ascii(frame)} is not known")


def _kinds(spec: Mapping[str, Any]) -> set[str]:
    return {spec["type"]} if isinstance(spec["type"], str) else set(spec["type"])


def _pandas(columns: Mapping[str, Any], kinds: Mapping[str, set[str]]) -> Any:
    import pandas as pd

    text: Any = "str" if int(pd.__version__.split(".")[0]) >= 3 else object  # as read_csv does
    made = {}
    for name, kind in kinds.items():
        if "string" in kind:
            cells = [float("nan") if cell is None else cell for cell in columns[name]]
            made[name] = pd.Series(cells, dtype=object).astype(text)
        elif len(kind) == 1 and kind < {"boolean", "integer"}:
            made[name] = pd.Series(columns[name], dtype=bool if kind == {"boolean"} else "int64")
        else:
            made[name] = pd.Series(columns[name], dtype=object if "boolean" in kind else "float64")
    return pd.DataFrame(made)


def _polars(columns: Mapping[str, Any], kinds: Mapping[str, set[str]]) -> Any:
    import polars as pl

    types = {"string": pl.String, "number": pl.Float64, "integer": pl.Int64, "boolean": pl.Boolean}
    made = {}
    for name, kind in kinds.items():
        wanted = next((made_of for word, made_of in types.items() if word in kind), pl.Null)
        made[name] = pl.Series(name, columns[name], dtype=wanted)
    return pl.DataFrame(made)
