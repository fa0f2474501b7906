from __future__ import annotations

import mlopskit as mk
from mlopskit.builtin.classification import ClassificationEvaluator
from mlopskit.data import Dataset
from mlopskit.evaluator import Evaluator
from mlopskit.gates import Finding, Gate
from mlopskit.relative import Comparing, live_digest

NAME = "mood"
TEXTS = [f"{word} {number}" for number in range(200) for word in ("good", "bad")]
DATA = Dataset.from_frame(TEXTS, ["Positive", "Negative"] * 200)


def promote(registry: mk.Registry, digest: str | None, alias: str = "production") -> None:
    at = registry.alias(NAME, alias)
    at.append(digest, after=at.head(), why="")


def judged(
    package: mk.ModelPackage, registry: mk.Registry, text: str, data: Dataset = DATA, evaluator: Evaluator | None = None
) -> Finding:
    gate = Gate.parse(text)
    comparing = Comparing(
        package=package, registry=registry, evaluator=evaluator or ClassificationEvaluator(), data=data
    )
    return comparing.findings([gate, Gate.parse("accuracy >= 0.5")])[gate]


def test_where_nothing_is_live_there_is_nothing_to_be_worse_than(
    package: mk.ModelPackage, registry: mk.Registry
) -> None:
    finding = judged(package, registry, "accuracy >= production - 0.01")
    assert finding.passed
    assert finding.reason == "nothing is live under 'production' yet"
    promote(registry, package.digest, "staging")
    assert judged(package, registry, "accuracy >= stagng").reason.endswith("yet; known are staging")
    promote(registry, None, "staging")
    assert judged(package, registry, "accuracy >= staging").passed


def test_a_package_is_compared_with_what_is_live_on_the_same_rows(
    package: mk.ModelPackage, other: mk.ModelPackage, registry: mk.Registry
) -> None:
    promote(registry, package.digest)
    finding = judged(other, registry, "accuracy >= production - 0.01")
    assert finding.passed
    assert finding.n == 400
    assert f"beyond production ({package.digest[:19]}…) on 400 rows" in finding.reason
    few = judged(other, registry, "accuracy >= production - 0.001")
    assert not few.passed
    assert few.needed is not None
    assert "rows would do at the same rates" in few.reason
    assert "compares no acuracy of two models" in judged(other, registry, "acuracy >= production").reason
    assert "compares no accuracy[s=1] of two" in judged(other, registry, "accuracy[s=1] >= production").reason


def test_what_is_live_is_no_worse_than_itself(package: mk.ModelPackage, registry: mk.Registry) -> None:
    promote(registry, package.digest)
    finding = judged(package, registry, "accuracy >= production + 0.5")
    assert finding.passed
    assert finding.reason == "this package is what is live under 'production'"


def test_an_endpoint_s_last_deployment_counts_where_there_is_no_such_alias(project: mk.Project) -> None:
    live = project.registry.deployments(NAME, "production")[-1].package
    assert live_digest(project.registry, NAME, "production") == live
    earlier = project.registry.deployments(NAME, "production")[0].package
    promote(project.registry, earlier)
    assert live_digest(project.registry, NAME, "production") == earlier
    assert live_digest(project.registry, NAME, "validation") is None


def test_a_live_package_that_cannot_answer_these_rows_fails_the_gate(
    package: mk.ModelPackage, other: mk.ModelPackage, registry: mk.Registry
) -> None:
    promote(registry, package.digest)
    renamed = Dataset(columns={"words": TEXTS, "y": ["Positive", "Negative"] * 200}, target="y")
    finding = judged(other, registry, "accuracy >= production - 0.01", renamed)
    assert not finding.passed
    assert "cannot be compared on these rows" in finding.reason
    promote(registry, "sha256:" + "0" * 64)
    assert "holds no package" in judged(other, registry, "accuracy >= production - 0.01").reason


def test_an_evaluator_that_does_not_compare_fails_the_gate(
    package: mk.ModelPackage, other: mk.ModelPackage, registry: mk.Registry
) -> None:
    class Silent(ClassificationEvaluator):
        compare = Evaluator.compare

    promote(registry, package.digest)
    finding = judged(other, registry, "accuracy >= production - 0.01", evaluator=Silent())
    assert not finding.passed
    assert finding.reason == "the evaluator compares no accuracy of two models"
