"""Every extension point of mlopskit, on one page.

A plugin is a module with functions of these names, each marked with `hookimpl`, and an entry point for each thing it
offers, in the group of its kind (`mlopskit.trainers`, `.evaluators`, `.formats`, `.storages`, `.deployers`,
`.commands`, `.observers`). The entry point's name is the thing's name:

    # pyproject.toml
    [project.entry-points."mlopskit.deployers"]
    parrot = "mlopskit_parrot"

    # mlopskit_parrot/__init__.py
    from mlopskit import hookimpl

    @hookimpl
    def mlopskit_deployers():
        from mlopskit_parrot.deployer import Parrot
        return [Parrot]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from mlopskit.deployer import Deployer
    from mlopskit.evaluation import Evaluation
    from mlopskit.evaluator import Evaluator
    from mlopskit.format import Format
    from mlopskit.modelpackage import ModelPackage
    from mlopskit.records import Deployment
    from mlopskit.storage import Storage
    from mlopskit.trainer import Trainer

hookspec = pluggy.HookspecMarker("mlopskit")
hookimpl = pluggy.HookimplMarker("mlopskit")

# --- what a plugin offers: classes, chosen by `name`, `schemes` or `target` ---------------------------------------


@hookspec
def mlopskit_trainers() -> Sequence[type[Trainer]]:
    """Return trainers; called when a configuration names one of them."""


@hookspec
def mlopskit_evaluators() -> Sequence[type[Evaluator]]:
    """Return evaluators; called when a configuration names one of them, or a task needs one."""


@hookspec
def mlopskit_formats() -> Sequence[type[Format]]:
    """Return formats; called when a model is packaged, loaded or ejected."""


@hookspec
def mlopskit_storages() -> Sequence[type[Storage]]:
    """Return storages; called when a URI has one of their schemes (the entry point's name, or "folder")."""


@hookspec
def mlopskit_deployers() -> Sequence[type[Deployer]]:
    """Return deployers; called when an endpoint has the target of one of them."""


@hookspec
def mlopskit_commands() -> Sequence[click.Command]:
    """Return commands for the command line; called when the command of the entry point's name is used."""


# --- the only veto ------------------------------------------------------------------------------------------------


@hookspec
def mlopskit_before_deploy(package: ModelPackage, endpoint: str) -> str | None:
    """Return why this package must not be deployed to this endpoint, or None; called before anything is done."""


# --- what a plugin may observe: an error in one is reported and changes nothing -----------------------------------


@hookspec
def mlopskit_trained(model: object, name: str) -> None:
    """A model was fitted."""


@hookspec
def mlopskit_evaluated(evaluation: Evaluation, name: str) -> None:
    """A model was evaluated."""


@hookspec
def mlopskit_packaged(package: ModelPackage) -> None:
    """A package was written."""


@hookspec
def mlopskit_deployed(deployment: Deployment) -> None:
    """A package was deployed, verified and recorded."""


@hookspec
def mlopskit_failed(step: str, error: BaseException) -> None:
    """A step of a run or of a deployment failed; the error is raised after this."""
