"""The conformance suite of bundle deployers: what a folder of versions with an alias must keep, beyond any deployer."""

from __future__ import annotations

import dataclasses
import shutil

from mlopskit.bundles import BundleDeployer
from mlopskit.deployer import Deployer
from mlopskit.errors import MlopskitError
from mlopskit.modelpackage import ModelPackage
from mlopskit.records import Bundle, Locator
from mlopskit.runtime.names import hex_of
from mlopskit.storage import Storage, storage_at
from mlopskit.testing.claims import no_error, refused
from mlopskit.testing.deployers import DeployerConformance
from mlopskit.testing.packages import NAME
from mlopskit.testing.stage import Stage
from mlopskit.wheels import at_home


class BundleDeployerConformance(DeployerConformance):
    """What every bundle deployer must do. Inherit it and write the fixture `deployer`."""

    def tamper(self, deployer: Deployer, at: Locator, other: Bundle) -> None:
        """Overwrite the files of a pushed bundle with those of another."""
        storage, prefix = _place(deployer, at)
        for path in other.files:
            storage.hint(f"{prefix}/{path}", (other.folder / path).read_bytes())

    def test_pushes_what_was_built(self, stage: Stage, package: ModelPackage) -> None:
        """What stands at the target is the bundle: all of its files, no others, no byte changed."""
        bundle = stage.build(package)
        storage, prefix = _place(stage.deployer, stage.deployer.push(bundle))
        pushed = {key.removeprefix(f"{prefix}/"): _read(storage, key) for key, _ in storage.list(prefix)}
        built = {path: (bundle.folder / path).read_bytes() for path in bundle.files}
        changed = sorted(path for path in pushed.keys() | built.keys() if pushed.get(path) != built.get(path))
        assert not changed, f"push changed, left out or added files: {changed}. Let `build` make the bundle whole."

    def test_push_twice_writes_nothing(self, stage: Stage, package: ModelPackage) -> None:
        """A second push of the same bundle changes no file."""
        storage, prefix = _place(stage.deployer, stage.push(package))
        before = {key: storage.stat(key) for key, _ in storage.list(prefix)}
        stage.push(package)
        after = {key: storage.stat(key) for key, _ in storage.list(prefix)}
        assert before == after, "A second push of the same bundle wrote it again. Leave alone what is there."

    def test_half_a_bundle_is_never_visible(self, stage: Stage, package: ModelPackage) -> None:
        """A push that fails at any file leaves no bundle that a reader would take for whole."""
        bundle = stage.build(package)
        place = {"bundle": bundle.digest}
        storage, prefix = _place(stage.deployer, place)
        for path in bundle.files:
            folder = stage.new_folder() / "bundle"
            shutil.copytree(bundle.folder, folder)
            (folder / path).unlink()
            with refused(Exception, fault=f"push succeeded without the file {path!r}. Push what the bundle lists."):
                stage.deployer.push(dataclasses.replace(bundle, folder=folder))
            visible = storage.stat(f"{prefix}/{bundle.listing}")
            assert visible is None, (
                f"push made the bundle visible before it was whole: {bundle.listing} is there, {path} is not. "
                "Commit all files in one Storage.commit, with the listing last."
            )

    def test_activate_refuses_what_is_not_there(self, stage: Stage, package: ModelPackage) -> None:
        """An alias never names a bundle that was not pushed."""
        at = stage.deploy(package)
        absent = {"bundle": f"sha256:{'0' * 64}"}
        advice = "Look whether it is there, then switch."
        with refused(MlopskitError, fault=f"activate switched to a bundle that was never pushed. {advice}"):
            stage.activate(absent, at)
        live = stage.live()
        assert live == at, f"activate refused a bundle that was never pushed, and made {live} live. {advice}"

    def test_changed_bundle_is_refused(self, stage: Stage, package: ModelPackage) -> None:
        """A bundle that was changed at the target does not answer: one more byte in any file is too much."""
        bundle = stage.build(package)
        at = stage.deployer.push(bundle)
        storage, prefix = _place(stage.deployer, at)
        for path in bundle.files:
            whole = (bundle.folder / path).read_bytes()
            storage.hint(f"{prefix}/{path}", whole + b"\n")
            fault = f"predict answered from a bundle whose file {path!r} was changed. Check the whole bundle, then ask."
            with refused(MlopskitError, fault=fault):
                stage.ask_golden(package, at)
            storage.hint(f"{prefix}/{path}", whole)

    def test_bundle_stands_alone(self, stage: Stage, package: ModelPackage) -> None:
        """A bundle answers from any folder, without the package it was built from."""
        source = stage.new_folder() / "package"
        shutil.copytree(package.folder, source)
        bundle = stage.build(ModelPackage.open(source, digest=package.digest))
        moved = stage.new_folder() / hex_of(bundle.digest)
        shutil.move(source, stage.new_folder() / "hidden")
        shutil.move(bundle.folder, moved)
        deployer = _of(stage.deployer)
        fault = "The bundle does not answer from another folder. Build no paths of this machine into it."
        with no_error(fault=fault), at_home(stage.home):
            answer = deployer.ask(moved, [golden.row for golden in package.golden])
        assert answer.digest == package.digest, (
            f"The bundle answers as {answer.digest} from another folder, expected {package.digest}. "
            "Let it answer from what lies in it."
        )

    def test_aliases_are_independent(self, stage: Stage, package: ModelPackage) -> None:
        """To move one alias moves no other."""
        at = stage.deploy(package)
        other = dataclasses.replace(_of(stage.deployer), alias="another")
        advice = "Keep one chain of records for each alias."
        live = other.live(NAME)
        assert live is None, f"To move one alias also moved another, to {live}. {advice}"
        stage.activate(at, None, by=other)
        stage.activate(None, at, by=other)
        live = stage.live()
        assert live == at, f"To move one alias also moved another, from {at} to {live}. {advice}"

    def test_remove_leaves_what_another_alias_uses(self, stage: Stage, package: ModelPackage) -> None:
        """A bundle stands under its digest for every alias; `remove` for one does not take it from another."""
        at = stage.deploy(package)
        other = dataclasses.replace(_of(stage.deployer), alias="another")
        stage.activate(at, None, by=other)
        stage.activate(None, at)
        stage.deployer.remove(NAME, at)
        fault = other.fault(NAME, at)
        assert fault is None, f"remove took what another alias uses: {fault} Leave bundles to 'mlopskit gc'."


def _of(deployer: Deployer) -> BundleDeployer:
    assert isinstance(deployer, BundleDeployer), (
        f"{type(deployer).__name__} is no BundleDeployer: use DeployerConformance."
    )
    return deployer


def _place(deployer: Deployer, at: Locator) -> tuple[Storage, str]:
    bundles = _of(deployer)
    return storage_at(bundles.to), f"{bundles.bundles(NAME)}/{hex_of(at['bundle'])}"


def _read(storage: Storage, key: str) -> bytes:
    with storage.open(key) as opened:
        return opened.read()
