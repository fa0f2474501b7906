"""Checks of `remove` and `retire`: only what one deployment alone made, and nothing that is live."""

from __future__ import annotations

from mlopskit.modelpackage import ModelPackage
from mlopskit.testing.claims import no_error
from mlopskit.testing.packages import NAME
from mlopskit.testing.stage import DeployerFixtures, Stage


class RemovalChecks(DeployerFixtures):
    """What a deployer removes, and stops."""

    def test_remove_twice_is_no_error(self, stage: Stage, package: ModelPackage) -> None:
        """Whoever cleans up again finds it done."""
        at = stage.push(package)
        stage.deployer.remove(NAME, at)
        with no_error(fault="remove failed for what was removed already. Let it find that all is done."):
            stage.deployer.remove(NAME, at)

    def test_remove_leaves_others_alone(self, stage: Stage, package: ModelPackage, other_package: ModelPackage) -> None:
        """What another deployment needs stays."""
        stage.deploy(package)
        stage.deployer.remove(NAME, stage.push(other_package))
        advice = "Remove only what this one alone made."
        with no_error(fault=f"remove of one deployment broke another. {advice}"):
            answer = stage.ask_golden(package, None)
        assert answer.digest == package.digest, (
            f"After remove of another deployment {answer.digest} answers, expected {package.digest}. {advice}"
        )

    def test_removed_can_come_back(self, stage: Stage, package: ModelPackage) -> None:
        """What was removed can be pushed and activated again, as a rollback does."""
        at = stage.push(package)
        stage.deployer.remove(NAME, at)
        advice = "Let push make again whatever remove took."
        with no_error(fault=f"What was removed could not be pushed and activated again. {advice}"):
            again = stage.deploy(package)
        live = stage.live()
        assert live == again, f"What was removed was pushed and activated again, but {live} is live. {advice}"

    def test_retire_spares_what_is_live(self, stage: Stage, package: ModelPackage, other_package: ModelPackage) -> None:
        """What is live answers after `retire`, as does what was retired and is pushed and activated again."""
        one, other = stage.deploy(package), stage.push(other_package)
        for at in (one, other):
            stage.deployer.retire(NAME, at)
        with no_error(fault="retire of what is live stopped it. Compare with live(), and let that run."):
            stage.ask_golden(package, None)
        with no_error(fault="What was retired did not come back. Let push start again what retire stopped."):
            stage.activate(stage.push(other_package), one)
            stage.ask_golden(other_package, None)
