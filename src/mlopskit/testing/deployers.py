"""The conformance suite of deployers."""

from __future__ import annotations

from mlopskit.testing.answers import AnswerChecks
from mlopskit.testing.builds import BuildChecks
from mlopskit.testing.options import OptionChecks
from mlopskit.testing.pushes import PushChecks
from mlopskit.testing.removals import RemovalChecks
from mlopskit.testing.switches import SwitchChecks


class DeployerConformance(OptionChecks, BuildChecks, PushChecks, AnswerChecks, SwitchChecks, RemovalChecks):
    """What every deployer must do. Inherit it, and write the fixture `deployer` and the method `tamper`.

    Each check gets a new deployer, whose target is empty. `deadline` is in seconds, for the target to answer.
    """
