"""Uses of the public interface, for the type checker alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, assert_type

import mlopskit as mk


@dataclass(frozen=True, kw_only=True)
class Parrot(mk.BundleDeployer):
    """A third party's bundle target: two methods."""

    target: ClassVar[str] = "parrot"
    loud: bool = False

    def build(self, package: mk.ModelPackage, model: mk.StoredModel | None, into: Path, /) -> None:
        (into / "name.txt").write_text(f"{package.name} {model.format if model else ''}")

    def ask(self, bundle: Path, rows: Sequence[mk.Row], /) -> mk.Answer:
        return mk.Answer(rows=rows, digest=bundle.name, runtime={})


def use(model: object, frame: object, labels: list[str]) -> None:
    package = mk.package(model, frame, labels, name="parrot", gates=["accuracy >= 0.75"], X_train=frame)
    assert_type(package, mk.ModelPackage)
    assert_type(mk.deploy(package, mk.FileShare(to=mk.Place("shares/production"))), mk.Deployment)
    assert_type(mk.deploy(package, "production", why="a better one"), mk.Deployment)
    assert_type(mk.Project("mlopskit.toml").run(), mk.Run)
    assert_type(mk.load("parrot@production"), mk.LoadedModel)
    with mk.watch("shares/production/parrot", alias="production") as watched:
        assert_type(watched, mk.Watched)
        assert_type(watched.state, mk.WatchState)
    assert_type(mk.Registry.at("registry").verdict("parrot", package.digest), mk.Verdict | None)


@mk.hookimpl
def mlopskit_deployers() -> Sequence[type[mk.Deployer]]:
    return [Parrot]
