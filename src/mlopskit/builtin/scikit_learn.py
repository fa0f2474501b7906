"""Scikit-learn trainer: an estimator, a function that returns one, or the import path of either."""

from __future__ import annotations

import importlib
import inspect
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from mlopskit.builtin.fitting import fit
from mlopskit.cells import kind_of
from mlopskit.data import Dataset
from mlopskit.errors import ConfigError, DataError, TrainingError, nearest
from mlopskit.estimators import frame_of, is_classifier
from mlopskit.log import logger
from mlopskit.steps import Progress, quiet
from mlopskit.trainer import Trainer

_LOG = logger()
_SEED = "random_state"
# Modules that are never imported afresh, whatever a project calls its own.
_KEPT = frozenset({*sys.stdlib_module_names, "__main__", "mlopskit"})


@dataclass(frozen=True, kw_only=True)
class ScikitLearnTrainer(Trainer):
    """Fits an estimator.

    `estimator` is an unfitted estimator, a function (or class) that returns one, or an import path of either,
    "package.module:attribute", importable from the folder `root`. `parameters` are given to the function, or set on a
    copy of the estimator. `threads` limits the threads of BLAS and OpenMP: with one, the same data give the same bits.
    `seed` is given to every `random_state` that is None; None leaves them so.
    """

    name: ClassVar[str] = "scikit-learn"

    estimator: Any
    parameters: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1
    seed: int | None = 0
    root: str | Path = "."

    def train(self, data: Dataset, /, *, progress: Progress = quiet) -> object:
        """Return the estimator fitted to the rows of a dataset, with its weights and, in a search, its groups.

        `progress` is told of each candidate of a search.

        Raises:
            ConfigError: the import path, or a parameter, is wrong.
            DataError: there are no rows, labels are missing or of several types (also those of two targets), a
                classifier has only one class, weights are given that the estimator does not take, or groups are missing
                that its search needs.
            TrainingError: fitting failed.
        """
        import numpy as np
        import threadpoolctl

        from mlopskit.builtin.skops.loader import to_frame

        model = self.unfitted()
        _check_labels(model, data)
        schema = data.input_schema()
        # As the stored model will be fed: one function for both.
        inputs = to_frame(data.input_columns(), schema, frame_of(model, schema))
        with threadpoolctl.threadpool_limits(limits=self.threads), _warnings_logged():
            try:
                labels = [np.asarray(cells) for cells in data.label_columns().values()]
                return fit(model, inputs, np.column_stack(labels) if labels[1:] else labels[0], data, progress=progress)
            except DataError:
                raise
            except Exception as error:
                name = type(model).__name__
                raise TrainingError(
                    f"{name} could not be fitted to {len(data):,} rows: {type(error).__name__}: {error}",
                    remedy="Correct the estimator, its parameters, or the data."
                    + (" One of a single target goes into one of sklearn.multioutput." if data.targets[1:] else ""),
                    estimator=name,
                ) from error

    def unfitted(self) -> Any:
        """Return the unfitted estimator with its parameters and seeds.

        Raises:
            ConfigError: the import path, or a parameter, is wrong.
        """
        found = _imported(self.estimator, Path(self.root)) if isinstance(self.estimator, str) else self.estimator
        if isinstance(found, type) or not hasattr(found, "get_params"):
            model = _returned(found, self.parameters)
        else:
            model = _copied(found, self.parameters)
        if self.seed is not None:
            model.set_params(
                **{name: self.seed for name, value in model.get_params().items() if _is_unset(name, value)}
            )
        return model


def _is_unset(name: str, value: object) -> bool:
    return value is None and (name == _SEED or name.endswith(f"__{_SEED}"))


def _check_labels(model: object, data: Dataset) -> None:
    if not len(data):
        raise DataError("There are no rows to train on.", remedy="Give training rows.")
    kinds = {}
    for name, labels in data.label_columns().items():
        if None in labels:
            row = list(labels).index(None)
            raise DataError(f"Row {row} has no {name!r}, which is the target.", remedy="Leave rows without it out.")
        kinds[name] = kind_of(name, labels).replace("integer", "number")
        if is_classifier(model) and len(set(labels)) == 1:
            raise DataError(
                f"All {len(data):,} training rows have the same {name!r}: {labels[0]!r}.",
                remedy="Give rows of at least two classes.",
            )
    if len(set(kinds.values())) > 1:  # numpy would make texts of them all
        found = ", ".join(f"{name!r} of {kind}s" for name, kind in kinds.items())
        raise DataError(f"The targets are of several types: {found}.", remedy="Write them all in one way, as texts.")


@contextmanager
def _warnings_logged() -> Iterator[None]:
    """Log each different warning once, instead of showing or raising it where it stands."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(f"{one.category.__name__}: {one.message}" for one in caught):
        _LOG.warning("%s", " ".join(text.split()))


def _copied(estimator: Any, parameters: Mapping[str, Any]) -> Any:
    from sklearn.base import clone

    name = type(estimator).__name__
    _check_known(parameters, estimator.get_params(deep=True), of=name)
    try:
        return clone(estimator).set_params(**parameters)
    except Exception as error:
        raise ConfigError(
            f"{name} cannot be copied: {error}",
            remedy="Give a function that returns the estimator, instead of the estimator.",
            key="estimator",
        ) from error


def _returned(function: Any, parameters: Mapping[str, Any]) -> Any:
    if not callable(function):
        raise ConfigError(
            f"{function!r} is neither an estimator nor a function that returns one.",
            remedy="Give an unfitted estimator, a function, or an import path such as 'package.module:function'.",
            key="estimator",
        )
    name = getattr(function, "__name__", type(function).__name__)
    known = inspect.signature(function).parameters.values()
    if not any(one.kind is one.VAR_KEYWORD for one in known):
        _check_known(parameters, [one.name for one in known], of=name)
    try:
        estimator = function(**parameters)
    except Exception as error:
        raise ConfigError(
            f"{name} failed with the parameters {dict(parameters)!r}: {type(error).__name__}: {error}",
            remedy="Correct the function, or [train.parameters].",
            key="parameters",
        ) from error
    if isinstance(estimator, type) or not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
        raise ConfigError(
            f"{name} returned {type(estimator).__name__}, expected an estimator.",
            remedy="Let it return an unfitted scikit-learn estimator.",
            key="estimator",
        )
    return estimator


def _check_known(parameters: Mapping[str, Any], known: Iterable[str], *, of: str) -> None:
    names = sorted(known)
    for parameter in parameters:
        if parameter not in names:
            near = nearest(parameter, names)
            hint = f"Did you mean {near!r}? " if near else ""
            raise ConfigError(
                f"{of} has no parameter {parameter!r}.",
                remedy=f"{hint}Known: {', '.join(names) or 'none'}.",
                key=f"parameters.{parameter}",
            )


def _imported(path: str, root: Path) -> Any:
    module_name, colon, attribute = path.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module_name.split("."), *attribute.split(".")]):
        raise ConfigError(
            f"{path!r} is no import path.", remedy="Write 'package.module:attribute'.", key="estimator", path=path
        )
    with _importable_from(root.absolute(), module_name.partition(".")[0]):
        module = _import_module(module_name, path, root)
    found = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            near = nearest(name, dir(found))
            raise ConfigError(
                f"There is no {name!r} in {module_name!r} ({getattr(module, '__file__', 'built in')}).",
                remedy=f"Did you mean {near!r}?" if near else "Correct the name after the colon.",
                key="estimator",
                path=path,
            )
        found = getattr(found, name)
    return found


def _import_module(name: str, path: str, root: Path) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        own = error.name is not None and f"{name}.".startswith(f"{error.name}.")
        remedy = (
            f"Correct the path before the colon; it is looked for in {str(root.absolute())!r} and the environment."
            if own
            else "Install it."
        )
        what = (
            f"There is no module {error.name!r}"
            if own
            else f"{name!r} needs the module {error.name!r}, which is missing"
        )
        raise ConfigError(f"{what}.", remedy=remedy, key="estimator", path=path) from error
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{name!r} cannot be imported: {type(error).__name__}: {error}",
            remedy="Correct the module.",
            key="estimator",
            path=path,
        ) from error


@contextmanager
def _importable_from(root: Path, package: str) -> Iterator[None]:
    """Let modules be imported from a folder, afresh: what the process imported of them before may be outdated."""
    before = {name: module for name, module in sys.modules.items() if _is_of(root, name, module)}
    for name in before:
        del sys.modules[name]
    importlib.invalidate_caches()
    written = sys.dont_write_bytecode
    # Bytecode is matched by size and whole seconds: after two quick edits it would bring the older code back.
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        with suppress(ValueError):  # the module may have changed sys.path itself
            sys.path.remove(str(root))
        sys.dont_write_bytecode = written
        # What has nothing to do with the estimator, a test's own module for instance, is left as it was.
        for name, module in before.items():
            if name.partition(".")[0] != package:
                sys.modules.setdefault(name, module)


def _is_of(root: Path, name: str, module: object) -> bool:
    """Say whether a module was imported from a folder, or from another that has a package of that name too."""
    top = name.partition(".")[0]
    if top in _KEPT or "site-packages" in (getattr(module, "__file__", None) or ""):
        return False
    return (root / f"{top}.py").is_file() or (root / top).is_dir()
