"""Assertions about models; each fails with the rows that are to blame, in a table.

What a case, an invariance and a direction are is said once, in `mlopskit.behaviour`: also for behaviour.toml.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NoReturn

from mlopskit import behaviour
from mlopskit.behaviour import Case, Directional, Invariance
from mlopskit.data import Dataset
from mlopskit.errors import ConfigError
from mlopskit.evaluator import rows_of_slice
from mlopskit.everyslice import column_of
from mlopskit.gates import Gate
from mlopskit.loading import LoadedModel
from mlopskit.modelpackage import ModelPackage
from mlopskit.runtime.schema import Row
from mlopskit.runtime.scoring import Scorer, rows_of
from mlopskit.tables import Table

_MOST = 20
_WIDTH = 160

Change = Callable[[Row], Row]
Rows = Sequence[Row] | Dataset


def assert_metric(
    package: ModelPackage,
    metric: str,
    /,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    slice: str = "",
    at: Literal["bound", "value"] = "bound",
    model: LoadedModel | Scorer | None = None,
    data: Dataset | None = None,
) -> None:
    """Assert what a package reached on its test rows, as a gate would: by the 95 % bound, or the plain value.

    `slice` is "column=value", or "column=*" for every slice of a column. With `model` and `data`, a failure also shows
    the worst rows.

    Raises:
        AssertionError: it reached less (or more), or there is no such metric or slice.
        ConfigError: neither `at_least` nor `at_most` is given.
    """
    __tracebackhide__ = True
    limits = [(op, limit) for op, limit in ((">=", at_least), ("<=", at_most)) if limit is not None]
    if not limits or at not in ("bound", "value") or not all(math.isfinite(limit) for _, limit in limits):
        raise ConfigError(
            f"assert_metric has at_least={at_least!r}, at_most={at_most!r} and at={at!r}.",
            remedy='Give at_least or at_most, finite numbers, and "bound" or "value".',
        )
    if package.evaluation is None:
        raise AssertionError(f"The package {package.digest} was not evaluated.")
    gates = [Gate(metric=metric, op=op, limit=limit, slice=slice, at=at) for op, limit in limits]
    failed = [one for gate in gates for one in gate.findings(package.evaluation) if not one.passed]
    if failed:
        reasons = "\n".join(f"{one.gate}: {one.reason}" for one in failed)
        tables = [_estimates(package, metric), *_worst(package, model, data, slice)]
        raise AssertionError("\n\n".join([reasons, *(table.text(width=_WIDTH) for table in tables if table.rows)]))


def assert_predicts(model: LoadedModel | Scorer, cases: Iterable[tuple[Row, Any]], /) -> None:
    """Assert that a model predicts what it must: `cases` are pairs of a row and its prediction.

    Of several targets a prediction is a table of those that matter.

    Raises:
        AssertionError: a prediction is another one, or there is no case.
        ConfigError: a row does not fit the model's inputs.
    """
    __tracebackhide__ = True
    tests = [Case(name=f"case {at}", row=row, prediction=said) for at, (row, said) in enumerate(cases)]
    _check(model, [(test.row, test) for test in tests], "are predicted otherwise")


def assert_invariant(model: LoadedModel | Scorer, rows: Rows, change: Change, /) -> None:
    """Assert that a change of a row does not change its prediction: `change` takes a row and returns another.

    Raises:
        AssertionError: a prediction changes, there is no row, or `change` changes none.
        ConfigError: a row does not fit the model's inputs.
    """
    __tracebackhide__ = True
    pairs = _changed(rows, change)
    tests = [Invariance(name=f"row {at}", rows=[before, after]) for at, (before, after) in enumerate(pairs)]
    _check(model, [(test.rows[1], test) for test in tests], "are predicted otherwise after the change")


def assert_directional(
    model: LoadedModel | Scorer, rows: Rows, change: Change, output: str, direction: Literal["up", "down"], /
) -> None:
    """Assert that a change of a row moves an output in a direction, or leaves it: never the other way.

    Raises:
        AssertionError: the output moves the other way, there is no row, or `change` changes none.
        ConfigError: a row does not fit the model's inputs, there is no such output, or `direction` is another word.
    """
    __tracebackhide__ = True
    if direction not in ("up", "down"):
        raise ConfigError(f"The direction is {direction!r}.", remedy='Give "up" or "down".')
    pairs = _changed(rows, change)
    tests = [
        Directional(name=f"row {at}", before=before, after=after, output=output, change=direction)
        for at, (before, after) in enumerate(pairs)
    ]
    _check(model, [(test.after, test) for test in tests], f"move {output} the other way")


def _check(
    model: LoadedModel | Scorer, tests: Sequence[tuple[Row, Case | Invariance | Directional]], what: str
) -> None:
    """Run tests one by one, and fail with the rows of those that fail."""
    __tracebackhide__ = True
    if not tests:
        raise AssertionError("There are no rows: nothing was tested.")
    scorer = model.model if isinstance(model, LoadedModel) else model
    said = [(row, next(iter(behaviour.run([test], scorer)), None)) for row, test in tests]
    failed = [(at, row, text.partition(": ")[2]) for at, (row, text) in enumerate(said) if text is not None]
    if failed:
        _fail(failed, f"{len(failed):,} of {len(tests):,} rows {what}")


def _fail(failed: Sequence[tuple[int, Row, str]], what: str) -> NoReturn:
    __tracebackhide__ = True
    names = list(failed[0][1])
    rows = [(at, text, *[row.get(name) for name in names]) for at, row, text in failed[:_MOST]]
    more = f"\n… and {len(failed) - _MOST:,} more" if len(failed) > _MOST else ""
    raise AssertionError(f"{what}\n\n{Table(('row', 'why', *names), rows).text(width=_WIDTH)}{more}")


def _changed(rows: Rows, change: Change) -> list[tuple[Row, Row]]:
    """Return each row that a change makes another one, before and after it."""
    __tracebackhide__ = True
    given = list(rows_of(rows.input_columns())) if isinstance(rows, Dataset) else list(rows)
    pairs = [(row, change(dict(row))) for row in given]
    if pairs and all(before == after for before, after in pairs):
        raise AssertionError(f"The change leaves all {len(pairs):,} rows as they are: nothing was tested.")
    return pairs


def _estimates(package: ModelPackage, metric: str) -> Table:
    evaluation = package.evaluation
    found = [one for one in evaluation.estimates if one.metric == metric] if evaluation else []
    rows = [(one.title, one.value, one.lower, one.upper, one.n) for one in found]
    return Table(("metric", "value", "lower", "upper", "rows"), rows)


def _worst(
    package: ModelPackage, model: LoadedModel | Scorer | None, data: Dataset | None, slice: str
) -> Sequence[Table]:
    """Return the evaluator's tables of the worst rows, where model and rows are known."""
    from mlopskit.packaging import evaluator_for

    if model is None or data is None:
        return []
    chosen = data if column_of(slice) else data.take(rows_of_slice(data, slice) or ())
    scorer = model.model if isinstance(model, LoadedModel) else model
    return evaluator_for(package.task).evidence(scorer, chosen).rows if len(chosen) else []
