"""An evaluator that is a plain function: labels and predictions in, named figures out."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mlopskit.data import Dataset
from mlopskit.errors import ConfigError
from mlopskit.evaluation import Estimate, Evaluation
from mlopskit.evaluator import Evaluator, prediction_of, rows_of_slice, slices_of
from mlopskit.runtime.scoring import Scorer

if TYPE_CHECKING:
    from mlopskit.intervals import Bounds

Measure = Callable[[Any, Any], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class FunctionEvaluator(Evaluator):
    """Measures a model with a function of two arrays, `y_true` and `y_pred`, that returns a number for each metric.

    The bounds are BCa ones: the function is called 2,000 times for each slice, on rows drawn again, or on whole groups
    of them where the dataset names a group column. Nobody knows within which limits its figures lie: they are not
    judged on fewer than 100 rows or groups. With several targets the arrays have a column for each.
    """

    name: ClassVar[str] = "function"
    tasks: ClassVar[tuple[str, ...]] = ()

    function: Measure

    def evaluate(self, model: Scorer, data: Dataset, /) -> Evaluation:
        """Return the estimates of a model on all rows of a dataset and on each slice of it.

        Raises:
            ConfigError: the function fails, or returns something else than a mapping of names to numbers.
        """
        true, said = _labels(data), _predictions(model, data)
        found = [
            estimate
            for slice, rows in slices_of(data)
            for estimate in self._estimates(true[list(rows)], [said[list(rows)]], slice, _groups(data, rows))
        ]
        return Evaluation(dataset=data.digest, rows=len(data), estimates=tuple(found))

    def compare(self, model: Scorer, other: Scorer, data: Dataset, /, *, metric: str, slice: str) -> Estimate | None:
        """Return by how much a metric of a model exceeds another one's on the same rows; None if there is none such."""
        rows = rows_of_slice(data, slice)
        if rows is None:
            return None
        said = [_predictions(one, data)[list(rows)] for one in (model, other)]
        found = self._estimates(_labels(data)[list(rows)], said, slice, _groups(data, rows))
        return next((one for one in found if one.metric == metric), None)

    def differences(self, model: Scorer, other: Scorer, data: Dataset, /) -> Sequence[Estimate]:
        """Return by how much each metric of a model exceeds another one's on the same rows."""
        said = [_predictions(one, data) for one in (model, other)]
        return self._estimates(_labels(data), said, "", _groups(data, range(len(data))))

    def _estimates(self, true: Any, said: Sequence[Any], slice: str, groups: Any) -> list[Estimate]:
        """Return an estimate for each metric of one model, or of the difference between two."""
        from mlopskit import bootstrap

        if not len(true):
            return []

        first = self._values(true, said)

        def values(rows: Any) -> dict[str, float]:
            return first if len(rows) == len(true) and (rows[1:] > rows[:-1]).all() else self._drawn(true, said, rows)

        bounds = bootstrap.of_named(values, len(true), groups=groups, careful=True)
        method = "paired bca" if said[1:] else "bca"
        independent = len(true) if groups is None else int(groups.max()) + 1
        return [_estimate(name, slice, one, independent, method) for name, one in bounds.items()]

    def _values(self, true: Any, said: Sequence[Any]) -> dict[str, float]:
        try:
            figures = [{str(name): float(value) for name, value in self.function(true, one).items()} for one in said]
        except Exception as error:
            name = getattr(self.function, "__name__", "the function")
            raise ConfigError(
                f"The evaluator {name!r} failed on {len(true)} rows: {type(error).__name__}: {error}",
                remedy="Let it take y_true and y_pred, and return a number for each name, for example {'mae': 1.5}.",
                key="evaluator",
            ) from error
        return {name: value - figures[1][name] if figures[1:] else value for name, value in figures[0].items()}

    def _drawn(self, true: Any, said: Sequence[Any], rows: Any) -> dict[str, float]:
        try:
            return self._values(true[rows], [one[rows] for one in said])
        except ConfigError:  # what it cannot say of some rows, of one class alone for instance, is not defined there
            return {}


def _estimate(name: str, slice: str, bounds: Bounds | None, n: int, method: str) -> Estimate:
    from mlopskit.intervals import FEWEST, capped

    if bounds is None:
        return Estimate(metric=name, value=0.0, lower=None, upper=None, n=0, method=method, slice=slice)
    if bounds.lower == bounds.upper and method == "bca" and 0 <= bounds.value <= 1:
        # No two resamples differ, as with a proportion of right answers that are all right.
        bounds = capped(bounds, n)
    reason = f"the bounds of {name} need at least {FEWEST} rows" if n < FEWEST else ""
    lower, upper = (None, None) if reason else (bounds.lower, bounds.upper)
    return Estimate(
        metric=name, value=bounds.value, lower=lower, upper=upper, n=n, method=method, slice=slice, reason=reason
    )


def _labels(data: Dataset) -> Any:
    import numpy as np

    if data.targets[1:]:
        return np.column_stack([*data.label_columns().values()])
    return np.asarray(data.labels)


def _predictions(model: Scorer, data: Dataset) -> Any:
    import numpy as np

    if not len(data):
        return np.empty(0)
    outputs = model.score(data.input_columns())
    said = [np.asarray(prediction_of(outputs, data, name)) for name in data.targets]
    return np.column_stack(said) if said[1:] else said[0]


def _groups(data: Dataset, rows: Sequence[int]) -> Any:
    """Return a number for the group of each of some rows, None without groups."""
    import numpy as np

    name = data.group
    if name is None:
        return None
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(data.columns[name][row], len(numbers)) for row in rows], np.intp)


def as_evaluator(given: object, /) -> Evaluator | None:
    """Return an evaluator as it is, and a function as one.

    Raises:
        ConfigError: it is neither.
    """
    if given is None or isinstance(given, Evaluator):
        return given
    if not callable(given) or isinstance(given, type):
        raise ConfigError(
            f"{given!r} is no evaluator.",
            remedy="Give an Evaluator, or a function of y_true and y_pred that returns a number for each name.",
            key="evaluator",
        )
    return FunctionEvaluator(function=given)


def imported(path: str, root: Path, /) -> Any:
    """Return what an import path names, looked for in a folder first, and there afresh.

    Raises:
        ConfigError: it is no import path, or there is nothing of that name.
    """
    module, _, attribute = path.partition(":")
    folder, written = str(root.absolute()), sys.dont_write_bytecode
    for name in [name for name, one in sys.modules.items() if _is_outdated(name, one, module, folder)]:
        del sys.modules[name]
    importlib.invalidate_caches()
    # Bytecode is matched by size and whole seconds: after two quick edits it would bring the older code back.
    sys.dont_write_bytecode = True
    sys.path.insert(0, folder)
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise ConfigError(
            f"The evaluator {path!r} cannot be imported: {type(error).__name__}: {error}",
            remedy=f"Write 'module:function'; the module is looked for in {folder!r} first.",
            key="evaluator",
            path=path,
        ) from error
    finally:
        sys.dont_write_bytecode = written
        if folder in sys.path:
            sys.path.remove(folder)


def _is_outdated(name: str, found: object, module: str, folder: str) -> bool:
    """Say whether a module is of the package that is wanted, and stands in the folder: it may have been edited."""
    file = getattr(found, "__file__", None)
    same = name.partition(".")[0] == module.partition(".")[0]
    return same and file is not None and Path(file).is_relative_to(folder) and "site-packages" not in file
