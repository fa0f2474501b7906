"""Checks of `push` and of the locators that it returns."""

from __future__ import annotations

import json
from typing import Any

from mlopskit.modelpackage import ModelPackage
from mlopskit.testing.claims import no_error
from mlopskit.testing.stage import DeployerFixtures, Stage
from mlopskit.testing.surroundings import elsewhere


class PushChecks(DeployerFixtures):
    """What a deployer pushes, and how it is found again."""

    def test_push_twice_is_the_same(self, stage: Stage, package: ModelPackage) -> None:
        """A second push of the same bundle returns the same locator: it found all in place."""
        first = stage.push(package)
        with no_error(fault="A second push of the same bundle failed. Let it find that all is there."):
            second = stage.push(package)
        assert second == first, (
            f"A second push of the same bundle returned {second}, the first {first}. "
            "Name what is pushed by the bundle's digest, and leave alone what is there."
        )

    def test_pushed_is_not_live(self, stage: Stage, package: ModelPackage, other_package: ModelPackage) -> None:
        """What is pushed stands beside what is live, until it is activated."""
        at = stage.push(package)
        live = stage.live()
        assert live is None, f"push made {live} live. Push beside what is live; only activate switches."
        stage.activate(at, None)
        stage.push(other_package)
        live = stage.live()
        assert live == at, f"push switched from {at} to {live}. Push beside what is live; only activate switches."

    def test_locator_is_json(self, stage: Stage, package: ModelPackage) -> None:
        """A locator goes into a record and comes back: a table of texts."""
        at = stage.push(package)
        texts = isinstance(at, dict) and all(isinstance(one, str) for item in at.items() for one in item)
        assert texts, f"The locator {at!r} is no dict of texts. Turn numbers and paths into texts."
        assert json.loads(json.dumps(at)) == at, (
            f"The locator {at!r} is another one when read back from JSON. Leave lone surrogates out of it."
        )

    def test_locator_is_not_shared(self, stage: Stage, package: ModelPackage) -> None:
        """A locator is the caller's own: what the caller does to it is not seen by the deployer."""
        at: Any = stage.push(package)
        at["changed"] = "by the caller"
        again = stage.push(package)
        assert "changed" not in again, "push returned a dict that it keeps itself. Return a new dict each time."

    def test_locator_is_enough(self, stage: Stage, package: ModelPackage) -> None:
        """A deployer in another process finds what was pushed, by the locator alone."""
        at = elsewhere(lambda: stage.push(package))
        advice = "Put all that is needed to find it into the locator; keep nothing in memory or on this machine."
        with no_error(fault=f"What another process had pushed was not found by its locator. {advice}"):
            answer = stage.ask_golden(package, at)
        assert answer.digest == package.digest, (
            f"At the locator from another process, {answer.digest} answered, expected {package.digest}. {advice}"
        )
