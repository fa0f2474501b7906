"""An estimator as a scorer, and the frames that it is given."""

# ruff: noqa: PLR2004 -- shapes and versions are figures

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any


class EstimatorScorer:
    """An estimator as a scorer: lists in, lists out; arrays out where there is an array or a series among them."""

    series = True

    def __init__(self, estimator: Any, spec: Mapping[str, Any]) -> None:
        import sklearn

        self.engine = f"scikit-learn {sklearn.__version__}"
        self._estimator = estimator
        self._inputs = spec["schema"]["inputs"]
        self._frame = spec["frame"]
        self._schema = spec["schema"]["outputs"]
        names = self._schema["required"]
        # One of them is "prediction", several are "prediction.<target>".
        self._predictions = [name for name in names if name.startswith("prediction")]
        self._probabilities = names[len(self._predictions) :]
        if not callable(getattr(estimator, "predict", None)):
            raise ValueError(f"{type(estimator).__name__} has no predict")
        if self._probabilities:
            self._check_labels()

    @functools.cached_property
    def _framing(self) -> Framing:
        return Framing(self._inputs, self._frame)

    def _check_labels(self) -> None:
        if not callable(getattr(self._estimator, "predict_proba", None)):
            raise ValueError(f"{type(self._estimator).__name__} has no predict_proba, but the schema has probabilities")
        suffixes = [name.removeprefix("prediction") for name in self._predictions]
        found = self._estimator.classes_
        if isinstance(found, list):
            classes = [labels.tolist() for labels in found]
        elif suffixes[1:]:  # answered as zeros and ones: the model's classes are then the numbers of the targets
            classes = [self._schema["properties"][name]["enum"] for name in self._predictions[: len(found)]]
        else:
            classes = [found.tolist()]
        if len(classes) != len(suffixes):
            raise ValueError(f"the model has {len(classes)} targets, the schema has {len(suffixes)}")
        pairs = zip(suffixes, classes, strict=True)
        names = [f"probability{suffix}.{label}" for suffix, labels in pairs for label in labels]
        if names != self._probabilities:
            raise ValueError(f"the model's classes give {names}, the schema has {self._probabilities}")

    def score(self, rows: Mapping[str, Any], /) -> dict[str, Any]:
        """Return the prediction of each row, and the probabilities that the schema names."""
        given = self._framing.made(rows)
        answers = self._estimator.predict(given)
        plain = {list} == set(map(type, rows.values()))
        if answers.ndim == 1 and not self._predictions[1:]:
            columns = {"prediction": answers.tolist() if plain else answers}
        else:
            columns = {name: cells.tolist() if plain else cells for name, cells in self._parted(answers).items()}
        probabilities: Any = self._estimated(given) if self._probabilities else []
        if plain and self._probabilities:
            probabilities = probabilities.tolist()
        columns.update(zip(self._probabilities, probabilities, strict=True))
        return columns if plain else {name: _wide(cells) for name, cells in columns.items()}

    def _parted(self, answers: Any) -> dict[str, Any]:
        """Return the column of each target, of its own type: some models answer classes as decimals."""
        found = answers.toarray() if hasattr(answers, "toarray") else answers
        columns = found.T if found.ndim == 2 else [found]
        if len(columns) != len(self._predictions):
            raise ValueError(f"the model predicts {len(columns)} targets, the schema has {len(self._predictions)}")
        if len(columns) == 1:
            return {self._predictions[0]: columns[0]}
        kinds = [_TYPES.get(self._schema["properties"][name]["type"]) for name in self._predictions]
        return {
            name: cells.astype(kind) if kind else cells
            for name, cells, kind in zip(self._predictions, columns, kinds, strict=True)
        }

    def _estimated(self, given: Any) -> Any:
        import numpy as np

        found = self._estimator.predict_proba(given)
        if isinstance(found, list):
            return np.hstack(found).T
        if not self._predictions[1:]:
            return found.T
        # What is answered in one table is the second class of each target.
        return np.stack([1 - found, found], axis=2).reshape(len(found), -1).T


_TYPES = {"boolean": "bool", "integer": "int64"}


def _wide(cells: Any) -> Any:
    """Return an array as one of 64 bits, each cell beside the next."""
    import numpy as np

    kind = {"f": "float64", "i": "int64"}.get(cells.dtype.kind)
    return np.ascontiguousarray(cells, dtype=kind)


def to_frame(columns: Mapping[str, Any], inputs: Mapping[str, Any], frame: str) -> Any:
    """Return columns of plain cells as the model wants them: "arrays", "column", "pandas" or "polars"."""
    return Framing(inputs, frame).made(columns)


class Framing:
    """How columns of a schema become what the model wants, made ready: a model answers many requests in one way."""

    def __init__(self, inputs: Mapping[str, Any], frame: str) -> None:
        if frame not in ("arrays", "column", "pandas", "polars"):
            raise ValueError(f"the frame {ascii(frame)} is not known")
        self._kinds = {name: _kinds(inputs["properties"][name]) for name in inputs["required"]}
        self._numeric = all(kind <= {"integer", "number", "boolean", "null"} for kind in self._kinds.values())
        self._frame = frame

    def made(self, columns: Mapping[str, Any]) -> Any:
        """Return columns of plain cells as the model wants them."""
        if self._frame == "arrays":
            return _matrix([columns[name] for name in self._kinds], numeric=self._numeric)
        if self._frame == "column":
            return _objects(columns[next(iter(self._kinds))])
        if self._frame == "pandas" or _are_pandas(columns, self._kinds):
            return _pandas(columns, self._kinds)
        return _polars(columns, self._kinds)


def _kinds(spec: Mapping[str, Any]) -> set[str]:
    return {spec["type"]} if isinstance(spec["type"], str) else set(spec["type"])


def _matrix(columns: Sequence[Any], *, numeric: bool) -> Any:
    import numpy as np

    if all(type(cells) is list for cells in columns):
        return np.array(columns, dtype=float if numeric else object).T.copy(order="C")
    made = np.empty((len(columns[0]), len(columns)), dtype=float if numeric else object)
    for number, cells in enumerate(columns):
        made[:, number] = cells if numeric else _objects(cells)
    return made


def _objects(cells: Any) -> Any:
    """Return cells as an array of objects, None for what is missing."""
    import numpy as np

    values = np.empty(len(cells), dtype=object)
    values[:] = _plain(cells)
    return values


def _plain(cells: Any) -> list[Any]:
    """Return an array or a series as a list of cells, None for what is missing."""
    if isinstance(cells, list):
        return cells
    found = cells.to_list() if hasattr(cells, "to_list") else cells.tolist()
    return [None if cell != cell else cell for cell in found]  # noqa: PLR0124  # NaN equals nothing


def _are_pandas(columns: Mapping[str, Any], kinds: Mapping[str, set[str]]) -> bool:
    """Say whether texts stand in pandas already, and polars would hold nothing in another way: then they stay there."""
    texts = [columns[name] for name, kind in kinds.items() if "string" in kind]
    alike = all(len(kind) == 1 or kind == {"number", "null"} for kind in kinds.values())
    return alike and bool(texts) and all(type(cells).__module__.partition(".")[0] == "pandas" for cells in texts)


def _pandas(columns: Mapping[str, Any], kinds: Mapping[str, set[str]]) -> Any:
    import pandas as pd

    text: Any = "str" if int(pd.__version__.split(".")[0]) >= 3 else object  # as read_csv does
    made = {}
    for name, kind in kinds.items():
        cells = columns[name]
        if "string" in kind and getattr(cells, "dtype", None) == text:
            made[name] = cells.reset_index(drop=True)
        elif "string" in kind:
            given = [float("nan") if cell is None else cell for cell in _plain(cells)]
            made[name] = pd.Series(given, dtype=object).astype(text)
        elif len(kind) == 1 and kind < {"boolean", "integer"}:
            made[name] = pd.Series(cells, dtype=bool if kind == {"boolean"} else "int64")
        else:
            made[name] = pd.Series(cells, dtype=object if "boolean" in kind else "float64")
    return pd.DataFrame(made)


def _polars(columns: Mapping[str, Any], kinds: Mapping[str, set[str]]) -> Any:
    import polars as pl

    types = {"string": pl.String, "number": pl.Float64, "integer": pl.Int64, "boolean": pl.Boolean}
    made = []
    for name, kind in kinds.items():
        wanted = next((made_of for word, made_of in types.items() if word in kind), pl.Null)
        cells = columns[name]
        if isinstance(cells, pl.Series):
            made.append(cells.alias(name))
        elif hasattr(cells, "dtype") and cells.dtype.kind in "iufb":
            made.append(pl.Series(name, cells, nan_to_null=True).cast(wanted))
        else:
            given = _plain(cells)
            if wanted == pl.Int64 and float in map(type, given):  # 1.0 is an integer in JSON
                given = [cell if cell is None else int(cell) for cell in given]
            made.append(pl.Series(name, given, dtype=wanted))
    return pl.DataFrame(made)
