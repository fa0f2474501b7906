"""Registries as each release wrote them are read for ever; of what a later one writes, it is said what it needs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mlopskit as mk
from mlopskit import marks, promoting
from mlopskit.errors import ManifestError
from mlopskit.promoting import Promotion
from mlopskit.runtime import canonical

GOLDEN = Path(__file__).parents[1] / "golden"
RELEASES = sorted(folder.name for folder in GOLDEN.iterdir())
FIRST = "sha256:d1ea29ac1554976e654be22e518ab978b1977886bfaba51cedefba378c001a66"
SECOND = "sha256:e90cb696f8f58cfeaffffd12818bd409fa2dc2cb9f21ab43d01051e4494efe4f"
THIRD = "sha256:5299cdfbbe1fbbb447c89da4ec50503e9b3ab308b8384b5d934b44f5dbae6bbf"


@pytest.fixture(params=RELEASES)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> mk.Registry:
    """Return a copy of the registry that a release wrote."""
    shutil.copytree(GOLDEN / request.param, tmp_path / "old")
    return mk.Registry.at(tmp_path / "old")


def test_the_registry_of_every_release_is_read(old: mk.Registry) -> None:
    assert mk.verify(old).text().startswith("Checked 1 alias, 3 packages, 15 records in ")
    assert mk.verify(old).sound
    assert old.digests("mood") == sorted([FIRST, SECOND, THIRD])
    assert [one.digest for one in old.alias("mood", "production").history()] == [FIRST, SECOND, FIRST]
    assert old.resolve("production", name="mood").golden[0].expected == {"prediction": 1.0}
    verdicts = [old.verdict("mood", digest) for digest in (FIRST, SECOND, THIRD)]
    assert [one and one.passed for one in verdicts] == [True, True, False]
    assert verdicts[0]
    assert verdicts[0].measurements[0].metric == "latency_p95_ms"
    assert [one.outcome for one in old.runs("mood")] == ["passed", "passed", "refused"]
    (endpoint,) = old.endpoints("mood")
    assert [one.rollback for one in old.deployments("mood", endpoint)] == [False, False, True]
    assert old.approvers("mood", FIRST, "production") == ["ada"]
    assert old.evidence("mood", FIRST).plots[0].title == "Rows"
    mark = marks.head(old.storage, f"mood/packages/{THIRD[7:]}")
    assert mark
    assert mark.state == marks.KEPT


def test_the_registry_of_every_release_is_written_on(
    old: mk.Registry, fill: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def ask(_: object, bundle: Path, rows: object, /) -> mk.Answer:
        package = mk.ModelPackage.open(bundle)
        return mk.Answer(rows=[one.expected for one in package.golden], digest=package.digest, runtime={})

    monkeypatch.setattr(promoting.RegistryDeployer, "ask", ask)
    assert fill(old, 2) == [SECOND]
    assert Promotion(registry=old, name="mood", alias="production").promote(old.package("mood", SECOND)).why == ""
    assert len(old.alias("mood", "production").history()) == 4
    mk.copy(None, to=tmp_path / "copy", registry=old)
    assert states(mk.gc(old, older_than=0, keep=1)) == {}  # the last run is of the third package
    assert mk.verify(old).sound


def states(found: mk.Collection) -> dict[str, str]:
    return {one.key: one.state for one in found.garbage if one.kind == "package" and FIRST[7:] not in one.key}


def records(registry: mk.Registry) -> list[Path]:
    return sorted(Path(registry.storage.uri).rglob("record.json"))


def change(record: Path, **fields: Any) -> None:
    record.write_bytes(canonical.dumps({**json.loads(record.read_bytes()), **fields}))


def read_all(registry: mk.Registry) -> None:
    """Read every record of the registry, as its users do."""
    for digest in (FIRST, SECOND, THIRD):
        registry.verdict("mood", digest)
        registry.evidence("mood", digest)
        registry.approvals("mood", digest)
        marks.head(registry.storage, f"mood/packages/{digest[7:]}")
    registry.runs("mood")
    registry.deployments("mood", *registry.endpoints("mood"))
    registry.alias("mood", "production").history()


def test_fields_that_a_later_release_adds_are_passed_over(old: mk.Registry) -> None:
    for record in records(old):
        if "aliases" not in record.parts:  # each of these names the digest of the one before
            change(record, signed_by="somebody")
    before = old.verdict("mood", FIRST)
    (first, *_) = (path for path in records(old) if "verdicts" in path.parts and FIRST[7:] in path.parts)
    table = json.loads(first.read_bytes())
    change(first, findings=[{**one, "colour": "green"} for one in table["findings"]])
    assert old.verdict("mood", FIRST) == before
    read_all(old)
    assert mk.verify(old).sound


@pytest.mark.parametrize("version", [0, 2, 2**70, "1", None, True])
def test_a_record_of_a_later_format_is_refused_and_says_what_it_needs(old: mk.Registry, version: Any) -> None:
    for record in records(old):
        before = record.read_bytes()
        change(record, format_version=version, needs="0.9")
        with pytest.raises(ManifestError, match="this reader knows 1") as refused:
            read_all(old)
        assert "It needs a later release of mlopskit" in refused.value.remedy
        assert not mk.verify(old).sound
        record.write_bytes(before)
    read_all(old)


def test_a_package_of_a_later_format_is_refused_and_says_what_it_needs(old: mk.Registry, tmp_path: Path) -> None:
    package = old.package("mood", FIRST)
    copy = tmp_path / "later"
    shutil.copytree(package.folder, copy)
    change(copy / "manifest.json", format_version=2, signatures=["new"])
    with pytest.raises(ManifestError, match="has the format_version 2, this reader knows 1") as refused:
        mk.ModelPackage.open(copy, digest="unpinned")
    assert "or a later one" in refused.value.remedy
