"""Checks of what a deployed thing says: the answers of `predict`, and its logs."""

from __future__ import annotations

import pytest

from mlopskit import trust
from mlopskit.acceptance import check_measurements
from mlopskit.comparison import compare
from mlopskit.errors import MlopskitError
from mlopskit.modelpackage import ModelPackage, form_of
from mlopskit.testing.claims import no_error, refused
from mlopskit.testing.packages import NAME
from mlopskit.testing.stage import DeployerFixtures, Stage
from mlopskit.testing.surroundings import elsewhere


class AnswerChecks(DeployerFixtures):
    """What a deployed thing answers."""

    def test_answers_the_golden_rows(self, stage: Stage, package: ModelPackage) -> None:
        """What was pushed answers as the package says; what is measured with the answer are plain names and numbers."""
        answer = stage.ask_golden(package, stage.push(package))
        receipt = compare(package, answer)
        assert receipt.passed, (
            f"predict answered {len(receipt.mismatches)} outputs of {receipt.rows} golden rows otherwise, "
            f"by up to {receipt.largest_difference:.3g}:\n{receipt.table().text()}\n"
            "Return what the deployed thing answered, unrounded and in the order of the rows."
        )
        with no_error(fault="predict measured something that no gate can bound."):
            check_measurements(answer, stage.deployer.target)

    def test_runs_the_models_own_code(self, stage: Stage, package_with_code: ModelPackage) -> None:
        """A package whose model has code of its own answers, once the person who deploys has trusted it."""
        wanted = stage.deployer.formats
        if wanted and form_of(package_with_code, wanted) is None:
            pytest.skip(f"the package has code of its own, and none of the forms {', '.join(wanted)}")
        trust.remember(package_with_code)
        advice = "Let what is deployed trust the digest of the package that it was built from: trust_code=[digest]."
        with no_error(fault=f"predict gave no answer from a package with code of its own. {advice}"):
            answer = stage.ask_golden(package_with_code, stage.push(package_with_code))
        assert len(answer.rows) == len(package_with_code.golden), f"predict left out rows. {advice}"

    def test_names_the_package_it_answers_from(self, stage: Stage, package: ModelPackage) -> None:
        """An answer carries the digest of the package, not of the bundle."""
        digest = stage.ask_golden(package, stage.push(package)).digest
        assert digest == package.digest, (
            f"predict named {digest}, the package is {package.digest}. "
            "Let the deployed thing say the digest of the package that it loaded."
        )

    def test_digest_is_said_by_what_answers(
        self, stage: Stage, package: ModelPackage, other_package: ModelPackage
    ) -> None:
        """When something else stands where a package was pushed, no answer claims to be of that package."""
        at = stage.push(package)
        self.tamper(stage.deployer, at, stage.build(other_package))
        try:
            answer = stage.ask_golden(package, at)
        except MlopskitError:
            return
        assert answer.digest != package.digest, (
            f"predict named {package.digest}, but something else answered. "
            "Let the deployed thing say its digest; do not repeat it from a record, the locator or a label."
        )

    def test_users_get_what_is_live(self, stage: Stage, package: ModelPackage, other_package: ModelPackage) -> None:
        """With None as its place, predict asks what users get now, also after somebody else has switched."""
        one, other = stage.deploy(package), stage.push(other_package)
        advice = "Ask the target, the way users ask."
        answered = stage.ask_golden(package, None).digest
        assert answered == package.digest, (
            f"predict(None) answered from {answered}, but {package.digest} is live. {advice}"
        )
        elsewhere(lambda: stage.activate(other, one))
        answered = stage.ask_golden(package, None).digest
        assert answered == other_package.digest, (
            f"predict(None) answered from {answered}, after another process had switched to {other_package.digest}. "
            f"{advice}"
        )

    def test_bad_rows_are_refused(self, stage: Stage, package: ModelPackage) -> None:
        """Rows that do not fit the schema are answered with an error: all of them, the good among them."""
        good = dict(package.golden[0].row)
        bad = {**good, next(iter(good)): "neither a number nor missing"}
        at = stage.push(package)
        fault = "predict answered rows of which one does not fit the schema. Let the runtime check them, and raise."
        with refused(MlopskitError, fault=fault):
            stage.ask([good, bad], at)

    def test_zero_rows_are_refused(self, stage: Stage, package: ModelPackage) -> None:
        """No rows are a mistake of whoever asks."""
        at = stage.push(package)
        fault = "predict answered zero rows. Let the runtime check them, and raise."
        with refused(MlopskitError, fault=fault):
            stage.ask([], at)

    def test_logs_are_text(self, stage: Stage, package: ModelPackage) -> None:
        """`logs` returns at most as many lines as it is asked for."""
        text, most = stage.deployer.logs(NAME, stage.push(package), lines=2), 2
        assert isinstance(text, str), f"logs returned a {type(text).__name__}, expected a text. Join the lines."
        lines = len(text.splitlines())
        assert lines <= most, f"logs returned {lines} lines, asked for were {most}. Return the last ones."
