from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

import mlopskit as mk
from mlopskit import isolated, vendoring
from mlopskit.bundles import seal
from mlopskit.errors import ConflictError, DeployError, IntegrityError
from mlopskit.runtime.names import hex_of
from mlopskit.storage import Place

ANSWER = {"rows": [{"prediction": "x"}], "runtime": {}}


@dataclass(frozen=True, kw_only=True)
class Parrot(mk.BundleDeployer):
    """A bundle that holds a word; asked, it says it."""

    target: ClassVar[str] = "parrot"
    word: str = "hello"

    def build(self, package: mk.ModelPackage, model: mk.StoredModel | None, into: Path, /) -> None:
        (into / "deep").mkdir()
        (into / "deep" / "word.txt").write_text(f"{self.word} {package.digest}")

    def ask(self, bundle: Path, rows: Sequence[mk.Row], /) -> mk.Answer:
        word, digest = (bundle / "deep" / "word.txt").read_text().split()
        return mk.Answer(rows=[{"prediction": word} for _ in rows], digest=digest, runtime={})


def bundled(deployer: mk.Deployer, package: mk.ModelPackage, folder: Path) -> mk.Bundle:
    folder.mkdir()
    deployer.build(package, package.models[0], folder)
    return seal(folder, deployer, package, package.models[0])


@pytest.fixture
def parrot(tmp_path: Path) -> Parrot:
    return Parrot(to=Place(str(tmp_path / "share")))


@pytest.fixture
def bundle(parrot: Parrot, package: mk.ModelPackage, tmp_path: Path) -> mk.Bundle:
    return bundled(parrot, package, tmp_path / "bundle")


@pytest.fixture
def share(tmp_path: Path) -> mk.FileShare:
    return mk.FileShare(to=Place(str(tmp_path / "share")))


def test_a_bundle_stands_under_its_own_digest_below_its_target(parrot: Parrot, bundle: mk.Bundle) -> None:
    at = parrot.push(bundle)
    folder = Path(parrot.to, "mood", "parrot", "bundles", hex_of(at["bundle"]))
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "bundle.json",
        "deep/word.txt",
    ]
    assert parrot.live("mood") is None
    parrot.activate("mood", at, instead_of=None, why="first")
    assert parrot.live("mood") == at
    assert Path(parrot.to, "mood", "parrot", "aliases", "production", "1", "record.json").exists()
    assert parrot.predict("mood", [{}], None).rows == [{"prediction": "hello"}]


def test_the_same_package_gives_the_same_bundle(parrot: Parrot, package: mk.ModelPackage, tmp_path: Path) -> None:
    digests = {bundled(parrot, package, tmp_path / name).digest for name in "ab"}
    louder = bundled(Parrot(to=parrot.to, word="HELLO"), package, tmp_path / "c").digest
    assert len(digests | {louder}) == 2


@pytest.mark.parametrize("damage", ["change", "remove", "add", "listing"])
def test_a_damaged_bundle_is_neither_asked_nor_taken_for_pushed(parrot: Parrot, bundle: mk.Bundle, damage: str) -> None:
    at = parrot.push(bundle)
    folder = Path(parrot.to, "mood", "parrot", "bundles", hex_of(at["bundle"]))
    word = folder / "deep" / "word.txt"
    {
        "change": lambda: word.write_text(word.read_text().replace("hello", "HELLO")),
        "remove": word.unlink,
        "add": (folder / "sitecustomize.py").touch,
        "listing": lambda: (folder / "bundle.json").write_text("{}"),
    }[damage]()
    with pytest.raises(IntegrityError):
        parrot.predict("mood", [{}], at)
    with pytest.raises(IntegrityError):
        parrot.push(bundle)


def test_a_bundle_that_is_not_there_is_not_activated(parrot: Parrot) -> None:
    missing = {"bundle": "sha256:" + "0" * 64}
    with pytest.raises(IntegrityError, match="no complete bundle"):
        parrot.activate("mood", missing, instead_of=None, why="")
    assert parrot.live("mood") is None
    assert "no complete bundle" in str(parrot.fault("mood", missing))


def test_activating_expects_what_is_live(parrot: Parrot, bundle: mk.Bundle) -> None:
    at = parrot.push(bundle)
    with pytest.raises(ConflictError, match="somebody else deployed meanwhile"):
        parrot.activate("mood", at, instead_of=at, why="")
    parrot.activate("mood", at, instead_of=None, why="")
    with pytest.raises(ConflictError):
        parrot.activate("mood", at, instead_of=None, why="")
    parrot.activate("mood", None, instead_of=at, why="")
    assert parrot.live("mood") is None
    with pytest.raises(DeployError, match="Nothing is live"):
        parrot.predict("mood", [{}], None)


def test_activating_what_is_live_leaves_no_trace_but_mends_the_hint(parrot: Parrot, bundle: mk.Bundle) -> None:
    at = parrot.push(bundle)
    parrot.activate("mood", at, instead_of=None, why="first")
    aliases = Path(parrot.to, "mood", "parrot", "aliases")
    (aliases / "production.json").unlink()
    parrot.activate("mood", at, instead_of=at, why="again")
    assert [path.name for path in (aliases / "production").iterdir()] == ["1"]
    assert (aliases / "production.json").read_bytes() == (aliases / "production" / "1" / "record.json").read_bytes()


def test_aliases_are_apart(parrot: Parrot, bundle: mk.Bundle) -> None:
    at = parrot.push(bundle)
    candidate = Parrot(to=parrot.to, alias="candidate")
    candidate.activate("mood", at, instead_of=None, why="")
    assert (parrot.live("mood"), candidate.live("mood")) == (None, at)


def test_removing_leaves_what_others_may_use(parrot: Parrot, bundle: mk.Bundle) -> None:
    at = parrot.push(bundle)
    parrot.activate("mood", at, instead_of=None, why="")
    parrot.remove("mood", at)
    parrot.remove("mood", at)
    assert parrot.predict("mood", [{}], None).digest == bundle.package


def test_a_place_without_real_paths_is_asked_through_a_copy(
    parrot: Parrot, bundle: mk.Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = parrot.push(bundle)
    monkeypatch.setattr(type(parrot._storage()), "local", lambda *_: None)
    assert parrot.push(bundle) == at
    assert parrot.predict("mood", [{}], at).digest == bundle.package


def test_a_share_has_the_layout_of_a_registry_and_the_runtime_beside(
    share: mk.FileShare, package: mk.ModelPackage, tmp_path: Path
) -> None:
    bundle = bundled(share, package, tmp_path / "bundle")
    assert bundle.digest == package.digest
    at = share.push(bundle)
    assert at == {"bundle": package.digest}
    share.activate("mood", at, instead_of=None, why="")
    assert mk.Registry.at(share.to).resolve("mood@production").digest == package.digest
    runtime = vendoring.runtime_files([one.format for one in package.models])
    folder = Path(share.to, "mood", "runtime", hex_of(vendoring.digest_of_files(runtime)))
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == set(runtime)


@pytest.mark.parametrize("damage", ["change", "remove", "add"])
def test_a_runtime_that_was_tampered_with_is_refused(
    share: mk.FileShare, package: mk.ModelPackage, tmp_path: Path, damage: str
) -> None:
    bundle = bundled(share, package, tmp_path / "bundle")
    share.push(bundle)
    assert share.push(bundle) == {"bundle": package.digest}
    main = next(Path(share.to, "mood", "runtime").rglob("__main__.py"))
    {
        "change": lambda: main.write_text(main.read_text() + "# evil"),
        "remove": main.unlink,
        "add": (main.parent / "numpy.py").touch,
    }[damage]()
    with pytest.raises(IntegrityError, match=r"was changed: (__main__|.*numpy)\.py"):
        share.push(bundle)


def test_a_share_is_asked_in_a_process_of_its_own(
    share: mk.FileShare, package: mk.ModelPackage, tmp_path: Path
) -> None:
    at = share.push(bundled(share, package, tmp_path / "bundle"))
    answer = share.predict("mood", [golden.row for golden in package.golden], at)
    assert answer.digest == package.digest
    assert answer.rows == [golden.expected for golden in package.golden]
    assert answer.runtime["engine"].startswith("portable")


def test_the_digest_is_what_the_answering_process_says(
    share: mk.FileShare, package: mk.ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Said:
        def ask(self, rows: Sequence[mk.Row], /) -> dict[str, object]:
            return {**ANSWER, "digest": "sha256:" + "7" * 64}

    @contextmanager
    def process(*_: object, **__: object) -> Iterator[Said]:
        yield Said()

    at = share.push(bundled(share, package, tmp_path / "bundle"))
    monkeypatch.setattr(isolated, "isolated_model", process)
    assert share.predict("mood", [{}], at).digest == "sha256:" + "7" * 64


def test_a_share_that_was_emptied_and_begun_anew_is_another_share(
    share: mk.FileShare, package: mk.ModelPackage, tmp_path: Path
) -> None:
    bundle = bundled(share, package, tmp_path / "bundle")
    at = share.push(bundle)
    share.activate("mood", at, instead_of=None, why="")
    share.activate("mood", None, instead_of=at, why="")
    assert share.live("mood") is None
    shutil.rmtree(share.to)
    at = share.push(bundle)
    share.activate("mood", at, instead_of=None, why="")
    assert share.live("mood") == at
