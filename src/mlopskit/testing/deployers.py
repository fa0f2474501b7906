"""The conformance suite of deployers."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mlopskit.comparison import compare
from mlopskit.deployer import Deployer
from mlopskit.errors import ConflictError, MlopskitError
from mlopskit.modelpackage import ModelPackage
from mlopskit.records import Bundle, Locator
from mlopskit.testing.claims import no_error, refused
from mlopskit.testing.packages import NAME, PackageFixtures
from mlopskit.testing.stage import Stage
from mlopskit.testing.surroundings import another_day, elsewhere, scratch, watched


class DeployerConformance(PackageFixtures):
    """What every deployer must do. Inherit it, and write the fixture `deployer` and the method `tamper`.

    Each check gets a new deployer, whose target is empty. `deadline` is in seconds, for the target to answer.
    """

    deadline: ClassVar[float] = 60.0

    @pytest.fixture
    def deployer(self, tmp_path: Path) -> Deployer:
        """The deployer to test, with a target that is empty."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `deployer`; see mlopskit.testing")

    def tamper(self, deployer: Deployer, at: Locator, other: Bundle) -> None:
        """Put another bundle where this one was pushed, behind the deployer's back: by the target's own means."""
        raise NotImplementedError(f"{type(self).__name__} needs a method `tamper`; see DeployerConformance")

    def unfit(self, package: ModelPackage) -> ModelPackage | None:
        """Return a package that `check` must refuse; None if the deployer takes every package."""

    @pytest.fixture
    def stage(self, deployer: Deployer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
        """The deployer, with a folder to build in, and a place of its own for what the machine remembers."""
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        folder = tmp_path / "stage"
        folder.mkdir()
        return Stage(deployer=deployer, folder=folder, deadline=self.deadline)

    # --- options and check ----------------------------------------------------------------------------------------

    def test_is_a_frozen_dataclass(self, deployer: Deployer) -> None:
        """A deployer is its options: nobody changes them, and none is given by position."""
        options = getattr(type(deployer), "__dataclass_params__", None)
        assert options is not None, "The deployer is no dataclass. Put @dataclass(frozen=True, kw_only=True) above it."
        assert options.frozen, "The deployer's options can be changed. Write @dataclass(frozen=True, kw_only=True)."
        by_position = [one.name for one in dataclasses.fields(deployer) if one.init and not one.kw_only]  # type: ignore[arg-type]
        assert not by_position, f"The options {by_position} can be given by position. Write kw_only=True."
        assert isinstance(getattr(type(deployer), "target", None), str), (
            "The class has no `target`, its name as a text."
        )

    def test_check_changes_nothing(self, stage: Stage, package: ModelPackage) -> None:
        """`check` takes a usable package, and only looks at it."""
        with no_error(fault="check refused a usable package."):
            stage.deployer.check(package)
        assert stage.live() is None, "check made something live. Let it look at the package, and nothing else."

    def test_check_refuses_an_unfit_package(self, stage: Stage, package: ModelPackage) -> None:
        """`check` refuses what cannot be deployed there, before anything is built."""
        unfit = self.unfit(package)
        if unfit is None:
            pytest.skip("this deployer takes every package; override `unfit` if it does not")
        with refused(MlopskitError, fault="check let a package through that cannot be deployed here."):
            stage.deployer.check(unfit)

    # --- build ----------------------------------------------------------------------------------------------------

    def test_build_is_deterministic(self, stage: Stage, package: ModelPackage) -> None:
        """The same package gives the same bytes: in another folder, at another time, from files of another age."""
        first = _contents(stage.build(package).folder)
        moved = stage.new_folder() / "package"
        shutil.copytree(package.folder, moved)
        for file in moved.iterdir():
            os.utime(file, (1_000_000_000, 1_000_000_000))
        with another_day(), scratch(stage.folder / "scratch"):
            second = _contents(stage.build(ModelPackage.open(moved, digest=package.digest)).folder)
        changed = sorted(path for path in first.keys() | second.keys() if first.get(path) != second.get(path))
        assert not changed, (
            f"build wrote other bytes the second time, in {changed}. "
            "Leave times, folders, random names and the order of listings out of the bundle."
        )

    def test_build_writes_only_into_its_folder(self, stage: Stage, package: ModelPackage) -> None:
        """`build` leaves nothing outside of the folder it is given, and the package as it was.

        Writing by a subprocess, or by compiled code, is seen in the package, the current and the temporary folder only.
        """
        into, temporary = stage.new_folder(), stage.folder / "scratch"
        before = _contents(package.folder)
        with scratch(temporary), watched() as watch:
            stage.build(package, into)
        allowed = [Path(os.path.realpath(folder)) for folder in (into, temporary)]
        outside = [str(path) for path in watch.written if not any(path.is_relative_to(folder) for folder in allowed)]
        left = sorted(str(path) for path in temporary.iterdir())
        assert not outside + left, (
            f"build wrote outside of its folder: {outside + left}. Write below `into` only, "
            "and what is temporary into a tempfile.TemporaryDirectory()."
        )
        assert _contents(package.folder) == before, "build changed the package. Copy what shall be changed."

    def test_build_uses_no_network(self, stage: Stage, package: ModelPackage) -> None:
        """`build` is offline: what it needs from afar is fetched before. A subprocess is not watched."""
        with watched() as watch:
            stage.build(package)
        assert not watch.network, (
            f"build used the network: {watch.network[:3]}. Fetch what it needs beforehand, into the cache."
        )

    # --- push -----------------------------------------------------------------------------------------------------

    def test_push_twice_is_the_same(self, stage: Stage, package: ModelPackage) -> None:
        """A second push of the same bundle returns the same locator: it found all in place."""
        first = stage.push(package)
        with no_error(fault="A second push of the same bundle failed."):
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
        assert json.loads(json.dumps(at)) == at, f"The locator {at!r} is another one when read back from JSON."

    def test_locator_is_not_shared(self, stage: Stage, package: ModelPackage) -> None:
        """A locator is the caller's own: what the caller does to it is not seen by the deployer."""
        at: Any = stage.push(package)
        at["changed"] = "by the caller"
        again = stage.push(package)
        assert "changed" not in again, "push returned a dict that it keeps itself. Return a new dict each time."

    def test_locator_is_enough(self, stage: Stage, package: ModelPackage) -> None:
        """A deployer made anew finds what was pushed, by the locator alone."""
        at = json.loads(json.dumps(dict(stage.push(package))))
        with no_error(fault="A new deployer with equal options did not find what was pushed, by its locator."):
            answer = stage.ask_golden(package, at, of=stage.twin())
        assert answer.digest == package.digest, "A new deployer with equal options found something else at the locator."

    # --- predict --------------------------------------------------------------------------------------------------

    def test_answers_the_golden_rows(self, stage: Stage, package: ModelPackage) -> None:
        """What was pushed answers as the package says."""
        receipt = compare(package, stage.ask_golden(package, stage.push(package)))
        assert receipt.passed, (
            f"predict answered {len(receipt.mismatches)} outputs of {receipt.rows} golden rows otherwise, "
            f"by up to {receipt.largest_difference:.3g}:\n{receipt.table().text()}\n"
            "Return what the deployed thing answered, unrounded and in the order of the rows."
        )

    def test_names_the_package_it_answers_from(self, stage: Stage, package: ModelPackage) -> None:
        """An answer carries the digest of the package, not of the bundle."""
        digest = stage.ask_golden(package, stage.push(package)).digest
        assert digest == package.digest, (
            f"predict named {digest}, the package is {package.digest}. "
            "Let the deployed thing say the digest of the package that it loaded."
        )

    def test_digest_is_said_by_what_answers(
        self, stage: Stage, package: ModelPackage, other_package: ModelPackage
    ) -> None:
        """When something else stands where a package was pushed, no answer claims to be of that package."""
        at = stage.push(package)
        self.tamper(stage.deployer, at, stage.build(other_package))
        try:
            answer = stage.ask_golden(package, at)
        except MlopskitError:
            return
        assert answer.digest != package.digest, (
            f"predict named {package.digest}, but something else answered. "
            "Let the deployed thing say its digest; do not repeat it from a record, the locator or a label."
        )

    def test_users_get_what_is_live(self, stage: Stage, package: ModelPackage, other_package: ModelPackage) -> None:
        """With None as its place, predict asks what users get now, also after somebody else has switched."""
        one, other = stage.deploy(package), stage.push(other_package)
        assert stage.ask_golden(package, None).digest == package.digest, "predict(None) did not ask what is live."
        elsewhere(lambda: stage.activate(other, one))
        assert stage.ask_golden(package, None).digest == other_package.digest, (
            "predict(None) asked what was live before somebody else switched. Ask the target, the way users ask."
        )

    def test_bad_rows_are_refused(self, stage: Stage, package: ModelPackage) -> None:
        """Rows that do not fit the schema are answered with an error: all of them, the good among them."""
        good = dict(package.golden[0].row)
        bad = {**good, next(iter(good)): "neither a number nor missing"}
        at = stage.push(package)
        with refused(MlopskitError, fault="predict answered a row that does not fit the schema, or failed to say so."):
            stage.ask([good, bad], at)

    def test_zero_rows_are_refused(self, stage: Stage, package: ModelPackage) -> None:
        """No rows are a mistake of whoever asks."""
        at = stage.push(package)
        with refused(MlopskitError, fault="predict answered zero rows, or failed to refuse them."):
            stage.ask([], at)

    # --- live and activate ----------------------------------------------------------------------------------------

    def test_live_is_asked_of_the_target(
        self, stage: Stage, package: ModelPackage, other_package: ModelPackage
    ) -> None:
        """`live` sees what others did: another deployer object, another process on another machine."""
        one, other = stage.deploy(package), stage.push(other_package)
        seen = stage.twin().live(NAME)
        assert seen == one, f"A second deployer with equal options says that {seen} is live, expected {one}."
        elsewhere(lambda: stage.activate(other, one))
        seen = stage.live()
        assert seen == other, (
            f"live returned {seen} after another process had switched to {other}. "
            "Ask the target each time; keep nothing in memory or on this machine."
        )

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
        assert live == one, f"activate raised ConflictError, but switched to {live} all the same."

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

        _in_threads([lambda at=at: activate(at) for at in places])  # type: ignore[misc]
        assert len(winners) == 1, (
            f"{len(winners)} of {len(places)} who switched at once from the same state succeeded, expected one. "
            "Compare and switch in one step, by a lock or a conditional write of the target."
        )
        others = [error for error in errors if not isinstance(error, ConflictError)]
        assert not others, f"A loser of a race got {others[0]!r}, expected ConflictError."
        assert stage.live() == winners[0], "After a race, what is live is not what the winner activated."

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

        _in_threads([look, switch])
        strange = [at for at in seen if at not in (one, other)]
        assert not strange, f"During a switch, {strange[0]} was live. Switch in one step, not off and on."

    def test_nothing_is_live_after_activating_none(self, stage: Stage, package: ModelPackage) -> None:
        """`activate(None)` takes the model out of use, and predict(None) says that nothing is live."""
        at = stage.deploy(package)
        stage.activate(None, at)
        live = stage.live()
        assert live is None, f"activate(None) left {live} live. Let it take the model out of use."
        with refused(MlopskitError, fault="predict(None) answered or failed oddly while nothing was live."):
            stage.ask_golden(package, None)

    def test_goes_back_and_forth(self, stage: Stage, package: ModelPackage, other_package: ModelPackage) -> None:
        """A model can be switched on, replaced, rolled back, switched off and on again."""
        one, other = stage.push(package), stage.push(other_package)
        before = None
        for at in (one, other, one, None, other):
            with no_error(fault=f"activate did not switch from {before} to {at}."):
                stage.activate(at, before)
            live = stage.live()
            assert live == at, f"After a switch from {before} to {at}, {live} is live."
            before = at

    # --- remove, logs and secrets ---------------------------------------------------------------------------------

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
        with no_error(fault="remove of one deployment broke another. Remove only what this one alone made."):
            answer = stage.ask_golden(package, None)
        assert answer.digest == package.digest, "remove of one deployment changed what is live."

    def test_removed_can_come_back(self, stage: Stage, package: ModelPackage) -> None:
        """What was removed can be pushed and activated again, as a rollback does."""
        at = stage.push(package)
        stage.deployer.remove(NAME, at)
        with no_error(fault="What was removed could not be pushed and activated again."):
            again = stage.deploy(package)
        assert stage.live() == again, "What was removed, pushed and activated again is not live."

    def test_logs_are_text(self, stage: Stage, package: ModelPackage) -> None:
        """`logs` returns at most as many lines as it is asked for."""
        text = stage.deployer.logs(NAME, stage.push(package), lines=2)
        assert isinstance(text, str), f"logs returned a {type(text).__name__}, expected a text."
        assert len(text.splitlines()) <= 2, "logs returned more lines than asked for."  # noqa: PLR2004

    def test_secrets_stay_secret(self, stage: Stage, package: ModelPackage, caplog: pytest.LogCaptureFixture) -> None:
        """The value of an option with `metadata={"secret": True}` is shown, recorded, built in and logged nowhere."""
        caplog.set_level(logging.DEBUG)
        deployer, bundle = stage.deployer, stage.build(package)
        at = deployer.push(bundle)
        said = {"repr": repr(deployer), "str": str(deployer), "the locator": str(at)}
        try:
            stage.activate(at, at)
        except MlopskitError as error:
            said |= {"an error": f"{error} {vars(error)}"}
        said |= {"the log": caplog.text, "logs()": deployer.logs(NAME, at)}
        built = b"".join(_contents(bundle.folder).values())
        for option in dataclasses.fields(deployer):  # type: ignore[arg-type]
            secret = getattr(deployer, option.name)
            if option.metadata.get("secret") and secret:
                found = [where for where, text in said.items() if str(secret) in text]
                found += ["the bundle"] if str(secret).encode() in built else []
                assert not found, f"The secret option {option.name!r} is shown in {', '.join(found)}. Write repr=False."


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _in_threads(acts: list[Callable[[], None]]) -> None:
    """Do these at once; an error of one is raised when all are done."""
    errors: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
