from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit import vendoring
from mlopskit.aliases import Alias
from mlopskit.commits import StoredObject
from mlopskit.errors import StorageError, UnknownNameError
from mlopskit.records import Approval, Run
from mlopskit.runtime import canonical
from mlopskit.runtime.names import hex_of
from mlopskit.verifying import Audit, verify

Fill = Callable[..., list[str]]


def move(registry: mk.Registry, *digests: str | None, alias: str = "production") -> None:
    for digest in digests:
        chain = registry.alias("mood", alias)
        chain.append(digest, after=chain.head(), why="")


def spoil(registry: mk.Registry, key: str, data: bytes | None) -> None:
    """Change a file behind the registry's back, or remove it."""
    local, objects = registry.storage.local(key), getattr(registry.storage, "objects", None)
    if objects is not None:
        known, _ = objects.pop(key, (StoredObject(size=0, etag="", facts={}), b""))
        if data is not None:
            # As somebody does who writes with another tool: the place itself would find all else.
            facts = {name: fact for name, fact in known.facts.items() if name != "sha256"}
            objects[key] = (dataclasses.replace(known, size=len(data), facts=facts), data)
    elif local is None:
        files = registry.storage._files
        if data is None:
            del files[key]
        else:
            files[key] = data
    elif data is None:
        local.unlink()
        local.parent.rmdir() if not any(local.parent.iterdir()) else None
    else:
        local.write_bytes(data)


def wrong(audit: Audit) -> list[tuple[str, str]]:
    return [(one.kind, one.key) for one in audit.damages]


def package_key(digest: str) -> str:
    return f"mood/packages/{hex_of(digest)}"


@pytest.fixture
def filled(place: mk.Registry, fill: Fill) -> tuple[mk.Registry, list[str]]:
    """Return a registry with three packages and a record of each kind, the second package live."""
    digests = fill(place, 1, 2, 3)
    move(place, digests[0], digests[1])
    approval = Approval(name="mood", digest=digests[1], alias="production", operation="o", who="a", why="", when="")
    place.add_approval(approval)
    place.add_run(Run(id="", name="mood", outcome="passed", digest=digests[0]))
    place.add_evidence("mood", digests[0], mk.Evidence())
    files = vendoring.runtime_files(["skops"])
    place.storage.commit(f"mood/runtime/{hex_of(vendoring.digest_of_files(files))}", files, last=vendoring.MAIN)
    return place, digests


def test_a_sound_registry_has_nothing_wrong(filled: tuple[mk.Registry, list[str]]) -> None:
    audit = verify(filled[0])
    assert audit.sound
    assert audit.checked == {"alias": 1, "package": 3, "record": 6, "runtime": 1}
    assert (
        audit.text()
        == f"Checked 1 alias, 3 packages, 6 records, 1 runtime in {filled[0].storage.uri}. Nothing is wrong."
    )


def test_a_place_where_nothing_is_does_not_pass_for_sound(place: mk.Registry, fill: Fill) -> None:
    with pytest.raises(UnknownNameError, match="holds nothing"):
        verify(place)
    fill(place, 1)
    with pytest.raises(UnknownNameError, match="Did you mean 'mood'"):
        verify(place, name="moot")


def test_what_was_checked_is_counted_in_words():
    audit = Audit(place="there", checked={"alias": 2, "package": 1, "record": 1_000}, damages=())
    assert audit.text() == "Checked 2 aliases, 1 package, 1,000 records in there. Nothing is wrong."


@pytest.mark.parametrize("file", ["model.skops", "golden.jsonl", "manifest.json"])
@pytest.mark.parametrize("data", [b"another", b"", None])
def test_a_damaged_package_is_named_and_mended_from_a_copy(
    filled: tuple[mk.Registry, list[str]], twin: Callable[[mk.Registry], mk.Registry], file: str, data: bytes | None
) -> None:
    registry, digests = filled
    copy = twin(registry)
    for digest in digests[1:]:
        spoil(registry, f"{package_key(digest)}/{file}", data)
    audit = verify(registry)
    assert wrong(audit) == [("package", package_key(digest)) for digest in sorted(digests[1:])]
    assert not audit.sound
    assert "damaged" in audit.text()
    mended = verify(registry, repair_from=copy)
    assert mended.sound
    assert wrong(mended) == wrong(audit)
    assert "All was repaired." in mended.text()
    assert verify(registry).damages == ()
    assert sorted(registry.storage.list("mood/packages")) == sorted(copy.storage.list("mood/packages"))


def test_a_file_too_many_is_damage(filled: tuple[mk.Registry, list[str]]) -> None:
    registry, digests = filled
    spoil(registry, f"{package_key(digests[2])}/sitecustomize.py", b"")
    (damage,) = verify(registry).damages
    assert "sitecustomize.py" in damage.reason


def test_what_is_live_and_gone_is_mended_and_what_nobody_names_may_be_gone(
    filled: tuple[mk.Registry, list[str]], twin: Callable[[mk.Registry], mk.Registry]
) -> None:
    registry, digests = filled
    copy = twin(registry)
    registry.storage.delete(package_key(digests[2]))
    assert verify(registry).sound
    registry.storage.delete(package_key(digests[1]))
    (damage,) = verify(registry).damages
    assert (damage.kind, damage.key) == ("package", package_key(digests[1]))
    assert damage.reason.startswith("The alias 'production' names it. ")
    assert verify(registry, repair_from=copy).sound
    assert registry.resolve("production", name="mood").digest == digests[1]
    assert not registry.holds("mood", digests[2])


def test_a_copy_that_is_damaged_too_repairs_nothing(
    filled: tuple[mk.Registry, list[str]], twin: Callable[[mk.Registry], mk.Registry]
) -> None:
    registry, digests = filled
    copy = twin(registry)
    for one in (registry, copy):
        spoil(one, f"{package_key(digests[1])}/model.skops", b"another")
    before = sorted(registry.storage.list(""))
    (damage,) = verify(registry, repair_from=copy).damages
    assert not damage.repaired
    assert "The copy is no better: " in damage.reason
    assert sorted(registry.storage.list("")) == before


def test_a_write_that_is_not_at_its_end_is_no_damage(place: mk.Registry, fill: Fill) -> None:
    (digest,) = fill(place, 1, judged=False)
    spoil(place, f"{package_key(digest)}/manifest.json", None)
    assert verify(place).damages == ()


def test_a_runtime_that_was_changed_is_named_and_mended(
    filled: tuple[mk.Registry, list[str]], twin: Callable[[mk.Registry], mk.Registry]
) -> None:
    registry, _ = filled
    copy = twin(registry)
    key = next(key for key, _ in registry.storage.list("mood/runtime") if key.endswith("scoring.py"))
    spoil(registry, key, b"evil")
    assert [kind for kind, _ in wrong(verify(registry))] == ["runtime"]
    assert verify(registry, repair_from=copy).sound
    assert verify(registry).sound


def records(registry: mk.Registry) -> list[str]:
    return [key for key, _ in registry.storage.list("mood") if key.endswith("/record.json")]


def test_every_record_that_cannot_be_read_is_named_and_never_written(
    filled: tuple[mk.Registry, list[str]], twin: Callable[[mk.Registry], mk.Registry]
) -> None:
    registry, _ = filled
    copy = twin(registry)
    keys = records(registry)
    assert len(keys) == 8
    for key in keys:
        good = registry.storage.read(key, limit=1 << 20)
        for bad in (b"", b"{}", b"[]", b'{"name":"mood"}', good[:-1], good + b" "):
            spoil(registry, key, bad)
            audit = verify(registry, repair_from=copy)
            assert not audit.sound, (key, bad)
            assert any(key.startswith(one.key) for one in audit.damages), (key, bad)
            assert registry.storage.read(key, limit=1 << 20) == bad
        spoil(registry, key, good)
    assert verify(registry).damages == ()


@pytest.mark.parametrize(
    ("chain", "field", "value"),
    [
        ("verdicts", "name", "weather"),
        ("verdicts", "digest", "sha256:" + "f" * 64),
        ("approvals", "digest", "sha256:" + "f" * 64),
        ("runs", "id", "7"),
        ("runs", "name", "weather"),
    ],
)
def test_a_record_at_the_place_of_another_is_named(
    filled: tuple[mk.Registry, list[str]], chain: str, field: str, value: str
) -> None:
    registry, _ = filled
    key = next(key for key in records(registry) if key.startswith(f"mood/{chain}/"))
    table = json.loads(registry.storage.read(key, limit=1 << 20) or b"")
    spoil(registry, key, canonical.dumps({**table, field: value}))
    (damage,) = verify(registry).damages
    assert f"Its {field} is {value!r}" in damage.reason


def test_a_gap_in_the_numbers_of_records_is_named(filled: tuple[mk.Registry, list[str]]) -> None:
    registry, digests = filled
    for _ in range(2):
        registry.add_evidence("mood", digests[0], mk.Evidence())
    gap = f"mood/evidence/{hex_of(digests[0])}/2"
    registry.storage.delete(gap)
    assert wrong(verify(registry)) == [("record", gap)]


@pytest.mark.parametrize("act", ["flip", "delete", "reorder", "insert", "cut"])
def test_a_chain_of_alias_records_that_somebody_touched_is_found(
    filled: tuple[mk.Registry, list[str]], act: str
) -> None:
    registry, digests = filled
    move(registry, digests[0], digests[1])
    registry.alias("mood", "production").head()
    keys = {number: f"mood/aliases/production/{number}/record.json" for number in range(1, 6)}
    held = {number: registry.storage.read(key, limit=1 << 20) or b"" for number, key in keys.items()}
    if act == "flip":
        spoil(registry, keys[2], held[2].replace(b'"why":""', b'"why":"x"'))
    elif act == "delete":
        registry.storage.delete("mood/aliases/production/2")
    elif act == "reorder":
        spoil(registry, keys[1], held[2])
        spoil(registry, keys[2], held[1])
    elif act == "insert":
        registry.storage.commit("mood/aliases/production/5", {"record.json": held[4]}, last="record.json")
    else:  # the newest is gone: this machine has seen it
        registry.storage.delete("mood/aliases/production/4")
    audit = verify(registry)
    assert not audit.sound
    assert any(one.key.startswith("mood/aliases/production") for one in audit.damages)


def test_an_alias_names_a_package_that_passed(place: mk.Registry, fill: Fill) -> None:
    good, refused, unjudged = fill(place, 1), fill(place, 2, passed=False), fill(place, 3, judged=False)
    move(place, *good)
    assert verify(place).sound
    for digest, reason in ((refused[0], "a verdict that refused it"), (unjudged[0], "no verdict")):
        move(place, digest)
        (damage,) = verify(place).damages
        assert (damage.kind, damage.key) == ("alias", "mood/aliases/production")
        assert reason in damage.reason
    move(place, None)
    assert verify(place).sound


def test_a_share_has_no_verdicts(place: mk.Registry, fill: Fill) -> None:
    move(place, *fill(place, 1, judged=False))
    assert verify(place).sound


def test_one_model_can_be_looked_at_alone_and_foreign_files_are_passed_over(
    filled: tuple[mk.Registry, list[str]],
) -> None:
    registry, digests = filled
    spoil(registry, f"{package_key(digests[0])}/model.skops", b"another")
    registry.storage.hint("README.md", b"ours")
    registry.storage.hint("other/notes.txt", b"ours")
    registry.storage.hint("mood/notes/x.txt", b"ours")
    assert verify(registry, name="other").sound
    assert wrong(verify(registry, name="mood")) == [("package", package_key(digests[0]))]
    assert wrong(verify(registry)) == [("package", package_key(digests[0]))]


def test_a_place_that_cannot_be_read_is_no_damage(
    filled: tuple[mk.Registry, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, _ = filled

    def fail(*_: object, **__: object) -> None:
        raise StorageError("The share is away.", remedy="Mount it.")

    monkeypatch.setattr(type(registry.storage), "read", fail)
    with pytest.raises(StorageError, match="away"):
        verify(registry)


def test_bundles_of_other_targets_are_checked_with_their_aliases(place: mk.Registry) -> None:
    listing = canonical.dumps({"files": {}})
    digest = canonical.digest_of(listing)
    prefix = f"mood/parrot/bundles/{hex_of(digest)}"
    place.storage.commit(prefix, {"bundle.json": listing}, last="bundle.json")
    Alias(place.storage, "mood/parrot/aliases", "mood", "production").append(digest, after=None, why="")
    assert verify(place).checked == {"alias": 1, "bundle": 1}
    spoil(place, f"{prefix}/bundle.json", b"{}")
    assert wrong(verify(place)) == [("bundle", prefix)]
    place.storage.delete(prefix)
    assert wrong(verify(place)) == [("bundle", prefix)]


def test_an_audit_shows_itself(filled: tuple[mk.Registry, list[str]]) -> None:
    registry, digests = filled
    spoil(registry, f"{package_key(digests[0])}/model.skops", b"another")
    audit = verify(Path(registry.storage.uri) if registry.storage.local("x") else registry)
    assert audit.as_table()["sound"] is False
    assert "✗ damaged" in audit._repr_html_()
    assert "package" in audit.table().text()
