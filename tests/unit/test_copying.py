from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit.errors import IntegrityError, UnknownNameError
from mlopskit.testing.memory import MemoryStorage

Fill = Callable[..., list[str]]


@pytest.fixture(params=["folder", "memory"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> mk.Registry:
    return mk.Registry.at(tmp_path / "other") if request.param == "folder" else mk.Registry(MemoryStorage())


def verdicts(registry: mk.Registry, digest: str) -> list[dict[str, object]]:
    return [*registry.records(f"mood/verdicts/{digest[7:]}")]


def test_a_package_arrives_with_its_digest_and_what_was_judged(
    place: mk.Registry, other: mk.Registry, fill: Fill
) -> None:
    digests = fill(place, 1, 2)
    place.add_evidence("mood", digests[0], mk.Evidence())
    place.alias("mood", "production").append(digests[0], after=None, why="")
    made = mk.copy([digests[0], "production", digests[0][:19]], to=other, registry=place, name="mood")
    (one,) = made.packages
    assert (one.digest, one.sent, one.verdicts, one.evidence) == (digests[0], True, 1, 1)
    assert one.bytes == sum(size for _, size in other.storage.list("mood/packages"))
    assert other.package("mood", digests[0]).manifest == place.package("mood", digests[0]).manifest
    assert other.verdict("mood", digests[0]) == place.verdict("mood", digests[0])
    assert other.aliases("mood") == []
    assert mk.verify(other).sound


def test_a_second_time_nothing_is_sent(place: mk.Registry, other: mk.Registry, fill: Fill) -> None:
    fill(place, 1, 2)
    first = mk.copy(None, to=other, registry=place)
    before = sorted(other.storage.list(""))
    again = mk.copy(None, to=other, registry=place)
    assert [one.digest for one in again.packages] == [one.digest for one in first.packages]
    assert {(one.sent, one.bytes, one.verdicts, one.evidence) for one in again.packages} == {(False, 0, 0, 0)}
    assert sorted(other.storage.list("")) == before


def test_what_the_other_registry_judged_itself_stays_the_newest(
    place: mk.Registry, other: mk.Registry, fill: Fill
) -> None:
    (digest,) = fill(place, 1)
    mk.copy([digest], to=other, registry=place, name="mood")
    refused = replace(other.verdict("mood", digest), findings=())  # type: ignore[type-var]
    other.add_verdict(refused)
    place.add_verdict(replace(place.verdict("mood", digest), seen_before=7))  # type: ignore[type-var]
    (one,) = mk.copy([digest], to=other, registry=place, name="mood").packages
    assert one.verdicts == 0
    assert other.verdict("mood", digest) == refused
    assert len(verdicts(other, digest)) == 2


def test_a_copy_that_was_broken_off_is_completed(place: mk.Registry, other: mk.Registry, fill: Fill) -> None:
    (digest,) = fill(place, 1)
    place.add_verdict(replace(place.verdict("mood", digest), seen_before=1))  # type: ignore[type-var]
    other.append_record(f"mood/verdicts/{digest[7:]}", verdicts(place, digest)[0])
    (one,) = mk.copy(None, to=other, registry=place).packages
    assert (one.sent, one.verdicts) == (True, 1)
    assert verdicts(other, digest) == verdicts(place, digest)


def test_what_is_damaged_is_not_copied_and_not_taken_for_there(
    place: mk.Registry, other: mk.Registry, fill: Fill
) -> None:
    (digest,) = fill(place, 1)
    prefix = f"mood/packages/{digest[7:]}"
    other.storage.commit(prefix, {"manifest.json": b"{}"}, last="manifest.json")
    with pytest.raises(IntegrityError):
        mk.copy([digest], to=other, registry=place, name="mood")
    other.storage.delete(prefix)
    files = {
        key.removeprefix(f"{prefix}/"): place.storage.read(key, limit=1 << 20) or b""
        for key, _ in place.storage.list(prefix)
    }
    place.storage.delete(prefix)
    place.storage.commit(prefix, {**files, "model.skops": b"changed"}, last="manifest.json")
    with pytest.raises(IntegrityError):
        mk.copy([digest], to=other, registry=place, name="mood")
    assert other.names() == []


def test_what_is_not_there_is_named(place: mk.Registry, other: mk.Registry, fill: Fill) -> None:
    fill(place, 1)
    with pytest.raises(UnknownNameError, match="holds no package"):
        mk.copy(["sha256:" + "0" * 64], to=other, registry=place, name="mood")
    with pytest.raises(UnknownNameError, match="There is no model 'weather'"):
        mk.copy(None, to=other, registry=place, name="weather")
    with pytest.raises(UnknownNameError, match="holds nothing"):
        mk.copy(None, to=place, registry=other)


def test_a_copy_shows_itself(place: mk.Registry, other: mk.Registry, fill: Fill) -> None:
    made = mk.copy(fill(place, 1), to=other, registry=place)
    assert "Sent 1 of 1 packages" in made.text()
    assert "Copied" in made._repr_html_()
    assert made.as_table()["packages"][0]["sent"] is True
