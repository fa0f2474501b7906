"""Three faults of public samples, each rebuilt as data: the model must be refused, and for its own reason.

1. Five test rows, all answered right, let a model through that is right on 81 % of all rows.
2. A comparison the wrong way round let a model through that was trained on swapped labels.
3. A quarter of the evaluation rows stood in the training rows, which the model knows by heart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

import mlopskit as mk
from mlopskit.errors import DataError, VerdictError


def rows(count: int, *, seed: int, wrong: float = 0.0) -> tuple[np.ndarray, list[str]]:
    """Return points left and right of zero, with a share of their labels wrong."""
    drawn = np.random.default_rng(seed)
    points = drawn.uniform(0.5, 2.0, count) * np.where(np.arange(count) % 2, 1, -1)
    labels = ["right" if (point > 0) != (at < wrong * count) else "left" for at, point in enumerate(points)]
    return points.reshape(-1, 1), labels


def finding(registry: Path, package: mk.ModelPackage, gate: str) -> mk.Finding:
    verdict = mk.Registry.at(registry).verdict(package.name, package.digest)
    assert verdict is not None
    return next(one for one in verdict.findings if one.gate == gate)


def packed(registry: Path, model: Any, X: np.ndarray, y: list[str], *gates: str, **more: Any) -> mk.ModelPackage:  # noqa: N803  # scikit-learn's names
    return mk.package(model, X, y, name="faults", gates=gates, registry=registry, **more)


def shared(registry: Path, to: Path, package: mk.ModelPackage) -> mk.Deployment:
    return mk.deploy(package, mk.FileShare(to=str(to)), registry=registry)


def test_five_right_rows_prove_too_little(tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    X, y = rows(1000, seed=1, wrong=0.19)  # noqa: N806  # scikit-learn's names
    model = LogisticRegression().fit(X, y)
    assert model.score(X, y) == pytest.approx(0.81)
    right = np.flatnonzero(model.predict(X) == np.array(y))[:5]
    five, labels = X[right], [y[at] for at in right]
    package = packed(registry, model, five, labels, "accuracy >= 0.75")
    found = finding(registry, package, "accuracy >= 0.75")
    assert not found.passed
    assert found.n == 5
    assert found.reached == pytest.approx(0.05 ** (1 / 5))
    assert "lower bound 0.5493 of the value 1 on 5 rows" in found.reason
    with pytest.raises(VerdictError):
        shared(registry, tmp_path / "share", package)
    assert not (tmp_path / "share").exists()
    # The sample's gate looks at the value alone, and is content.
    assert package.evaluation is not None
    assert mk.Gate.parse("accuracy.value >= 0.75").judge(package.evaluation).passed


def test_a_model_of_swapped_labels_is_worse_than_what_is_live(tmp_path: Path) -> None:
    registry, share = tmp_path / "registry", tmp_path / "share"
    X, y = rows(600, seed=2, wrong=0.23)  # noqa: N806  # scikit-learn's names
    test, labels = rows(400, seed=3, wrong=0.23)
    swapped = LogisticRegression().fit(X, ["left" if label == "right" else "right" for label in y])
    assert swapped.score(test, labels) == pytest.approx(0.23)
    good = packed(registry, LogisticRegression().fit(X, y), test, labels, "accuracy >= 0.7", X_train=X)
    deployed = shared(registry, share, good)
    gate = f"accuracy >= {deployed.endpoint} - 0.01"
    package = packed(registry, swapped, test, labels, gate, X_train=X)
    found = finding(registry, package, gate)
    assert not found.passed
    assert "of the difference -0.54 beyond" in found.reason
    with pytest.raises(VerdictError):
        shared(registry, share, package)
    assert mk.load(share / "faults", alias="production").digest == good.digest


def test_test_rows_that_were_trained_on_are_refused(tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    X, y = rows(600, seed=4, wrong=0.3)  # noqa: N806  # scikit-learn's names
    fresh, labels = rows(225, seed=5, wrong=0.3)
    model = KNeighborsClassifier(n_neighbors=1).fit(X, y)
    test, expected = np.concatenate([X[:75], fresh]), [*y[:75], *labels]
    assert model.score(test[:75], expected[:75]) == 1.0
    assert model.score(test[75:], expected[75:]) < 0.8
    with pytest.raises(DataError, match="75 of 300 test rows stand in the training rows"):
        packed(registry, model, test, expected, "accuracy >= 0.5", X_train=X)
    # Whoever allows it may look at the model, and still not deploy it.
    package = packed(registry, model, test, expected, "accuracy >= 0.5", X_train=X, allow=["leakage"])
    assert finding(registry, package, "accuracy >= 0.5").passed
    leaked = finding(registry, package, "test rows apart from training rows")
    assert not leaked.passed
    assert leaked.reason.startswith("75 of 300 test rows stand in the training data")
    with pytest.raises(VerdictError):
        shared(registry, tmp_path / "share", package)
