"""Two small real packages of one model name, which the suites deploy: a fixture class for them."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from mlopskit.data import Dataset
from mlopskit.modelpackage import ModelPackage
from mlopskit.packaging import write
from mlopskit.recipe import GoldenSpec, Recipe

NAME = "conformance"
_GOLDEN = 8


def dataset(*, slope: int = 1) -> Dataset:
    """Return 35 rows of two columns, labelled by which side of the line `height = slope * weight` they are on."""
    points = list(itertools.product([-1.5, -1.0, -0.25, 0.5, 1.0], range(-3, 4)))
    columns: dict[str, list[Any]] = {
        "height": [height for height, _ in points],
        "weight": [weight for _, weight in points],
        "label": ["above" if height > slope * weight else "below" for height, weight in points],
    }
    return Dataset(columns=columns, target="label")


def fitted(data: Dataset, /) -> object:
    """Return a classifier with probabilities, fitted to the rows of a dataset."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    rows = np.array(list(data.input_columns().values()), dtype=float).T
    return LogisticRegression().fit(rows, np.asarray(data.labels))


def write_packages(root: Path, /) -> None:
    """Write two packages into the folders `one` and `other`; both there, or none."""
    temporary = Path(tempfile.mkdtemp(dir=root.parent))
    for folder, slope in (("one", 1), ("other", -1)):
        data = dataset(slope=slope)
        recipe = Recipe(
            name=NAME,
            model=fitted(data),
            schema=data.input_schema(),
            test=data,
            formats=["skops"],
            golden=GoldenSpec(rows=_GOLDEN),
        )
        (temporary / folder).mkdir()
        write(recipe, temporary / folder)
    try:
        temporary.rename(root)
    except OSError:  # another worker of this test run was faster; the same packages came of it
        shutil.rmtree(temporary)


def shared_packages(factory: pytest.TempPathFactory, /) -> Path:
    """Return the folder that holds both packages, made when first asked for, for all workers of a test run."""
    base = factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "mlopskit-packages"
    if not root.exists():
        write_packages(root)
    return root


class PackageFixtures:
    """Gives `package` and `other_package`: one model name, other answers, made once for each test run."""

    @pytest.fixture(scope="session")
    @classmethod
    def packages(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The folder that holds both packages."""
        return shared_packages(tmp_path_factory)

    @pytest.fixture
    def package(self, packages: Path, tmp_path: Path) -> ModelPackage:
        """A package, a copy for each check: what one does to it harms no other."""
        return _copied(packages / "one", tmp_path)

    @pytest.fixture
    def other_package(self, packages: Path, tmp_path: Path) -> ModelPackage:
        """Another package of the same model name, which answers otherwise."""
        return _copied(packages / "other", tmp_path)


def _copied(package: Path, folder: Path) -> ModelPackage:
    copy = folder / f"package-{package.name}"
    shutil.copytree(package, copy)
    return ModelPackage.open(copy, digest="unpinned")
