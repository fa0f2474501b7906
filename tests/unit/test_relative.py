from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

import mlopskit as mk
from mlopskit import pipeline
from mlopskit.builtin.classification import ClassificationEvaluator
from mlopskit.data import Dataset
from mlopskit.errors import StoreError, UnknownNameError
from mlopskit.evaluator import Evaluator
from mlopskit.gates import Finding, Gate
from mlopskit.relative import Comparing

NAME = "mood"
TEXTS = [f"{word} {number}" for number in range(200) for word in ("good", "bad")]
DATA = Dataset.from_frame(TEXTS, ["Positive", "Negative"] * 200)


def promote(registry: mk.Registry, digest: str | None, alias: str = "production") -> None:
    at = registry.alias(NAME, alias)
    at.append(digest, after=at.head(), why="")


def every(
    package: mk.ModelPackage,
    registry: mk.Registry,
    *gates: Gate,
    data: Dataset = DATA,
    evaluator: Evaluator | None = None,
) -> list[tuple[Finding, ...]]:
    """Return what is found of each gate; both packages are asked once, in a process each."""
    comparing = Comparing(
        package=package, registry=registry, evaluator=evaluator or ClassificationEvaluator(), data=data
    )
    found = comparing.findings([*gates, Gate.parse("accuracy >= 0.5")])
    return [found[gate] for gate in gates]


def judged(
    package: mk.ModelPackage, registry: mk.Registry, text: str, data: Dataset = DATA, evaluator: Evaluator | None = None
) -> Finding:
    ((finding,),) = every(package, registry, Gate.parse(text), data=data, evaluator=evaluator)
    return finding


def test_where_nothing_is_live_there_is_nothing_to_be_worse_than(
    package: mk.ModelPackage, registry: mk.Registry
) -> None:
    finding = judged(package, registry, "accuracy >= production - 0.01")
    assert finding.passed
    assert finding.reason == "nothing is live under 'production' yet"
    promote(registry, None, "staging")
    assert judged(package, registry, "accuracy >= staging").reason == "nothing is live under 'staging' yet"
    other = judged(package, registry, "accuracy >= testing - 0.01")
    assert other.passed
    assert other.reason == (
        "nothing is live under 'testing' yet; no endpoint or alias has this name, known are candidate, production, "
        "staging"
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("prodution", "production"),
        ("prodcution", "production"),
        ("canditate", "candidate"),
        ("stagng", "staging"),
        ("shdow", "shadow"),
    ],
)
def test_a_name_that_is_almost_a_known_one_fails(
    package: mk.ModelPackage, registry: mk.Registry, written: str, meant: str
) -> None:
    promote(registry, package.digest, "staging")
    gate = Gate.parse(f"accuracy >= {written} - 0.01")
    comparing = Comparing(
        package=package, registry=registry, evaluator=ClassificationEvaluator(), data=DATA, endpoints=["shadow"]
    )
    (finding,) = comparing.findings([gate])[gate]
    assert not finding.passed
    assert finding.reason.startswith(f"there is no endpoint or alias {written!r}: did you mean {meant!r}?")


def test_an_endpoint_of_the_project_may_be_meant_before_anything_was_deployed_there(
    fresh_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    def note(*args: Any, **_: object) -> None:
        given.append(args[3].endpoints)
        raise StoreError("x", remedy="y")

    monkeypatch.setattr(pipeline, "judge_package", note)
    model = make_pipeline(CountVectorizer(), MultinomialNB()).fit(TEXTS, DATA.labels)
    for registry in (None, fresh_project / "another"):
        with pytest.raises(StoreError):
            mk.package(model, TEXTS, DATA.labels, name=NAME, registry=registry)
    with pytest.raises(StoreError):
        mk.Project().run()
    assert given == [["production", "validation"], [], ["production", "validation"]]


def test_a_package_is_compared_with_what_is_live_on_the_same_rows(
    package: mk.ModelPackage, other: mk.ModelPackage, registry: mk.Registry
) -> None:
    promote(registry, package.digest)
    texts = ("accuracy >= production - 0.01", "accuracy >= production - 0.001", "acuracy >= production")
    gates = map(Gate.parse, (*texts, "accuracy[s=1] >= production"))
    (finding,), (few,), (mistyped,), (sliced,) = every(other, registry, *gates)
    assert finding.passed
    assert finding.n == 400
    assert f"beyond production ({package.digest[:19]}…) on 400 rows" in finding.reason
    assert not few.passed
    assert few.needed is not None
    assert "rows would do at the same rates" in few.reason
    assert "compares no acuracy of two models" in mistyped.reason
    assert "compares no accuracy[s=1] of two" in sliced.reason


def test_answers_that_packaging_has_are_not_asked_for_again(
    package: mk.ModelPackage, other: mk.ModelPackage, registry: mk.Registry
) -> None:
    promote(registry, package.digest)
    gate = Gate.parse("accuracy >= production - 0.01")
    gone = mk.ModelPackage(folder=Path("gone"), digest=other.digest, manifest=other.manifest, files={})
    outputs = {"prediction": ["Negative"] * 400}
    comparing = Comparing(
        package=gone, registry=registry, evaluator=ClassificationEvaluator(), data=DATA, outputs=outputs
    )
    assert "difference -0.5 beyond production" in comparing.findings([gate])[gate][0].reason


def test_what_is_live_is_no_worse_than_itself(package: mk.ModelPackage, registry: mk.Registry) -> None:
    promote(registry, package.digest)
    finding = judged(package, registry, "accuracy >= production + 0.5")
    assert finding.passed
    assert finding.reason == "this package is what is live under 'production'"


def test_an_endpoint_s_last_deployment_counts_where_there_is_no_such_alias(project: mk.Project) -> None:
    live = project.registry.deployments(NAME, "production")[-1].package
    assert project.registry.live(NAME, "production") == live
    earlier = project.registry.deployments(NAME, "production")[0].package
    promote(project.registry, earlier)
    assert project.registry.live(NAME, "production") == earlier
    assert project.registry.live(NAME, "validation") is None


def test_a_reference_may_name_an_endpoint(project: mk.Project) -> None:
    live = project.registry.deployments(NAME, "production")[-1].package
    assert project.package("production").digest == live
    with pytest.raises(UnknownNameError, match="no endpoint or alias 'producton'") as raised:
        project.package("producton")
    assert raised.value.remedy.startswith("Did you mean 'production'? Known: candidate, ")


def test_a_live_package_that_cannot_answer_these_rows_fails_the_gate(
    package: mk.ModelPackage, other: mk.ModelPackage, registry: mk.Registry
) -> None:
    promote(registry, package.digest)
    renamed = Dataset(columns={"words": TEXTS, "y": ["Positive", "Negative"] * 200}, target="y")
    finding = judged(other, registry, "accuracy >= production - 0.01", renamed)
    assert not finding.passed
    assert "cannot be compared on these rows: The data lacks the column 'text'" in finding.reason
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


def test_a_report_is_told_how_each_metric_differs_from_what_a_gate_was_relative_to(
    package: mk.ModelPackage, other: mk.ModelPackage, registry: mk.Registry
) -> None:
    promote(registry, package.digest)
    comparing = Comparing(package=other, registry=registry, evaluator=ClassificationEvaluator(), data=DATA)
    comparing.findings([Gate.parse("accuracy >= 0.5")])
    assert comparing.tables() == []
    comparing.findings([Gate.parse("accuracy >= production - 0.01"), Gate.parse("f1 >= production - 0.1")])
    (table,) = comparing.tables()
    assert table.title == "Difference from production"
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows.keys() == {"accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"}
    value, lower, upper, n, *shares, method = rows["accuracy"]
    assert (value, n, shares, method) == (0.0, 400, [0, 0, 1.0], "tango")
    assert -0.01 < lower < 0 < upper < 0.01  # type: ignore[operator]
    assert rows["log_loss"][4:] == (None, None, None, "paired bca")


def test_an_evaluator_that_tells_no_differences_leaves_the_table_out(
    package: mk.ModelPackage, other: mk.ModelPackage, registry: mk.Registry
) -> None:
    class Silent(ClassificationEvaluator):
        differences = Evaluator.differences

    promote(registry, package.digest)
    comparing = Comparing(package=other, registry=registry, evaluator=Silent(), data=DATA)
    comparing.findings([Gate.parse("accuracy >= production - 0.01")])
    assert comparing.tables() == []


# --- rows that what is live was trained on --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a registry and a package in it that was trained on the first twelve rows, one of them in capitals."""
    place = tmp_path_factory.mktemp("learned") / "registry"
    model = make_pipeline(CountVectorizer(), MultinomialNB()).fit(TEXTS, DATA.labels)
    again, train = [f"{text} again" for text in TEXTS], [*TEXTS[:11], TEXTS[11].upper(), "another"]
    return place, mk.package(model, again, DATA.labels, name=NAME, X_train=train, registry=place).digest


@pytest.fixture
def live(learned: tuple[Path, str], registry: mk.Registry, tmp_path: Path) -> str:
    """Put that package live in a registry that has others, too."""
    shutil.copytree(learned[0], tmp_path / "registry", dirs_exist_ok=True)
    promote(registry, learned[1])
    return learned[1]


@pytest.mark.usefixtures("live")
def test_rows_that_what_is_live_was_trained_on_are_left_out(package: mk.ModelPackage, registry: mk.Registry) -> None:
    finding = judged(package, registry, "accuracy >= production - 0.01")
    assert finding.passed
    assert finding.n == 388
    assert finding.reason.endswith("on 388 rows; compared on 388 of 400 rows: production was trained on 12")
    wrong = Dataset.from_frame(TEXTS, ["Negative" if row < 12 else label for row, label in enumerate(DATA.labels)])
    assert judged(package, registry, "accuracy >= production - 0.01", wrong) == finding


@pytest.mark.usefixtures("live")
def test_a_slice_counts_its_own_rows(package: mk.ModelPackage, registry: mk.Registry) -> None:
    parts = ["a"] * 5 + ["b"] * 200 + ["c"] * 195
    sliced = Dataset(columns={**DATA.columns, "part": parts}, target=DATA.target, slices=("part",))
    gates = [Gate.parse(f"accuracy[part={part}] >= production") for part in "abc"]
    (none,), (some,), (all_,) = every(package, registry, *gates, data=sliced)
    assert not none.passed
    assert none.reason == "no row is left to compare on: production was trained on all 5"
    assert "compared on 193 of 200 rows" in some.reason
    assert all_.reason.endswith("on 195 rows")


def test_where_its_training_rows_are_not_known_the_finding_says_so(
    package: mk.ModelPackage, registry: mk.Registry, live: str, tmp_path: Path
) -> None:
    unknown = "on 400 rows; overlap with production's training rows not checked"
    shutil.rmtree(tmp_path / "registry" / NAME / "rows")
    assert judged(package, registry, "accuracy >= production - 0.01").reason.endswith(unknown)
    promote(registry, package.digest)  # it was packaged without its training rows
    finding = judged(registry.package(NAME, live), registry, "accuracy >= production - 0.01")
    assert finding.passed
    assert finding.reason.endswith(unknown)


@pytest.mark.usefixtures("live")
def test_every_slice_is_compared_that_has_enough_rows_left(package: mk.ModelPackage, registry: mk.Registry) -> None:
    parts = ["a"] * 55 + ["b"] * 170 + ["c"] * 170 + ["d"] * 5
    sliced = Dataset(columns={**DATA.columns, "part": parts}, target=DATA.target, slices=("part",))
    text = "accuracy[part=*] >= production - 0.02"
    policies = [{}, {"smallest_slice": 40}, {"smallest_slice": 400}]
    wrong = ("acuracy[part=*] >= production", "accuracy[pat=*] >= production")
    gates = [*(Gate.parse(text, **policy) for policy in policies), *map(Gate.parse, wrong)]
    (b, c, rest), (a, *_), (none,), *mistyped = every(package, registry, *gates, data=sliced)
    assert (b.gate, b.passed, b.n) == ("accuracy[part=b] >= production - 0.02", True, 170)
    assert c == replace(b, gate="accuracy[part=c] >= production - 0.02")
    assert rest.reason == "not judged: 2 slices have fewer than 50 rows for it: part=a (43), part=d (5)"
    assert (rest.passed, rest.judged) == (True, False)
    assert a.reason.endswith("compared on 43 of 55 rows: production was trained on 12")
    assert not none.passed
    for (only,) in mistyped:
        assert not only.passed
        assert only.reason.startswith("the evaluator compares no ")


def test_a_slice_that_became_worse_fails_though_the_whole_became_better(
    package: mk.ModelPackage, other: mk.ModelPackage, registry: mk.Registry
) -> None:
    promote(registry, package.digest)
    parts = ["a"] * 100 + ["b"] * 300
    wrong = {"Positive": "Negative", "Negative": "Positive"}
    # The labels are such that what is live is right on slice a and wrong on b; the new model is the other way round.
    labels = [label if part == "a" else wrong[label] for label, part in zip(DATA.labels, parts, strict=True)]
    sliced = Dataset.from_frame(TEXTS, labels)
    sliced = Dataset(columns={**sliced.columns, "part": parts}, target=sliced.target, slices=("part",))
    outputs = {"prediction": [wrong[label] for label in DATA.labels]}
    gates = [Gate.parse("accuracy >= production - 0.03"), Gate.parse("accuracy[part=*] >= production - 0.03")]
    comparing = Comparing(
        package=other, registry=registry, evaluator=ClassificationEvaluator(), data=sliced, outputs=outputs
    )
    found = comparing.findings(gates)
    assert [one.passed for one in found[gates[0]]] == [True]
    assert [one.passed for one in found[gates[1]]] == [False, True]
    assert found[gates[1]][0].gate == "accuracy[part=a] >= production - 0.03"


def test_where_nothing_is_live_a_gate_on_every_slice_has_one_finding(
    package: mk.ModelPackage, registry: mk.Registry
) -> None:
    finding = judged(package, registry, "accuracy[part=*] >= production - 0.03")
    assert (finding.passed, finding.reason) == (True, "nothing is live under 'production' yet")


@pytest.mark.usefixtures("live")
def test_damaged_hashes_fail_the_gate(package: mk.ModelPackage, registry: mk.Registry, tmp_path: Path) -> None:
    for file in (tmp_path / "registry" / NAME / "rows").rglob("*.bin"):
        file.write_bytes(b"1")
    finding = judged(package, registry, "accuracy >= production - 0.01")
    assert not finding.passed
    assert "are damaged" in finding.reason


def test_a_run_is_not_compared_on_rows_that_an_earlier_one_learned(project: mk.Project) -> None:
    """The live package has learned by another split what is tested now."""
    project.promote(project.package().digest, to="production")
    settings = Path("mlopskit.toml")
    text = settings.read_text().replace('"accuracy >= 0.75"', '"accuracy >= production - 0.5"')
    settings.write_text(text.replace('target = "label"', 'target = "label"\ntest = { share = 0.9 }'))
    run = mk.Project().run()
    verdict = project.verdict(str(run.digest))
    assert verdict
    tested, learned = run.rows["test"], run.rows["test"] - project.runs()[-2].rows["test"]
    reason = f"compared on {tested - learned} of {tested} rows: production was trained on {learned}"
    assert verdict.findings[0].reason.endswith(reason)
    assert len([*(project.root / ".mlopskit/registry" / NAME / "rows").iterdir()]) == 2  # of three runs
