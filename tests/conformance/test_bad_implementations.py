"""The suites find what is wrong: a bad implementation fails at the check that is meant for it, and at none unlisted.

The modules in `bad` are run by a pytest of their own, for their failures are what is wanted here.
"""

from __future__ import annotations

import ast
import fcntl
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlopskit.testing import (
    BundleDeployerConformance,
    FormatConformance,
    OutcomeConformance,
    StorageConformance,
    TrainerConformance,
)
from mlopskit.testing.packages import shared_packages

BAD = Path(__file__).with_name("bad")


@dataclass(frozen=True)
class Fault:
    """The check that finds it, what its message says, and the checks that fail for the same reason."""

    check: str
    says: str
    also: frozenset[str] = frozenset()


def found_by(check: str, says: str, *also: str) -> Fault:
    return Fault(check, says, frozenset(also))


# A check that one of these fails too, or not, as a race goes.
RACES = {"NeverGoesBack": {"test_one_of_many_activations_wins"}}
DEPLOYERS = {
    "TakesPositions": found_by("test_is_a_frozen_dataclass", r"\['note'\] can be given by position\. Put @dataclass"),
    "ForgetsTheDecorator": found_by("test_is_a_frozen_dataclass", r"\['note'\] look like options, .* Put @dataclass"),
    "HasNoTarget": found_by("test_is_a_frozen_dataclass", r"target is None\. Name it"),
    "ClearsTheWay": found_by(
        "test_check_changes_nothing",
        r"check switched from .*'sha256:\w+'} to None\. Let it look at the package, and do nothing else",
        "test_activate_refuses_another_live_one",
        "test_live_is_asked_of_the_target",
        "test_pushed_is_not_live",
        "test_remove_leaves_others_alone",
        "test_something_is_live_at_every_moment",
        "test_users_get_what_is_live",
        "test_retire_spares_what_is_live",
    ),
    "ChecksTooLate": found_by(
        "test_check_refuses_an_unfit_package", r"check let a package through .* Raise DeployError"
    ),
    "StampsItsBundles": found_by("test_build_is_deterministic", r"other bytes .* \['built\.txt', .*\. Leave times"),
    "ListsASet": found_by(
        "test_build_is_deterministic", r"other bytes in another process, in \['columns\.txt'\]\. Sort what"
    ),
    "WritesOutside": found_by(
        "test_build_writes_only_into_its_folder", r"outside .*notes\.txt'\]\. Write below `into`"
    ),
    "LeavesItsToolsBehind": found_by("test_build_writes_only_into_its_folder", r"outside .*/tools'\]\. Write below"),
    "StampsThePackage": found_by(
        "test_build_writes_only_into_its_folder",
        r"outside of its folder: \['.*/package-one/built\.txt'\]",
        "test_build_is_deterministic",
    ),
    "NeedsWhatIsNewest": found_by(
        "test_needs_are_the_same_each_time", r"needs named .*'helper==1'.*, then .*'helper==2'.*\. Let it depend on"
    ),
    "CallsHome": found_by(
        "test_build_uses_no_network", r"network: .*socket\.connect .* Fetch what it needs beforehand"
    ),
    "LeansOnThePackage": found_by(
        "test_bundle_stands_alone",
        r"does not answer from another folder\. Build no paths",
        "test_build_is_deterministic",
    ),
    "PushesOnce": found_by(
        "test_push_twice_is_the_same",
        r"A second push of the same bundle failed\. Let it find that all is there",
        "test_locator_is_not_shared",
        "test_push_twice_writes_nothing",
        "test_removed_can_come_back",
        "test_retire_spares_what_is_live",
    ),
    "WritesAgain": found_by("test_push_twice_writes_nothing", r"wrote it again\. Leave alone what is there"),
    "PushesItsOwn": found_by("test_pushes_what_was_built", r"added files: .*'pushed\.txt'\]\. Let `build`"),
    "PushActivates": found_by(
        "test_pushed_is_not_live",
        r"push made .* live\. Push beside what is live",
        "test_activate_refuses_another_live_one",
        "test_activate_refuses_what_is_not_there",
        "test_aliases_are_independent",
        "test_check_changes_nothing",
        "test_goes_back_and_forth",
        "test_live_is_asked_of_the_target",
        "test_nothing_is_live_after_activating_none",
        "test_one_of_many_activations_wins",
        "test_remove_leaves_others_alone",
        "test_remove_leaves_what_another_alias_uses",
        "test_removed_can_come_back",
        "test_something_is_live_at_every_moment",
        "test_users_get_what_is_live",
        "test_retire_spares_what_is_live",
    ),
    "ShowsHalf": found_by(
        "test_half_a_bundle_is_never_visible", r"visible before it was whole: .* Commit all files in one"
    ),
    "CountsInLocators": found_by("test_locator_is_json", r"'version': 1} is no dict of texts\. Turn numbers"),
    "SharesItsLocators": found_by("test_locator_is_not_shared", r"keeps itself\. Return a new dict"),
    "KeepsPlacesToItself": found_by(
        "test_locator_is_enough", r"another process .* not found .* Put all that is needed"
    ),
    "RoundsItsAnswers": found_by("test_answers_the_golden_rows", r"answered 16 outputs of 8 golden (?s:.*) unrounded"),
    "MeasuresInWords": found_by(
        "test_answers_the_golden_rows", r"no gate can bound.* measured 'cold_start_ms' as 'fast'"
    ),
    "TimesItsEmulator": found_by(
        "test_answers_the_golden_rows", r"as 'emulated', measured 'cold_start_ms' as 84.0.* no time"
    ),
    "TrustsNobody": found_by(
        "test_runs_the_models_own_code", r"predict gave no answer .* It raised UntrustedCodeError"
    ),
    "NamesTheBundle": found_by(
        "test_names_the_package_it_answers_from",
        r"predict named .*, the package is .*\. Let the deployed thing say",
        "test_bundle_stands_alone",
        "test_locator_is_enough",
        "test_remove_leaves_others_alone",
        "test_users_get_what_is_live",
    ),
    "RepeatsTheDigest": found_by(
        "test_digest_is_said_by_what_answers",
        r"predict named .*, but something else answered\. Let the deployed thing say its digest",
        "test_changed_bundle_is_refused",
    ),
    "AnswersUnchecked": found_by(
        "test_changed_bundle_is_refused", r"whose file .* was changed\. Check the whole bundle"
    ),
    "AnswersFromMemory": found_by(
        "test_users_get_what_is_live", r"after another process had switched .* Ask the target"
    ),
    "LeavesOutBadRows": found_by("test_bad_rows_are_refused", r"one does not fit the schema\. Let the runtime check"),
    "AnswersNothing": found_by("test_zero_rows_are_refused", r"answered zero rows\. Let the runtime check"),
    "RemembersWhatIsLive": found_by(
        "test_live_is_asked_of_the_target",
        r"live returned .* after another process had switched .* keep nothing in memory",
    ),
    "IgnoresWhatWasLive": found_by(
        "test_activate_refuses_another_live_one",
        r"activate ignored instead_of: .* Raise ConflictError unless",
        "test_one_of_many_activations_wins",
    ),
    "ComparesTooEarly": found_by("test_one_of_many_activations_wins", r"[2-4] of 4 .* succeeded, .* in one step"),
    "SwitchesOffAndOn": found_by(
        "test_something_is_live_at_every_moment",
        r"During a switch, None was live\. Switch in one step",
        "test_activate_refuses_what_is_not_there",
    ),
    "NeverSwitchesOff": found_by(
        "test_nothing_is_live_after_activating_none",
        r"activate\(None\) left .* live\. Let it take the model out of use",
        "test_goes_back_and_forth",
    ),
    "SwitchesToNothing": found_by(
        "test_activate_refuses_what_is_not_there", r"never pushed\. Look whether it is there"
    ),
    "HasOneAlias": found_by(
        "test_aliases_are_independent",
        r"To move one alias also moved another, .* Keep one chain",
        "test_remove_leaves_what_another_alias_uses",
    ),
    "NeverGoesBack": found_by(
        "test_goes_back_and_forth",
        r"activate did not switch from .* Let it switch to whatever was pushed",
        "test_something_is_live_at_every_moment",
    ),
    "RemovesOnce": found_by("test_remove_twice_is_no_error", r"removed already\. Let it find that all is done"),
    "RemovesWhatOthersUse": found_by(
        "test_remove_leaves_what_another_alias_uses", r"another alias uses: .* Leave bundles"
    ),
    "RemovesEverything": found_by(
        "test_remove_leaves_others_alone",
        r"remove of one deployment broke another\. Remove only what this one",
        "test_remove_leaves_what_another_alias_uses",
    ),
    "RemovesForGood": found_by("test_removed_can_come_back", r"could not be pushed .* again\. Let push make again"),
    "RetiresAnything": found_by("test_retire_spares_what_is_live", r"live stopped it\. Compare with live\(\)"),
    "TellsItAll": found_by("test_logs_are_text", r"logs returned 100 lines, asked for were 2\. Return the last"),
    "ShowsItsToken": found_by(
        "test_secrets_stay_secret", r"'token' is shown in repr\(\), str\(\)\. Write field\(repr=False"
    ),
    "BuildsItsTokenIn": found_by("test_secrets_stay_secret", r"'token' is shown in the bundle\. "),
    "LogsItsToken": found_by("test_secrets_stay_secret", r"'token' is shown in the log\. "),
    "ComplainsWithItsToken": found_by("test_secrets_stay_secret", r"'token' is shown in an error\. "),
}
FORMATS = {
    "HasABadName": found_by(
        "test_names_itself_and_its_loader", r"no usable name\. Name it: .* 'A table' is not allowed"
    ),
    "NeedsAnyVersion": found_by("test_says_what_it_stored", r"without a version: \['numpy'\]\. Pin each"),
    "ForgetsAFile": found_by("test_writes_only_what_it_lists", r"wrote .*'notes\.txt'\], .* Return every file"),
    "SavesRandomNames": found_by(
        "test_save_is_deterministic", r"other bytes the second time, in .* Leave .* random names"
    ),
    "SavesHashes": found_by(
        "test_save_is_deterministic", r"other bytes in another process, in \['model\.json'\]\. Leave"
    ),
    "MarksTheModel": found_by("test_leaves_the_model_alone", r"save changed the model .* Change a copy"),
    "FindsADifference": found_by("test_finds_no_difference", r"some in what save stored: .* Let save refuse it"),
    "StoresAnything": found_by("test_refuses_what_it_cannot_store", r"save stored a model .* Raise StoreError"),
    "RoundsItsNumbers": found_by(
        "test_scores_as_the_model_does", r"answered probability\.above = .* Store every number"
    ),
    "EjectsANumber": found_by("test_ejects_the_same_files", r"other files the second time \(prose\)\. Leave out"),
    "EjectsElsewhere": found_by("test_ejects_the_same_files", r"paths that are not allowed \(prose\)\. "),
    "LoaderShuffles": found_by(
        "test_scores_the_columns_of_the_schema", r"answered the columns .* Take names and order"
    ),
    "LoaderIsHomesick": found_by(
        "test_loader_travels", r"fails where mlopskit cannot (?s:.*)Let it import the standard"
    ),
    "LoaderTrusts": found_by(
        "test_loader_refuses_broken_files", r"took 'model\.json', which is empty\. Raise ValueError"
    ),
}
STORAGES = {
    "ChangesLineEnds": found_by("test_returns_the_bytes_it_was_given", r"open\('a/b/lines'\) returned .* unchanged"),
    "SaysNothingOfAbsence": found_by("test_says_what_is_absent", r"open\('absent'\) did not say .* Raise FileNotFound"),
    "ListsOnePage": found_by("test_lists_all_at_once", r"list yielded 1000 keys .* 1100 .* Read every page"),
    "ListsWhatBeginsAlike": found_by("test_lists_no_siblings", r"list\('a/b'\) yielded .*'a/bc/x'\], .* with its '/'"),
    "TakesTheSource": found_by("test_commits_bytes_and_files", r"commit took the source file away\. Copy it"),
    "OverwritesCommits": found_by(
        "test_commits_once", r"that is there returned True\. Return False", "test_one_of_many_commits_wins"
    ),
    "SaysTrueTwice": found_by(
        "test_commits_once", r"that is there returned True\. Return False", "test_one_of_many_commits_wins"
    ),
    "ShowsHalf": found_by(
        "test_commits_whole_or_not_at_all",
        r"commit showed its last file, .* Write `last` after all",
        "test_says_when_it_wrote",
    ),
    "WantsNoLast": found_by("test_needs_its_last_file", r"not among its files\. Raise ValueError"),
    "ComparesTooEarly": found_by("test_one_of_many_commits_wins", r"[2-8] of 8 commits .* True, .* only one can win"),
    "WritesOverAnothers": found_by(
        "test_one_of_many_commits_wins", r"returned True, but .*'first'.* stayed\. Let nobody write over"
    ),
    "ListsWhatIsMade": found_by(
        "test_commits_whole_or_not_at_all", r"list yielded \['a/b/.*could not be made\. Leave out"
    ),
    "KeepsTheSourcesTime": found_by("test_says_when_it_wrote", r"stat says 0\.0 for a file .* by its own clock"),
    "TagsBySize": found_by("test_hint_replaces", r"one etag to different contents\. Take it from the content"),
    "DeletesWhatBeginsAlike": found_by(
        "test_deletes", r"delete\('a/b'\) left \[\], expected .* Delete below the prefix"
    ),
    "DeletesOnce": found_by("test_deletes_again", r"delete\('a/b'\) failed for what is not there\. Let it find"),
    "LowersItsKeys": found_by("test_takes_every_allowed_key", r"list yielded .*allowed/a-z_0\.9/.* as they were given"),
    "TakesAnyKey": found_by(
        "test_refuses_unsafe_keys", r"hint took the unsafe key ''\. Check each key", "test_says_when_it_wrote"
    ),
    "HasNoAddress": found_by("test_has_an_address", r"uri is empty\. Return the place's address"),
}
NETWORKS = {
    "TakesItsEchoForAnother": found_by(
        "test_a_lost_answer_is_no_lost_race",
        r"commit returned False for what it had done alone\. Read back",
        "test_what_is_not_known_is_never_called_done",
    ),
    "GivesUpAtOnce": found_by(
        "test_what_did_not_arrive_is_sent_again",
        r"commit failed, though .* again\. It raised StorageError",
        "test_a_lost_answer_is_no_lost_race",
        "test_reads_the_bytes_that_were_written_or_raises",
    ),
    "SaysDoneAnyway": found_by("test_what_is_not_known_is_never_called_done", r"returned True, and nothing is there"),
    "BelievesWhatItReads": found_by(
        "test_reads_the_bytes_that_were_written_or_raises", r"open gave out other bytes than were written"
    ),
}
TRAINERS = {
    "TakesPositions": found_by("test_is_a_frozen_dataclass", r"\['note'\] can be given by position\. Put @dataclass"),
    "ForgetsTheDecorator": found_by("test_is_a_frozen_dataclass", r"\['note'\] look like options, .* Put @dataclass"),
    "IsNoDataclass": found_by("test_is_a_frozen_dataclass", r"The trainer is no dataclass\. Put @dataclass"),
    "CanBeChanged": found_by("test_is_a_frozen_dataclass", r"options can be changed\. Put @dataclass"),
    "HasABadName": found_by("test_is_a_frozen_dataclass", r"no usable name\. Name it: .* 'A line' is not allowed"),
    "ReturnsNothingFitted": found_by(
        "test_returns_a_fitted_model",
        r"a model that cannot answer\. Return what was fitted\. It raised NotFittedError",
        "test_is_deterministic",
        "test_learns_from_the_data",
    ),
    "TrainsByChance": found_by("test_is_deterministic", r"answer 35 of 35 rows otherwise\. Seed every source"),
    "FitsTheSameModel": found_by(
        "test_learns_from_the_data", r"A second training changed the first model\. Fit a copy"
    ),
    "ChangesTheData": found_by(
        "test_leaves_the_data_alone",
        r"train changed the columns \['height'\] .* Work on a copy",
        "test_is_deterministic",
    ),
    "LetsErrorsThrough": found_by(
        "test_failure_is_a_training_error", r"did not end with TrainingError\. Raise it from"
    ),
}


@dataclass(frozen=True)
class Group:
    """A module of bad implementations: the suite that judges them, the good one they were made of, and the table."""

    suite: type
    good: str
    base: str
    table: Mapping[str, Fault]
    processes: int = 1

    @property
    def checks(self) -> set[str]:
        return {name for name in dir(self.suite) if name.startswith("test_")}


GROUPS = {
    "deployers": Group(BundleDeployerConformance, "Shelf", "BundleDeployer", DEPLOYERS, processes=2),
    "formats": Group(FormatConformance, "Table", "Format", FORMATS),
    "networks": Group(OutcomeConformance, "Network", "BucketStorage", NETWORKS, processes=2),
    "storages": Group(StorageConformance, "MemoryStorage", "Storage", STORAGES),
    "trainers": Group(TrainerConformance, "Line", "Trainer", TRAINERS),
}
# Of each class that was tried, what each check said: nothing if it passed.
Outcomes = Mapping[str, Mapping[str, str]]


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Outcomes]:
    """Return what runs a module, once for all workers of this test run: it takes its time."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "bad-implementations"
    folder.mkdir(exist_ok=True)

    @functools.cache
    def outcomes_of(module: str) -> Outcomes:
        kept = folder / f"{module}.json"
        with kept.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                packages = shared_packages(tmp_path_factory) if module == "deployers" else folder
                kept.write_text(json.dumps(_run(module, packages)))
        return json.loads(kept.read_text())

    return outcomes_of


def _run(module: str, packages: Path) -> Outcomes:
    """Run a module's classes, in as many processes as its group says."""
    group = GROUPS[module]
    names = [group.good, *group.table]
    # What is made there is small and soon gone; a disk would take most of the time.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as temporary:
        folders = [Path(temporary, str(number)) for number in range(group.processes)]
        running = [_start(module, names[number :: group.processes], at, packages) for number, at in enumerate(folders)]
        said = [one.communicate()[0] for one in running]
        assert {one.returncode for one in running} == {pytest.ExitCode.TESTS_FAILED}, "\n".join(said)
        return {name: said for at in folders for name, said in json.loads((at / "outcomes").read_text()).items()}


def _start(module: str, names: Sequence[str], folder: Path, packages: Path) -> subprocess.Popen[str]:
    # Its own settings and one plugin, our own: none may reorder, repeat or time what is counted here.
    folder.mkdir()
    settings = folder / "pytest.ini"
    settings.write_text("[pytest]\nfilterwarnings = error\ntmp_path_retention_policy = none\n")
    options = ["-q", "--tb=line", "-p", "no:cacheprovider", "-p", "outcomes", "-c", settings, f"--rootdir={BAD}"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, f"--basetemp={folder / 'made'}"]
        + [f"{BAD / module}.py::Test{name}" for name in names],
        env={
            **inherited,
            "MLOPSKIT_TEST_OUTCOMES": str(folder / "outcomes"),
            "MLOPSKIT_TEST_PACKAGES": str(packages),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(BAD),
        },
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _marks(module: str) -> list[pytest.MarkDecorator]:
    # Each of its five hundred scenarios waits for what does not come.
    return [pytest.mark.slow] if module == "networks" else []


MODULES = [pytest.param(module, marks=_marks(module)) for module in GROUPS]


@pytest.mark.parametrize(
    ("module", "name"),
    [pytest.param(module, name, marks=_marks(module)) for module, group in GROUPS.items() for name in group.table],
)
def test_is_found_by_the_check_that_is_meant_for_it(module, name, outcomes):
    fault, said = GROUPS[module].table[name], outcomes(module)[name]
    failed = {check for check, message in said.items() if message}
    assert failed - RACES.get(name, set()) == {fault.check, *fault.also}
    assert re.search(f"^call failed: AssertionError: .*{fault.says}", said[fault.check])


@pytest.mark.parametrize("module", MODULES)
def test_the_good_one_passes_every_check(module, outcomes):
    assert outcomes(module)[GROUPS[module].good] == dict.fromkeys(GROUPS[module].checks, "")


@pytest.mark.parametrize("module", MODULES)
def test_no_bad_implementation_is_forgotten(module, outcomes):
    group = GROUPS[module]
    classes = [node for node in ast.parse((BAD / f"{module}.py").read_text()).body if isinstance(node, ast.ClassDef)]
    derived = [one for one in classes if {group.good, group.base} & {ast.unparse(base) for base in one.bases}]
    assert {one.name for one in derived} - {group.good} == set(group.table)
    assert outcomes(module).keys() == {group.good, *group.table}


@pytest.mark.parametrize("module", GROUPS)
def test_every_check_finds_a_bad_implementation(module):
    assert {fault.check for fault in GROUPS[module].table.values()} == GROUPS[module].checks
