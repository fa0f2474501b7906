"""Deployers that are bad on purpose, each in one way; `test_bad_implementations.py` says which check finds it."""

import contextlib
import itertools
import json
import logging
import os
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import pytest

from mlopskit.aliases import Alias
from mlopskit.bundles import BundleDeployer, local_folder, seal
from mlopskit.errors import ConflictError, DeployError, RowError
from mlopskit.loading import installed_loaders
from mlopskit.modelpackage import ModelPackage
from mlopskit.records import Answer
from mlopskit.runtime import load, open_package
from mlopskit.runtime.names import hex_of
from mlopskit.storage import storage_at
from mlopskit.testing import BundleDeployerConformance
from mlopskit.wheels import Wheels


def answered(package, rows, *, trust=True):
    model = load(package, loaders=installed_loaders(), trust_code=[package.digest] if trust else [])
    return Answer(rows=model.predict(rows), digest=model.digest, runtime=model.runtime())


@dataclass(frozen=True, kw_only=True)
class Shelf(BundleDeployer):
    """A good one, to be made bad: the package in a folder, opened in this process when it is asked."""

    target: ClassVar[str] = "shelf"

    token: str = field(default="a-secret-token", repr=False, metadata={"secret": True})

    def check(self, package):
        if package.task == "poetry":
            raise DeployError("Poems are not for shelves.", remedy="Read them aloud.")

    def build(self, package, model, into):
        for path, source in package.paths().items():
            target = into / "package" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    def ask(self, bundle, rows):
        return answered(open_package(bundle / "package", digest="unpinned"), rows)


class Shelved(BundleDeployerConformance):
    kind = Shelf

    @pytest.fixture(scope="session")
    @classmethod
    def packages(cls):
        return Path(os.environ["MLOPSKIT_TEST_PACKAGES"])

    @pytest.fixture
    def deployer(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "fsync", lambda file: None)  # no power is lost here, and a disk may take its time
        return self.kind(to=str(tmp_path / "place"))

    def unfit(self, package):
        return replace(package, manifest={**package.manifest, "task": "poetry"})


def suite(kind):
    return type(f"Test{kind.__name__}", (Shelved,), {"kind": kind})


TestShelf = suite(Shelf)

# --- options and check ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TakesPositions(Shelf):
    note: str = ""


class ForgetsTheDecorator(Shelf):
    note: str = ""


class HasNoTarget(Shelf):
    target = None


class ClearsTheWay(Shelf):
    def check(self, package):
        super().check(package)
        if live := self.live(package.name):
            self.activate(package.name, None, instead_of=live, why="making room")


class ChecksTooLate(Shelf):
    def check(self, package):
        pass

    def build(self, package, model, into):
        super().check(package)
        super().build(package, model, into)


TestTakesPositions = suite(TakesPositions)
TestForgetsTheDecorator = suite(ForgetsTheDecorator)
TestHasNoTarget = suite(HasNoTarget)
TestClearsTheWay = suite(ClearsTheWay)
TestChecksTooLate = suite(ChecksTooLate)


# --- build ------------------------------------------------------------------------------------------------------------


class StampsItsBundles(Shelf):
    def build(self, package, model, into):
        super().build(package, model, into)
        (into / "built.txt").write_text(time.strftime("%Y-%m-%d"))


class ListsASet(Shelf):
    def build(self, package, model, into):
        super().build(package, model, into)
        (into / "columns.txt").write_text(" ".join({f"column {number}" for number in range(20)}))


class WritesOutside(Shelf):
    def build(self, package, model, into):
        super().build(package, model, into)
        (into.parent / "notes.txt").write_text("built")


class LeavesItsToolsBehind(Shelf):
    def build(self, package, model, into):
        super().build(package, model, into)
        Path("tools").mkdir(exist_ok=True)


class StampsThePackage(Shelf):
    def build(self, package, model, into):
        super().build(package, model, into)
        (package.folder / "built.txt").write_text("built")


class NeedsWhatIsNewest(Shelf):
    newest = itertools.count(1)

    def needs(self, package, model):
        wanted = (f"helper=={next(self.newest)}",)
        return [Wheels(requirements=wanted, platform="linux/aarch64", python="3.11")]


class CallsHome(Shelf):
    def build(self, package, model, into):
        super().build(package, model, into)
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", 9), timeout=1).close()


class LeansOnThePackage(Shelf):
    def build(self, package, model, into):
        (into / "where.txt").write_text(str(package.folder))

    def ask(self, bundle, rows):
        package = Path((bundle / "where.txt").read_text())
        return answered(open_package(package, digest="unpinned"), rows)


TestStampsItsBundles = suite(StampsItsBundles)
TestListsASet = suite(ListsASet)
TestWritesOutside = suite(WritesOutside)
TestLeavesItsToolsBehind = suite(LeavesItsToolsBehind)
TestStampsThePackage = suite(StampsThePackage)
TestNeedsWhatIsNewest = suite(NeedsWhatIsNewest)
TestCallsHome = suite(CallsHome)
TestLeansOnThePackage = suite(LeansOnThePackage)

# --- push -------------------------------------------------------------------------------------------------------------


class PushesOnce(Shelf):
    def push(self, bundle):
        if storage_at(self.to).stat(f"{self.bundles(bundle.name)}/{hex_of(bundle.digest)}/{bundle.listing}"):
            raise DeployError("It is there already.", remedy="Push something else.")
        return super().push(bundle)


class WritesAgain(Shelf):
    def push(self, bundle):
        at = super().push(bundle)
        for path in bundle.files:
            key = f"{self.bundles(bundle.name)}/{hex_of(bundle.digest)}/{path}"
            storage_at(self.to).hint(key, (bundle.folder / path).read_bytes())
        return at


class PushesItsOwn(Shelf):
    def push(self, bundle):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            for path in bundle.files:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(bundle.folder / path, folder / path)
            (folder / bundle.listing).unlink()
            (folder / "pushed.txt").write_text("pushed")
            package = ModelPackage.open(folder / "package", digest=bundle.package)
            return super().push(seal(folder, self, package, package.models[0]))


class PushActivates(Shelf):
    def push(self, bundle):
        at = super().push(bundle)
        if self.live(bundle.name) != at:
            self.activate(bundle.name, at, instead_of=self.live(bundle.name), why="pushed")
        return at


class ShowsHalf(Shelf):
    def push(self, bundle):
        storage, prefix = storage_at(self.to), f"{self.bundles(bundle.name)}/{hex_of(bundle.digest)}"
        if storage.stat(f"{prefix}/{bundle.files[-1]}") is None:
            for path in bundle.files:
                storage.hint(f"{prefix}/{path}", (bundle.folder / path).read_bytes())
        return {"bundle": bundle.digest}


class CountsInLocators(Shelf):
    def push(self, bundle):
        return {**super().push(bundle), "version": 1}

    def live(self, name):
        at = super().live(name)
        return at and {**at, "version": 1}

    def activate(self, name, at, *, instead_of, why):
        at, instead_of = (one and {"bundle": one["bundle"]} for one in (at, instead_of))
        super().activate(name, at, instead_of=instead_of, why=why)


class SharesItsLocators(Shelf):
    kept: ClassVar[dict] = {}

    def push(self, bundle):
        return self.kept.setdefault((self.to, bundle.digest), super().push(bundle))


class KeepsPlacesToItself(Shelf):
    pushed: ClassVar[set] = set()

    def push(self, bundle):
        self.pushed.add((self.to, bundle.digest))
        return super().push(bundle)

    def predict(self, name, rows, at):
        if at and (self.to, at["bundle"]) not in self.pushed:
            raise DeployError("This was pushed by somebody else.", remedy="Ask them.")
        return super().predict(name, rows, at)


TestPushesOnce = suite(PushesOnce)
TestWritesAgain = suite(WritesAgain)
TestPushesItsOwn = suite(PushesItsOwn)
TestPushActivates = suite(PushActivates)
TestShowsHalf = suite(ShowsHalf)
TestCountsInLocators = suite(CountsInLocators)
TestSharesItsLocators = suite(SharesItsLocators)
TestKeepsPlacesToItself = suite(KeepsPlacesToItself)

# --- predict ----------------------------------------------------------------------------------------------------------


class RoundsItsAnswers(Shelf):
    def ask(self, bundle, rows):
        answer = super().ask(bundle, rows)
        return replace(answer, rows=json.loads(json.dumps(answer.rows), parse_float=lambda text: round(float(text), 2)))


class MeasuresInWords(Shelf):
    def ask(self, bundle, rows):
        return replace(super().ask(bundle, rows), measurements={"cold_start_ms": "fast"})


class TimesItsEmulator(Shelf):
    def ask(self, bundle, rows):
        return replace(super().ask(bundle, rows), place="emulated", measurements={"cold_start_ms": 84.0})


class TrustsNobody(Shelf):
    def ask(self, bundle, rows):
        return answered(open_package(bundle / "package", digest="unpinned"), rows, trust=False)


class NamesTheBundle(Shelf):
    def ask(self, bundle, rows):
        return replace(super().ask(bundle, rows), digest=f"sha256:{bundle.name}")


class RepeatsTheDigest(Shelf):
    pushed: ClassVar[dict] = {}

    def push(self, bundle):
        self.pushed[bundle.digest] = bundle.package
        return super().push(bundle)

    def predict(self, name, rows, at):
        found = self.live(name) if at is None else at
        if found is None:
            return super().predict(name, rows, at)
        with local_folder(storage_at(self.to), f"{self.bundles(name)}/{hex_of(found['bundle'])}") as folder:
            answer = self.ask(folder, rows)
            return replace(answer, digest=self.pushed.get(found["bundle"], answer.digest))


class AnswersUnchecked(Shelf):
    def predict(self, name, rows, at):
        found = self.live(name) if at is None else at
        if found is None:
            return super().predict(name, rows, at)
        with local_folder(storage_at(self.to), f"{self.bundles(name)}/{hex_of(found['bundle'])}") as folder:
            return self.ask(folder, rows)


class AnswersFromMemory(Shelf):
    made_live: ClassVar[dict] = {}

    def activate(self, name, at, *, instead_of, why):
        super().activate(name, at, instead_of=instead_of, why=why)
        self.made_live[self.to] = at

    def predict(self, name, rows, at):
        return super().predict(name, rows, at or self.made_live.get(self.to))


class LeavesOutBadRows(Shelf):
    def ask(self, bundle, rows):
        answers = []
        for row in rows:
            with contextlib.suppress(RowError):
                answers.append(super().ask(bundle, [row]))
        return (
            replace(answers[0], rows=[answer.rows[0] for answer in answers]) if answers else super().ask(bundle, rows)
        )


class AnswersNothing(Shelf):
    def ask(self, bundle, rows):
        return super().ask(bundle, rows) if rows else Answer(rows=[], digest=f"sha256:{bundle.name}", runtime={})


TestRoundsItsAnswers = suite(RoundsItsAnswers)
TestMeasuresInWords = suite(MeasuresInWords)
TestTimesItsEmulator = suite(TimesItsEmulator)
TestTrustsNobody = suite(TrustsNobody)
TestNamesTheBundle = suite(NamesTheBundle)
TestRepeatsTheDigest = suite(RepeatsTheDigest)
TestAnswersUnchecked = suite(AnswersUnchecked)
TestAnswersFromMemory = suite(AnswersFromMemory)
TestLeavesOutBadRows = suite(LeavesOutBadRows)
TestAnswersNothing = suite(AnswersNothing)

# --- live and activate ------------------------------------------------------------------------------------------------


class RemembersWhatIsLive(Shelf):
    made_live: ClassVar[dict] = {}

    def activate(self, name, at, *, instead_of, why):
        super().activate(name, at, instead_of=instead_of, why=why)
        self.made_live[(self.to, self.alias)] = at

    def live(self, name):
        return self.made_live.get((self.to, self.alias))

    def predict(self, name, rows, at):
        return super().predict(name, rows, at or super().live(name))


class IgnoresWhatWasLive(Shelf):
    def activate(self, name, at, *, instead_of, why):
        del instead_of
        while True:
            try:
                return super().activate(name, at, instead_of=self.live(name), why=why)
            except ConflictError:
                continue


class ComparesTooEarly(Shelf):
    def activate(self, name, at, *, instead_of, why):
        if self.live(name) != instead_of:
            raise ConflictError("Somebody was faster.", remedy="Look again.")
        time.sleep(0.1)
        while True:
            try:
                return super().activate(name, at, instead_of=self.live(name), why=why)
            except ConflictError:
                continue


class SwitchesOffAndOn(Shelf):
    def activate(self, name, at, *, instead_of, why):
        if at and instead_of:
            super().activate(name, None, instead_of=instead_of, why=why)
            time.sleep(0.05)
            instead_of = None
        super().activate(name, at, instead_of=instead_of, why=why)


class NeverSwitchesOff(Shelf):
    def activate(self, name, at, *, instead_of, why):
        if at is not None:
            super().activate(name, at, instead_of=instead_of, why=why)


class SwitchesToNothing(Shelf):
    def fault(self, name, at):
        return None


class HasOneAlias(Shelf):
    def _alias(self, name):
        return Alias(self._storage(), self.aliases(name), name, "production")


class NeverGoesBack(Shelf):
    def activate(self, name, at, *, instead_of, why):
        gone_by = [record.digest for record in self._alias(name).history()]
        if at and instead_of and at["bundle"] in gone_by:
            raise DeployError("That was live before.", remedy="Deploy something new.")
        super().activate(name, at, instead_of=instead_of, why=why)


TestRemembersWhatIsLive = suite(RemembersWhatIsLive)
TestIgnoresWhatWasLive = suite(IgnoresWhatWasLive)
TestComparesTooEarly = suite(ComparesTooEarly)
TestSwitchesOffAndOn = suite(SwitchesOffAndOn)
TestNeverSwitchesOff = suite(NeverSwitchesOff)
TestSwitchesToNothing = suite(SwitchesToNothing)
TestHasOneAlias = suite(HasOneAlias)
TestNeverGoesBack = suite(NeverGoesBack)

# --- remove, logs and secrets -----------------------------------------------------------------------------------------


class RemovesOnce(Shelf):
    def push(self, bundle):
        storage_at(self.to).commit(f"notes/{hex_of(bundle.digest)}", {"note": b"pushed"}, last="note")
        return super().push(bundle)

    def remove(self, name, at):
        note = f"notes/{hex_of(at['bundle'])}"
        if storage_at(self.to).stat(f"{note}/note") is None:
            raise DeployError("There is nothing to remove.", remedy="Deploy something first.")
        storage_at(self.to).delete(note)


class RemovesWhatOthersUse(Shelf):
    def remove(self, name, at):
        storage_at(self.to).delete(f"{self.bundles(name)}/{hex_of(at['bundle'])}")


class RemovesEverything(Shelf):
    def remove(self, name, at):
        storage_at(self.to).delete(self.bundles(name))


class RemovesForGood(Shelf):
    def push(self, bundle):
        if storage_at(self.to).stat(f"removed/{hex_of(bundle.digest)}"):
            raise DeployError("That was removed.", remedy="Deploy something new.")
        return super().push(bundle)

    def remove(self, name, at):
        storage_at(self.to).hint(f"removed/{hex_of(at['bundle'])}", b"")


class RetiresAnything(Shelf):
    def retire(self, name, at):
        storage_at(self.to).delete(f"{self.bundles(name)}/{hex_of(at['bundle'])}")


class TellsItAll(Shelf):
    def logs(self, name, at, *, lines=100):
        return "one line\n" * 100


@dataclass(frozen=True, kw_only=True)
class ShowsItsToken(Shelf):
    token: str = field(default="a-secret-token", metadata={"secret": True})


class BuildsItsTokenIn(Shelf):
    def build(self, package, model, into):
        super().build(package, model, into)
        (into / "token.txt").write_text(self.token)


class LogsItsToken(Shelf):
    def push(self, bundle):
        logging.getLogger("shelf").debug("pushing as %s", self.token)
        return super().push(bundle)


class ComplainsWithItsToken(Shelf):
    def activate(self, name, at, *, instead_of, why):
        try:
            super().activate(name, at, instead_of=instead_of, why=why)
        except ConflictError as error:
            raise ConflictError(error.message, remedy=error.remedy, tried_as=self.token) from error


TestRemovesOnce = suite(RemovesOnce)
TestRemovesWhatOthersUse = suite(RemovesWhatOthersUse)
TestRemovesEverything = suite(RemovesEverything)
TestRemovesForGood = suite(RemovesForGood)
TestRetiresAnything = suite(RetiresAnything)
TestTellsItAll = suite(TellsItAll)
TestShowsItsToken = suite(ShowsItsToken)
TestBuildsItsTokenIn = suite(BuildsItsTokenIn)
TestLogsItsToken = suite(LogsItsToken)
TestComplainsWithItsToken = suite(ComplainsWithItsToken)
