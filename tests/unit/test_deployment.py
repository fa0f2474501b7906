from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

import mlopskit as mk
from mlopskit.acceptance import endpoint_gates, verify
from mlopskit.deployment import Deploying, endpoint_of, trusting
from mlopskit.errors import (
    ConfigError,
    ConflictError,
    DeployError,
    MlopskitError,
    NotReadyError,
    RefusedError,
    UnsafeNameError,
    VerdictError,
    VerificationError,
    VetoError,
)
from mlopskit.storage import Place
from mlopskit.testing import FolderDeployer


@dataclass
class Target:
    """What a scripted deployer deploys to: it keeps what was pushed, and can be told to fail."""

    pushed: dict[str, mk.ModelPackage] = field(default_factory=dict)
    live: dict[str, str] | None = None
    calls: list[str] = field(default_factory=list)
    failing: dict[str, Callable[[], Any]] = field(default_factory=dict)

    def call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing:
            self.failing[name]()


@dataclass(frozen=True, kw_only=True)
class Scripted(mk.Deployer):
    target: ClassVar[str] = "scripted"
    at: Target
    package: mk.ModelPackage | None = None

    def check(self, package: mk.ModelPackage, /) -> None:
        self.at.call("check")

    def build(self, package: mk.ModelPackage, model: mk.StoredModel | None, into: Path, /) -> None:
        self.at.call("build")
        (into / "digest").write_text(package.digest)

    def push(self, bundle: mk.Bundle, /) -> mk.Locator:
        self.at.call("push")
        digest = (bundle.folder / "digest").read_text()
        return {"digest": digest}

    def predict(self, name: str, rows: Sequence[mk.Row], at: mk.Locator | None, /) -> mk.Answer:
        moment = "predict live" if at is None else "predict beside"
        self.at.call(moment)
        place = self.at.live if at is None else at
        assert self.package is not None
        assert place is not None
        answered = [dict(golden.expected) for golden in self.package.golden]
        answer = mk.Answer(rows=answered, digest=place["digest"], runtime={"engine": "scripted"})
        change = self.at.failing.get(f"{moment} change")
        return change(answer) if change else answer  # type: ignore[call-arg]

    def live(self, name: str, /) -> mk.Locator | None:
        self.at.call("live")
        return self.at.live

    def activate(self, name: str, at: mk.Locator | None, /, *, instead_of: mk.Locator | None, why: str) -> None:
        self.at.call(f"activate {at and at['digest'][-4:]}")
        if self.at.live != instead_of:
            raise ConflictError("Somebody else was faster.", remedy="Look.")
        self.at.live = at  # type: ignore[assignment]

    def remove(self, name: str, at: mk.Locator, /) -> None:
        self.at.call("remove")

    def retire(self, name: str, at: mk.Locator, /) -> None:
        self.at.call(f"retire {at['digest'][-4:]}")


def fail(error: BaseException) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


def deploying(package: mk.ModelPackage, registry: mk.Registry, target: Target, **options: Any) -> Deploying:
    deployer = Scripted(at=target, package=package)
    return Deploying(
        package=package, deployer=deployer, registry=registry, endpoint="production", deadline=0.2, **options
    )


def old_live() -> Target:
    return Target(live={"digest": "sha256:" + "0" * 64})


def test_the_loop_in_its_order(package: mk.ModelPackage, registry: mk.Registry) -> None:
    target, steps = Target(), []
    deployment = deploying(package, registry, target, why="first", progress=steps.append).run()
    end = package.digest[-4:]
    assert target.calls == ["check", "build", "push", "predict beside", "live", f"activate {end}", "predict live"]
    before = ["verdict", "check", "check", "build", "push", "verify before the switch"]
    assert steps == [*before, "activate", "verify after the switch", "record"]
    assert target.live == {"digest": package.digest}
    assert deployment.receipt.passed
    assert (deployment.why, deployment.package) == ("first", package.digest)
    assert registry.deployments(package.name, "production") == [deployment]


def test_what_is_live_already_stays_live_when_it_fails_afterwards(
    package: mk.ModelPackage, registry: mk.Registry
) -> None:
    target = Target(live={"digest": package.digest})
    deploying(package, registry, target).run()
    target.failing["predict live"] = fail(OSError("cut off"))
    with pytest.raises(DeployError):
        deploying(package, registry, target).run()
    assert target.live == {"digest": package.digest}


def test_what_is_deployed_once_more_has_been_deployed_once(package: mk.ModelPackage, registry: mk.Registry) -> None:
    target = Target()
    first = deploying(package, registry, target, why="first").run()
    target.calls.clear()
    assert deploying(package, registry, target, why="first").run() == first
    assert registry.deployments(package.name, "production") == [first]
    assert target.calls[-1] == "predict live", "it is verified all the same"


def changed_answer(answer: mk.Answer) -> mk.Answer:
    return replace(answer, runtime={"engine": "a newer one"})


@pytest.mark.parametrize(
    ("options", "failing", "live"),
    [
        ({"why": "another"}, {}, ...),
        ({"rollback": True}, {}, ...),
        ({"override": "the shop opens today"}, {}, ...),
        ({}, {"predict live change": changed_answer}, ...),
        ({}, {}, None),
    ],
)
def test_what_differs_from_the_last_deployment_is_another_one(
    package: mk.ModelPackage, registry: mk.Registry, options: Any, failing: Any, live: Any
) -> None:
    target = Target()
    first = deploying(package, registry, target).run()
    target.failing.update(failing)
    if live is not ...:
        target.live = live
    second = deploying(package, registry, target, **options).run()
    assert second.operation != first.operation
    assert registry.deployments(package.name, "production") == [first, second]


@pytest.mark.parametrize("step", ["check", "build", "push", "predict beside", "live"])
@pytest.mark.parametrize("error", [OSError("cut off"), KeyboardInterrupt(), ConfigError("No.", remedy="Mend it.")])
def test_a_failure_before_the_switch_leaves_what_was_live(
    package: mk.ModelPackage, registry: mk.Registry, step: str, error: BaseException
) -> None:
    target = old_live()
    target.failing[step] = fail(error)
    with pytest.raises((DeployError, ConfigError, KeyboardInterrupt)) as caught:
        deploying(package, registry, target).run()
    assert target.live == old_live().live
    assert not [call for call in target.calls if call.startswith("activate")]
    assert registry.deployments(package.name, "production") == []
    if isinstance(error, OSError):
        assert "OSError: cut off" in str(caught.value)
        assert caught.value.step  # type: ignore[union-attr]


def test_what_is_not_live_any_more_is_retired_after_the_second_look(
    package: mk.ModelPackage, registry: mk.Registry
) -> None:
    target = old_live()
    target.failing["retire 0000"] = fail(OSError("cut off"))
    assert deploying(package, registry, target).run().receipt.passed
    assert target.calls[-2:] == ["predict live", "retire 0000"]
    target.calls.clear()
    deploying(package, registry, target).run()
    assert not [call for call in target.calls if call.startswith("retire")]


@pytest.mark.parametrize("step", ["predict beside", "live", "predict live"])
def test_what_was_pushed_in_vain_is_retired(package: mk.ModelPackage, registry: mk.Registry, step: str) -> None:
    target = old_live()
    target.failing[step] = fail(OSError("cut off"))
    with pytest.raises(DeployError):
        deploying(package, registry, target).run()
    assert target.calls[-1] == f"retire {package.digest[-4:]}"
    assert target.live == old_live().live


@pytest.mark.parametrize("before", [None, {"digest": "sha256:" + "0" * 64}])
@pytest.mark.parametrize("error", [OSError("cut off"), KeyboardInterrupt()])
def test_a_failure_after_the_switch_is_undone(
    package: mk.ModelPackage, registry: mk.Registry, before: Any, error: BaseException
) -> None:
    target = Target(live=before)
    target.failing["predict live"] = fail(error)
    with pytest.raises((DeployError, KeyboardInterrupt)):
        deploying(package, registry, target).run()
    assert target.live == before
    assert registry.deployments(package.name, "production") == []


def test_a_record_that_cannot_be_written_undoes_the_switch(package: mk.ModelPackage, registry: mk.Registry) -> None:
    target = old_live()
    folder = registry.storage.local(f"{package.name}/deployments")
    assert folder
    folder.write_text("a file where the records' folder should be")
    with pytest.raises(MlopskitError):
        deploying(package, registry, target).run()
    assert target.live == old_live().live


def test_the_undo_leaves_a_later_success_of_somebody_else(package: mk.ModelPackage, registry: mk.Registry) -> None:
    target, theirs = old_live(), {"digest": "sha256:" + "9" * 64}

    def taken_over() -> None:
        target.live = theirs
        raise OSError("cut off")

    target.failing["predict live"] = taken_over
    with pytest.raises(DeployError) as caught:
        deploying(package, registry, target).run()
    assert target.live == theirs
    assert "could not be made live again" in caught.value.__notes__[0]


@pytest.mark.parametrize("moment", ["predict beside", "predict live"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda answer: replace(answer, digest="sha256:" + "5" * 64), "answers as sha256:555"),
        (lambda answer: replace(answer, rows=answer.rows[1:]), "otherwise"),
        (lambda answer: replace(answer, rows=[]), "otherwise"),
        (
            lambda answer: replace(answer, rows=[{**row, "probability.Positive": 0.123} for row in answer.rows]),
            "by up to",
        ),
        (lambda answer: replace(answer, rows=[{**row, "prediction": "?"} for row in answer.rows]), "prediction"),
    ],
)
def test_another_answer_is_refused(
    package: mk.ModelPackage, registry: mk.Registry, moment: str, change: Any, message: str
) -> None:
    target = old_live()
    target.failing[f"{moment} change"] = change
    with pytest.raises(VerificationError, match=message):
        deploying(package, registry, target).run()
    assert target.live == old_live().live


def test_a_target_that_is_not_ready_is_asked_again_until_the_deadline(
    package: mk.ModelPackage, registry: mk.Registry
) -> None:
    target, left = Target(), [2]

    def not_yet() -> None:
        if left[0]:
            left[0] -= 1
            raise NotReadyError("Not yet.", remedy="Wait.")

    target.failing["predict beside"] = not_yet
    deploying(package, registry, target).run()
    assert target.calls.count("predict beside") == 3
    target.failing["predict live"] = fail(NotReadyError("Never.", remedy="Wait."))
    with pytest.raises(NotReadyError):
        verify(package, Scripted(at=target, package=package), None, deadline=0.2)


def measuring(**values: float) -> Callable[[mk.Answer], mk.Answer]:
    return lambda answer: replace(answer, measurements=values)


def test_gates_on_measurements_refuse_before_the_switch(package: mk.ModelPackage, registry: mk.Registry) -> None:
    target, gates = old_live(), endpoint_gates(["cold_start_ms <= 1000", "bundle_mb <= 50"])
    before = target.live
    target.failing["predict beside change"] = measuring(cold_start_ms=1234.5, bundle_mb=3.0)  # type: ignore[assignment]
    with pytest.raises(RefusedError) as refused:
        deploying(package, registry, target, gates=gates).run()
    error = refused.value
    assert error.exit_code == 1
    assert error.message == (
        f"The package {package.digest} was refused by the endpoint 'production': "
        "cold_start_ms <= 1000 (measured 1234.5)."
    )
    assert error.remedy.startswith("Nothing was switched. Make it smaller or faster, or change the limit in the gates")
    assert error.step == "verify before the switch"  # type: ignore[attr-defined]
    assert [one.passed for one in error.findings] == [False, True]  # type: ignore[attr-defined]
    assert target.live == before
    assert target.calls[-2:] == ["predict beside", f"retire {package.digest[-4:]}"]
    assert registry.deployments(package.name, "production") == []


def test_a_gate_on_what_was_not_measured_fails_with_what_was(package: mk.ModelPackage, registry: mk.Registry) -> None:
    target, gates = Target(), endpoint_gates(["cold_start_ms <= 1000"])
    for measured, says in (({"cold_start_s": 1.0}, "Did you mean 'cold_start_s'"), ({}, "No measurement is known")):
        target.failing["predict beside change"] = measuring(**measured)  # type: ignore[assignment]
        with pytest.raises(
            RefusedError, match=rf"cold_start_ms <= 1000 \(There is no measurement.*{says}.*the target"
        ) as no:
            deploying(package, registry, target, gates=gates).run()
        assert "Leave out" in no.value.remedy
    assert target.live is None


def test_what_the_gates_were_judged_on_is_recorded(package: mk.ModelPackage, registry: mk.Registry) -> None:
    target, gates = Target(), endpoint_gates("cold_start_ms <= 1000")
    target.failing["predict beside change"] = measuring(cold_start_ms=84.0)  # type: ignore[assignment]
    target.failing["predict live change"] = measuring(cold_start_ms=2000.0, memory_mb=30.0)  # type: ignore[assignment]
    first = deploying(package, registry, target, gates=gates).run()
    assert first.receipt.measurements == {"cold_start_ms": 84.0, "memory_mb": 30.0}
    target.failing["predict beside change"] = measuring(cold_start_ms=90.0)  # type: ignore[assignment]
    deploying(package, registry, target, gates=gates).run()
    recorded = registry.deployments(package.name, "production")
    assert [one.receipt.measurements["cold_start_ms"] for one in recorded] == [84.0], (
        "other times are no other deployment"
    )


def test_a_package_without_a_verdict_is_refused(package: mk.ModelPackage, tmp_path: Path) -> None:
    target, empty = Target(), mk.Registry.at(tmp_path / "empty")
    with pytest.raises(VerdictError, match="has no verdict"):
        deploying(package, empty, target).run()
    assert target.calls == []


def test_a_package_with_a_failed_verdict_is_refused_with_the_reason(
    package: mk.ModelPackage, registry: mk.Registry
) -> None:
    finding = mk.Finding(gate="accuracy >= 0.75", passed=False, reached=0.549, n=5, reason="the 95 % lower bound 0.549")
    registry.add_verdict(mk.Verdict(name=package.name, digest=package.digest, dataset="d", findings=(finding,)))
    with pytest.raises(VerdictError, match=r"accuracy >= 0.75 \(the 95 % lower bound 0.549\)"):
        deploying(package, registry, Target()).run()


def test_a_verdict_without_findings_is_refused(package: mk.ModelPackage, registry: mk.Registry) -> None:
    registry.add_verdict(mk.Verdict(name=package.name, digest=package.digest, dataset="d", findings=()))
    with pytest.raises(VerdictError, match="no gate judged it"):
        deploying(package, registry, Target()).run()


def test_an_override_is_recorded_with_its_reason(package: mk.ModelPackage, tmp_path: Path) -> None:
    empty = mk.Registry.at(tmp_path / "empty")
    deployment = deploying(package, empty, Target(), override="the shop opens today").run()
    verdict = empty.verdict(package.name, package.digest)
    assert deployment.override == "the shop opens today"
    assert verdict
    assert (verdict.override, verdict.passed, verdict.deployable) == ("the shop opens today", False, True)


def test_an_empty_override_is_none(package: mk.ModelPackage, tmp_path: Path) -> None:
    with pytest.raises(VerdictError):
        deploying(package, mk.Registry.at(tmp_path / "empty"), Target(), override="").run()


def test_an_override_does_not_carry_over_to_the_next_deployment(package: mk.ModelPackage, tmp_path: Path) -> None:
    empty = mk.Registry.at(tmp_path / "empty")
    deploying(package, empty, Target(), override="once").run()
    with pytest.raises(VerdictError):
        deploying(package, empty, Target()).run()


def test_a_veto_stops_it_before_anything_is_done(
    package: mk.ModelPackage, registry: mk.Registry, install: Callable[..., None]
) -> None:
    code = """
from mlopskit import hookimpl
seen = []

@hookimpl
def mlopskit_before_deploy(package, endpoint):
    return "not on Fridays"

@hookimpl
def mlopskit_failed(step, error):
    seen.append(step)
"""
    install("parrot", code, observers="parrot")
    target = Target()
    with pytest.raises(VetoError, match="'parrot' vetoed the deployment to 'production': not on Fridays"):
        deploying(package, registry, target).run()
    assert target.calls == []
    import parrot  # type: ignore[import-not-found]

    assert parrot.seen == ["verdict"]


def test_observers_hear_of_a_deployment(
    package: mk.ModelPackage, registry: mk.Registry, install: Callable[..., None]
) -> None:
    code = """
from mlopskit import hookimpl
seen = []

@hookimpl
def mlopskit_deployed(deployment):
    seen.append(deployment)
    raise OSError("changes nothing")
"""
    install("parrot", code, observers="parrot")
    deployment = deploying(package, registry, Target()).run()
    import parrot

    assert parrot.seen == [deployment]


def test_golden_rows_from_data_do_not_go_to_a_public_target(
    package: mk.ModelPackage, registry: mk.Registry, tmp_path: Path
) -> None:
    class Public(Scripted):
        public: ClassVar[bool] = True

    class Publishing(Public):
        publish_rows = True

    one = deploying(package, registry, Target())
    refused = replace(one, deployer=Public(at=Target(), package=package))
    (into := tmp_path / "bundle").mkdir()
    for act in (refused.run, lambda: refused.build(into)):
        with pytest.raises(ConfigError, match="is public"):
            act()
    assert not any(into.iterdir())
    assert replace(one, deployer=Publishing(at=Target(), package=package)).run().receipt.passed


def test_a_form_that_the_package_lacks_is_named(package: mk.ModelPackage, registry: mk.Registry) -> None:
    class Browser(Scripted):
        formats: ClassVar[tuple[str, ...]] = ("runes",)

    class Needless(Scripted):
        formats: ClassVar[tuple[str, ...]] = ()

    one = deploying(package, registry, Target())
    with pytest.raises(DeployError, match=r"needs runes; the package holds .*portable and skops"):
        replace(one, deployer=Browser(at=Target(), package=package)).run()
    assert replace(one, deployer=Needless(at=Target(), package=package)).run().receipt.passed


def test_a_package_without_golden_rows_is_refused(package: mk.ModelPackage, registry: mk.Registry) -> None:
    without = replace(package, manifest={**package.manifest, "golden": None})
    with pytest.raises(VerificationError, match="no golden rows"):
        deploying(without, registry, Target()).run()


@pytest.mark.parametrize("endpoint", ["", "..", "a/b", "Production", "a\0"])
def test_an_endpoint_has_a_plain_name(package: mk.ModelPackage, registry: mk.Registry, endpoint: str) -> None:
    with pytest.raises(UnsafeNameError):
        replace(deploying(package, registry, Target()), endpoint=endpoint).run()


def test_an_endpoint_without_a_name_is_named_by_its_options() -> None:
    names = {endpoint_of(mk.FileShare(to=Place(place), alias=alias)) for place in "ab" for alias in ("x", "y")}
    assert len(names) == 4
    assert all(name.startswith("fileshare-") and len(name) == len("fileshare-") + 8 for name in names)
    assert endpoint_of(mk.FileShare(to=Place("a"))) == endpoint_of(mk.FileShare(to=Place("a")))


def test_a_deployer_that_asks_by_itself_trusts_what_is_deployed_and_is_the_same_endpoint():
    share = mk.FileShare(to="share", trust_code=["sha256:a"])
    trusted = trusting(share, ["sha256:b"])
    assert list(trusted.trust_code) == ["sha256:a", "sha256:b"]
    assert trusted == share
    assert endpoint_of(trusted) == endpoint_of(share) == endpoint_of(mk.FileShare(to="share"))
    folder = FolderDeployer(to="share")
    assert trusting(folder, ["sha256:b"]) is folder
