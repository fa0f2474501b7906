"""The one deploy loop: verdict, check, build, push, ask, switch, ask again, record. And back."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from mlopskit import plugins, trust
from mlopskit.acceptance import DEADLINE, check_gates, verify
from mlopskit.aliases import now, operation, who
from mlopskit.bundles import seal
from mlopskit.deployer import Deployer
from mlopskit.errors import (
    ConfigError,
    DeployError,
    MlopskitError,
    RefusedError,
    VerdictError,
    VerificationError,
    VetoError,
)
from mlopskit.gates import Gate, Verdict
from mlopskit.log import logger, one_line
from mlopskit.modelpackage import ModelPackage, StoredModel, form_of, held_instead
from mlopskit.records import Bundle, Deployment, Locator, Receipt
from mlopskit.registry import Registry
from mlopskit.runtime import canonical
from mlopskit.runtime.names import check_name
from mlopskit.steps import Progress, logged, quiet, telling
from mlopskit.wheels import HERE, Home, at_home

_log = logger()


@dataclass(frozen=True, kw_only=True)
class Deploying:
    """One way through the loop: what goes where, and who is told.

    `deadline` is in seconds, for the target to answer; `override` is the reason to go on without a passing verdict;
    `trust_code` are the digests of packages from elsewhere that may run code of their own; `permit` raises where the
    place has a policy that is not met; `home` says where the lock of wheels stands; `gates` bound what is measured when
    the deployed thing is asked before the switch, of all but rollbacks.
    """

    package: ModelPackage
    deployer: Deployer
    registry: Registry
    endpoint: str
    why: str = ""
    override: str | None = None
    rollback: bool = False
    deadline: float = DEADLINE
    trust_code: Sequence[str] = ()
    progress: Progress = quiet
    home: Home = HERE
    permit: Callable[[], None] = lambda: None
    gates: Sequence[Gate] = ()

    def run(self) -> Deployment:
        """Deploy, verify before and after the switch, and record it.

        It may be run again, whatever became of the last time: what was done is found done. If that was all, the
        deployment that is recorded already is returned.

        Raises:
            RefusedError: no passing verdict, a veto, another answer than the golden rows', or a gate that is not kept;
                nothing is switched, or what was live before is live again.
            MlopskitError: a step failed; `step` on the error names it.
        """
        observers = plugins.observers()
        try:
            deployment = self._run(observers)
        except BaseException as error:
            plugins.notify(observers, "mlopskit_failed", step=str(getattr(error, "step", "")), error=error)
            raise
        plugins.notify(observers, "mlopskit_deployed", deployment=deployment)
        rows = deployment.receipt.rows
        _log.info("%s: %s answers %d golden rows as expected", self._what(), deployment.package, rows)
        return deployment

    def _run(self, observers: object) -> Deployment:
        check_name(self.endpoint, kind="endpoint")
        with self._step("verdict"):
            self.permit()
            self._check_verdict()
            self._check_vetoes(observers)
        with self._step("check"):
            if not self.package.golden:
                raise VerificationError(
                    f"The package {self.package.digest} has no golden rows: nothing could be verified.",
                    remedy="Package the model with golden rows.",
                )
        with tempfile.TemporaryDirectory(prefix="mlopskit-") as temporary:
            bundle = self.build(Path(temporary))
            with self._step("push"):
                at = self.deployer.push(bundle)
        try:
            with self._step("verify before the switch"):
                receipt = self._ask(at)
                self._judge(receipt)
            return self._switch(bundle, at, receipt.measurements)
        except BaseException:
            self._retire(at)
            raise

    def build(self, into: Path) -> Bundle:
        """Build the bundle into an empty folder, and push nothing."""
        with self._step("check"):
            trust.check(self.package, self.trust_code)
            self._check_rows()
            model = form_for(self.deployer, self.package)
            self.deployer.check(self.package)
        with self._step("build"):
            self.deployer.build(self.package, model, into)
            return seal(into, self.deployer, self.package, model)

    def _switch(self, bundle: Bundle, at: Locator, judged: Mapping[str, float]) -> Deployment:
        name = self.package.name
        with self._step("activate"):
            before = self.deployer.live(name)
            self.deployer.activate(name, at, instead_of=before, why=self.why)
        try:
            with self._step("verify after the switch"):
                again = self._ask(None)
                # What is recorded is what the gates were judged on.
                receipt = replace(again, measurements={**again.measurements, **judged})
            deployment = self._record(bundle, at, receipt)
            with self._step("record"):
                kept = self._kept(deployment, switched=before != at)
        except BaseException as error:
            self._undo(before, at, error)
            raise
        if before is not None and before != at:
            self._retire(before)
        return kept

    def _retire(self, at: Locator) -> None:
        """Let the target stop what is not live; that it could not changes nothing of what users get."""
        try:
            self.deployer.retire(self.package.name, at)
        except Exception as error:
            _log.warning("%s: %s may still run: %s", self._what(), dict(at), one_line(str(error)))

    def _kept(self, deployment: Deployment, *, switched: bool) -> Deployment:
        """Record a deployment, unless it is the last one once more: whoever repeats a step has deployed once."""
        for last in [] if switched else self.registry.deployments(deployment.name, deployment.endpoint)[-1:]:
            if replace(deployment, operation=last.operation, when=last.when) == last:
                return last
        self.registry.add_deployment(deployment)
        return deployment

    def _undo(self, before: Locator | None, at: Locator, error: BaseException) -> None:
        """Make live again what was live before, unless somebody else has deployed since."""
        if before == at:
            return
        _log.info("%s: undo the switch", self._what())
        try:
            self.deployer.activate(
                self.package.name, before, instead_of=at, why=f"undo: {type(error).__name__} after the switch"
            )
        except Exception as second:
            error.add_note(f"What was live before ({before}) could not be made live again: {second}")

    def _check_verdict(self) -> None:
        name, digest = self.package.name, self.package.digest
        verdict = self.registry.verdict(name, digest)
        if self.override:
            findings = verdict.findings if verdict else ()
            dataset = verdict.dataset if verdict else ""
            self.registry.add_verdict(
                Verdict(name=name, digest=digest, dataset=dataset, findings=findings, override=self.override)
            )
        elif verdict is None:
            raise VerdictError(
                f"The package {digest} of {name!r} has no verdict in {self.registry.storage.uri!r}.",
                remedy="Judge it with 'mlopskit run', or go on without: --override REASON, in Python override=….",
                digest=digest,
            )
        elif not verdict.passed:
            failed = [one_line(f"{one.gate} ({one.reason})") for one in verdict.findings if not one.passed]
            raise VerdictError(
                f"The package {digest} of {name!r} was refused: {'; '.join(failed) or 'no gate judged it'}.",
                remedy="Mend the model, or say why it shall go on: --override REASON, in Python override=….",
                verdict=verdict,
            )

    def _check_vetoes(self, observers: object) -> None:
        for name, reason in plugins.vetoes(observers, package=self.package, endpoint=self.endpoint):  # type: ignore[arg-type]
            raise VetoError(
                f"The plugin {name!r} vetoed the deployment to {self.endpoint!r}: {reason}.",
                remedy="Do what it asks for, or uninstall it.",
                plugin=name,
            )

    def _check_rows(self) -> None:
        """Refuse to write rows of somebody's data into a bundle that the public gets."""
        if self.deployer.public and self.package.shows_data and not getattr(self.deployer, "publish_rows", False):
            raise ConfigError(
                f"The target {self.deployer.target!r} is public, and the golden rows were taken from the test data.",
                remedy="Package with golden rows from a file, or set publish_rows = true on the endpoint.",
            )

    def _judge(self, receipt: Receipt) -> None:
        """Hold what was measured to the gates; who goes back is only told: no slow minute may stand in the way."""
        try:
            check_gates(self.gates, receipt, endpoint=self.endpoint)
        except RefusedError as error:
            if not self.rollback:
                raise
            _log.warning("%s goes on, though it would be refused as a deployment: %s", self._what(), error.message)

    def _ask(self, at: Locator | None) -> Receipt:
        return verify(self.package, self.deployer, at, deadline=self.deadline)

    def _record(self, bundle: Bundle, at: Locator, receipt: Receipt) -> Deployment:
        return Deployment(
            endpoint=self.endpoint,
            target=self.deployer.target,
            name=self.package.name,
            package=self.package.digest,
            bundle=bundle.digest,
            locator=at,
            receipt=receipt,
            operation=operation(),
            who=who(),
            why=self.why,
            when=now(),
            rollback=self.rollback,
            override=self.override,
        )

    def _what(self) -> str:
        return f"{'roll back' if self.rollback else 'deploy'} {self.package.name} to {self.endpoint}"

    @contextlib.contextmanager
    def _step(self, step: str) -> Iterator[None]:
        logged(self._what(), self.progress)(step)
        try:
            with telling(self.progress, step), at_home(self.home):
                yield
        except MlopskitError as error:
            error.step = step  # type: ignore[attr-defined]
            raise
        except Exception as error:
            failed = DeployError(
                f"The step {step!r} of the target {self.deployer.target!r} failed: {type(error).__name__}: {error}.",
                remedy="Mend what it names, then deploy again: nothing was switched, or it was switched back.",
                step=step,
            )
            raise failed from error


def form_for(deployer: Deployer, package: ModelPackage, /) -> StoredModel | None:
    """Return the form of a package that a deployer takes, None if it needs none.

    Raises:
        DeployError: the package has none that it can use.
    """
    wanted = deployer.formats
    if not wanted:
        return None
    if (model := form_of(package, wanted)) is not None:
        return model
    raise DeployError(
        f"The target {deployer.target!r} needs {' or '.join(wanted)}; "
        f"the package holds {held_instead(package, wanted)}.",
        remedy="Package the model in one of these formats.",
        formats=wanted,
    )


def trusting(deployer: Deployer, digests: Sequence[str], /) -> Deployer:
    """Return a deployer that also trusts these digests, if it has the option `trust_code`, for asking by itself."""
    if "trust_code" not in {field.name for field in fields(deployer)}:  # type: ignore[arg-type]
        return deployer
    return replace(deployer, trust_code=[*deployer.trust_code, *digests])  # type: ignore[type-var,attr-defined]


def endpoint_of(deployer: Deployer, /) -> str:
    """Return the endpoint's name of a deployer that was given without one: its target and its options' digest."""
    compared = [field.name for field in fields(deployer) if field.compare]  # type: ignore[arg-type]
    options = {name: str(getattr(deployer, name)) for name in compared}
    return f"{deployer.target}-{hashlib.sha256(canonical.dumps(options)).hexdigest()[:8]}"
