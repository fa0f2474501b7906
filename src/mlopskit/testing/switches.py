"""Checks of the switch: `live` and `activate`."""

from __future__ import annotations

import threading
import time

from mlopskit.errors import ConflictError, MlopskitError
from mlopskit.modelpackage import ModelPackage
from mlopskit.records import Locator
from mlopskit.testing.claims import no_error, refused
from mlopskit.testing.packages import NAME
from mlopskit.testing.stage import DeployerFixtures, Stage
from mlopskit.testing.surroundings import at_once, elsewhere


class SwitchChecks(DeployerFixtures):
    """What is live, and how it is switched."""

    def test_live_is_asked_of_the_target(
        self, stage: Stage, package: ModelPackage, other_package: ModelPackage
    ) -> None:
        """`live` sees what others did: another deployer object, another process on another machine."""
        one, other = stage.deploy(package), stage.push(other_package)
        advice = "Ask the target each time; keep nothing in memory or on this machine."
        seen = stage.twin().live(NAME)
        assert seen == one, f"live of a second deployer with equal options returned {seen}, but {one} is live. {advice}"
        elsewhere(lambda: stage.activate(other, one))
        seen = stage.live()
        assert seen == other, f"live returned {seen} after another process had switched to {other}. {advice}"

    def test_activate_refuses_another_live_one(
        self, stage: Stage, package: ModelPackage, other_package: ModelPackage
    ) -> None:
        """`activate` switches only from what it is told to switch from."""
        one, other = stage.deploy(package), stage.push(other_package)
        for wrong in (None, other):
            fault = f"activate ignored instead_of: {one} was live, and it switched instead of {wrong}."
            with refused(ConflictError, fault=f"{fault} Raise ConflictError unless live() is instead_of."):
                stage.activate(other, wrong)
        live = stage.live()
        assert live == one, f"activate raised ConflictError, but switched to {live}. Compare first, then switch."

    def test_one_of_many_activations_wins(
        self, stage: Stage, package: ModelPackage, other_package: ModelPackage
    ) -> None:
        """Of several who switch from the same state at once, one does, and the others get ConflictError."""
        places = [stage.push(package), stage.push(other_package)] * 2
        winners: list[Locator] = []
        errors: list[Exception] = []
        together = threading.Barrier(len(places))

        def activate(at: Locator) -> None:
            together.wait()
            try:
                stage.activate(at, None, by=stage.twin())
                winners.append(at)
            except Exception as error:
                errors.append(error)

        at_once([lambda at=at: activate(at) for at in places])  # type: ignore[misc]
        advice = "Compare and switch in one step, by a lock or a conditional write of the target."
        assert len(winners) == 1, (
            f"{len(winners)} of {len(places)} who switched at once from the same state succeeded, expected one. "
            f"{advice}"
        )
        others = [error for error in errors if not isinstance(error, ConflictError)]
        assert not others, f"Who lost a race got {others[:1]}. Raise ConflictError."
        live = stage.live()
        assert live == winners[0], f"After a race {live} is live, but {winners[0]} won. {advice}"

    def test_something_is_live_at_every_moment(
        self, stage: Stage, package: ModelPackage, other_package: ModelPackage
    ) -> None:
        """During a switch the old or the new is live, never nothing."""
        one, other = stage.deploy(package), stage.push(other_package)
        seen: list[Locator | None] = []
        done = threading.Event()

        def look() -> None:
            deployer = stage.twin()
            while not done.is_set():
                seen.append(deployer.live(NAME))
                time.sleep(0.001)

        def switch() -> None:
            try:
                for _ in range(3):
                    stage.activate(other, one)
                    stage.activate(one, other)
            finally:
                done.set()

        at_once([look, switch])
        strange = [at for at in seen if at not in (one, other)]
        assert not strange, f"During a switch, {strange[0]} was live. Switch in one step, not off and on."

    def test_nothing_is_live_after_activating_none(self, stage: Stage, package: ModelPackage) -> None:
        """`activate(None)` takes the model out of use, and predict(None) says that nothing is live."""
        at = stage.deploy(package)
        stage.activate(None, at)
        live = stage.live()
        assert live is None, f"activate(None) left {live} live. Let it take the model out of use."
        fault = "predict(None) answered while nothing was live. Raise DeployError."
        with refused(MlopskitError, fault=fault):
            stage.ask_golden(package, None)

    def test_goes_back_and_forth(self, stage: Stage, package: ModelPackage, other_package: ModelPackage) -> None:
        """A model can be switched on, replaced, rolled back, switched off and on again."""
        one, other = stage.push(package), stage.push(other_package)
        before = None
        advice = "Let it switch to whatever was pushed, in any order."
        for at in (one, other, one, None, other):
            with no_error(fault=f"activate did not switch from {before} to {at}. {advice}"):
                stage.activate(at, before)
            live = stage.live()
            assert live == at, f"After a switch from {before} to {at}, {live} is live. {advice}"
            before = at
