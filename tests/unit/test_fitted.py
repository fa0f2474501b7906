from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

import mlopskit as mk
from mlopskit.errors import (
    ConfigError,
    DataError,
    MlopskitError,
    PackageError,
    StoreError,
    UnknownNameError,
    VerdictError,
)

TEXTS = [f"{word} {number}" for number in range(30) for word in ("good", "bad")]
LABELS = ["Positive", "Negative"] * 30


def fitted() -> Any:
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)


def test_five_right_rows_prove_too_little(tmp_path: Path) -> None:
    registry, share = tmp_path / "registry", tmp_path / "share"
    texts, labels = ["good", "bad", "good 1", "bad 1", "good 2"], ["Positive", "Negative"] * 2 + ["Positive"]
    package = mk.package(fitted(), texts, labels, name="mood", gates="accuracy >= 0.75", registry=registry)
    assert package.evaluation is not None
    assert package.evaluation.find("accuracy").value == 1.0  # type: ignore[union-attr]
    with pytest.raises(VerdictError, match=r"the 95 % lower bound 0\.5493 of the value 1 on 5 rows") as caught:
        mk.deploy(package, mk.FileShare(to=str(share)), registry=registry)
    assert caught.value.exit_code == 1
    assert not share.exists()


def test_without_gates_nothing_is_proven(tmp_path: Path) -> None:
    package = mk.package(fitted(), TEXTS, LABELS, name="mood", registry=tmp_path / "registry", formats="skops")
    assert [model.format for model in package.models] == ["skops"]
    with pytest.raises(VerdictError, match="no gate judged it"):
        mk.deploy(package, mk.FileShare(to=str(tmp_path / "share")), registry=tmp_path / "registry")


def test_test_rows_among_the_training_rows_are_refused_unless_they_are_allowed(tmp_path: Path) -> None:
    registry = mk.Registry.at(tmp_path / "registry")
    given: dict[str, Any] = {"name": "mood", "gates": ["accuracy >= 0.75"], "registry": registry}
    with pytest.raises(DataError, match="The data check refuses: 7 of 60 test rows stand in the training rows"):
        mk.package(fitted(), TEXTS, LABELS, X_train=TEXTS[:7], **given)
    with pytest.raises(UnknownNameError, match="Did you mean 'leakage'"):
        mk.package(fitted(), TEXTS, LABELS, X_train=TEXTS[:7], allow="leakag", **given)
    assert registry.names() == []
    package = mk.package(fitted(), TEXTS, LABELS, X_train=TEXTS[:7], allow="leakage", **given)
    verdict = registry.verdict("mood", package.digest)
    assert verdict is not None
    assert not verdict.passed
    assert verdict.findings[-1].reason == "7 of 60 test rows stand in the training data, for example row 0"
    assert [text.partition(":")[0] for text in verdict.warnings] == ["rows", "leakage"]
    assert "leakage: 7 of 60 test rows" in verdict._repr_html_()


def test_the_verdict_says_whether_training_rows_were_looked_for(tmp_path: Path) -> None:
    registry = mk.Registry.at(tmp_path / "registry")
    train = [f"{text} apart" for text in TEXTS]
    for options, hashes in (({"row_hashes": False}, 0), ({}, 60 * 8)):
        package = mk.package(fitted(), TEXTS, LABELS, name="mood", X_train=train, registry=registry, **options)
        assert sum(size for _, size in registry.storage.list("mood/rows")) == hashes
    verdict = registry.verdict("mood", package.digest)
    assert verdict is not None
    assert (verdict.overlap, verdict.warnings) == ("0 of 60 test rows stand in the training data", ())
    assert verdict.seen_before == 1


def test_behavioural_tests_come_from_a_file(tmp_path: Path) -> None:
    tests = tmp_path / "behaviour.toml"
    tests.write_text('[[case]]\nname = "praise"\nrow = { text = "good" }\nprediction = "Negative"\n')
    registry = mk.Registry.at(tmp_path / "registry")
    package = mk.package(
        fitted(), TEXTS, LABELS, name="mood", gates=["accuracy >= 0.5"], tests=str(tests), registry=registry
    )
    verdict = registry.verdict("mood", package.digest)
    assert verdict is not None
    assert [one.passed for one in verdict.findings] == [True, False]
    assert "praise: expected 'Negative', answered 'Positive'." in verdict.findings[-1].reason


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"gates": ["accuracy > 0.75"]}, ConfigError, "'accuracy > 0.75' is not a gate"),
        ({"gates": "accuracy"}, ConfigError, "'accuracy' is not a gate"),
        ({"name": "../mood"}, MlopskitError, "'../mood' is not allowed"),
        ({"tests": "absent.toml"}, ConfigError, "'absent.toml' cannot be read"),
        ({"X_test": []}, DataError, "."),
        ({"y_test": LABELS[:-1]}, DataError, "."),
        ({"model": LogisticRegression()}, StoreError, "LogisticRegression is not fitted"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(
    tmp_path: Path, changed: dict[str, Any], error: type[MlopskitError], message: str
) -> None:
    given = {"model": fitted(), "X_test": TEXTS, "y_test": LABELS, "name": "mood", **changed}
    with pytest.raises(error, match=message) as caught:
        mk.package(
            given.pop("model"), given.pop("X_test"), given.pop("y_test"), registry=tmp_path / "registry", **given
        )
    assert caught.value.remedy
    assert not (tmp_path / "registry").exists()


def test_a_model_that_is_no_better_than_chance_is_refused(tmp_path: Path) -> None:
    registry = mk.Registry.at(tmp_path / "registry")
    model = DummyClassifier(strategy="constant", constant="Positive").fit([[0]] * 60, LABELS)
    package = mk.package(
        model, [[float(n)] for n in range(60)], LABELS, name="dull", gates="accuracy >= 0.4", registry=registry
    )
    verdict = registry.verdict("dull", package.digest)
    assert verdict is not None
    assert not verdict.passed
    assert verdict.findings[0].reached == pytest.approx(0.3871, abs=1e-3)


def test_a_function_measures_and_gates_compare_and_time(tmp_path: Path) -> None:
    registry = mk.Registry.at(tmp_path / "registry")
    texts = [f"{word} {number}" for number in range(200) for word in ("good", "bad")]
    labels = ["Positive", "Negative"] * 200
    gates = ["right >= 0.9", "right >= production - 0.05", "latency_p50_ms <= 10000", "size_mb <= 100"]
    given: dict[str, Any] = {"name": "mood", "gates": gates, "registry": registry}

    def right(y_true: Any, y_pred: Any) -> dict[str, float]:
        return {"right": (y_true == y_pred).mean()}

    first = mk.package(fitted(), texts, labels, evaluator=right, **given)
    verdict = registry.verdict("mood", first.digest)
    assert verdict is not None
    assert verdict.passed
    assert verdict.findings[1].reason == "nothing is live under 'production' yet"
    assert [one.metric for one in verdict.measurements] == ["size_mb", "latency_p50_ms"]
    assert first.evaluation is not None
    assert {one.metric for one in first.evaluation.estimates} == {"right"}
    registry.alias("mood", "production").append(first.digest, after=None, why="")
    second = mk.package(fitted(), texts[2:], labels[2:], evaluator=right, **given)
    verdict = registry.verdict("mood", second.digest)
    assert verdict is not None
    assert verdict.passed
    assert "beyond production" in verdict.findings[1].reason


def test_a_model_that_answers_nan_is_not_packaged(tmp_path: Path) -> None:
    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    model.coef_ = np.array([np.nan])
    with pytest.raises(PackageError, match=r"answered something else than its schema says: Row 0, column 'prediction'"):
        mk.package(model, [[0.5], [1.5]], [0.5, 1.5], name="mood", registry=tmp_path / "registry")
    assert mk.Registry.at(tmp_path / "registry").names() == []
