from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable

import mlopskit as mk
from mlopskit.cli import run
from mlopskit.records import Run
from mlopskit.status import PlaceState, Status

RUN = Run(
    id="3",
    name="mood",
    outcome="passed",
    digest=None,
    changed=[],
    fingerprint={},
    seconds={},
    error=None,
    who="me",
    when="now",
)
GOOD = PlaceState(place="production", kind="endpoint", package="sha256:" + "0" * 64, state="live", since="today")
BAD = PlaceState(place="candidate", kind="alias", package=None, state="x" * 300, repair="mlopskit promote me")


def test_a_status_for_a_person() -> None:
    text = Status(name="mood", run=RUN, places=(GOOD, BAD)).text()
    assert text.splitlines()[0] == "mood: run 3 passed (now)"
    assert "production  endpoint  sha256:000000000000" in text
    # Whatever the table cut off, a fault is told in full with what mends it.
    assert f"candidate: {'x' * 300}\n  Repair: mlopskit promote me" in text
    assert "production: live" not in text


def test_a_status_of_nothing() -> None:
    status = Status(name="mood", run=None, places=())
    assert status.text() == "mood: no run yet"
    assert status.as_table() == {"name": "mood", "run": None, "places": []}


def test_a_status_as_a_table() -> None:
    table = Status(name="mood", run=RUN, places=(BAD,)).as_table()
    assert table["run"]["id"] == "3"
    assert table["places"] == [vars(BAD)]


def _follow(repair: str, cli: Callable[..., int]) -> None:
    """Do what a repair says, command by command, as a person would type it."""
    for command in repair.split(" && "):
        words = shlex.split(command)
        if words[0] == "rm":
            shutil.rmtree(words[-1])
        else:
            assert cli(words[1:]) == 0, command


def test_an_endpoint_whose_package_is_gone_is_repaired_by_the_command_that_is_told(project: mk.Project) -> None:
    shutil.rmtree("shares/production/mood/packages")
    place = next(one for one in project.status().places if one.place == "production")
    assert "There is no complete bundle" in place.state
    assert place.repair
    _follow(place.repair, run)
    assert project.verify("production")[1].passed
    assert {one.repair for one in project.status().places} == {None}


def test_an_alias_whose_package_is_gone_is_repaired_with_another_that_passed(project: mk.Project) -> None:
    first, second = (one.digest for one in project.registry.runs("mood"))
    shutil.rmtree(project.registry.folder("mood", str(second)))
    place = next(one for one in project.status().places if one.place == "candidate")
    assert "holds no package" in place.state
    assert place.repair == f"mlopskit promote {first} --to candidate"
    _follow(place.repair, run)
    assert mk.load("mood@candidate").digest == first


def test_a_registry_without_a_whole_package_is_repaired_by_a_run(project: mk.Project) -> None:
    last = project.registry.runs("mood")[-1].digest
    for digest in project.registry.digests("mood"):
        next(project.registry.folder("mood", digest).glob("*.skops")).write_bytes(b"damaged")
    place = next(one for one in project.status().places if one.place == "candidate")
    assert "model.skops" in place.state
    assert str(project.registry.folder("mood", str(last))) in place.state
    assert place.repair
    assert place.repair.endswith("mlopskit run")
    _follow(place.repair, run)
    assert mk.load("mood@candidate").digest == last
