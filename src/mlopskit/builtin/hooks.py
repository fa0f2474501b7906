"""What mlopskit itself plugs in, registered by entry point like anyone's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlopskit.hookspecs import hookimpl

if TYPE_CHECKING:
    from mlopskit.deployer import Deployer
    from mlopskit.evaluator import Evaluator
    from mlopskit.format import Format
    from mlopskit.storage import Storage
    from mlopskit.trainer import Trainer


@hookimpl
def mlopskit_trainers() -> Sequence[type[Trainer]]:
    """Return the built-in trainers."""
    from mlopskit.builtin.scikit_learn import ScikitLearnTrainer

    return [ScikitLearnTrainer]


@hookimpl
def mlopskit_evaluators() -> Sequence[type[Evaluator]]:
    """Return the built-in evaluators."""
    from mlopskit.builtin.classification import ClassificationEvaluator
    from mlopskit.builtin.multilabel import MultilabelEvaluator
    from mlopskit.builtin.regression import MultioutputRegressionEvaluator, RegressionEvaluator

    return [ClassificationEvaluator, MultilabelEvaluator, MultioutputRegressionEvaluator, RegressionEvaluator]


@hookimpl
def mlopskit_formats() -> Sequence[type[Format]]:
    """Return the built-in formats."""
    from mlopskit.builtin.portable.format import PortableFormat
    from mlopskit.builtin.skops.format import SkopsFormat

    return [PortableFormat, SkopsFormat]


@hookimpl
def mlopskit_storages() -> Sequence[type[Storage]]:
    """Return the built-in storages."""
    from mlopskit.builtin.folder import FolderStorage

    return [FolderStorage]


@hookimpl
def mlopskit_deployers() -> Sequence[type[Deployer]]:
    """Return the built-in deployers."""
    from mlopskit.builtin.fileshare import FileShare

    return [FileShare]
