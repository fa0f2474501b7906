"""Checks of `build`: pure, offline, the same bytes each time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mlopskit.deployment import form_for
from mlopskit.modelpackage import ModelPackage
from mlopskit.testing.apart import call_apart
from mlopskit.testing.stage import DeployerFixtures, Stage
from mlopskit.testing.surroundings import another_day, contents, scratch, watched


class BuildChecks(DeployerFixtures):
    """What a deployer builds."""

    def test_build_is_deterministic(self, stage: Stage, package: ModelPackage) -> None:
        """The same package gives the same bytes: in another folder, at another time, from files of another age.

        In another process too, where sets have another order.
        """
        bundle = stage.build(package)
        first = contents(bundle.folder)
        moved = stage.new_folder() / "package"
        shutil.copytree(package.folder, moved)
        for file in moved.iterdir():
            os.utime(file, (1_000_000_000, 1_000_000_000))
        with another_day(), scratch(stage.folder / "scratch"):
            second = contents(stage.build(ModelPackage.open(moved, digest=package.digest)).folder)
        changed = sorted(path for path in first.keys() | second.keys() if first.get(path) != second.get(path))
        assert not changed, (
            f"build wrote other bytes the second time, in {changed}. "
            "Leave times, folders, random names and the order of listings out of the bundle."
        )
        third, model = stage.new_folder(), next((one for one in package.models if one.format == bundle.format), None)
        call_apart(stage.deployer, "build", package, model, third)
        written = contents(third)
        changed = sorted(path for path in written if written[path] != first.get(path))
        assert not changed, f"build wrote other bytes in another process, in {changed}. Sort what comes from a set."

    def test_build_writes_only_into_its_folder(self, stage: Stage, package: ModelPackage) -> None:
        """`build` leaves nothing outside of the folder it is given, and the package as it was.

        Writing by a subprocess, or by compiled code, is seen in the package, the current and the temporary folder only.
        """
        into, temporary = stage.new_folder(), stage.folder / "scratch"
        before = contents(package.folder)
        with scratch(temporary), watched() as watch:
            stage.build(package, into)
        allowed = [Path(os.path.realpath(folder)) for folder in (into, temporary)]
        outside = [str(path) for path in watch.written if not any(path.is_relative_to(folder) for folder in allowed)]
        left = sorted(str(path) for path in temporary.iterdir())
        assert not outside + left, (
            f"build wrote outside of its folder: {outside + left}. Write below `into` only, "
            "and what is temporary into a tempfile.TemporaryDirectory()."
        )
        assert contents(package.folder) == before, "build changed the package. Copy what shall be changed."

    def test_needs_are_the_same_each_time(self, stage: Stage, package: ModelPackage) -> None:
        """`needs` names the same wheels each time, for an equal deployer too, and asks no network."""
        model = form_for(stage.deployer, package)
        with watched() as watch:
            first, second = ([one.key for one in it.needs(package, model)] for it in (stage.deployer, stage.twin()))
        assert first == second, (
            f"needs named {first}, then {second}. Let it depend on the options, the package and its form alone."
        )
        assert not watch.network, f"needs used the network: {watch.network[:3]}. Leave the choice to `mlopskit fetch`."

    def test_build_uses_no_network(self, stage: Stage, package: ModelPackage) -> None:
        """`build` is offline: what it needs from afar is fetched before.

        A subprocess is not watched.
        """
        with watched() as watch:
            stage.build(package)
        assert not watch.network, (
            f"build used the network: {watch.network[:3]}. Fetch what it needs beforehand, into the cache."
        )
