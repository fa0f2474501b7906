from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit.errors import ConflictError, IntegrityError, ManifestError, UnknownNameError, UnsafeNameError
from mlopskit.records import Receipt, Run

DIGEST = "sha256:" + "a" * 64


def run(number: int) -> Run:
    return Run(
        id="", name="mood", outcome="passed", digest=DIGEST, changed=["x"], fingerprint={"a": str(number)},
        seconds={}, error=None, who="w", when="t",
    )  # fmt: skip


def deployment(bundle: str) -> mk.Deployment:
    receipt = Receipt(
        package=DIGEST, place="target", rows=2, ties=0, largest_difference=0.5, runtime={"engine": "e"},
        mismatches=(mk.Mismatch(row=1, output="prediction", expected="a", answered=None),),
    )  # fmt: skip
    return mk.Deployment(
        endpoint="production", target="t", name="mood", package=DIGEST, bundle=bundle, locator={"bundle": bundle},
        receipt=receipt, operation="o", who="w", why="", when="",
    )  # fmt: skip


def folder_of(registry: mk.Registry, package: mk.ModelPackage) -> Path:
    folder = registry.storage.local(f"{package.name}/packages/{package.digest[7:]}")
    assert folder
    return folder


def test_what_was_added_is_found_by_every_kind_of_reference(registry: mk.Registry, package: mk.ModelPackage) -> None:
    registry.alias("mood", "candidate").append(package.digest, after=None, why="")
    digits = package.digest[7:]
    for reference in (package.digest, digits, digits[:8], f"sha256:{digits[:12]}", "candidate"):
        for name in ("", "mood@"):
            assert registry.resolve(f"{name}{reference}", name="mood").digest == package.digest
    assert registry.resolve(package.digest).name == "mood"
    assert registry.names() == ["mood"]
    assert package.digest in registry.digests("mood")
    assert registry.aliases("mood") == ["candidate"]


def test_adding_again_changes_nothing(registry: mk.Registry, package: mk.ModelPackage) -> None:
    before = sorted(registry.storage.list(""))
    assert registry.add(package) == package
    assert sorted(registry.storage.list("")) == before


def test_adding_over_damaged_content_is_an_error(
    registry: mk.Registry, package: mk.ModelPackage, tmp_path: Path
) -> None:
    copy = tmp_path / package.digest[7:]
    shutil.copytree(folder_of(registry, package), copy)
    (folder_of(registry, package) / "README.md").write_text("another")
    with pytest.raises(IntegrityError, match=r"README\.md"):
        registry.add(mk.ModelPackage.open(copy))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("canditate", "Did you mean 'candidate'?"),
        (DIGEST, "holds no package"),
        ("aaaaaaaa", "0 packages"),
        ("sha256:", "2 packages"),
        ("nobody@candidate", "no endpoint or alias"),
    ],
)
def test_what_is_not_there_is_named(
    registry: mk.Registry, package: mk.ModelPackage, reference: str, message: str
) -> None:
    registry.alias("mood", "candidate").append(package.digest, after=None, why="")
    with pytest.raises(UnknownNameError, match=message):
        registry.resolve(reference, name="mood")


@pytest.mark.parametrize(
    "reference", ["../x", "mood@../x", "../mood@production", "", "mood@", "a\0b", "mood@sha256:../" + "a" * 61]
)
def test_unsafe_references_are_refused(registry: mk.Registry, reference: str) -> None:
    with pytest.raises((UnsafeNameError, UnknownNameError)):
        registry.resolve(reference, name="mood")


def test_a_registry_of_several_models_asks_which(registry: mk.Registry, package: mk.ModelPackage) -> None:
    registry.add_run(replace(run(1), name="weather"))
    with pytest.raises(UnknownNameError, match="2 models"):
        registry.resolve(package.digest)


def test_an_alias_that_names_nothing_is_unknown(registry: mk.Registry, package: mk.ModelPackage) -> None:
    alias = registry.alias("mood", "candidate")
    alias.append(None, after=alias.append(package.digest, after=None, why=""), why="")
    with pytest.raises(UnknownNameError):
        registry.resolve("candidate", name="mood")


def test_a_package_of_another_model_is_refused(registry: mk.Registry, package: mk.ModelPackage) -> None:
    root = Path(registry.storage.uri)
    shutil.copytree(root / "mood" / "packages", root / "weather" / "packages")
    with pytest.raises(IntegrityError, match="is one of 'mood', not of 'weather'"):
        registry.package("weather", package.digest)


@pytest.mark.parametrize(
    "file", ["manifest.json", "model.skops", "golden.jsonl", "evaluation.json", "requirements.txt"]
)
def test_a_package_that_lost_a_file_is_refused(registry: mk.Registry, package: mk.ModelPackage, file: str) -> None:
    (folder_of(registry, package) / file).unlink()
    with pytest.raises((IntegrityError, UnknownNameError)):
        registry.package("mood", package.digest)


def test_a_manifest_is_read_without_the_files_that_it_lists(registry: mk.Registry, package: mk.ModelPackage) -> None:
    folder = folder_of(registry, package)
    for path in package.manifest["files"]:
        (folder / path).unlink()
    assert registry.manifest("mood", package.digest) == package.manifest
    (folder / "manifest.json").write_bytes((folder / "manifest.json").read_bytes() + b" ")
    with pytest.raises(IntegrityError, match=r"manifest\.json' has the digest"):
        registry.manifest("mood", package.digest)
    with pytest.raises(UnknownNameError, match="holds no package"):
        registry.manifest("mood", DIGEST)


def test_files_of_two_packages_are_not_mixed(
    registry: mk.Registry, package: mk.ModelPackage, other: mk.ModelPackage
) -> None:
    shutil.copy(folder_of(registry, other) / "model.skops", folder_of(registry, package) / "model.skops")
    with pytest.raises(IntegrityError, match=r"model\.skops"):
        registry.package("mood", package.digest)


def test_runs_are_numbered_in_their_order(registry: mk.Registry) -> None:
    assert [registry.add_run(run(number)).id for number in range(3)] == ["1", "2", "3"]
    assert [one.fingerprint["a"] for one in registry.runs("mood")] == ["0", "1", "2"]


def test_eight_writers_lose_no_record(registry: mk.Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda number: registry.add_run(run(number)).id, range(40)))
    assert sorted(map(int, ids)) == list(range(1, 41))
    assert {one.fingerprint["a"] for one in registry.runs("mood")} == set(map(str, range(40)))


def test_deployments_are_read_as_they_were_written(registry: mk.Registry) -> None:
    written = [deployment(DIGEST), deployment("sha256:" + "b" * 64)]
    for one in written:
        registry.add_deployment(one)
    assert registry.deployments("mood", "production") == written
    assert registry.endpoints("mood") == ["production"]
    assert registry.deployments("mood", "validation") == []


def test_a_record_that_was_cut_is_refused(registry: mk.Registry) -> None:
    registry.add_run(run(1))
    record = registry.storage.local("mood/runs/1/record.json")
    assert record
    record.write_bytes(record.read_bytes()[:-1])
    with pytest.raises(ManifestError, match=r"mood/runs/1/record\.json"):
        registry.runs("mood")


def test_a_place_where_every_number_is_taken_is_a_conflict(
    registry: mk.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(registry.storage), "commit", lambda *_, **__: False)
    with pytest.raises(ConflictError, match="Too many writers"):
        registry.add_run(run(1))
    with pytest.raises(ConflictError, match="Too many writers"):
        registry.add_deployment(deployment(DIGEST))


def test_verdicts_on_the_same_rows_are_counted(registry: mk.Registry, package: mk.ModelPackage) -> None:
    verdict = registry.verdict("mood", package.digest)
    assert verdict
    assert registry.verdicts_on("mood", verdict.dataset) == 2
    assert registry.verdicts_on("mood", DIGEST) == 0
    registry.add_verdict(replace(verdict, override="why"))
    newest = registry.verdict("mood", package.digest)
    assert newest
    assert newest.override == "why"
    assert registry.verdict("mood", DIGEST) is None


def test_a_registry_without_real_paths_reads_a_private_copy(
    registry: mk.Registry, package: mk.ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(registry.storage), "local", lambda *_: None)
    copy = registry.package("mood", package.digest)
    assert copy.digest == package.digest
    assert copy.folder != package.folder
    assert registry.add(copy).digest == package.digest


def test_what_is_removed_while_it_is_read_is_missed_by_name(bucket: mk.Registry, package: mk.ModelPackage) -> None:
    storage = bucket.storage
    gone = f"mood/packages/{package.digest[7:]}/README.md"
    listed = [*storage.list("")]
    storage._files = {key: data for key, data in storage._files.items() if key != gone}  # type: ignore[attr-defined]
    storage.list = lambda prefix, /: (one for one in listed if one[0].startswith(f"{prefix}/"))  # type: ignore[method-assign]
    with pytest.raises(IntegrityError, match=r"README\.md"):
        bucket.package("mood", package.digest)


def test_private_copies_of_a_bucket_s_packages_go_with_the_process(tmp_path: Path) -> None:
    code = """
import tempfile, sys
tempfile.tempdir = sys.argv[1]
from mlopskit.registry import Registry
from mlopskit.testing import MemoryStorage
registry = Registry(MemoryStorage())
registry.storage.commit("m/packages/" + "a" * 64, {"manifest.json": b"{}"}, last="manifest.json")
assert registry._local("m/packages/" + "a" * 64).joinpath("manifest.json").read_bytes() == b"{}"
"""
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
    assert [*tmp_path.iterdir()] == []
