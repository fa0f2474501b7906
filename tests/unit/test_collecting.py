from __future__ import annotations

import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlopskit as mk
from mlopskit import collecting, marks, vendoring
from mlopskit.aliases import Alias
from mlopskit.bundles import seal
from mlopskit.collecting import Collection, gc
from mlopskit.errors import AliasError, ConflictError, MlopskitError, StorageError
from mlopskit.promoting import RegistryDeployer
from mlopskit.records import Run
from mlopskit.runtime.names import hex_of
from mlopskit.storage import Place
from mlopskit.testing.memory import MemoryBucket, MemoryStorage

Fill = Callable[..., list[str]]
Interleave = Callable[..., list[Exception]]
DAY = 86_400.0


def move(registry: mk.Registry, *digests: str | None, alias: str = "production") -> None:
    for digest in digests:
        chain = registry.alias("mood", alias)
        chain.append(digest, after=chain.head(), why="")


def states(found: Collection) -> dict[str, str]:
    """Return the state of each package, by the first eight of its digits."""
    return {one.key.rpartition("/")[2][:8]: one.state for one in found.garbage}


def short(*digests: str) -> list[str]:
    return [digest[7:15] for digest in digests]


def held(registry: mk.Registry) -> set[str]:
    return set(registry.digests("mood"))


def age(registry: mk.Registry, seconds: float) -> None:
    """Let all marks be older."""
    for key, _ in registry.storage.list("mood/marks"):
        local, objects = registry.storage.local(key), getattr(registry.storage, "objects", None)
        if objects is not None:
            known, data = objects[key]
            objects[key] = (dataclasses.replace(known, modified=known.modified - seconds), data)
        elif local is None:
            registry.storage._times[key] -= seconds  # type: ignore[attr-defined]
        else:
            info = local.stat()
            os.utime(local, (info.st_atime, info.st_mtime - seconds))


def test_garbage_is_marked_and_removed_when_the_grace_time_is_over(place: mk.Registry, fill: Fill) -> None:
    live, stray = fill(place, 1, 2)
    move(place, live)
    records = {key for key, _ in place.storage.list("mood/verdicts")}
    assert states(gc(place)) == dict(zip(short(stray), ["marked"], strict=True))
    age(place, 6.9 * DAY)
    assert states(gc(place)) == dict(zip(short(stray), ["waiting"], strict=True))
    assert held(place) == {live, stray}
    age(place, 0.2 * DAY)
    removed = gc(place)
    assert states(removed) == dict(zip(short(stray), ["removed"], strict=True))
    assert removed.garbage[0].size > 500
    assert held(place) == {live}
    assert {key for key, _ in place.storage.list("mood/verdicts")} == records
    assert gc(place).garbage == ()
    assert mk.verify(place).sound


def test_what_comes_back_is_marked_anew(place: mk.Registry, fill: Fill) -> None:
    fill(place, 1)
    assert list(states(gc(place, older_than=0)).values()) == ["removed"]
    fill(place, 1)
    assert list(states(gc(place)).values()) == ["marked"]
    age(place, 8 * DAY)
    assert list(states(gc(place)).values()) == ["removed"]
    assert mk.verify(place).sound


def test_so_many_packages_of_each_alias_stay_that_one_can_go_back(place: mk.Registry, fill: Fill) -> None:
    digests = fill(place, *range(6))
    move(place, *digests[:4], digests[2], digests[3])
    move(place, digests[4], None, alias="candidate")
    gc(place, older_than=0, keep=3)
    assert held(place) == {*digests[1:4], digests[4]}
    gc(place, older_than=0, keep=1)
    assert held(place) == {digests[3], digests[4]}
    gc(place, older_than=0, keep=0)
    assert held(place) == {digests[3], digests[4]}


def test_what_was_deployed_and_what_was_run_last_stay(
    place: mk.Registry, fill: Fill, deployed: Callable[[str], mk.Deployment]
) -> None:
    digests = fill(place, *range(5))
    for digest in digests[:3]:
        place.add_deployment(deployed(digest))
    for digest in (digests[4], digests[3], None):
        place.add_run(Run(id="", name="mood", outcome="passed" if digest else "failed", digest=digest))
    gc(place, older_than=0, keep=2)
    assert held(place) == {digests[1], digests[2], digests[3]}


def test_a_dry_run_says_the_same_and_writes_nothing(place: mk.Registry, fill: Fill) -> None:
    fill(place, 1, 2)
    before = sorted(place.storage.list(""))
    for older_than, state in ((DAY, "marked"), (0, "removed")):
        assert set(states(gc(place, older_than=older_than, dry_run=True)).values()) == {state}
    assert sorted(place.storage.list("")) == before
    gc(place)
    age(place, 2 * DAY)
    assert set(states(gc(place, older_than=DAY, dry_run=True)).values()) == {"removed"}
    assert set(states(gc(place, older_than=3 * DAY, dry_run=True)).values()) == {"waiting"}


def test_what_is_promoted_while_it_waits_stays(place: mk.Registry, fill: Fill) -> None:
    (digest,) = fill(place, 1)
    gc(place)
    deployer(place).push(bundle(place, digest))
    deployer(place).activate("mood", {"bundle": digest}, instead_of=None, why="")
    age(place, 8 * DAY)
    assert gc(place).garbage == ()
    assert held(place) == {digest}


def test_what_is_published_again_while_it_waits_begins_its_grace_time_anew(place: mk.Registry, fill: Fill) -> None:
    fill(place, 1)
    gc(place)
    age(place, 8 * DAY)
    fill(place, 1)
    assert set(states(gc(place)).values()) == {"marked"}
    assert marks.head(place.storage, f"mood/packages/{hex_of(*held(place))}").seq == 3  # type: ignore[union-attr]


def test_leftovers_of_a_write_that_failed_are_garbage(place: mk.Registry) -> None:
    place.storage.commit("mood/packages/" + "a" * 64, {"model.skops": b"half"}, last="model.skops")
    assert set(states(gc(place)).values()) == {"marked"}
    gc(place, older_than=0)
    assert [key for key, _ in place.storage.list("mood") if "/marks/" not in key] == []


@pytest.mark.parametrize("tells", [True, False])
def test_what_a_writer_that_died_left_in_a_bucket_is_garbage(*, tells: bool, fill: Fill) -> None:
    class Dying(MemoryBucket):
        left = 1_000_000
        patience = 0.0

        def store(self, key: str, data: Any, facts: Any, /, *, over: str | None) -> bool:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().store(key, data, facts, over=over)

    registry = mk.Registry(Dying(tells=tells))
    (digest,) = fill(registry, 1)
    move(registry, digest)
    prefix = "mood/packages/" + "a" * 64
    for left in (1, 2):
        registry.storage.left = left  # type: ignore[attr-defined]
        with pytest.raises(KeyboardInterrupt):
            registry.storage.commit(prefix, {"a": b"1" * 1000, "b": b"2", "last": b"3"}, last="last")
    registry.storage.left = 1_000_000  # type: ignore[attr-defined]
    assert states(gc(registry)) == {"a" * 8: "marked"}
    assert next(iter(gc(registry).garbage)).size > 1000
    age(registry, 8 * DAY)
    assert states(gc(registry)) == {"a" * 8: "removed"}
    assert not [key for key in registry.storage.objects if key.startswith(prefix)]  # type: ignore[attr-defined]
    assert held(registry) == {digest}
    assert mk.verify(registry).sound


def test_a_runtime_stays_while_it_reads_a_package_that_stays(place: mk.Registry, fill: Fill) -> None:
    prefixes = []
    for formats in (["skops"], []):
        files = vendoring.runtime_files(formats)
        prefixes.append(f"mood/runtime/{hex_of(vendoring.digest_of_files(files))}")
        place.storage.commit(prefixes[-1], files, last=vendoring.MAIN)
    move(place, *fill(place, 1))
    assert [one.key for one in gc(place, older_than=0).garbage] == [prefixes[1]]
    move(place, None)
    found = gc(place, older_than=0, keep=1)
    assert found.garbage == ()  # the last package of an alias stays, so that one can go back to it
    move(place, *fill(place, 2))
    assert mk.verify(place).sound


def test_bundles_are_kept_by_the_aliases_of_their_target(place: mk.Registry) -> None:
    prefixes = [f"mood/parrot/bundles/{digit * 64}" for digit in "abc"]
    for prefix in prefixes:
        place.storage.commit(prefix, {"bundle.json": b"{}"}, last="bundle.json")
    Alias(place.storage, "mood/parrot/aliases", "mood", "production").append("sha256:" + "b" * 64, after=None, why="")
    assert [one.key for one in gc(place, older_than=0).garbage] == [prefixes[0], prefixes[2]]


def test_where_an_alias_cannot_be_read_nothing_is_removed(place: mk.Registry, fill: Fill) -> None:
    digests = fill(place, 1, 2, 3)
    move(place, *digests[:2])
    place.storage.delete("mood/aliases/production/1")
    with pytest.raises(AliasError):
        gc(place, older_than=0)
    assert held(place) == {*digests}


def test_a_place_without_a_clock_removes_nothing_but_on_request(fill: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = mk.Registry(MemoryStorage())
    fill(registry, 1)
    stat = MemoryStorage.stat
    monkeypatch.setattr(
        MemoryStorage, "stat", lambda self, key: (one := stat(self, key)) and mk.Stat(size=one.size, etag=one.etag)
    )
    for _ in range(3):
        gc(registry, older_than=1e-9)
    assert len(held(registry)) == 1
    gc(registry, older_than=0)
    assert held(registry) == set()


@pytest.mark.parametrize("years", [-10, 10])
def test_a_clock_that_is_wrong_here_removes_nothing(
    place: mk.Registry, fill: Fill, monkeypatch: pytest.MonkeyPatch, years: int
) -> None:
    fill(place, 1)
    gc(place)
    wrong = SimpleNamespace(time=lambda: time.time() + years * 365 * DAY)
    monkeypatch.setattr(collecting, "time", wrong)
    assert set(states(gc(place)).values()) == {"waiting"}


class Stale(MemoryStorage):
    """A place whose listing lacks some keys for a while."""

    hidden = ""

    def list(self, prefix: str, /) -> Iterator[tuple[str, int]]:
        return (one for one in super().list(prefix) if not self.hidden or self.hidden not in one[0])


def test_a_listing_that_lags_behind_costs_nobody_a_package(fill: Fill) -> None:
    registry = mk.Registry(Stale())
    (digest,) = fill(registry, 1)
    gc(registry)
    age(registry, 8 * DAY)
    deployer(registry).push(bundle(registry, digest))
    deployer(registry).activate("mood", {"bundle": digest}, instead_of=None, why="")
    registry.storage.hidden = "/aliases/"  # type: ignore[attr-defined]
    assert set(states(gc(registry)).values()) == {"marked"}
    assert held(registry) == {digest}


# --- at the same time as others ---------------------------------------------------------------------------------------


def deployer(registry: mk.Registry) -> RegistryDeployer:
    return RegistryDeployer(to=Place("memory://"), registry=registry)


def bundle(registry: mk.Registry, digest: str) -> mk.Bundle:
    package = registry.package("mood", digest)
    return seal(package.folder, deployer(registry), package, package.models[0])


@settings(max_examples=60)
@given(order=st.lists(st.booleans(), max_size=60), marked=st.booleans(), live=st.booleans())
def test_whatever_the_order_of_steps_no_alias_names_what_gc_removed(
    small: Callable[[int], mk.ModelPackage],
    scheduled: type[MemoryStorage],
    interleave: Interleave,
    order: list[bool],
    *,
    marked: bool,
    live: bool,
) -> None:
    registry = mk.Registry(scheduled())
    before, package = registry.add(small(1)), registry.add(small(2))
    if live:
        move(registry, before.digest)
    if marked:
        gc(registry)
    made = bundle(registry, package.digest)

    def publish() -> None:
        at = deployer(registry).push(made)
        deployer(registry).activate("mood", at, instead_of={"bundle": before.digest} if live else None, why="")

    errors = interleave(registry.storage, order, publish, lambda: gc(registry, older_than=0))
    assert all(isinstance(error, MlopskitError) for error in errors), errors
    head = registry.alias("mood", "production").head()
    named = head and head.digest
    assert named in {None, before.digest, package.digest}
    if named:
        assert registry.package("mood", named).digest == named
    if not errors:
        assert named == package.digest
    audit = mk.verify(registry)
    assert audit.sound, audit.text()


@pytest.mark.parametrize("moment", ["turn", "done"])
def test_gc_that_is_broken_off_at_any_step_is_ended_by_the_next(
    small: Callable[[int], mk.ModelPackage], scheduled: type[MemoryStorage], moment: str
) -> None:
    broken = True
    at = 0
    while broken:
        at += 1
        registry = mk.Registry(scheduled())
        live, stray = registry.add(small(1)).digest, registry.add(small(2)).digest
        move(registry, live)
        steps = itertools.count(1)

        def fail(at: int = at, steps: Iterator[int] = steps, storage: Any = registry.storage) -> None:
            if next(steps) == at:
                setattr(storage, moment, lambda: None)
                raise StorageError("The place is down.", remedy="Wait.")

        setattr(registry.storage, moment, fail)
        try:
            gc(registry, older_than=0)
            broken = False
        except StorageError:
            assert registry.package("mood", live).digest == live
        setattr(registry.storage, moment, lambda: None)
        gc(registry, older_than=0)
        assert held(registry) == {live}, at
        assert mk.verify(registry).sound
        assert registry.add(small(2)).digest == stray
    assert at > 20


def test_what_gc_is_removing_is_not_published_meanwhile(place: mk.Registry, fill: Fill) -> None:
    (digest,) = fill(place, 1)
    prefix = f"mood/packages/{hex_of(digest)}"
    made = bundle(place, digest)
    mark = marks.append(place.storage, prefix, marks.MARKED, after=None)
    marks.append(place.storage, prefix, marks.REMOVING, after=mark)
    for act in (lambda: fill(place, 1), lambda: deployer(place).push(made)):
        with pytest.raises(ConflictError, match="is being removed since") as refused:
            act()
        assert "mlopskit gc --older-than 0s" in refused.value.remedy
    assert states(gc(place))[digest[7:15]] == "waiting"
    gc(place, older_than=0)
    assert held(place) == set()
    assert fill(place, 1) == [digest]


def test_a_claim_that_was_broken_off_is_given_up_where_the_content_is_needed(place: mk.Registry, fill: Fill) -> None:
    first, second = fill(place, 1, 2)
    move(place, first, second)
    prefix = f"mood/packages/{hex_of(first)}"
    mark = marks.append(place.storage, prefix, marks.MARKED, after=None)  # by a run that kept one package alone
    marks.append(place.storage, prefix, marks.REMOVING, after=mark)
    assert states(gc(place)) == {first[7:15]: "waiting"}
    assert states(gc(place, older_than=0, dry_run=True)) == {first[7:15]: "needed again"}
    assert states(gc(place, older_than=0)) == {first[7:15]: "needed again"}
    assert held(place) == {first, second}
    assert fill(place, 1) == [first]


def test_a_collection_shows_itself(place: mk.Registry, fill: Fill) -> None:
    fill(place, 1)
    found = gc(place)
    assert found.text().endswith(f"from {place.storage.uri}. 1 wait for the grace time to pass: run it again then.")
    assert found.as_table()["garbage"][0]["state"] == "marked"
    assert "Garbage" in found._repr_html_()
    assert Path(found.garbage[0].key).parent == Path("mood/packages")
