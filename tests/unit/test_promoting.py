from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlopskit as mk
from mlopskit import aliases, promoting
from mlopskit.config import PromoteTable
from mlopskit.errors import (
    IntegrityError,
    MlopskitError,
    PolicyError,
    RefusedError,
    UnknownNameError,
    UnsafeNameError,
    VerdictError,
)
from mlopskit.promoting import Promotion
from mlopskit.storage import Storage

NAME = "mood"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer from the golden rows of the package that stands there, without a process: the loop is what is tested."""

    def ask(self: promoting.RegistryDeployer, bundle: Path, rows: Sequence[mk.Row], /) -> mk.Answer:
        package = mk.ModelPackage.open(bundle)
        return mk.Answer(rows=[one.expected for one in package.golden], digest=package.digest, runtime={})

    monkeypatch.setattr(promoting.RegistryDeployer, "ask", ask)


def promotion(registry: mk.Registry, alias: str = "production", **policy: object) -> Promotion:
    return Promotion(registry=registry, name=NAME, alias=alias, policy=PromoteTable(**policy))  # type: ignore[arg-type]


def moves(registry: mk.Registry, alias: str = "production") -> list[str | None]:
    return [one.digest for one in registry.alias(NAME, alias).history()]


def call_me(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(promoting, "who", lambda: name)


def test_a_package_answers_in_a_process_of_its_own_before_the_alias_moves(
    bucket: mk.Registry, package: mk.ModelPackage
) -> None:
    deployment = promotion(bucket).promote(package, why="first")
    assert deployment.receipt.passed
    assert deployment.receipt.runtime["engine"].startswith("portable")
    (record,) = bucket.alias(NAME, "production").history()
    assert (record.digest, record.why) == (package.digest, "first")
    assert bucket.deployments(NAME, deployment.endpoint) == [deployment]
    assert bucket.resolve("production", name=NAME).digest == package.digest


@pytest.mark.usefixtures("quick")
def test_the_records_are_the_same_where_the_registry_was_moved_to(
    registry: mk.Registry, package: mk.ModelPackage, other: mk.ModelPackage
) -> None:
    promotion(registry).promote(package)
    promotion(registry).promote(other)
    before = Path(registry.storage.uri)
    moved = mk.Registry.at(before.rename(before.with_name("elsewhere")))
    assert promotion(moved).rollback().package == package.digest


@pytest.mark.usefixtures("quick")
def test_a_package_without_a_passing_verdict_moves_nothing(anywhere: mk.Registry, package: mk.ModelPackage) -> None:
    verdict = anywhere.verdict(NAME, package.digest)
    assert verdict
    anywhere.add_verdict(mk.Verdict(name=NAME, digest=package.digest, dataset=verdict.dataset, findings=()))
    with pytest.raises(VerdictError):
        promotion(anywhere).promote(package)
    assert anywhere.aliases(NAME) == []
    assert promotion(anywhere).promote(package, override="an experiment").override == "an experiment"


@pytest.mark.usefixtures("quick")
def test_only_what_is_live_under_the_other_alias_is_taken(
    anywhere: mk.Registry, package: mk.ModelPackage, other: mk.ModelPackage
) -> None:
    with pytest.raises(PolicyError, match="that is nothing, not sha256:"):
        promotion(anywhere, source="candidate").promote(package)
    promotion(anywhere, "candidate").promote(package)
    with pytest.raises(PolicyError, match=f"that is {package.digest}, not {other.digest}") as refused:
        promotion(anywhere, source="candidate").promote(other)
    assert f"mlopskit promote {other.digest} --to candidate" in refused.value.remedy
    promotion(anywhere, source="candidate").promote(package)
    assert moves(anywhere) == [package.digest]


@pytest.mark.usefixtures("quick")
def test_people_approve_one_digest_for_one_alias_and_count_once(
    anywhere: mk.Registry, package: mk.ModelPackage, other: mk.ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    careful = promotion(anywhere, approvals=2)
    call_me(monkeypatch, "ada")
    for what, alias in ((package, "production"), (package, "production"), (package, "other"), (other, "production")):
        promotion(anywhere, alias).approve(what, why="looks right")
    with pytest.raises(PolicyError, match=r"has 1 approvals \(by ada\)"):
        careful.promote(package)
    assert moves(anywhere) == []
    call_me(monkeypatch, "bob")
    approval = careful.approve(package)
    assert anywhere.approvals(NAME, package.digest)[-1] == approval
    assert anywhere.approvers(NAME, package.digest, "production") == ["ada", "bob"]
    careful.promote(package)
    with pytest.raises(PolicyError):
        careful.promote(other)
    assert moves(anywhere) == [package.digest]


@pytest.mark.usefixtures("quick")
def test_a_rollback_needs_no_approval_of_what_was_live_and_one_of_what_never_was(
    anywhere: mk.Registry, package: mk.ModelPackage, other: mk.ModelPackage
) -> None:
    careful, free = promotion(anywhere, approvals=1), promotion(anywhere)
    free.promote(package)
    with pytest.raises(UnknownNameError, match="no earlier deployment"):
        careful.rollback()
    with pytest.raises(PolicyError):
        careful.rollback(other)
    free.promote(other)
    back = careful.rollback(why="complaints")
    assert (back.rollback, back.why, back.package) == (True, "complaints", package.digest)
    careful.rollback(other)
    assert moves(anywhere) == [package.digest, other.digest, package.digest, other.digest]


@pytest.mark.usefixtures("quick")
def test_a_rollback_to_a_damaged_package_leaves_the_alias_where_it_is(
    registry: mk.Registry, package: mk.ModelPackage, other: mk.ModelPackage
) -> None:
    for one in (package, other):
        promotion(registry).promote(one)
    (package.folder / "README.md").write_text("changed")
    with pytest.raises(IntegrityError, match=r"README\.md"):
        promotion(registry).rollback()
    assert moves(registry) == [package.digest, other.digest]


@pytest.mark.usefixtures("quick")
def test_what_was_moved_by_something_else_is_said(anywhere: mk.Registry, package: mk.ModelPackage) -> None:
    anywhere.alias(NAME, "production").append(package.digest, after=None, why="by hand")
    with pytest.raises(RefusedError, match=r"was not deployed from here.* under the alias 'production'"):
        promotion(anywhere).rollback()


@pytest.mark.usefixtures("quick")
def test_a_package_in_hand_is_promoted_by_the_policy_of_the_folder(project: mk.Project) -> None:
    package = project.package()
    with Path("mlopskit.toml").open("a") as settings:
        settings.write("[promote.live]\napprovals = 1\n")
    with pytest.raises(PolicyError):
        mk.promote(package, to="live")
    assert mk.approve(package, alias="live", why="good").alias == "live"
    assert mk.promote(package, to="live", why="why not").why == "why not"
    assert mk.load("mood@live").digest == package.digest


@pytest.mark.usefixtures("quick")
def test_a_registry_can_be_named(
    registry: mk.Registry, package: mk.ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in (registry, registry.storage.uri, Path(registry.storage.uri)):
        mk.promote(package, to="live", registry=place, trust_code=package.digest)
        mk.approve(package, alias="live", registry=place)
    assert moves(registry, "live") == [package.digest]
    assert len(registry.approvals(NAME, package.digest)) == 3
    assert not (tmp_path / ".mlopskit").exists()


@pytest.mark.parametrize("alias", ["../x", "", "A", "x.json"])
def test_an_alias_must_be_a_name(registry: mk.Registry, package: mk.ModelPackage, alias: str) -> None:
    for act in (
        lambda: mk.promote(package, to=alias, registry=registry),
        lambda: mk.approve(package, alias=alias, registry=registry),
    ):
        with pytest.raises(UnsafeNameError):
            act()


def test_who_approves_is_whom_the_system_knows(anywhere: mk.Registry, package: mk.ModelPackage) -> None:
    assert promotion(anywhere).approve(package).who == aliases.who()


class Quick(promoting.RegistryDeployer):
    """Asks a package in this process."""

    def ask(self, bundle: Path, rows: Sequence[mk.Row], /) -> mk.Answer:
        package = mk.ModelPackage.open(bundle)
        return mk.Answer(rows=[one.expected for one in package.golden], digest=package.digest, runtime={})


class QuickPromotion(Promotion):
    """Moves an alias without starting processes."""

    def _deployer(self) -> Quick:
        return Quick(**vars(super()._deployer()))


@settings(max_examples=25)
@given(order=st.lists(st.booleans(), max_size=120))
def test_a_promotion_and_a_rollback_at_once_leave_one_of_both_and_a_whole_chain(
    small: Callable[[int], mk.ModelPackage],
    verdict_on: Callable[..., mk.Verdict],
    scheduled: Callable[[], Storage],
    interleave: Callable[..., list[Exception]],
    order: list[bool],
) -> None:
    registry = mk.Registry(scheduled())
    packages = [registry.add(small(number)) for number in (1, 2, 3)]
    for package in packages:
        registry.add_verdict(verdict_on(package))
    alias = QuickPromotion(registry=registry, name=NAME, alias="production")
    for package in packages[:2]:
        alias.promote(package)
    errors = interleave(registry.storage, order, lambda: alias.promote(packages[2]), alias.rollback)
    assert all(isinstance(error, MlopskitError) for error in errors), errors
    assert len(errors) < 2, errors
    history = moves(registry)
    assert history[:2] == [packages[0].digest, packages[1].digest]
    assert history[-1] in {packages[0].digest, packages[2].digest}
    recorded = [one.package for one in registry.deployments(NAME, registry.endpoints(NAME)[0])]
    assert history[-1] in recorded[2:]
