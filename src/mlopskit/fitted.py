"""A model that is already fitted: package, gate, register."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlopskit import behaviour, config, datacheck
from mlopskit.data import Dataset
from mlopskit.evaluator import Evaluator
from mlopskit.evidence import MOST_ROWS, check_worst_rows
from mlopskit.functionevaluator import Measure, as_evaluator
from mlopskit.gates import Gate
from mlopskit.modelpackage import ModelPackage
from mlopskit.pipeline import Training, register
from mlopskit.recipe import GoldenSpec, Recipe
from mlopskit.registry import Registry, home
from mlopskit.robustness import perturbed
from mlopskit.steps import Progress, logged, quiet


def package(
    model: object,
    X_test: Any,  # noqa: N803  # scikit-learn's name for it
    y_test: Any,
    /,
    *,
    name: str,
    gates: Sequence[str] = (),
    X_train: Any = None,  # noqa: N803
    allow: Sequence[str] = (),
    evaluator: Evaluator | Measure | None = None,
    formats: Sequence[str] | None = None,
    golden: GoldenSpec | None = None,
    tests: str | Path | None = None,
    robustness: Sequence[str] = (),
    worst_rows: int = MOST_ROWS,
    row_hashes: bool = True,
    registry: Registry | str | Path | None = None,
    trust_code: Sequence[str] = (),
    progress: Progress = quiet,
) -> ModelPackage:
    """Package a fitted model, judge it on its test rows, and register both package and verdict.

    `X_test` is a pandas or polars frame, a 2-D array, a list of row dicts or a sequence of texts; `y_test` has a label
    for each row, or of several targets a column for each, as a frame or a 2-D array. With `X_train` the data are
    checked, as before a run: what refuses is an error, unless `allow` names it; what warns stands in the verdict.
    `evaluator` is an Evaluator, or a function of `y_true` and `y_pred` that returns a number for each metric's name.
    With `robustness`, some of "typos", "case" and "missing", it is judged on the test rows changed so as well.
    The registry keeps `worst_rows` of those that went worst, for a report; 0 keeps none.
    With `row_hashes`, hashes of the training rows are kept in the registry, so that later models are not compared with
    this one on rows that it has learned. `trust_code` are the digests of packages from elsewhere that may run code of
    their own, to be compared with.

    Raises:
        StoreError: no format can hold the model exactly and safely.
        ConfigError: a gate is malformed, a change changes no test row, or `worst_rows` is beyond its limits.
        DataError: the data check refuses, for example since test rows stand among the training rows.
    """
    rules = [Gate.parse(text) for text in _several(gates)]
    test = Dataset.from_frame(X_test, y_test)
    training = None if X_train is None else _training(X_train, test, allow, row_hashes=row_hashes)
    recipe = Recipe(
        name=name,
        model=model,
        **_rows(test, training, robustness),
        worst_rows=check_worst_rows(worst_rows),
        evaluator=as_evaluator(evaluator),
        formats=None if formats is None else _several(formats),
        golden=golden or GoldenSpec(),
        cases=behaviour.read(Path(tests)) if tests else None,
        provenance={"data": _digests(test, training), "gates": [*map(str, rules)]},
    )
    place, endpoints = _place(registry)
    told = logged(f"package {name}", progress)
    options: dict[str, Any] = {"endpoints": endpoints, "trust_code": _several(trust_code), "progress": told}
    return register(recipe, rules, place, training=training, **options)[0]


def _digests(test: Dataset, training: Training | None) -> dict[str, str | None]:
    return {"test": test.digest, "train": training.rows.digest if training else None}


def _rows(test: Dataset, training: Training | None, robustness: Sequence[str]) -> dict[str, Any]:
    """Return what a recipe says of rows: which are tested, also changed on purpose, and what all of them are."""
    schema = (test if training is None else test.joined(training.rows)).input_schema()
    return {"test": test, "perturbed": perturbed(test, _several(robustness), schema), "schema": schema}


def _training(given: Any, test: Dataset, allow: Sequence[str], *, row_hashes: bool) -> Training:
    rows = Dataset.from_frame(given, None, target=test.target)
    checked = datacheck.check(rows, test, allow=_several(allow), thorough=False)
    checked.enforce()
    return Training(rows=rows, checked=checked, row_hashes=row_hashes)


def _place(registry: Registry | str | Path | None) -> tuple[Registry, Sequence[str]]:
    """Return the registry, and the endpoints of the project here if it is the project's."""
    if registry is not None:
        return registry if isinstance(registry, Registry) else Registry.at(registry), []
    file = Path(config.FILE)
    return home(), [*config.read(file).endpoint] if file.exists() else []


def _several(texts: Sequence[str]) -> Sequence[str]:
    return [texts] if isinstance(texts, str) else texts
